package node

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"thornback/core/owner"
	"thornback/core/wire"
)

// settleMax is how often the rings are read before something is cancelled.
const settleMax = 16

// controlCancel cancels the task that makes an object. Preconditions: n.mu held; what workers wrote was read, so that the
// children of the task are known.
func (n *Node) controlCancel(request json.RawMessage) (any, error) {
	var r struct {
		Object    uint64 `json:"object"`
		Force     bool   `json:"force"`
		Recursive bool   `json:"recursive"`
		Interrupt bool   `json:"interrupt"`
		Restart   bool   `json:"restart"`
	}
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, fmt.Errorf("node: cancel: %w", err)
	}
	err := n.m.Cancel(r.Object, owner.Cancellation{
		Force: r.Force, Recursive: r.Recursive, Interrupt: r.Interrupt, Restart: r.Restart,
	})
	if errors.Is(err, owner.ErrStale) {
		err = nil // an object that is gone was there
	}
	return map[string]any{}, err
}

// settle reads what workers have written so far, mostly all of it. Preconditions: n.mu held, by none who reads a ring.
func (n *Node) settle() {
	for range settleMax {
		if !n.drain(n.now()) {
			return
		}
	}
}

// onCancel is a worker's request to cancel something. It is put off until its ring is not being read, see settle.
func (n *Node) onCancel(w *worker, request uint32, text []byte) {
	text = append([]byte(nil), text...)
	inc, id := w.incarnation, w.id
	n.after = append(n.after, func() {
		n.do(func() {
			n.settle()
			_, code, err := n.control(opCancel, text)
			w := n.workerAt(id)
			switch {
			case w == nil || w.incarnation != inc:
			case err != nil:
				n.replyError(w, request, code, err.Error())
			default:
				n.reply(w, request, wire.OK, []byte("{}"))
			}
		})
	})
}

// Cancel implements owner.Ports.
func (n *Node) Cancel(id owner.WorkerID, task uint64, interrupt bool) {
	w := n.workerAt(id)
	if w == nil || w.doomed {
		return
	}
	b := make([]byte, wire.CancelBytes)
	binary.LittleEndian.PutUint64(b, task)
	if interrupt {
		binary.LittleEndian.PutUint32(b[8:], wire.CancelInterrupt)
	}
	n.sendReply(w, pendingReply{wire.MsgCancel, 0, b})
}

// poke has a worker look for a CANCEL that lies in its ring by now, whatever it does.
func (n *Node) poke(w *worker) {
	if w.pid == 0 { // it works already, but its zygote has not told its number yet
		w.poked = true
		return
	}
	n.zygote.interrupt(w.pid)
}
