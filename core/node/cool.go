package node

import "time"

// A store that is not used gives its free memory back to the system, but for a part that makes the next objects fast.
const (
	coolAfter = 10 * time.Second // without an allocation
	coolKeep  = 256 << 20        // bytes of free touched memory that stay
	coolMin   = 1 << 20          // smallest piece worth a system call
	coolStep  = 64 << 20         // bytes given back at a time under the lock: some milliseconds
)

// coolLater looks, some time from now, whether memory should go back. Preconditions: n.mu held.
func (n *Node) coolLater() {
	if n.cooler == nil && !n.closed {
		seen := n.allocs
		n.cooler = time.AfterFunc(coolAfter, func() { n.cool(seen) })
	}
}

// cool gives memory back step by step, as long as nobody allocates; seen is the number of allocations when it was planned.
func (n *Node) cool(seen uint64) {
	for again := true; again; {
		again = false
		n.do(func() {
			n.cooler = nil
			s := n.store.Stats()
			spare := s.Touched - min(s.Touched, s.Used)
			switch {
			case spare <= n.coolKeep:
			case n.allocs != seen:
				n.coolLater()
			default:
				done, err := n.store.GiveBack(coolMin, min(coolStep, spare-n.coolKeep))
				if err != nil {
					n.logs.note(err.Error())
				}
				again = done > 0 && err == nil
			}
		})
	}
}
