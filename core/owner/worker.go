package owner

import (
	"errors"
	"maps"
	"slices"

	"thornback/core/sched"
	"thornback/core/slab"
	"thornback/core/wire"
)

// workerState is what the machine keeps for one process.
type workerState struct {
	holds   map[uint64]int64  // how often it holds each object
	waits   map[uint32]uint64 // its requests that wait, by number: waiter
	nested  []nestedTask      // run on top of a blocked one
	actor   *actor            // nil for workers of the pool
	granted int               // handles granted and not yet used
	pid     int               // of the process, for messages; 0: not known
	runs    map[uint32]int    // of functions with MaxCalls: how often it ran each, by FID; nil: none
	awaits  []uint64          // what the process of an async actor awaits, when it is quiet; see Machine.Quiet
	orphans bool              // what it submits is cancelled; counted in Machine.cancelling
}

// nestedTask runs on top of a blocked task. It has a claim of its own, and lends the CPU of it while it waits itself, or
// for others on top of it.
type nestedTask struct {
	task  slab.Handle
	class sched.ClassID
	waits int
	lent  bool
}

func (ws *workerState) findNested(th slab.Handle) *nestedTask {
	for i := range ws.nested {
		if ws.nested[i].task == th {
			return &ws.nested[i]
		}
	}
	return nil
}

// nestedLeft ends the claim of a nested task.
func (m *Machine) nestedLeft(id WorkerID, ws *workerState, th slab.Handle) {
	n := ws.findNested(th)
	if n == nil {
		return
	}
	if n.lent {
		m.sched.TakeBackFor(n.class)
	}
	m.sched.ReleaseFor(n.class)
	i := slices.IndexFunc(ws.nested, func(x nestedTask) bool { return x.task == th })
	ws.nested = slices.Delete(ws.nested, i, i+1)
	m.sched.Unnest(id)
	m.settleNested(ws)
}

// settleNested lends the CPU of all nested tasks that don't run: only the last one can.
func (m *Machine) settleNested(ws *workerState) {
	for i := range ws.nested {
		n := &ws.nested[i]
		lend := n.waits > 0 || i < len(ws.nested)-1
		switch {
		case lend && !n.lent:
			m.sched.LendFor(n.class)
		case !lend && n.lent:
			m.sched.TakeBackFor(n.class)
		}
		n.lent = lend
	}
}

// block lends the CPU of a task that begins to wait; unblock takes it back.
func (m *Machine) block(id WorkerID, ws *workerState, task uint64) {
	if n := ws.findNested(slab.Handle(task)); n != nil {
		n.waits++
		m.settleNested(ws)
	} else {
		m.sched.Block(id)
	}
	m.moved = true
}

func (m *Machine) unblock(id WorkerID, task uint64) {
	m.moved = true
	if ws := m.workers[id]; ws != nil {
		if n := ws.findNested(slab.Handle(task)); n != nil {
			n.waits--
			m.settleNested(ws)
			return
		}
	}
	m.sched.Unblock(id)
}

// WorkerReady says that a process is there and waits for work.
func (m *Machine) WorkerReady(id WorkerID) {
	m.workers[id] = &workerState{holds: map[uint64]int64{}, waits: map[uint32]uint64{}}
	m.sched.Starting(-1)
	m.sched.AddWorker(id)
	m.moved = true
}

// WorkerPID tells the process of a worker, for messages.
func (m *Machine) WorkerPID(id WorkerID, pid int) {
	if ws := m.workers[id]; ws != nil {
		ws.pid = pid
	}
}

// WorkerFailed says that a process that was asked for did not start.
func (m *Machine) WorkerFailed() {
	m.sched.Starting(-1)
	m.moved = true
}

// Grant gives a worker n handles for what it will create; it holds each once. They are valid until the next call.
func (m *Machine) Grant(id WorkerID, n int) []uint64 {
	ws := m.workers[id]
	if ws == nil {
		return nil
	}
	m.grants = m.grants[:0]
	for range n {
		h, o := m.objects.Take()
		o.refs, o.granted = 1, true
		ws.holds[uint64(h)] = 1
		m.grants = append(m.grants, uint64(h))
	}
	ws.granted += n
	return m.grants
}

func (m *Machine) usedGrant(id WorkerID, o *object) {
	o.granted = false
	if ws := m.workers[id]; ws != nil {
		ws.granted--
	}
}

// PutFrom fills a granted object with a value that its worker put. False when it was not granted to it.
func (m *Machine) PutFrom(id WorkerID, h uint64, v wire.Value, inner []uint64) bool {
	ws := m.workers[id]
	o, ok := m.objects.Get(slab.Handle(h))
	if ws == nil || !ok || !o.granted || ws.holds[h] == 0 {
		return false
	}
	m.usedGrant(id, o)
	o.maker = makerPut
	if err := m.fill(slab.Handle(h), v, inner); err != nil {
		m.fillError(slab.Handle(h), wire.ErrOutOfMemory, map[string]string{"message": err.Error()})
	}
	return true
}

// Refs changes how often a process holds an object.
func (m *Machine) Refs(id WorkerID, h uint64, delta int64) {
	if id == Driver {
		if delta > 0 {
			if o, ok := m.objects.Get(slab.Handle(h)); ok {
				o.refs += delta
			}
		} else {
			m.unhold(h, -delta)
		}
		return
	}
	if delta > 0 {
		m.holdFor(id, h, delta)
		return
	}
	ws := m.workers[id]
	if ws == nil {
		return
	}
	n := min(ws.holds[h], -delta) // no worker lets go what it does not hold
	if n <= 0 {
		return
	}
	if ws.holds[h] -= n; ws.holds[h] == 0 {
		delete(ws.holds, h)
		if o, ok := m.objects.Get(slab.Handle(h)); ok && o.granted {
			m.usedGrant(id, o)
		}
	}
	m.unhold(h, n)
}

// holdsMax is how often one worker may hold one object.
const holdsMax = 1 << 40

// holdFor adds holds of a worker.
func (m *Machine) holdFor(id WorkerID, h uint64, n int64) {
	ws := m.workers[id]
	if ws == nil {
		return
	}
	if o, ok := m.objects.Get(slab.Handle(h)); ok {
		n = min(n, holdsMax-ws.holds[h]) // no worker can make the sum overflow
		o.refs += n
		ws.holds[h] += n
	}
}

// Cause says how a worker ended, in the words of the error that users see.
type Cause struct {
	Message string
	Fields  map[string]string // pid, exit, stderr ...
}

func (c Cause) fields(extra ...string) map[string]string {
	f := maps.Clone(c.Fields)
	if f == nil {
		f = map[string]string{}
	}
	f["message"] = c.Message
	for i := 0; i+1 < len(extra); i += 2 {
		f[extra[i]] = extra[i+1]
	}
	return f
}

// WorkerLost says that a process ended. Call it after everything that it wrote has been told. Tasks that it had not begun
// run elsewhere; those it ran are tried again or fail; what it held is let go.
func (m *Machine) WorkerLost(id WorkerID, c Cause, now int64) {
	ws := m.workers[id]
	if ws == nil {
		return
	}
	m.moved = true
	if ws.orphans {
		m.cancelling--
	}
	for _, request := range slices.Sorted(maps.Keys(ws.waits)) { // in order, here and below, so that a run can be replayed
		if w := m.waiter(ws.waits[request]); w != nil {
			m.forget(w)
		}
	}
	for _, n := range slices.Clone(ws.nested) {
		m.nestedLeft(id, ws, n.task)
		if t, ok := m.tasks.Get(n.task); ok {
			t.is &^= nested
			m.interrupted(n.task, t, true, c)
		}
	}
	had := m.sched.RemoveWorker(id)
	for i := len(had) - 1; i >= 0; i-- {
		th := slab.Handle(had[i])
		if t, ok := m.tasks.Get(th); ok {
			m.interrupted(th, t, m.ports.Started(id, t.pos), c)
		}
	}
	if ws.actor != nil {
		m.actorLost(ws.actor, c)
	}
	holds := ws.holds
	ws.holds = nil
	delete(m.quiet, id)
	delete(m.workers, id)
	for _, h := range slices.Sorted(maps.Keys(holds)) {
		m.unhold(h, holds[h])
	}
}

// interrupted decides what becomes of a task whose worker died.
func (m *Machine) interrupted(th slab.Handle, t *task, started bool, c Cause) {
	m.running--
	tmpl := m.templates[t.template]
	t.worker = Driver
	t.state = queued
	if tmpl.Type == wire.TaskCreate {
		m.creationLost(th, t, m.actors[t.actor-1], started, c)
		return
	}
	if !started && t.cancel == 0 {
		m.sched.Requeue(sched.TaskID(th), tmpl.class, m.submitter(t))
		return
	}
	if tmpl.Type == wire.TaskPlain && m.mayRetry(t, tmpl) {
		m.noteFailed(t, th, wire.SysErr(wire.ErrWorkerCrashed, c.fields("task", tmpl.Name)))
		m.nextAttempt(t)
		m.sched.Requeue(sched.TaskID(th), tmpl.class, m.submitter(t))
		return
	}
	if t.cancel != 0 {
		m.failCancelled(th, t, "")
		return
	}
	m.fail(th, t, wire.ErrWorkerCrashed, c.fields())
}

// Granted returns how many handles a worker has that it did not use yet.
func (m *Machine) Granted(id WorkerID) int {
	if ws := m.workers[id]; ws != nil {
		return ws.granted
	}
	return 0
}

// RefuseFrom fails the returns of a submission that was not accepted.
func (m *Machine) RefuseFrom(id WorkerID, rets []uint64, cause error) {
	ws := m.workers[id]
	code := uint32(wire.ErrObjectLost)
	if errors.Is(cause, ErrScopeEnded) {
		code = wire.ErrScopeEnded
	}
	for _, h := range rets {
		o, ok := m.objects.Get(slab.Handle(h))
		if !ok || !o.granted || ws == nil || ws.holds[h] == 0 { // another worker's grants are not its to spend
			continue
		}
		m.usedGrant(id, o)
		m.fillError(slab.Handle(h), code, map[string]string{"message": cause.Error()})
	}
}

// SpareWorkers returns how many idle processes there are beyond keep in the pool.
func (m *Machine) SpareWorkers(keep int) int {
	return min(len(m.sched.Idle()), max(0, m.sched.Pooled()-keep))
}

// Retire asks idle processes beyond keep to end, the longest idle first.
func (m *Machine) Retire(keep int) {
	n := m.SpareWorkers(keep)
	ids := slices.Clone(m.sched.Idle()[:n])
	for _, id := range ids {
		m.retire(id)
	}
}

// retire asks an idle process to end; it is given no more work.
func (m *Machine) retire(id WorkerID) {
	m.sched.Withdraw(id)
	m.ports.Exit(id)
}

// spent counts a task that a worker has run, and retires the worker when it may run no more of that function.
func (m *Machine) spent(id WorkerID, t *Template) {
	ws := m.workers[id]
	if ws == nil {
		return
	}
	if ws.runs == nil {
		ws.runs = map[uint32]int{}
	}
	if ws.runs[t.FID]++; ws.runs[t.FID] >= t.MaxCalls {
		m.retire(id)
	}
}
