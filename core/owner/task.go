package owner

import (
	"encoding/binary"
	"fmt"
	"slices"

	"thornback/core/offheap"
	"thornback/core/sched"
	"thornback/core/slab"
	"thornback/core/wire"
)

type taskState uint8

const (
	waiting taskState = iota // for arguments
	queued                   // for a worker, or in its actor's queue
	sent                     // in a worker's ring, or running
	kept                     // has ended, and may be run again
)

// task is a submission that has not ended, 80 bytes; a million of them are 80 MB outside the collector's interest. Its
// payload holds: handles of the returns, of the resolved references, of the held ones, and what its caller is known by if a
// task submitted it, 8 bytes each; then the encoded arguments.
type task struct {
	caller   uint64 // task that submitted it, 0: the driver
	payload  uint64 // offheap.Ref
	pos      uint64 // waiting: arguments not yet there; sent: place in the worker's ring; kept: results that are there
	template uint32
	returns  uint32
	deps     uint32
	holds    uint32
	args     uint32
	actor    uint32 // slot of the actor's object + 1
	worker   WorkerID
	attempt  uint32
	serial   uint32 // of the process that it was sent to last
	state    taskState
	cancel   cancelState
	is       taskFlags
	history  history
}

type taskFlags uint8

const (
	nested taskFlags = 1 << iota // runs on top of a blocked task of its worker
	again                        // was kept for its results, or is
	noted                        // the end of this attempt is in the log
)

// handles is how many there are in the payload.
func (t *task) handles() int {
	n := int(t.returns + t.deps + t.holds)
	if t.caller != 0 {
		n++
	}
	return n
}

func (t *task) bytes() int { return max(8, 8*t.handles()+int(t.args)) }

// missing is how many of its arguments are not yet there.
func (t *task) missing() int {
	if t.state != waiting {
		return 0
	}
	return int(t.pos)
}

// payloadOf returns the parts of a task's payload.
func (m *Machine) payloadOf(t *task) (handles []byte, args []byte) {
	b := m.heap.Bytes(offheap.Ref(t.payload), t.bytes())
	n := 8 * t.handles()
	return b[:n], b[n : n+int(t.args)]
}

func handleAt(b []byte, i uint32) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }

// Submission is one task, actor call or actor creation.
type Submission struct {
	Template *Template
	Actor    uint64 // handle of the actor's object, for methods
	Args     []byte
	Scope    uint64 // object of the scope that it belongs to; 0: that of the task that submits it, if any
	Deadline int64  // when it is cancelled, on the machine's clock; 0: when the task that submits it is, if ever
	Deps     []uint64
	Holds    []uint64
	Returns  int
	Caller   uint64
	Site     uint16      // place in the program, a number of the caller's
	Rets     []uint64    // filled; from a worker: handles granted to it
	From     WorkerID    // Driver or the worker that submits
	task     slab.Handle // what Submit has made of it
}

// filled is how many of the returns the task gives a value; that of a generator's items is none of them.
func (s *Submission) filled() int {
	if s.Template.Stream {
		return s.Returns - 1
	}
	return s.Returns
}

// Submit takes a task over. The returns are held once for the submitter.
func (m *Machine) Submit(s *Submission) error {
	if err := m.checkSubmission(s); err != nil {
		return err
	}
	th, t := m.tasks.Take()
	s.task = th
	t.caller, t.template, t.worker = s.Caller, s.Template.ID, Driver
	t.returns, t.deps = uint32(s.filled()), uint32(len(s.Deps))
	t.holds, t.args = uint32(len(s.Holds)), uint32(len(s.Args))
	r, b, err := m.heap.Alloc(t.bytes())
	if err != nil {
		m.tasks.Drop(th)
		return err
	}
	t.payload = uint64(r)
	b = m.writeReturns(b, th, s)
	if s.Template.Stream {
		m.newStream(th, s)
	}
	for _, h := range s.Deps {
		b = putHandle(b, h)
		o, _ := m.objects.Get(slab.Handle(h))
		o.refs++
		if o.state == Pending {
			m.awaits(th, t, o)
		}
	}
	for _, h := range s.Holds {
		b = putHandle(b, h)
		m.hold(h)
	}
	copy(m.begin(b, t), s.Args)
	if m.scopes.live > 0 {
		m.joinScope(th, s)
	}
	if (s.Deadline != 0 || len(m.limits.of) > 0) && !m.limit(th, s) {
		m.unlinkTask(th, t)
		m.failLate(th, t, m.limits.of[th])
		return nil
	}
	switch s.Template.Type {
	case wire.TaskCreate:
		if a := m.newActor(th, t, s); a.nameTaken {
			m.refuseName(th, t, a)
			return nil
		}
	case wire.TaskMethod:
		t.actor = slab.Handle(s.Actor).Slot() + 1
		m.hold(s.Actor)
		m.callActor(th, t, s.From)
		return nil
	}
	if s.Template.Refused {
		m.refuse(th, t)
	} else if t.missing() == 0 {
		m.enqueue(th, t)
	}
	return nil
}

// awaits has a task wait for one of its arguments.
func (m *Machine) awaits(th slab.Handle, t *task, o *object) {
	t.pos++
	lh, l := m.links.Take()
	*l = link{target: uint64(th), next: o.links, kind: linkTask}
	o.links = lh.Slot() + 1
}

func (m *Machine) checkSubmission(s *Submission) error {
	for _, h := range s.Deps {
		if m.stateOf(h) == Unknown {
			return fmt.Errorf("%w: argument %x", ErrStale, h)
		}
	}
	if s.Scope != 0 {
		if err := m.checkScope(s); err != nil {
			return err
		}
	}
	if s.Template.Type == wire.TaskMethod {
		if _, ok := m.objects.Get(slab.Handle(s.Actor)); !ok {
			return fmt.Errorf("%w: actor %x", ErrStale, s.Actor)
		}
		a := m.actors[slab.Handle(s.Actor).Slot()]
		if a == nil {
			return fmt.Errorf("%w: %x", ErrNoActor, s.Actor)
		}
		if int(s.Template.Group) >= len(a.groups) {
			return fmt.Errorf("%w: %s, group %d", ErrNoGroup, s.Template.Name, s.Template.Group)
		}
	}
	if s.Template.Type == wire.TaskCreate && s.Returns < 1 {
		return fmt.Errorf("owner: an actor's creation with %d returns, its handle is one", s.Returns)
	}
	if s.Template.Stream && s.Returns != streamReturns {
		return fmt.Errorf("owner: a generator with %d returns", s.Returns)
	}
	if len(s.Rets) != s.Returns {
		return fmt.Errorf("owner: %d handles for %d returns", len(s.Rets), s.Returns)
	}
	if s.From == Driver {
		if s.Template.Refused {
			return infeasible(s.Template)
		}
		return nil
	}
	if n := len(s.Rets); n > 1 {
		sorted := slices.Clone(s.Rets)
		slices.Sort(sorted)
		if len(slices.Compact(sorted)) != n {
			return fmt.Errorf("%w: a handle for two returns", ErrStale)
		}
	}
	ws := m.workers[s.From]
	for _, h := range s.Rets {
		o, ok := m.objects.Get(slab.Handle(h))
		if !ok || !o.granted || ws == nil || ws.holds[h] == 0 {
			return fmt.Errorf("%w: return %x was not granted to worker %d", ErrStale, h, s.From)
		}
	}
	return nil
}

// writeReturns makes or takes over the objects of the results.
func (m *Machine) writeReturns(b []byte, th slab.Handle, s *Submission) []byte {
	for i := range s.filled() {
		var o *object
		if s.From == Driver {
			var h slab.Handle
			h, o = m.objects.Take()
			o.refs = 1
			s.Rets[i] = uint64(h)
		} else {
			o = m.objects.At(slab.Handle(s.Rets[i]).Slot())
			m.usedGrant(s.From, o)
		}
		o.task = th.Slot() + 1
		if s.Template.Type == wire.TaskMethod {
			o.kind = ofCall
		}
		m.SetSite(s.Rets[i], s.Site)
		b = putHandle(b, s.Rets[i])
	}
	return b
}

func putHandle(b []byte, h uint64) []byte {
	binary.LittleEndian.PutUint64(b, h)
	return b[8:]
}

// depReady says that one argument of a task is there.
func (m *Machine) depReady(th slab.Handle) {
	t, ok := m.tasks.Get(th)
	if !ok {
		return
	}
	if t.pos--; t.pos > 0 {
		return
	}
	t.history.ready = m.since(t)
	if m.templates[t.template].Type == wire.TaskMethod {
		m.argsReady(th, t)
		return
	}
	m.enqueue(th, t)
}

func (m *Machine) enqueue(th slab.Handle, t *task) {
	t.state = queued
	m.sched.Enqueue(sched.TaskID(th), m.templates[t.template].class, m.submitter(t))
	m.moved = true
}

// submitter returns who gets the turn of a task: the driver, the task that submitted it, or the actor whose method did.
func (m *Machine) submitter(t *task) sched.SubmitterID {
	if t.caller == 0 {
		return sched.DriverID
	}
	if by, ok := m.tasks.Get(slab.Handle(t.caller)); ok && by.actor != 0 {
		return ^sched.SubmitterID(m.objects.HandleOf(by.actor - 1)) // no task's handle
	}
	return sched.SubmitterID(t.caller)
}

// message builds what the worker gets. It is valid until the next call.
func (m *Machine) message(th slab.Handle, t *task) *TaskMessage {
	handles, args := m.payloadOf(t)
	tm := &m.scratch
	*tm = TaskMessage{
		Task: uint64(th), Template: m.templates[t.template], Returns: int(t.returns), Attempt: int(t.attempt),
		Args: args, Deps: tm.Deps[:0], DepIDs: tm.DepIDs[:0], Nested: t.is&nested != 0,
	}
	if t.returns > 0 {
		tm.Object = handleAt(handles, 0)
	}
	if t.actor != 0 {
		tm.Actor = uint64(m.objects.HandleOf(t.actor - 1))
	}
	for i := range t.deps {
		h := handleAt(handles, t.returns+i)
		s, v := m.Look(h)
		if s == Failed {
			m.Saw(h)
		}
		tm.Deps = append(tm.Deps, v)
		tm.DepIDs = append(tm.DepIDs, h)
	}
	return tm
}

// Outcome is a worker's DONE message. Values alias it.
type Outcome struct {
	Status uint32 // wire.Done*
	ExecNS uint64
	Ended  int64 // when the user's function ended; 0: not known
	Values []wire.Value
	Inner  [][]uint64 // references in each value
}

// failed reports whether the values are errors.
func (o *Outcome) failed() bool {
	return o.Status == wire.DoneError || o.Status == wire.DoneFinal || o.Status == wire.DoneSystem
}

// Done says that a worker has ended a task. False when that task was not the worker's: the message is to be ignored, and
// what it brought freed. A worker that gives another number of results than it was asked for is ended, and with it the task.
func (m *Machine) Done(id WorkerID, task uint64, o *Outcome, now int64) bool {
	th := slab.Handle(task)
	t, ok := m.tasks.Get(th)
	if !ok || t.state != sent || t.worker != id {
		return false
	}
	if len(o.Values) != int(t.returns) {
		m.ports.Kill(id)
		return false
	}
	tmpl := m.templates[t.template]
	m.running--
	m.noteDone(t, th, o)
	m.left(id, th, t, int64(o.ExecNS), now)
	if tmpl.MaxCalls > 0 {
		m.spent(id, tmpl)
	}
	switch {
	case t.cancel != 0 && o.failed() && m.passed(th) != nil:
		m.discard(o)
		m.failLate(th, t, m.passed(th))
	case t.cancel != 0 && tmpl.Type == wire.TaskMethod && m.overrule(th, t, id, o):
	case tmpl.Type == wire.TaskCreate:
		m.createDone(id, th, t, o)
	case o.Status == wire.DoneError && tmpl.RetryExceptions && m.mayRetry(t, tmpl):
		m.discard(o)
		m.tryAgain(th, t)
	case o.Status == wire.DoneExit || o.Status == wire.DoneQuit:
		m.actorLeaves(id, o.Status)
		m.discard(o)
		m.failLeaving(id, th, t)
	default:
		m.finish(th, t, o)
		if !m.keepTask(th, t, o) {
			m.endTask(th, t)
		}
	}
	return true
}

// tryAgain queues a task or a call once more: a call behind those that wait for its actor already.
func (m *Machine) tryAgain(th slab.Handle, t *task) {
	m.nextAttempt(t)
	if m.templates[t.template].Type == wire.TaskMethod {
		m.ready(m.actors[t.actor-1], th, t)
		return
	}
	m.enqueue(th, t)
}

// failLeaving ends the call that an actor leaves with; a plain task has no actor that could, its worker is ended.
func (m *Machine) failLeaving(id WorkerID, th slab.Handle, t *task) {
	if t.actor == 0 {
		m.ports.Kill(id)
		m.fail(th, t, wire.ErrWorkerCrashed, map[string]string{"message": "The task left as only actors can."})
		return
	}
	m.failCall(th, t, m.actors[t.actor-1])
}

// left takes a task off the books of the worker it ran on.
func (m *Machine) left(id WorkerID, th slab.Handle, t *task, ns, now int64) {
	m.moved = true
	switch {
	case t.is&nested != 0:
		t.is &^= nested
		if ws := m.workers[id]; ws != nil {
			m.nestedLeft(id, ws, th)
		}
	case m.templates[t.template].Type == wire.TaskMethod:
		m.callLeft(th, t)
	default:
		m.sched.Done(id, sched.TaskID(th), max(1, ns), now)
	}
	t.worker = Driver
}

// finish gives the returns their values.
func (m *Machine) finish(th slab.Handle, t *task, o *Outcome) {
	handles, _ := m.payloadOf(t)
	state := Ready
	failed, kept := o.failed(), slab.Handle(0)
	if failed {
		kept = m.keepFirst(th, t, handles)
		state = Failed
		if st := m.producing[th]; st != nil && !m.raiseStream(st, o, t.cancel != 0) {
			state = Ready
		}
	}
	for i := range t.returns {
		var inner []uint64
		if int(i) < len(o.Inner) {
			inner = o.Inner[i]
		}
		h := slab.Handle(handleAt(handles, i))
		r, ok := m.objects.Get(h)
		if !ok || r.state != Pending { // of a task that ran before
			m.discardValue(o.Values[i])
			continue
		}
		if state == Failed {
			m.failedUnseen(t, h, o.Values[i].Bytes)
		}
		if err := m.fillAs(state, h, r, o.Values[i], inner); err != nil {
			m.fillError(h, wire.ErrOutOfMemory, map[string]string{"message": err.Error()})
		}
	}
	if failed {
		m.scopeError(th, t, kept)
	}
}

// fail ends a task with an error of the engine.
func (m *Machine) fail(th slab.Handle, t *task, code uint32, fields map[string]string) {
	tmpl := m.templates[t.template]
	with := map[string]string{"task": tmpl.Name}
	for k, v := range fields {
		with[k] = v
	}
	m.failBlob(th, t, wire.SysErr(code, with))
}

// failBlob ends a task with a ready-made error.
func (m *Machine) failBlob(th slab.Handle, t *task, blob []byte) {
	m.noteFailed(t, th, blob)
	handles, _ := m.payloadOf(t)
	kept := m.keepFirst(th, t, handles)
	for i := range t.returns {
		if h := slab.Handle(handleAt(handles, i)); m.stateOf(uint64(h)) == Pending {
			if _, engine := wire.SysErrCode(blob); engine { // else it is that of an actor's constructor
				m.failedUnseen(t, h, blob)
			}
			m.fillBlob(h, blob)
		}
	}
	m.endStream(th, blob)
	m.scopeError(th, t, kept)
	m.endTask(th, t)
}

func (m *Machine) fillError(h slab.Handle, code uint32, fields map[string]string) {
	m.fillBlob(h, wire.SysErr(code, fields))
}

func (m *Machine) fillBlob(h slab.Handle, blob []byte) {
	v := wire.Value{Where: wire.WhereInline, Length: uint64(len(blob)), Bytes: blob}
	if err := m.fill(h, v, nil); err != nil {
		panic("owner: no memory even for an error: " + err.Error())
	}
}

// discard frees what an ignored outcome brought.
func (m *Machine) discard(o *Outcome) {
	for _, v := range o.Values {
		m.discardValue(v)
	}
}

func (m *Machine) discardValue(v wire.Value) {
	if v.Where == wire.WhereStore {
		m.ports.FreeExtent(v.Offset)
	}
}

// endTask lets go of the arguments and forgets the task.
func (m *Machine) endTask(th slab.Handle, t *task) {
	if len(m.limits.of) > 0 {
		m.unlimit(th)
	}
	if len(m.scopes.of) > 0 {
		m.leaveScope(th)
	}
	if m.templates[t.template].Stream {
		m.endStream(th, nil)
	}
	if t.is&again != 0 {
		m.disown(th, t, makerEvicted)
	}
	handles, _ := m.payloadOf(t)
	n := t.deps + t.holds
	for i := range n {
		m.unhold(handleAt(handles, t.returns+i), 1)
	}
	if t.actor != 0 && m.templates[t.template].Type == wire.TaskMethod {
		if m.counted > 0 {
			m.answered(m.actors[t.actor-1], th)
		}
		m.unhold(uint64(m.objects.HandleOf(t.actor-1)), 1)
	}
	if t.cancel&cancelChildren != 0 {
		m.cancelling--
	}
	m.heap.Free(offheap.Ref(t.payload), t.bytes())
	m.tasks.Drop(th)
}

func (m *Machine) mayRetry(t *task, tmpl *Template) bool {
	return t.cancel == 0 && (tmpl.MaxRetries < 0 || int(t.attempt) < tmpl.MaxRetries)
}
