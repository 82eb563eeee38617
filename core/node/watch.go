package node

import (
	"encoding/binary"
	"fmt"

	"thornback/core/owner"
	"thornback/core/wire"
)

// readyRefsKept is how large a buffer for READYREF a worker keeps between two of them.
const readyRefsKept = 4096

// onWatch notes objects of which a worker wants to be told when they are ready.
func (n *Node) onWatch(w *worker, r *wire.Reader) error {
	if r.Rest() == 0 || r.Rest()%8 != 0 {
		return fmt.Errorf("%w: WATCH of %d bytes", errMessage, r.Rest())
	}
	for r.Rest() >= 8 {
		w.watches++
		if !n.m.Watch(w.id, r.U64()) {
			w.watches--
		}
	}
	n.awaiting[w] = struct{}{}
	n.watchDeadlocks()
	return nil
}

// ReadyRef implements owner.Ports. What a worker is told goes out in as few records as it fits in, before the lock is
// released.
func (n *Node) ReadyRef(id owner.WorkerID, h uint64) {
	w := n.workerAt(id)
	if w == nil || w.doomed {
		return
	}
	w.watches--
	n.tellReady(w, h, n.m.ValueFor(id, h))
}

func (n *Node) tellReady(w *worker, h uint64, v wire.Value) {
	size := 8 + v.Size()
	if len(w.readyRefs)+size > payloadMax {
		n.sendReadyRefs(w)
	}
	if len(w.readyRefs) == 0 {
		n.watchers = append(n.watchers, w)
	}
	at := len(w.readyRefs)
	w.readyRefs = append(w.readyRefs, make([]byte, size)...)
	binary.LittleEndian.PutUint64(w.readyRefs[at:], h)
	out := wire.NewWriter(w.readyRefs[at+8:])
	out.Value(v)
}

// FailAwaited implements owner.Ports.
func (n *Node) FailAwaited(id owner.WorkerID, h uint64, blob []byte) {
	if w := n.workerAt(id); w != nil && !w.doomed {
		w.watches--
		n.tellReady(w, h, wire.Value{Where: wire.WhereInline, Length: uint64(len(blob)), Bytes: blob})
	}
}

func (n *Node) sendReadyRefs(w *worker) {
	if len(w.readyRefs) > 0 {
		n.sendReply(w, pendingReply{wire.MsgReadyRef, 0, w.readyRefs})
		if w.readyRefs = w.readyRefs[:0]; cap(w.readyRefs) > readyRefsKept {
			w.readyRefs = nil
		}
	}
}

// flushWatched tells workers what they watch. Preconditions: n.mu held.
func (n *Node) flushWatched() {
	for i, w := range n.watchers {
		n.watchers[i] = nil
		if n.workerAt(w.id) == w {
			n.sendReadyRefs(w)
		}
	}
	n.watchers = n.watchers[:0]
}

// Watch has the driver told, by Watched, when objects are ready.
func (n *Node) Watch(handles []uint64) error {
	if !n.enter() {
		return ErrClosed
	}
	defer n.rescue()
	defer n.unlock()
	for _, h := range handles {
		n.m.Watch(owner.Driver, h)
	}
	return nil
}

// Watched takes objects that the driver watches and that are ready; see owner.Machine.
func (n *Node) Watched(into []uint64) (int, *uint32, error) {
	if !n.enter() {
		return 0, nil, ErrClosed
	}
	defer n.rescue()
	defer n.unlock()
	return n.m.Watched(into)
}
