package owner

import (
	"errors"
	"fmt"

	"thornback/core/sched"
	"thornback/core/slab"
	"thornback/core/wire"
)

// Ways in which a task can't be cancelled. Users see these words as a sentence, the first ones are Ray's.
var (
	ErrForceActor   = errors.New("force=True is not supported for actor tasks")
	ErrRestartTask  = errors.New("restart=True is for calls of actors; force=True ends the process of a task")
	ErrRestartNever = errors.New("restart=True needs an actor that has restarts left, by its option max_restarts")
)

// Cancellation says how a task is to be ended.
type Cancellation struct {
	Force     bool // end its process; not for calls of actors
	Recursive bool // and what it has submitted
	Interrupt bool // raise an exception in a call of an actor too, which else is only told when it asks
	Restart   bool // end the process of the actor that runs the call: it is made again, and its state is lost
}

// cancelState is 0 for a task that nobody has cancelled.
type cancelState uint8

const (
	cancelled      cancelState = 1 << iota // it is not tried again, whatever becomes of it
	cancelRaised                           // an exception is raised in it
	cancelRestart                          // its actor's process was ended for it
	cancelOnLoop                           // it had begun, on an event loop
	cancelGone                             // taken out of its actor's queue, in which its handle still stands
	cancelChildren                         // what it submits before it knows is cancelled too; counted in Machine.cancelling
)

// Cancel ends the task that makes an object. What has not begun fails at once; a task that runs is told, and may still end
// as it likes. No effect on an object that is there, or is none of a task's.
func (m *Machine) Cancel(h uint64, c Cancellation) error {
	o, ok := m.objects.Get(slab.Handle(h))
	if !ok {
		return fmt.Errorf("%w: object %x", ErrStale, h)
	}
	if o.kind == ofCall && c.Force { // whether or not it has ended
		return ErrForceActor
	}
	if o.task == 0 {
		return nil
	}
	th, t := m.tasks.HandleOf(o.task-1), m.tasks.At(o.task-1)
	switch tmpl := m.templates[t.template]; {
	case tmpl.Type == wire.TaskCreate:
		return nil // an actor is ended by Kill, or when nobody has a handle
	case c.Restart && tmpl.Type != wire.TaskMethod:
		return ErrRestartTask
	case c.Restart && !m.mayRestart(m.actors[t.actor-1]):
		return ErrRestartNever
	}
	family := []slab.Handle{th}
	if c.Recursive && (t.state == sent || t.attempt > 0) { // what never ran has no children
		family = m.familyOf(th)
	}
	// A parent is told before its children fail: what it sees is its own end and not theirs.
	for _, th := range family {
		if t, ok := m.tasks.Get(th); ok {
			m.cancelTask(th, t, c)
		}
		c.Restart = false
	}
	return nil
}

// familyOf returns a task, then what it has submitted and has not ended, and so on. It looks at all tasks there are, since
// cancelling is rare and a list of children for each task would not be.
func (m *Machine) familyOf(th slab.Handle) []slab.Handle {
	children := map[uint64][]slab.Handle{}
	m.tasks.Each(func(h slab.Handle, t *task) bool {
		if t.caller != 0 && t.state != kept {
			children[t.caller] = append(children[t.caller], h)
		}
		return true
	})
	family := []slab.Handle{th}
	for i := 0; i < len(family); i++ {
		family = append(family, children[uint64(family[i])]...)
	}
	return family
}

func (m *Machine) cancelTask(th slab.Handle, t *task, c Cancellation) {
	tmpl := m.templates[t.template]
	if tmpl.Type == wire.TaskCreate {
		return // actors outlive who creates them
	}
	t.cancel |= cancelled
	if m.withdraw(th, t) {
		return
	}
	if c.Restart {
		m.restartFor(t, c)
		return
	}
	raise := tmpl.Type == wire.TaskPlain || c.Interrupt
	if raise {
		t.cancel |= cancelRaised
		if c.Recursive && t.cancel&cancelChildren == 0 {
			t.cancel |= cancelChildren
			m.cancelling++
		}
	}
	if tmpl.Type == wire.TaskPlain && c.Force {
		m.ports.Kill(t.worker)
	} else {
		m.ports.Cancel(t.worker, uint64(th), raise)
	}
}

// restartFor ends the process of an actor because of a call that runs in it, which fails at once. What the process has
// submitted and is not yet known is cancelled when it comes, with what else runs there.
func (m *Machine) restartFor(t *task, c Cancellation) {
	t.cancel |= cancelRestart
	a := m.actors[t.actor-1]
	if ws := m.workers[a.worker]; ws != nil && c.Recursive && !ws.orphans {
		ws.orphans = true
		m.cancelling++
	}
	m.moved = true
	m.killAgain(a, Cause{Message: "The actor was restarted, and its state lost, because a call of it was cancelled with restart=True"})
}

// withdraw ends a task that has not begun; false when it has.
func (m *Machine) withdraw(th slab.Handle, t *task) bool {
	isCall := m.templates[t.template].Type == wire.TaskMethod
	if t.state == sent && (t.is&nested != 0 || !m.ports.TakeBack(t.worker, t.pos)) {
		return false
	}
	m.moved = true
	switch {
	case t.state == sent:
		m.running--
		if !isCall {
			m.sched.TookBack(t.worker, sched.TaskID(th), m.submitter(t))
			m.sched.Remove(sched.TaskID(th))
		}
	case t.state == queued && !isCall:
		m.sched.Remove(sched.TaskID(th))
	case t.missing() > 0:
		m.unlinkTask(th, t)
	}
	if !isCall {
		m.failCancelled(th, t, "")
		return true
	}
	a, caller := m.actors[t.actor-1], t.caller
	if t.state == sent {
		a.calls.drop(th)
		m.groupOf(a, t).sent--
	}
	delete(a.pending, th)
	t.cancel |= cancelGone // while it fails, others may come to look at that queue
	m.failCancelled(th, t, fmt.Sprintf("%016x", uint64(a.object)))
	// Where it stood in a queue of its actor its stale handle does, which is passed over; others may be first now.
	m.advance(a, caller)
	m.flush(a)
	return true
}

// queuedCall finds a call by what stands in a queue of its actor; false when it was cancelled meanwhile.
func (m *Machine) queuedCall(th slab.Handle) (*task, bool) {
	t, ok := m.tasks.Get(th)
	return t, ok && t.cancel&cancelGone == 0
}

// unlinkTask takes a task out of the lists of the arguments that it waits for.
func (m *Machine) unlinkTask(th slab.Handle, t *task) {
	handles, _ := m.payloadOf(t)
	for i := range t.deps {
		if o, ok := m.objects.Get(slab.Handle(handleAt(handles, t.returns+i))); ok && o.state == Pending {
			m.unlink(o, linkTask, uint64(th))
		}
	}
}

// failCancelled ends a cancelled task; actor names the one that a call was for which never began.
func (m *Machine) failCancelled(th slab.Handle, t *task, actor string) {
	if d := m.passed(th); d != nil {
		m.failLate(th, t, d)
		return
	}
	shown := uint64(th) // the first result names a task
	if handles, _ := m.payloadOf(t); t.returns > 0 {
		shown = handleAt(handles, 0)
	}
	fields := map[string]string{"handle": fmt.Sprint(shown), "message": ""}
	if actor != "" {
		fields["actor"] = actor
	}
	if t.cancel&cancelRestart != 0 {
		fields["restarted"] = "true"
	}
	if t.cancel&cancelOnLoop != 0 {
		fields["on_loop"] = "true"
		fields["pid"] = fmt.Sprint(m.actors[t.actor-1].pid)
	}
	m.fail(th, t, wire.ErrTaskCancelled, fields)
}

// overrule replaces the outcome of a cancelled call: it fails, whatever the method has returned. Not so where an exception
// was raised in it: what it made of that is its answer, as for tasks.
func (m *Machine) overrule(th slab.Handle, t *task, id WorkerID, o *Outcome) bool {
	if t.cancel&cancelRaised != 0 {
		return false
	}
	if o.Status == wire.DoneExit || o.Status == wire.DoneQuit {
		m.actorLeaves(id, o.Status)
	}
	m.discard(o)
	if o.ExecNS > 0 && m.actors[t.actor-1].template.Asyncio {
		t.cancel |= cancelOnLoop
	}
	m.failCancelled(th, t, "")
	return true
}

// CancelLate cancels what a task has submitted before it knew that it was cancelled, and that comes only now.
func (m *Machine) CancelLate(s *Submission) {
	if m.cancelling == 0 {
		return
	}
	parent, ok := m.tasks.Get(slab.Handle(s.Caller))
	ws := m.workers[s.From]
	if !(ok && parent.cancel&cancelChildren != 0 || ws != nil && ws.orphans) {
		return
	}
	if t, ok := m.tasks.Get(s.task); ok {
		m.cancelTask(s.task, t, Cancellation{Recursive: true})
	}
}
