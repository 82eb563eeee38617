package owner

import (
	"fmt"

	"thornback/core/slab"
)

// waits counts the calls of an actor that have not ended, by the process that submitted them. It is kept for actors with a
// limit only.
type waits struct {
	by    map[slab.Handle]WorkerID
	count map[WorkerID]int
}

// submitted counts a call of an actor with a limit; answered ends that.
func (m *Machine) submitted(a *actor, th slab.Handle, from WorkerID) {
	if a.waits.by == nil {
		a.waits = waits{by: map[slab.Handle]WorkerID{}, count: map[WorkerID]int{}}
	}
	a.waits.by[th] = from
	a.waits.count[from]++
	m.counted++
}

func (m *Machine) answered(a *actor, th slab.Handle) {
	from, ok := a.waits.by[th]
	if !ok {
		return
	}
	delete(a.waits.by, th)
	m.counted--
	if a.waits.count[from]--; a.waits.count[from] == 0 {
		delete(a.waits.count, from)
	}
}

// Pending returns how many calls that a process submitted wait for an actor, or for their end; 0 when the actor has no limit.
func (m *Machine) Pending(h uint64, from WorkerID) (int, error) {
	a := m.actors[slab.Handle(h).Slot()]
	if a == nil || uint64(a.object) != h {
		return 0, fmt.Errorf("%w: %x", ErrNoActor, h)
	}
	return a.waits.count[from], nil
}
