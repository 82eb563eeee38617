package owner

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"thornback/core/slab"
	"thornback/core/wire"
)

// whereScope, in an object that has no value, says that it is a scope, or the alarm of one. A scope gets a value when all that
// belongs to it has ended.
const whereScope = 4

// scopeErrors is how many errors of a scope are kept.
const scopeErrors = 100

// ErrScopeEnded refuses a submission into a scope whose block has been left.
var ErrScopeEnded = errors.New("the scope has ended: nothing more can be submitted in it")

// ErrScopeOver ends a wait in the block of a scope in which something has failed, or that was cancelled.
var ErrScopeOver = errors.New("the scope is cancelled")

// scope is a block of a program that nothing it has submitted outlives. To it belong the tasks and calls that the block
// submits, what these submit and so on, and the actors that any of them creates. The first error of what the block itself has
// submitted cancels the rest.
type scope struct {
	object slab.Handle // whose holder is the block; 0 when that has gone without a word
	alarm  slab.Handle // gets a value when all is cancelled; waits of the block end then. Held by the scope
	number uint64      // in the order of opening
	caller uint64      // task that has opened it; 0: the driver
	outer  *scope
	inner  map[*scope]struct{}
	tasks  map[slab.Handle]bool // not ended; whether the block itself has submitted it
	actors map[slab.Handle]*actor
	errs   []slab.Handle // objects that hold the errors, the first one first; held
	closed bool          // the block is left
	over   bool          // what is there, and what comes, is cancelled
	force  bool          // by ending processes
	swept  bool          // what was there when it was over is cancelled
}

// scopes are those that have not ended; there are none in most programs.
type scopes struct {
	live   int
	opened uint64
	by     map[uint32]*scope      // by the slot of its object
	of     map[slab.Handle]*scope // of tasks that have not ended
	due    []*scope               // to be looked at, by settleScopes
}

// OpenScope begins a scope. The task that opens it is caller, 0 in the driver; within is the scope of the code around it, or 0.
// The process holds the scope once, and the alarm too if it asks for that.
func (m *Machine) OpenScope(id WorkerID, within, caller uint64, alarm bool) (uint64, uint64, error) {
	around := &Submission{Scope: within, Caller: caller, From: id}
	if within != 0 {
		if err := m.checkScope(around); err != nil {
			return 0, 0, err
		}
	}
	h, o := m.objects.Take()
	o.where = whereScope
	m.give(id, uint64(h))
	m.scopes.opened++
	m.scopes.live++
	sc := &scope{
		object: h, number: m.scopes.opened, caller: caller, inner: map[*scope]struct{}{}, tasks: map[slab.Handle]bool{},
		actors: map[slab.Handle]*actor{},
	}
	sc.alarm, o = m.objects.Take()
	o.where, o.refs = whereScope, 1
	if alarm {
		m.give(id, uint64(sc.alarm))
	}
	sc.outer, _ = m.scopeFor(around)
	if sc.outer != nil {
		sc.outer.inner[sc] = struct{}{}
		if sc.outer.over {
			sc.over = true
			m.lookAtScope(sc)
		}
	}
	if m.scopes.by == nil {
		m.scopes.by, m.scopes.of = map[uint32]*scope{}, map[slab.Handle]*scope{}
	}
	m.scopes.by[h.Slot()] = sc
	return uint64(h), uint64(sc.alarm), nil
}

// give has a process hold an object once more.
func (m *Machine) give(id WorkerID, h uint64) {
	if id == Driver {
		m.hold(h)
	} else {
		m.holdFor(id, h, 1)
	}
}

// holds reports whether a process holds an object. Of the driver it is not known by object.
func (m *Machine) holds(id WorkerID, h uint64) bool {
	return id == Driver || m.workers[id] != nil && m.workers[id].holds[h] > 0
}

// scopeAt finds a scope by its object.
func (m *Machine) scopeAt(h uint64) *scope {
	if sc := m.scopes.by[slab.Handle(h).Slot()]; sc != nil && sc.object == slab.Handle(h) {
		return sc
	}
	return nil
}

// CloseScope says that the block is left, or, without leave, only that all in it is to be cancelled; with force by ending the
// processes of tasks. The scope's object is ready as soon as nothing of it is left.
func (m *Machine) CloseScope(id WorkerID, h uint64, leave, cancel, force bool) error {
	sc := m.scopeAt(h)
	if sc == nil || !m.holds(id, h) {
		return fmt.Errorf("%w: scope %x", ErrStale, h)
	}
	sc.closed = sc.closed || leave
	if cancel {
		sc.swept = sc.swept && (sc.force || !force)
		sc.over, sc.force = true, sc.force || force
	}
	m.lookAtScope(sc)
	return nil
}

// ScopeErrors returns the objects that hold the errors of a scope, the first one first, which the process holds once each from
// now on. A scope that has ended still tells them as long as its object is held.
func (m *Machine) ScopeErrors(id WorkerID, h uint64) []uint64 {
	o, ok := m.objects.Get(slab.Handle(h))
	if !ok || !m.holds(id, h) {
		return nil
	}
	errs := []uint64{}
	if sc := m.scopeAt(h); sc != nil {
		for _, e := range sc.errs {
			errs = append(errs, uint64(e))
		}
	} else if o.state == Ready {
		for head := o.inner; head != 0; {
			l := m.links.At(head - 1)
			errs = append(errs, l.target)
			head = l.next
		}
		slices.Reverse(errs)
	}
	for _, e := range errs {
		m.give(id, e)
	}
	return errs
}

func (m *Machine) lookAtScope(sc *scope) {
	m.scopes.due = append(m.scopes.due, sc)
	m.moved = true
}

// checkScope refuses what is submitted in a block that has been left, by code that has outlived it.
func (m *Machine) checkScope(s *Submission) error {
	if sc := m.scopeAt(s.Scope); sc == nil || sc.closed || !m.holds(s.From, s.Scope) {
		return ErrScopeEnded
	}
	return nil
}

// scopeFor finds the scope that a submission belongs to, and whether it is by the block itself: what says so, else that of the
// task that submits it, else that of the actor whose process does. A task that runs on top of one which waits in its block says
// the block's scope too, which is none of its.
func (m *Machine) scopeFor(s *Submission) (*scope, bool) {
	t, isTask := m.tasks.Get(slab.Handle(s.Caller))
	if sc := m.scopeAt(s.Scope); sc != nil && m.holds(s.From, s.Scope) && (!isTask || sc.caller == s.Caller) {
		return sc, true
	}
	if sc := m.scopes.of[slab.Handle(s.Caller)]; sc != nil {
		return sc, false
	}
	if isTask && t.actor != 0 {
		if a := m.actors[t.actor-1]; a != nil && a.scope != nil {
			return a.scope, false
		}
	}
	if ws := m.workers[s.From]; ws != nil && ws.actor != nil {
		return ws.actor.scope, false
	}
	return nil, false
}

// joinScope takes a task into the scope that it belongs to. What comes into a scope that is over is cancelled, as soon as it is
// all there.
func (m *Machine) joinScope(th slab.Handle, s *Submission) {
	sc, direct := m.scopeFor(s)
	if sc == nil {
		return
	}
	if s.Template.Type != wire.TaskCreate {
		sc.tasks[th] = direct
		m.scopes.of[th] = sc
	}
	if sc.over {
		sc.swept = false
		m.lookAtScope(sc)
	}
}

// joinScopeActor takes an actor into the scope that its creation belongs to, unless it is to outlive everything.
func (m *Machine) joinScopeActor(a *actor, s *Submission) {
	if sc, _ := m.scopeFor(s); sc != nil && !s.Template.Detached {
		a.scope = sc
		sc.actors[a.object] = a
	}
}

// leaveScope says that a task has ended.
func (m *Machine) leaveScope(th slab.Handle) {
	if sc := m.scopes.of[th]; sc != nil {
		delete(m.scopes.of, th)
		delete(sc.tasks, th)
		if sc.closed && len(sc.tasks) == 0 {
			m.lookAtScope(sc)
		}
	}
}

// leaveScopeDead says that an actor is dead.
func (m *Machine) leaveScopeDead(a *actor) {
	if sc := a.scope; sc != nil {
		a.scope = nil
		delete(sc.actors, a.object)
		if sc.closed && len(sc.actors) == 0 {
			m.lookAtScope(sc)
		}
	}
}

// keepFirst holds the object that will have the error of a task which fails, so that its scope can have it when nobody else
// wants it: its first result, or a generator's next item. 0: it has none, or is in no scope.
func (m *Machine) keepFirst(th slab.Handle, t *task, handles []byte) slab.Handle {
	h := slab.Handle(0)
	switch st := m.producing[th]; {
	case m.scopes.of[th] == nil:
		return 0
	case st != nil && !st.dropped:
		h = st.last()
	case t.returns > 0:
		h = slab.Handle(handleAt(handles, 0))
	}
	if !m.hold(uint64(h)) {
		return 0
	}
	return h
}

// scopeError notes the error of a task that the block itself has submitted, and takes over the hold on the object that has it.
// That a task was cancelled is no error of its own.
func (m *Machine) scopeError(th slab.Handle, t *task, h slab.Handle) {
	sc := m.scopes.of[th]
	if sc == nil {
		return
	}
	if !sc.tasks[th] || t.cancel != 0 && m.passed(th) == nil || len(sc.errs) == scopeErrors {
		m.unhold(uint64(h), 1)
		return
	}
	if m.stateOf(uint64(h)) != Failed {
		m.unhold(uint64(h), 1)
		var o *object
		h, o = m.objects.Take()
		o.refs = 1
		m.fillError(h, wire.ErrInternal, map[string]string{
			"message": "the task " + m.templates[t.template].Name + " failed; it has no result that could say how"})
	}
	sc.errs = append(sc.errs, h)
	sc.over = true
	m.lookAtScope(sc)
}

// scopeUnheld says that a block has gone, with its process, without leaving its scope.
func (m *Machine) scopeUnheld(h slab.Handle, o *object) {
	sc := m.scopes.by[h.Slot()]
	delete(m.scopes.by, h.Slot())
	o.where = 0
	m.freeObject(h, o)
	sc.object, sc.closed, sc.over = 0, true, true
	m.lookAtScope(sc)
}

// settleScopes cancels what belongs to scopes that are over, and ends those in which nothing is left.
func (m *Machine) settleScopes() {
	for len(m.scopes.due) > 0 {
		sc := m.scopes.due[0]
		m.scopes.due = m.scopes.due[1:]
		if sc.over && !sc.swept {
			m.sweep(sc)
		}
		if !sc.closed || len(sc.tasks) > 0 || len(sc.inner) > 0 || sc.alarm == 0 {
			continue
		}
		m.killActors(sc)
		if len(sc.actors) == 0 {
			m.endScope(sc)
		}
	}
}

// sweep cancels what is in a scope and in those within it.
func (m *Machine) sweep(sc *scope) {
	sc.swept = true
	m.soundAlarm(sc)
	for _, in := range slices.SortedFunc(maps.Keys(sc.inner), func(a, b *scope) int { return int(a.number) - int(b.number) }) {
		in.over, in.force, in.swept = true, in.force || sc.force, in.swept && in.force == sc.force
		m.lookAtScope(in)
	}
	for _, th := range slices.Sorted(maps.Keys(sc.tasks)) { // in order, so that a run can be replayed
		if t, ok := m.tasks.Get(th); ok && (t.cancel == 0 || sc.force) {
			m.cancelTask(th, t, Cancellation{Force: sc.force})
		}
	}
	m.killActors(sc)
}

// killActors ends the actors of a scope.
func (m *Machine) killActors(sc *scope) {
	for _, h := range slices.Sorted(maps.Keys(sc.actors)) {
		m.killFor(sc.actors[h], Cause{Message: deathScoped})
	}
}

// soundAlarm ends the waits of a scope's block.
func (m *Machine) soundAlarm(sc *scope) {
	if m.stateOf(uint64(sc.alarm)) == Pending {
		m.fillNone(sc.alarm, nil)
	}
}

func (m *Machine) fillNone(h slab.Handle, inner []uint64) {
	m.objects.At(h.Slot()).where = 0
	if err := m.fill(h, wire.Value{Where: wire.WhereInline, Length: 1, Bytes: []byte{wire.TagNone}}, inner); err != nil {
		panic("owner: no memory for a scope: " + err.Error())
	}
}

// endScope tells the block that all has ended. The errors are in its object.
func (m *Machine) endScope(sc *scope) {
	m.scopes.live--
	if sc.outer != nil {
		delete(sc.outer.inner, sc)
		m.lookAtScope(sc.outer)
	}
	m.soundAlarm(sc)
	m.unhold(uint64(sc.alarm), 1)
	sc.alarm = 0
	errs := sc.errs
	sc.errs = nil
	if h := sc.object; h != 0 {
		sc.object = 0
		delete(m.scopes.by, h.Slot())
		inner := make([]uint64, len(errs))
		for i, e := range errs {
			inner[i] = uint64(e)
		}
		m.fillNone(h, inner)
	}
	for _, e := range errs {
		m.unhold(uint64(e), 1)
	}
}

// scopeOfWait finds the scope in whose block a task waits, or, in the driver, the scope that the thread says it is in: nil for
// none, and for the wait of a block that is left for the rest.
func (m *Machine) scopeOfWait(given, task uint64, handles []uint64) *scope {
	var found *scope
	if task == 0 {
		found = m.scopeAt(given)
	} else {
		for _, sc := range m.scopes.by {
			if sc.caller == task && !sc.closed && (found == nil || sc.number > found.number) {
				found = sc
			}
		}
	}
	if found == nil || found.closed {
		return nil
	}
	for _, h := range handles {
		if o, ok := m.objects.Get(slab.Handle(h)); ok && o.where == whereScope && o.state == Pending {
			return nil
		}
	}
	return found
}

// alarmHit ends a wait because the scope that it is in is over.
func (m *Machine) alarmHit(id uint64) {
	w := m.waiter(id)
	if w == nil || w.done {
		return
	}
	w.done = true
	if w.worker == Driver {
		m.ports.Wake(w.word) // it looks, finds that it would have to wait on, and is told
		return
	}
	m.replyOver(w)
	if ws := m.workers[w.worker]; ws != nil {
		delete(ws.waits, w.request)
	}
	m.forget(w)
}

func (m *Machine) replyOver(w *waiter) {
	m.ports.ReplyError(w.worker, w.request, wire.EScope, ErrScopeOver.Error())
}
