package owner

import (
	"slices"

	"thornback/core/resources"
	"thornback/core/sched"
	"thornback/core/slab"
)

// shortage is what can be told for certain of a queued task that is short of a resource: at least so many of those who have
// some must give it back.
type shortage struct {
	tasks []slab.Handle // it is kept at least until these go on
	open  int           // others that have some, of which nobody knows when they give it back
	need  int           // of all of them
}

// shortOf looks at the first resource that is short, CPUs last. need is 0 where nothing is certain.
func (m *Machine) shortOf(short []resources.Shortage) shortage {
	lacks := func(s resources.Shortage) bool { return s.Free < s.Wanted }
	i := slices.IndexFunc(short, func(s resources.Shortage) bool { return s.ID != resources.CPU && lacks(s) })
	if i < 0 {
		i = slices.IndexFunc(short, lacks)
	}
	if i < 0 || short[i].Free < 0 { // more is in use than there is, until one who was lent some gives it back
		return shortage{}
	}
	s, hidden := short[i], short[i].Total-short[i].Free
	var sh shortage
	var amounts []resources.Amount
	for _, h := range m.sched.Holders(s.ID) {
		amounts = append(amounts, h.Amount)
		hidden -= h.Amount
		if th, ok := m.keeper(h); ok {
			sh.tasks = append(sh.tasks, th)
		} else {
			sh.open++
		}
	}
	if hidden > 0 { // of tasks that run on top of others
		amounts = append(amounts, hidden)
		sh.open++
	}
	slices.Sort(amounts)
	for lack := s.Wanted - s.Free; lack > 0 && len(amounts) > 0; sh.need++ { // were the largest ones given back first
		lack -= amounts[len(amounts)-1]
		amounts = amounts[:len(amounts)-1]
	}
	return sh
}

// keeper returns a task without whose going on a worker can't give back what it has: the one that it runs or, of an actor, a
// call that waits, since an actor ends after what it runs. False when it may do so at any time, as an actor without calls may.
func (m *Machine) keeper(h sched.Holder) (slab.Handle, bool) {
	ws := m.workers[h.Worker]
	if ws == nil {
		return 0, false
	}
	if ws.actor == nil {
		return slab.Handle(h.Task), h.Task != 0
	}
	for _, w := range m.waiters {
		if w != nil && w.worker == h.Worker && w.endless() {
			return slab.Handle(w.task), true
		}
	}
	return 0, false
}
