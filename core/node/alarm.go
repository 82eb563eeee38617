package node

import "time"

// setAlarm has the tasks whose deadline comes at that time cancelled then; 0: nothing is to come. Preconditions: n.mu held.
func (n *Node) setAlarm(at int64) {
	n.alarm = at
	if at == 0 || n.closed {
		return // one that rings for nothing finds nothing
	}
	wait := time.Duration(max(0, at-n.now()))
	if n.clockwork == nil {
		n.clockwork = time.AfterFunc(wait, func() {
			n.do(func() {
				n.alarm = 0 // it has rung: the next one is set on the way out
				n.m.Expire(n.now())
			})
		})
		return
	}
	n.clockwork.Reset(wait)
}
