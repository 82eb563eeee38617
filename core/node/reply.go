package node

import (
	"bytes"
	"encoding/binary"

	"thornback/core/owner"
	"thornback/core/wire"
)

// pendingReply is a record of a worker's reply ring.
type pendingReply struct {
	kind, flags uint16
	payload     []byte
}

// sendReply writes a record into a worker's reply ring, later when it is full. The payload is the caller's again afterwards.
// Preconditions (of all methods in this file): n.mu held.
func (n *Node) sendReply(w *worker, r pendingReply) {
	if len(w.replies) == 0 {
		if n.writeReply(w, r) {
			return
		}
		n.unsent++
	}
	r.payload = bytes.Clone(r.payload)
	w.replies = append(w.replies, r)
}

// writeReply reports whether there was room.
func (n *Node) writeReply(w *worker, r pendingReply) bool {
	b := w.reply.Begin(len(r.payload))
	if b == nil {
		return false
	}
	copy(b, r.payload)
	w.reply.Commit(r.kind, r.flags)
	if r.kind == wire.MsgCancel && r.payload[8]&wire.CancelInterrupt != 0 {
		n.poke(w)
	}
	n.ring(w)
	return true
}

// flushReplies writes what there is room for. Preconditions: something waits.
func (n *Node) flushReplies(w *worker) {
	for len(w.replies) > 0 {
		if !n.writeReply(w, w.replies[0]) {
			return
		}
		w.replies = w.replies[1:]
	}
	w.replies = nil
	n.unsent--
}

// newReply returns memory for the answer to a request, with so many bytes behind its head. It is valid until the next call.
func (n *Node) newReply(size int) []byte { return n.space(wire.ReplyBytes + size) }

// space returns memory for a payload. It is valid until the next call.
func (n *Node) space(size int) []byte {
	if size > payloadMax {
		return make([]byte, size)
	}
	if cap(n.payload) < size {
		n.payload = make([]byte, max(size, 4096))
	}
	return n.payload[:size]
}

// finishReply sends what newReply returned, through the arena when it is large.
func (n *Node) finishReply(w *worker, request uint32, status int32, b []byte) {
	binary.LittleEndian.PutUint32(b, request)
	binary.LittleEndian.PutUint32(b[4:], uint32(status))
	if len(b) <= payloadMax {
		n.sendReply(w, pendingReply{wire.MsgReply, 0, b})
		return
	}
	s, mem, err := n.indirect(len(b))
	if err != nil {
		n.replyError(w, request, wire.EFull, err.Error())
		return
	}
	copy(mem, b)
	w.spans[s.offset] = struct{}{}
	sp := make([]byte, wire.SpanBytes)
	binary.LittleEndian.PutUint64(sp, s.offset)
	binary.LittleEndian.PutUint64(sp[8:], s.length)
	n.sendReply(w, pendingReply{wire.MsgReply, wire.RecordIndirect, sp})
}

// reply answers a request.
func (n *Node) reply(w *worker, request uint32, status int32, payload []byte) {
	b := n.newReply(len(payload))
	copy(b[wire.ReplyBytes:], payload)
	n.finishReply(w, request, status, b)
}

func (n *Node) replyError(w *worker, request uint32, status int32, text string) {
	n.reply(w, request, status, jsonText(map[string]any{"message": text}))
}

func (n *Node) replyControl(w *worker, request uint32, answer []byte, code int32, err error) {
	if err != nil {
		n.replyError(w, request, code, err.Error())
	} else {
		n.reply(w, request, wire.OK, answer)
	}
}

func (n *Node) replyNumber(w *worker, request, number uint32, err error) {
	if err != nil {
		n.replyError(w, request, wire.EInval, err.Error())
		return
	}
	b := n.newReply(4)
	binary.LittleEndian.PutUint32(b[wire.ReplyBytes:], number)
	n.finishReply(w, request, wire.OK, b)
}

// ReplyValues implements owner.Ports.
func (n *Node) ReplyValues(id owner.WorkerID, request uint32, first int, values []wire.Value) {
	w := n.workerAt(id)
	if w == nil {
		return
	}
	size := 8
	for _, v := range values {
		size += v.Size()
	}
	b := n.newReply(size)
	out := wire.NewWriter(b[wire.ReplyBytes:])
	out.U32(uint32(len(values)))
	out.U32(uint32(first))
	for _, v := range values {
		out.Value(v)
	}
	n.finishReply(w, request, wire.OK, b)
}

// ReplyReady implements owner.Ports.
func (n *Node) ReplyReady(id owner.WorkerID, request uint32, ready []byte) {
	w := n.workerAt(id)
	if w == nil {
		return
	}
	b := n.newReply(8 + len(ready))
	out := wire.NewWriter(b[wire.ReplyBytes:])
	out.U64(uint64(len(ready)))
	copy(b[wire.ReplyBytes+8:], ready)
	n.finishReply(w, request, wire.OK, b)
}

// ReplyError implements owner.Ports.
func (n *Node) ReplyError(id owner.WorkerID, request uint32, status int32, text string) {
	if w := n.workerAt(id); w != nil {
		n.replyError(w, request, status, text)
	}
}

// grant gives a worker handles for what it will create.
func (n *Node) grant(w *worker) {
	hs := n.m.Grant(w.id, grantSize)
	b := n.space(8 * len(hs))
	out := wire.NewWriter(b)
	for _, h := range hs {
		out.U64(h)
	}
	n.sendReply(w, pendingReply{wire.MsgGrant, 0, b})
}
