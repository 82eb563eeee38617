package owner

import "errors"

// ErrNoGroup says that a call names a concurrency group which its actor has not.
var ErrNoGroup = errors.New("owner: the actor has no such concurrency group")

// windowSpare is how many calls of a group are sent beyond twice those that run at a time, so that the worker never waits
// for the next one.
const windowSpare = 200

// group is a concurrency group of an actor: calls that share a number of threads, or of places in an event loop. Each has a
// queue of its own, so that one whose calls take long holds back no other: what the worker has of it is bounded, and so what
// lies in the ring before the others' calls.
type group struct {
	ready  fifo // have their arguments, wait for the actor, for room in its ring, or for the window
	sent   int  // in the worker
	window int  // how many may be there; 0: as many as the ring takes
}

// newGroups makes the groups of an actor. limits: how many calls of each run at a time, the default group first; none: one
// at a time. spare: how many more than twice those may be sent.
func newGroups(limits []int, spare int) []group {
	if len(limits) == 0 {
		return make([]group, 1)
	}
	gs := make([]group, len(limits))
	for i, n := range limits {
		gs[i].window = 2*n + spare
	}
	return gs
}

func (g *group) full() bool { return g.window > 0 && g.sent >= g.window }

// groupOf returns the group that a call belongs to.
func (m *Machine) groupOf(a *actor, t *task) *group {
	return &a.groups[m.templates[t.template].Group]
}
