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
)

// task is a submission that has not ended. Its payload, outside the Go heap, holds: handles of the returns, of the
// resolved references, of the held ones, 8 bytes each; then the encoded arguments.
type task struct {
	caller   uint64 // task that submitted it, 0: the driver
	payload  uint64 // offheap.Ref
	pos      uint64 // in the worker's ring, when sent
	template uint32
	returns  uint32
	deps     uint32
	holds    uint32
	args     uint32
	pending  int32  // arguments not yet there
	actor    uint32 // slot of the actor's object + 1
	worker   WorkerID
	attempt  uint32
	state    taskState
	nested   bool // runs on top of a blocked task of its worker
}

func (t *task) bytes() int { return max(8, 8*int(t.returns+t.deps+t.holds)+int(t.args)) }

// payloadOf returns the parts of a task's payload.
func (m *Machine) payloadOf(t *task) (handles []byte, args []byte) {
	b := m.heap.Bytes(offheap.Ref(t.payload), t.bytes())
	n := 8 * int(t.returns+t.deps+t.holds)
	return b[:n], b[n : n+int(t.args)]
}

func handleAt(b []byte, i uint32) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }

// Submission is one task, actor call or actor creation.
type Submission struct {
	Template *Template
	Actor    uint64 // handle of the actor's object, for methods
	Args     []byte
	Deps     []uint64
	Holds    []uint64
	Returns  int
	Caller   uint64
	Rets     []uint64 // filled; from a worker: handles granted to it
	From     WorkerID // Driver or the worker that submits
}

// Submit takes a task over. The returns are held once for the submitter.
func (m *Machine) Submit(s *Submission) error {
	if err := m.checkSubmission(s); err != nil {
		return err
	}
	th, t := m.tasks.Take()
	*t = task{
		caller: s.Caller, template: s.Template.ID, returns: uint32(s.Returns), deps: uint32(len(s.Deps)),
		holds: uint32(len(s.Holds)), args: uint32(len(s.Args)), worker: Driver,
	}
	r, b, err := m.heap.Alloc(t.bytes())
	if err != nil {
		m.tasks.Drop(th)
		return err
	}
	t.payload = uint64(r)
	b = m.writeReturns(b, th, s)
	for _, h := range s.Deps {
		b = putHandle(b, h)
		o, _ := m.objects.Get(slab.Handle(h))
		o.refs++
		if o.state == Pending {
			t.pending++
			lh, l := m.links.Take()
			*l = link{target: uint64(th), next: o.links, kind: linkTask}
			o.links = lh.Slot() + 1
		}
	}
	for _, h := range s.Holds {
		b = putHandle(b, h)
		m.hold(h)
	}
	copy(b, s.Args)
	switch s.Template.Type {
	case wire.TaskCreate:
		m.newActor(th, t, s)
	case wire.TaskMethod:
		t.actor = slab.Handle(s.Actor).Slot() + 1
		m.hold(s.Actor)
		m.callActor(th, t)
		return nil
	}
	if t.pending == 0 {
		m.enqueue(th, t)
	}
	return nil
}

func (m *Machine) checkSubmission(s *Submission) error {
	for _, h := range s.Deps {
		if m.stateOf(h) == Unknown {
			return fmt.Errorf("%w: argument %x", ErrStale, h)
		}
	}
	if s.Template.Type == wire.TaskMethod {
		if _, ok := m.objects.Get(slab.Handle(s.Actor)); !ok {
			return fmt.Errorf("%w: actor %x", ErrStale, s.Actor)
		}
		if m.actors[slab.Handle(s.Actor).Slot()] == nil {
			return fmt.Errorf("%w: %x", ErrNoActor, s.Actor)
		}
	}
	if s.Template.Type == wire.TaskCreate && s.Returns < 1 {
		return fmt.Errorf("owner: an actor's creation with %d returns, its handle is one", s.Returns)
	}
	if len(s.Rets) != s.Returns {
		return fmt.Errorf("owner: %d handles for %d returns", len(s.Rets), s.Returns)
	}
	if s.From == Driver {
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
	for i := range s.Returns {
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
	if t.pending--; t.pending > 0 {
		return
	}
	if m.templates[t.template].Type == wire.TaskMethod {
		m.argsReady(th, t)
		return
	}
	m.enqueue(th, t)
}

func (m *Machine) enqueue(th slab.Handle, t *task) {
	t.state = queued
	m.sched.Enqueue(sched.TaskID(th), m.templates[t.template].class)
	m.moved = true
}

// message builds what the worker gets. It is valid until the next call.
func (m *Machine) message(th slab.Handle, t *task) *TaskMessage {
	handles, args := m.payloadOf(t)
	tm := &m.scratch
	*tm = TaskMessage{
		Task: uint64(th), Template: m.templates[t.template], Returns: int(t.returns), Attempt: int(t.attempt),
		Args: args, Deps: tm.Deps[:0], DepIDs: tm.DepIDs[:0], Nested: t.nested,
	}
	if t.returns > 0 {
		tm.Object = handleAt(handles, 0)
	}
	if t.actor != 0 {
		tm.Actor = uint64(m.objects.HandleOf(t.actor - 1))
	}
	for i := range t.deps {
		h := handleAt(handles, t.returns+i)
		_, v := m.Look(h)
		tm.Deps = append(tm.Deps, v)
		tm.DepIDs = append(tm.DepIDs, h)
	}
	return tm
}

// Outcome is a worker's DONE message. Values alias it.
type Outcome struct {
	Status uint32 // wire.Done*
	ExecNS uint64
	Values []wire.Value
	Inner  [][]uint64 // references in each value
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
	m.left(id, th, t, int64(o.ExecNS), now)
	if o.Status == wire.DoneError && tmpl.RetryExceptions && m.mayRetry(t, tmpl) && tmpl.Type == wire.TaskPlain {
		t.attempt++
		m.discard(o)
		m.enqueue(th, t)
		return true
	}
	m.finish(th, t, o)
	if tmpl.Type == wire.TaskCreate {
		m.created(id, t.actor-1, o)
	}
	m.endTask(th, t)
	if o.Status == wire.DoneExit {
		m.actorLeaves(id)
	}
	return true
}

// left takes a task off the books of the worker it ran on.
func (m *Machine) left(id WorkerID, th slab.Handle, t *task, ns, now int64) {
	m.moved = true
	switch {
	case t.nested:
		t.nested = false
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
func (m *Machine) finish(_ slab.Handle, t *task, o *Outcome) {
	handles, _ := m.payloadOf(t)
	state := Ready
	if o.Status == wire.DoneError || o.Status == wire.DoneSystem {
		state = Failed
	}
	for i := range t.returns {
		var inner []uint64
		if int(i) < len(o.Inner) {
			inner = o.Inner[i]
		}
		h := slab.Handle(handleAt(handles, i))
		if err := m.fillAs(state, h, o.Values[i], inner); err != nil {
			m.fillError(h, wire.ErrOutOfMemory, map[string]string{"message": err.Error()})
		}
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
	handles, _ := m.payloadOf(t)
	for i := range t.returns {
		m.fillBlob(slab.Handle(handleAt(handles, i)), blob)
	}
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
		if v.Where == wire.WhereStore {
			m.ports.FreeExtent(v.Offset)
		}
	}
}

// endTask lets go of the arguments and forgets the task.
func (m *Machine) endTask(th slab.Handle, t *task) {
	handles, _ := m.payloadOf(t)
	n := t.deps + t.holds
	for i := range n {
		m.unhold(handleAt(handles, t.returns+i), 1)
	}
	if t.actor != 0 && m.templates[t.template].Type == wire.TaskMethod {
		m.unhold(uint64(m.objects.HandleOf(t.actor-1)), 1)
	}
	m.heap.Free(offheap.Ref(t.payload), t.bytes())
	m.tasks.Drop(th)
}

func (m *Machine) mayRetry(t *task, tmpl *Template) bool {
	return tmpl.MaxRetries < 0 || int(t.attempt) < tmpl.MaxRetries
}
