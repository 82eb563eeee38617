package owner

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"

	"thornback/core/sched"
	"thornback/core/slab"
	"thornback/core/wire"
)

type actorState uint8

const (
	creating actorState = iota
	alive
	ending // asked to exit, or killed; the process is not gone yet
	dead
)

// actor is one actor, from the submission of its creation until its object goes.
type actor struct {
	object   slab.Handle
	create   slab.Handle // the creation, until it is done
	template *Template
	state    actorState
	worker   WorkerID // when alive
	calls    fifo     // sent, in order
	ready    fifo     // have their arguments, wait for the actor or for room in its ring
	callers  map[uint64]*fifo
	deathMsg Cause  // when ending or dead
	errBlob  []byte // what calls get once it is dead; nil: made from deathMsg
	stalled  bool   // in Machine.stalled
	struck   bool   // a detached one's own hold is gone
}

// fifo is a queue of tasks.
type fifo struct {
	items []slab.Handle
	head  int
}

func (f *fifo) len() int { return len(f.items) - f.head }

func (f *fifo) push(h slab.Handle) { f.items = append(f.items, h) }

func (f *fifo) first() slab.Handle { return f.items[f.head] }

func (f *fifo) pop() slab.Handle {
	h := f.items[f.head]
	f.head++
	if f.head == len(f.items) {
		f.items, f.head = f.items[:0], 0
	} else if f.head > 1024 && f.head > len(f.items)/2 {
		f.items = append(f.items[:0], f.items[f.head:]...)
		f.head = 0
	}
	return h
}

// drop removes h, which is usually the first.
func (f *fifo) drop(h slab.Handle) {
	for i := f.head; i < len(f.items); i++ {
		if f.items[i] == h {
			copy(f.items[f.head+1:i+1], f.items[f.head:i])
			f.pop()
			return
		}
	}
}

// newActor begins an actor; its object is the creation's first return.
func (m *Machine) newActor(th slab.Handle, t *task, s *Submission) {
	h := slab.Handle(s.Rets[0])
	o := m.objects.At(h.Slot())
	o.isActor = true
	t.actor = h.Slot() + 1
	a := &actor{object: h, create: th, template: s.Template, worker: Driver, callers: map[uint64]*fifo{}}
	m.actors[h.Slot()] = a
	m.enrol(a)
}

// callActor takes over a call. Calls of one caller run in the order of submission: one whose arguments are not there
// holds back those behind it, but not other callers'.
func (m *Machine) callActor(th slab.Handle, t *task) {
	a := m.actors[t.actor-1]
	if a.state >= ending {
		m.failCall(th, t, a)
		return
	}
	q := a.callers[t.caller]
	if t.pending > 0 || q != nil {
		if q == nil {
			q = &fifo{}
			a.callers[t.caller] = q
		}
		q.push(th)
		return
	}
	m.ready(a, th, t)
}

// argsReady says that a call has its arguments; it and those it held back may go, if it is its caller's first.
func (m *Machine) argsReady(_ slab.Handle, t *task) {
	a := m.actors[t.actor-1]
	q := a.callers[t.caller]
	caller := t.caller
	for q != nil && q.len() > 0 {
		th := q.first()
		t, ok := m.tasks.Get(th)
		if ok && t.pending > 0 {
			return
		}
		q.pop()
		if ok {
			m.ready(a, th, t)
		}
	}
	delete(a.callers, caller)
}

// ready sends a call, or queues it while the actor is being created or its ring is full.
func (m *Machine) ready(a *actor, th slab.Handle, t *task) {
	t.state = queued
	if a.state >= ending {
		m.failCall(th, t, a)
		return
	}
	if a.state != alive || a.ready.len() > 0 || !m.sendCall(a, th, t) {
		a.ready.push(th)
	}
}

func (m *Machine) sendCall(a *actor, th slab.Handle, t *task) bool {
	pos, err := m.ports.Send(a.worker, m.message(th, t))
	switch {
	case errors.Is(err, ErrNoRoom):
		if a.calls.len() == 0 && !a.stalled { // no answer will come that says when there is room
			a.stalled = true
			m.stalled = append(m.stalled, a.object)
		}
		return false
	case err != nil:
		m.fail(th, t, wire.ErrStoreFull, map[string]string{"message": err.Error()})
		return true
	}
	t.state, t.worker, t.pos = sent, a.worker, pos
	m.running++
	a.calls.push(th)
	return true
}

// flush sends queued calls as long as there is room.
func (m *Machine) flush(a *actor) {
	for a.state == alive && a.ready.len() > 0 {
		th := a.ready.first()
		t, ok := m.tasks.Get(th)
		if ok && !m.sendCall(a, th, t) {
			return
		}
		a.ready.pop()
	}
}

// callLeft takes an ended call off its actor's books and uses the room it left.
func (m *Machine) callLeft(th slab.Handle, t *task) {
	if a := m.actors[t.actor-1]; a != nil {
		a.calls.drop(th)
		m.flush(a)
	}
}

// created says that the constructor has ended.
func (m *Machine) created(id WorkerID, slot uint32, o *Outcome) {
	a := m.actors[slot]
	ws := m.workers[id]
	if a == nil || ws == nil {
		return
	}
	a.create = 0
	ws.actor, a.worker = a, id
	if o.Status == wire.DoneError || o.Status == wire.DoneSystem {
		a.state = ending
		m.strike(a)
		a.errBlob = bytes.Clone(o.Values[0].Bytes) // nil for a stored one
		a.deathMsg = Cause{Message: "The actor died because its constructor raised an exception."}
		m.ports.Kill(id)
		m.failCalls(a)
		return
	}
	if a.state >= ending { // killed while it was created
		m.ports.Kill(id)
		return
	}
	a.state = alive
	m.flush(a)
	if obj := m.objects.At(slot); obj.refs == 0 {
		m.actorUnheld(a.object)
	}
}

// failCreation ends an actor whose process died in the constructor.
func (m *Machine) failCreation(th slab.Handle, t *task, a *actor, c Cause) {
	if a.state < ending {
		a.deathMsg = c
	}
	a.state = dead
	m.strike(a)
	a.create = 0
	m.failBlob(th, t, m.deathBlob(a, a.template.Name))
	m.failCalls(a)
	m.actorGone(a)
}

// actorUnheld says that nobody has a handle any more: no call can come, so the process may go.
func (m *Machine) actorUnheld(h slab.Handle) {
	a := m.actors[h.Slot()]
	if a == nil || a.object != h {
		return
	}
	switch {
	case a.state == alive:
		a.state = ending
		m.strike(a)
		a.deathMsg = Cause{Message: "The actor ended because all handles to it went out of scope."}
		m.ports.Exit(a.worker)
	case a.state == creating:
		if t, ok := m.tasks.Get(a.create); ok && t.state == queued {
			m.sched.Remove(sched.TaskID(a.create))
			m.failCreation(a.create, t, a, Cause{Message: "The actor was never started: all handles to it went out of scope."})
		}
	}
	m.actorGone(a)
}

// actorGone forgets an actor that is dead and that nobody holds.
func (m *Machine) actorGone(a *actor) {
	o, ok := m.objects.Get(a.object)
	if ok && o.isActor && a.state == dead && o.refs == 0 && o.task == 0 {
		o.isActor = false
		delete(m.actors, a.object.Slot())
		m.letGo(a.object)
	}
}

// Kill ends an actor at once. Calls that it has not answered fail.
func (m *Machine) Kill(h uint64) error {
	o, ok := m.objects.Get(slab.Handle(h))
	if !ok {
		return fmt.Errorf("%w: actor %x", ErrStale, h)
	}
	a := m.actors[slab.Handle(h).Slot()]
	if !o.isActor || a == nil {
		return fmt.Errorf("%w: %x", ErrNoActor, h)
	}
	if a.state >= ending {
		return nil
	}
	a.deathMsg = Cause{Message: "The actor is dead because it was killed by `ray.kill`."}
	if a.state == alive {
		a.state = ending
		m.strike(a)
		m.ports.Kill(a.worker)
		m.failCalls(a)
		return nil
	}
	t, ok := m.tasks.Get(a.create)
	if ok && t.state != sent {
		if t.state == queued {
			m.sched.Remove(sched.TaskID(a.create))
		}
		m.failCreation(a.create, t, a, a.deathMsg)
		return nil
	}
	a.state = ending
	m.strike(a)
	m.failCalls(a)
	if ok {
		m.ports.Kill(t.worker)
	}
	return nil
}

// actorLeaves says that the actor's process ends of its own will after this call.
func (m *Machine) actorLeaves(id WorkerID) {
	ws := m.workers[id]
	if ws == nil || ws.actor == nil || ws.actor.state != alive {
		return
	}
	ws.actor.state = ending
	m.strike(ws.actor)
	ws.actor.deathMsg = Cause{Message: "The actor exited by exit_actor()."}
}

// actorLost says that the actor's process is gone.
func (m *Machine) actorLost(a *actor, c Cause) {
	if a.state != ending {
		a.deathMsg = c
	}
	a.state = dead
	m.strike(a)
	a.worker = Driver
	m.failCalls(a)
	m.actorGone(a)
}

// failCalls ends everything that was asked of an actor which will not answer.
func (m *Machine) failCalls(a *actor) {
	var all []slab.Handle
	for _, q := range []*fifo{&a.calls, &a.ready} {
		all = append(all, q.items[q.head:]...)
		*q = fifo{}
	}
	for _, caller := range slices.Sorted(maps.Keys(a.callers)) { // in order, so that a run can be replayed
		q := a.callers[caller]
		all = append(all, q.items[q.head:]...)
		delete(a.callers, caller)
	}
	for _, th := range all {
		if t, ok := m.tasks.Get(th); ok {
			if t.state == sent {
				m.running--
			}
			m.failCall(th, t, a)
		}
	}
}

func (m *Machine) failCall(th slab.Handle, t *task, a *actor) {
	m.failBlob(th, t, m.deathBlob(a, m.templates[t.template].Name))
}

// deathBlob is the error that a call to a dead actor gives.
func (m *Machine) deathBlob(a *actor, task string) []byte {
	if a.errBlob != nil {
		return a.errBlob
	}
	return wire.SysErr(wire.ErrActorDied, a.deathMsg.fields("task", task, "actor_class", a.template.ClassName,
		"actor_id", fmt.Sprintf("%016x", uint64(a.object))))
}

// ActorInfo is what can be told of an actor.
type ActorInfo struct {
	State, ClassName, Name string
	Worker                 WorkerID
	Pending                int // calls not yet answered
}

// ActorInfo describes an actor.
func (m *Machine) ActorInfo(h uint64) (ActorInfo, error) {
	o, ok := m.objects.Get(slab.Handle(h))
	if !ok {
		return ActorInfo{}, fmt.Errorf("%w: actor %x", ErrStale, h)
	}
	a := m.actors[slab.Handle(h).Slot()]
	if !o.isActor || a == nil {
		return ActorInfo{}, fmt.Errorf("%w: %x", ErrNoActor, h)
	}
	pending := a.calls.len() + a.ready.len()
	for _, q := range a.callers {
		pending += q.len()
	}
	states := [...]string{creating: "PENDING_CREATION", alive: "ALIVE", ending: "DEAD", dead: "DEAD"}
	return ActorInfo{State: states[a.state], ClassName: a.template.ClassName, Name: a.template.Name, Worker: a.worker, Pending: pending}, nil
}
