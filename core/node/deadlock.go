package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"thornback/core/owner"
	"thornback/core/wire"
)

// deadlockEvery is how often tasks that wait are looked at for circles, while there are any.
const deadlockEvery = 300 * time.Millisecond

// opQuiet is the operation by which the process of an async actor says that nothing goes on in it.
const opQuiet = "loop.quiet"

var errNews = errors.New("node: the process has been told something")

// watchDeadlocks sees to it that circles of waits are found soon. Preconditions: n.mu held.
func (n *Node) watchDeadlocks() {
	if n.watching || n.m.Blocked() == 0 && len(n.awaiting) == 0 {
		return
	}
	n.watching = true
	time.AfterFunc(deadlockEvery, func() {
		n.do(func() {
			n.watching = false
			n.askAwaiting()
			n.m.Deadlocks()
			n.watchDeadlocks()
		})
	})
}

// said is how much was said to a worker and by it.
type said struct{ task, reply, out uint64 }

func (w *worker) said(out uint64) said { return said{w.task.Written(), w.reply.Written(), out} }

// askAwaiting asks the processes that await something, and to which nothing has been said for a while, whether anything goes on
// in them: by a READYREF of no object, which an event loop answers by "loop.quiet" and others ignore.
func (n *Node) askAwaiting() {
	for w := range n.awaiting {
		if w.watches <= 0 || w.doomed || n.workerAt(w.id) != w {
			delete(n.awaiting, w)
			continue
		}
		now := w.said(w.out.Read())
		if now == w.seen && now != w.quiet {
			n.tellReady(w, 0, wire.Value{})
			n.flushWatched()
			now = w.said(w.out.Read())
		}
		w.seen = now
	}
}

// Quiet implements owner.Ports.
func (n *Node) Quiet(id owner.WorkerID) bool {
	w := n.workerAt(id)
	return w != nil && w.quiet == w.said(w.out.Read()) && w.out.Unread() == 0 && w.task.Unread() == 0 && len(w.replies) == 0 &&
		len(w.readyRefs) == 0
}

// controlLoopQuiet notes what the process of an async actor awaits while nothing goes on in it. What it was told and has not
// read yet would be news to it.
func (n *Node) controlLoopQuiet(request json.RawMessage) (any, error) {
	var r struct {
		Awaits []uint64 `json:"awaits"`
	}
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, fmt.Errorf("node: %s: %w", opQuiet, err)
	}
	if w := n.workerAt(n.asker); w == nil || w.task.Unread()+w.reply.Unread() > 0 || len(w.replies) > 0 || len(w.readyRefs) > 0 {
		return nil, errNews
	}
	n.m.Quiet(n.asker, r.Awaits)
	return map[string]any{}, nil
}
