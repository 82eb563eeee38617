package owner

import (
	"bytes"
	"fmt"

	"thornback/core/sched"
	"thornback/core/slab"
	"thornback/core/wire"
)

// restartPatience is how long a call without retries waits for an actor that is restarting, in ns.
const restartPatience = 1e9

// mayRestart reports whether an actor has restarts left.
func (m *Machine) mayRestart(a *actor) bool {
	return a.template.MaxRestarts < 0 || a.restarts < a.template.MaxRestarts
}

// createDone says that the constructor has ended. Its task is kept as long as the actor may be made again.
func (m *Machine) createDone(id WorkerID, th slab.Handle, t *task, o *Outcome) {
	a, ws := m.actors[t.actor-1], m.workers[id]
	m.finish(th, t, o)
	if a.state >= ending { // killed while it was created
		m.forgetCreation(a)
		m.inhabit(a, id, ws)
		m.ports.Kill(id)
		return
	}
	m.inhabit(a, id, ws)
	m.unlimit(th) // its deadline was for the constructor, the first time
	switch o.Status {
	case wire.DoneError, wire.DoneFinal, wire.DoneSystem:
		a.state = ending
		a.errBlob = bytes.Clone(o.Values[0].Bytes) // nil for a stored one
		a.death = Cause{Message: deathInit}
		m.forgetCreation(a)
		m.strike(a)
		m.ports.Kill(id)
		m.failCalls(a)
		return
	case wire.DoneExit, wire.DoneQuit:
		m.actorLeaves(id, o.Status)
		m.forgetCreation(a)
		m.failCalls(a)
		return
	}
	a.state = alive
	if a.template.MaxRestarts == 0 {
		m.forgetCreation(a)
	} else {
		t.state = kept
	}
	m.flush(a)
	if obj := m.objects.At(a.object.Slot()); obj.refs == 0 {
		m.actorUnheld(a.object)
	}
}

// inhabit notes the process that an actor lives in.
func (m *Machine) inhabit(a *actor, id WorkerID, ws *workerState) {
	ws.actor, a.worker, a.pid, a.began = a, id, ws.pid, true
}

// forgetCreation ends the task that made the actor: it will not be made again.
func (m *Machine) forgetCreation(a *actor) {
	if t, ok := m.tasks.Get(a.create); ok && a.create != 0 {
		th := a.create
		a.create = 0
		m.endTask(th, t)
	}
}

// creationLost decides what becomes of an actor whose process died before the constructor had ended. The creation is in no
// queue then.
func (m *Machine) creationLost(th slab.Handle, t *task, a *actor, started bool, c Cause) {
	class := m.templates[t.template].class
	switch {
	case a.state >= ending:
		m.failCreation(th, t, a, a.death)
	case !started:
		m.sched.Requeue(sched.TaskID(th), class, m.submitter(t))
	case !m.mayRestart(a):
		m.failCreation(th, t, a, deathOf(c))
	default:
		m.again(a)
	}
}

// again queues the creation once more.
func (m *Machine) again(a *actor) {
	a.state = restarting
	a.restarts++
	t := m.tasks.At(a.create.Slot())
	m.nextAttempt(t)
	t.attempt = uint32(a.restarts)
	m.queueAgain(a.create, t)
}

// failCreation ends an actor that is not created, or not again.
func (m *Machine) failCreation(th slab.Handle, t *task, a *actor, c Cause) {
	a.death = c
	a.state = dead
	m.leaveScopeDead(a)
	m.strike(a)
	a.create = 0
	m.failBlob(th, t, m.deathBlob(a, a.template.Name))
	m.failCalls(a)
	m.actorGone(a)
}

// actorLost says that the actor's process is gone: it is made again while it has restarts left and was not to end.
func (m *Machine) actorLost(a *actor, c Cause) {
	if a.state == alive && m.mayRestart(a) {
		a.state = restarting
		m.interruptCalls(a, c)
	}
	a.worker = Driver
	switch {
	case a.state == restarting && m.objects.At(a.object.Slot()).refs > 0:
		m.again(a)
		return
	case a.state == restarting: // calls that have failed held it last
		a.death = Cause{Message: deathScope}
	case a.state == alive:
		a.death = deathOf(c)
	}
	a.state = dead
	m.leaveScopeDead(a)
	m.strike(a)
	m.failCalls(a)
	m.forgetCreation(a)
	m.actorGone(a)
}

// interruptCalls decides, when the process of an actor that goes on is gone or killed, what becomes of the calls that were
// sent to it or were ready to be: those that have a retry left wait for the new process, in the order that they had, the
// others fail. Only for calls that had begun it counts as an attempt.
func (m *Machine) interruptCalls(a *actor, c Cause) {
	var fail []slab.Handle
	for _, th := range a.takeCalls() {
		t, ok := m.queuedCall(th)
		if !ok {
			continue
		}
		tmpl := m.templates[t.template]
		begun := false
		if t.state == sent {
			m.running--
			begun = !m.ports.TakeBack(a.worker, t.pos)
		}
		t.state, t.worker = queued, Driver
		switch {
		case t.cancel != 0 || tmpl.MaxRetries == 0 || begun && !m.mayRetry(t, tmpl):
			fail = append(fail, th)
			continue
		case begun:
			m.noteFailed(t, th, m.unavailableBlob(a, tmpl.Name, c))
			m.nextAttempt(t)
		}
		m.groupOf(a, t).ready.push(th)
	}
	for _, th := range fail {
		if t, ok := m.tasks.Get(th); ok {
			m.failUnavailable(th, t, a, c)
		}
	}
}

func (m *Machine) failUnavailable(th slab.Handle, t *task, a *actor, c Cause) {
	if t.cancel != 0 {
		m.failCancelled(th, t, "")
		return
	}
	m.failBlob(th, t, m.unavailableBlob(a, m.templates[t.template].Name, c))
}

// awaitRestart sees to it that calls without retries do not wait for ever for an actor that is restarting.
func (m *Machine) awaitRestart(a *actor) {
	if !a.alarmed {
		a.alarmed = true
		m.ports.Alarm(uint64(a.object), restartPatience)
	}
}

// Alarmed says that the time of an alarm has come. Calls without retries have waited long enough for their actor.
func (m *Machine) Alarmed(token uint64) {
	a := m.actors[slab.Handle(token).Slot()]
	if a == nil || uint64(a.object) != token || !a.alarmed {
		return
	}
	a.alarmed = false
	if a.state != restarting {
		return
	}
	var fail []slab.Handle
	for _, th := range a.takeCalls() { // none is sent while it restarts
		t, ok := m.queuedCall(th)
		switch {
		case !ok:
		case m.templates[t.template].MaxRetries == 0:
			fail = append(fail, th)
		default:
			m.groupOf(a, t).ready.push(th)
		}
	}
	for _, th := range fail { // now, or calls that wait for them would come before those that are ready
		if t, ok := m.queuedCall(th); ok {
			m.failUnavailable(th, t, a, Cause{Message: "The actor is restarting."})
		}
	}
}

// Kill ends an actor at once; calls that it has not answered fail. With again, an actor that has restarts left is made anew.
func (m *Machine) Kill(h uint64, again bool) error {
	o, ok := m.objects.Get(slab.Handle(h))
	if !ok {
		return fmt.Errorf("%w: actor %x", ErrStale, h)
	}
	a := m.actors[slab.Handle(h).Slot()]
	if o.kind != anActor || a == nil {
		return fmt.Errorf("%w: %x", ErrNoActor, h)
	}
	if a.state >= ending {
		return nil
	}
	if again && m.mayRestart(a) {
		m.moved = true
		m.killAgain(a, Cause{Message: "The actor was restarted"})
		return nil
	}
	m.killFor(a, Cause{Message: deathKilled})
	return nil
}

// killFor ends an actor for good, at once.
func (m *Machine) killFor(a *actor, c Cause) {
	if a.state >= ending {
		return
	}
	m.moved = true
	a.death = c
	if a.worker != Driver {
		a.state = ending
		m.strike(a)
		m.ports.Kill(a.worker)
		m.failCalls(a)
		return
	}
	t, ok := m.tasks.Get(a.create)
	if ok && t.state != sent {
		if t.state == queued {
			m.sched.Remove(sched.TaskID(a.create))
		}
		m.failCreation(a.create, t, a, a.death)
		return
	}
	a.state = ending
	m.strike(a)
	m.failCalls(a)
	if ok {
		m.ports.Kill(t.worker)
	}
}

// killAgain ends the process of an actor that goes on in another one. One that has no process yet is left alone.
func (m *Machine) killAgain(a *actor, c Cause) {
	switch a.state {
	case alive:
		a.state = restarting
		m.ports.Kill(a.worker)
		m.interruptCalls(a, c)
	case creating, restarting:
		if t, ok := m.tasks.Get(a.create); ok && t.state == sent {
			m.ports.Kill(t.worker)
		}
	}
}

// actorLeaves says that the actor's process ends of its own will after this call.
func (m *Machine) actorLeaves(id WorkerID, status uint32) {
	ws := m.workers[id]
	if ws == nil || ws.actor == nil || ws.actor.state >= ending {
		return
	}
	ws.actor.state = ending
	m.strike(ws.actor)
	ws.actor.death = Cause{Message: exitedBy}
	if status == wire.DoneExit {
		ws.actor.death.Message = deathExit
	}
}
