package owner

import (
	"slices"

	"thornback/core/resources"
	"thornback/core/slab"
)

// shortage is what can be told for certain of a queued task that is short of a resource: at least so many of those who have
// some must give it back. CPUs are left out: a task that waits lends its own.
type shortage struct {
	tasks []slab.Handle // that have some until they end
	open  int           // others that have some, of which nobody knows when they give it back: actors, and what they keep
	need  int           // of all of them
}

// shortOf looks at the first resource that is short and no CPU. need is 0 where nothing is certain.
func (m *Machine) shortOf(short []resources.Shortage) shortage {
	i := slices.IndexFunc(short, func(s resources.Shortage) bool { return s.ID != resources.CPU && s.Free < s.Wanted })
	if i < 0 {
		return shortage{}
	}
	s, hidden := short[i], short[i].Total-max(0, short[i].Free)
	var sh shortage
	var amounts []resources.Amount
	for _, h := range m.sched.Holders(s.ID) {
		amounts = append(amounts, h.Amount)
		hidden -= h.Amount
		if ws := m.workers[h.Worker]; h.Task == 0 || ws == nil || ws.actor != nil {
			sh.open++
		} else {
			sh.tasks = append(sh.tasks, slab.Handle(h.Task))
		}
	}
	if hidden > 0 { // of tasks that run on top of others
		amounts = append(amounts, hidden)
		sh.open++
	}
	slices.Sort(amounts)
	for lack := s.Wanted - max(0, s.Free); lack > 0 && len(amounts) > 0; sh.need++ { // were the largest ones given back first
		lack -= amounts[len(amounts)-1]
		amounts = amounts[:len(amounts)-1]
	}
	return sh
}
