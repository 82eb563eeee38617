package node

import (
	"encoding/binary"
	"fmt"

	"thornback/core/owner"
	"thornback/core/wire"
)

// nextMax is how many items of a stream are handed over at a time.
const nextMax = 1024

// onYield takes an item of a generator.
func (n *Node) onYield(w *worker, r *wire.Reader) error {
	task, index := r.U64(), r.U64()
	v := r.Value()
	inner := r.U64s(nil, v.Refs)
	if r.Failed() {
		return fmt.Errorf("%w: YIELD", errMessage)
	}
	if err := n.takeSpan(w, &v); err != nil {
		return err
	}
	if !n.m.Yield(w.id, task, index, v, inner) {
		n.freeValues([]wire.Value{v})
	}
	return nil
}

// onNext hands items of a stream over to a worker.
func (n *Node) onNext(w *worker, request uint32, r *wire.Reader) error {
	stream, most := r.U64(), r.U32()
	if r.Failed() {
		return fmt.Errorf("%w: NEXT", errMessage)
	}
	items := make([]uint64, min(most, nextMax))
	count, next, ended, err := n.m.Next(w.id, stream, items)
	if err != nil {
		n.replyError(w, request, CodeOf(err), err.Error())
		return nil
	}
	b := n.newReply(16 + 8*count)
	out := wire.NewWriter(b[wire.ReplyBytes:])
	out.U32(uint32(count))
	out.U32(flag(ended))
	out.U64(next)
	for _, h := range items[:count] {
		out.U64(h)
	}
	n.finishReply(w, request, wire.OK, b)
	return nil
}

func flag(on bool) uint32 {
	if on {
		return 1
	}
	return 0
}

// Room implements owner.Ports.
func (n *Node) Room(id owner.WorkerID, task, taken uint64) {
	if w := n.workerAt(id); w != nil {
		b := binary.LittleEndian.AppendUint64(nil, task)
		n.sendReply(w, pendingReply{wire.MsgRoom, 0, binary.LittleEndian.AppendUint64(b, taken)})
	}
}

// Next hands items of a stream over to the driver; see owner.Machine.Next.
func (n *Node) Next(stream uint64, items []uint64) (count int, next uint64, ended bool, err error) {
	if !n.enter() {
		return 0, 0, false, ErrClosed
	}
	defer n.rescue()
	defer n.unlock()
	return n.m.Next(owner.Driver, stream, items)
}
