package owner

import (
	"fmt"

	"thornback/core/sched"
	"thornback/core/slab"
)

type actorState uint8

const (
	creating   actorState = iota
	restarting            // its process died, or is being killed, and it is made again
	alive
	ending // asked to exit, or killed; the process is not gone yet
	dead
)

// actor is one actor, from the submission of its creation until its object goes.
type actor struct {
	object    slab.Handle
	scope     *scope      // that it belongs to, or nil
	create    slab.Handle // the creation, until it is done or, for an actor that may be made again, until its death
	template  *Template
	state     actorState
	restarts  int      // how often it was made again
	worker    WorkerID // the process that it lives in, until that is gone; Driver: none
	pid       int      // of the last process it lived in
	began     bool     // its constructor has run to an end, once
	calls     fifo     // sent, in order
	groups    []group  // by Template.Group of the calls
	callers   map[uint64]*fifo
	pending   map[slab.Handle]struct{} // calls that wait for arguments, when the template is Unordered
	death     Cause                    // when ending or dead
	errBlob   []byte                   // what calls get once it is dead; nil: made from death
	stalled   bool                     // in Machine.stalled
	struck    bool                     // a detached one's own hold is gone
	nameTaken bool                     // by another one when it was submitted: it is never made
	alarmed   bool                     // an alarm is set for calls that wait for its restart
	waits     waits                    // calls that have not ended, when their number is limited
}

// newActor begins an actor; its object is the creation's first return.
func (m *Machine) newActor(th slab.Handle, t *task, s *Submission) *actor {
	h := slab.Handle(s.Rets[0])
	o := m.objects.At(h.Slot())
	o.kind = anActor
	t.actor = h.Slot() + 1
	a := &actor{
		object: h, create: th, template: s.Template, worker: Driver, groups: newGroups(s.Template.Limits, m.windowMore),
		callers: map[uint64]*fifo{}, pending: map[slab.Handle]struct{}{},
	}
	m.actors[h.Slot()] = a
	if m.scopes.live > 0 {
		m.joinScopeActor(a, s)
	}
	m.enrol(a)
	return a
}

// actorUnheld says that nobody has a handle any more: no call can come, so the process may go.
func (m *Machine) actorUnheld(h slab.Handle) {
	a := m.actors[h.Slot()]
	if a == nil || a.object != h {
		return
	}
	switch a.state {
	case alive:
		a.state = ending
		m.strike(a)
		a.death = Cause{Message: deathScope}
		m.ports.Exit(a.worker)
	case creating, restarting:
		// One that is being constructed is looked at again when that has ended.
		if t, ok := m.tasks.Get(a.create); ok && t.state == queued {
			m.sched.Remove(sched.TaskID(a.create))
			m.failCreation(a.create, t, a, Cause{Message: deathScope})
		}
	}
	m.actorGone(a)
}

// actorGone forgets an actor that is dead and that nobody holds.
func (m *Machine) actorGone(a *actor) {
	o, ok := m.objects.Get(a.object)
	if ok && o.kind == anActor && a.state == dead && o.refs == 0 && o.task == 0 {
		m.bury(a)
		o.kind = 0
		delete(m.actors, a.object.Slot())
		m.letGo(a.object)
	}
}

// ActorInfo is what can be told of an actor.
type ActorInfo struct {
	State     string // as Ray names it
	ClassName string
	Name      string
	Namespace string
	Worker    WorkerID
	PID       int // of the last process it lived in, 0: none
	Pending   int // calls not yet answered
	Restarts  int // how often it was made again
	Death     Cause
	Detached  bool
}

// ActorInfo describes an actor.
func (m *Machine) ActorInfo(h uint64) (ActorInfo, error) {
	o, ok := m.objects.Get(slab.Handle(h))
	if !ok {
		return ActorInfo{}, fmt.Errorf("%w: actor %x", ErrStale, h)
	}
	a := m.actors[slab.Handle(h).Slot()]
	if o.kind != anActor || a == nil {
		return ActorInfo{}, fmt.Errorf("%w: %x", ErrNoActor, h)
	}
	pending := a.calls.len() + len(a.pending)
	for i := range a.groups {
		pending += a.groups[i].ready.len()
	}
	for _, q := range a.callers {
		pending += q.len()
	}
	return ActorInfo{
		State: m.actorStateName(a), ClassName: a.template.ClassName, Name: a.template.ActorName, Namespace: a.template.Namespace,
		Worker: a.worker, PID: a.pid, Pending: pending, Restarts: a.restarts, Death: a.death, Detached: a.template.Detached,
	}, nil
}

// actorStateName is an actor's state in Ray's words.
func (m *Machine) actorStateName(a *actor) string {
	if t, ok := m.tasks.Get(a.create); ok && a.state == creating && t.state == waiting {
		return "DEPENDENCIES_UNREADY"
	}
	names := [...]string{
		creating: "PENDING_CREATION", restarting: "RESTARTING", alive: "ALIVE", ending: "DEAD", dead: "DEAD",
	}
	return names[a.state]
}
