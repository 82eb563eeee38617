package owner

import (
	"math"

	"thornback/core/event"
	"thornback/core/slab"
	"thornback/core/wire"
)

// history is what is noted of a task while it lives. Times but the first are microseconds after it, plus one; 0: not yet.
type history struct {
	submitted int64
	ready     uint32
	sent      uint32
}

// At sets the time of what is told next. Calls that are given a time do it themselves.
func (m *Machine) At(now int64) { m.now = now }

// Keep begins to note what becomes of tasks: the newest ones, and as many times that somebody waited.
func (m *Machine) Keep(tasks, waits int) { m.log = event.NewLog(m.region, tasks, waits) }

// Log returns what was noted.
func (m *Machine) Log() *event.Log { return m.log }

// Serial gives the process that a worker is, or will be, a number that no other has had.
func (m *Machine) Serial(id WorkerID, serial uint32) {
	for len(m.serials) <= int(id) {
		m.serials = append(m.serials, 0)
	}
	m.serials[id] = serial
}

func (m *Machine) serialOf(id WorkerID) uint32 {
	if int(id) >= len(m.serials) {
		return 0
	}
	return m.serials[id]
}

// bare marks, in a payload, the ID of a caller without results. It is a bit of a generation, which no slot reaches.
const bare = 1 << 63

// begin starts the history of a task that is submitted now, and notes in its payload, from b on, what its caller is known by.
// It returns the rest of the payload.
func (m *Machine) begin(b []byte, t *task) []byte {
	t.history.submitted, t.history.ready = m.now, 1
	if t.caller == 0 {
		return b
	}
	parent := uint64(0)
	if by, ok := m.tasks.Get(slab.Handle(t.caller)); ok {
		id, isBare := m.idOf(slab.Handle(t.caller), by)
		if parent = id; isBare {
			parent |= bare
		}
	}
	return putHandle(b, parent)
}

// parentOf returns the ID of the task that submitted another, 0 for the driver; isBare as idOf has it.
func (m *Machine) parentOf(t *task) (id uint64, isBare bool) {
	if t.caller == 0 {
		return 0, false
	}
	handles, _ := m.payloadOf(t)
	id = handleAt(handles, uint32(t.handles()-1))
	return id &^ bare, id&bare != 0
}

// idOf returns what users know a task by: the handle of its first result, else, and then bare is true, its own.
func (m *Machine) idOf(th slab.Handle, t *task) (id uint64, bare bool) {
	if t.returns == 0 {
		return uint64(th), true
	}
	handles, _ := m.payloadOf(t)
	return handleAt(handles, 0), false
}

// since is the time from the submission of a task until now, as history has it.
func (m *Machine) since(t *task) uint32 {
	return uint32(min(max(0, m.now-t.history.submitted)/1000+1, math.MaxUint32))
}

// moment is the time that a field of history means; 0 for none.
func (h *history) moment(us uint32) int64 {
	if us == 0 {
		return 0
	}
	return h.submitted + int64(us-1)*1000
}

// sentTo notes where a task went.
func (m *Machine) sentTo(t *task, w WorkerID, pos uint64) {
	t.state, t.worker, t.pos = sent, w, pos
	t.history.sent = m.since(t)
	t.serial = m.serialOf(w)
}

// nextAttempt begins a further attempt.
func (m *Machine) nextAttempt(t *task) {
	t.attempt++
	t.history = history{submitted: m.now, ready: 1}
	t.is &^= noted
}

// noteDone notes that a worker has ended a task.
func (m *Machine) noteDone(t *task, th slab.Handle, o *Outcome) {
	r := m.note(t, th)
	if r == nil {
		return
	}
	if o.Ended >= r.Sent && o.Ended <= r.Ended {
		r.Ended = o.Ended
	}
	r.Exec = min(int64(min(o.ExecNS, math.MaxInt64)), max(0, r.Ended-r.Sent))
	switch o.Status {
	case wire.DoneError, wire.DoneFinal, wire.DoneSystem:
		r.Status = event.Failed
		if len(o.Values) > 0 {
			m.keepError(r, o.Values[0].Bytes)
		}
	}
}

// noteFailed notes that an attempt has ended with an error of the engine, or with one that was made before; that is the last
// word, whatever the worker has said.
func (m *Machine) noteFailed(t *task, th slab.Handle, blob []byte) {
	r := m.log.Tasks.Last()
	if t.is&noted == 0 {
		r = m.note(t, th)
	} else if id, bare := m.idOf(th, t); r == nil || r.ID != id || r.Bare != bare {
		return
	}
	if r != nil {
		r.Status = event.Failed
		m.keepError(r, blob)
	}
}

func (m *Machine) keepError(r *event.Task, blob []byte) {
	r.Error = m.log.TakeError(blob)
	if code, ok := wire.SysErrCode(blob); ok {
		r.Code = uint8(code)
	}
}

// note writes what is common to all ends; nil when nothing is to be noted.
func (m *Machine) note(t *task, th slab.Handle) *event.Task {
	if m.templates[t.template].Untracked {
		return nil
	}
	r := m.log.Tasks.Add()
	if r != nil {
		m.describe(r, t, th)
		r.Ended = m.now
		t.is |= noted
	}
	return r
}

func (m *Machine) describe(r *event.Task, t *task, th slab.Handle) {
	*r = event.Task{}
	r.Parent, r.BareUp = m.parentOf(t)
	r.Submitted = t.history.submitted
	r.Sent = t.history.moment(t.history.sent)
	r.Template, r.Worker, r.Attempt = t.template, t.serial, t.attempt
	if t.missing() == 0 {
		r.Ready = t.history.moment(t.history.ready)
	}
	r.ID, r.Bare = m.idOf(th, t)
	if t.actor != 0 {
		r.Actor = uint64(m.objects.HandleOf(t.actor - 1))
	}
}

// noteWait notes that somebody has stopped waiting.
func (m *Machine) noteWait(w *waiter) {
	r := m.log.Waits.Add()
	if r == nil {
		return
	}
	*r = event.Wait{Begin: w.begun, End: m.now, Kind: w.what()}
	if w.worker != Driver {
		r.Worker = m.serialOf(w.worker)
	}
	if t, ok := m.tasks.Get(slab.Handle(w.task)); ok {
		r.Task, r.Bare = m.idOf(slab.Handle(w.task), t)
	}
}

// what tells get and wait apart; those of the driver by that only get stops at an error.
func (w *waiter) what() event.WaitKind {
	if w.worker == Driver && !w.failFast || w.worker != Driver && w.kind == wire.ReqWait {
		return event.WaitAny
	}
	return event.Get
}

// TaskRow is a task that has not ended, as it is listed.
type TaskRow struct {
	event.Task
	State    string
	Template *Template
}

// TaskPage calls f for the tasks that have not ended in the n-th part of all, some thousands at most, and reports whether
// there are parts behind it.
func (m *Machine) TaskPage(n int, f func(*TaskRow)) bool {
	blocked := map[uint64]event.WaitKind{}
	for _, w := range m.waiters {
		if w != nil && w.blocked {
			blocked[w.task] = w.what()
		}
	}
	var row TaskRow
	return m.tasks.Page(n, func(th slab.Handle, t *task) {
		if t.state == kept { // an actor's creation, which has ended
			return
		}
		m.describe(&row.Task, t, th)
		row.Template = m.templates[t.template]
		row.State = m.stateName(t)
		if kind, ok := blocked[uint64(th)]; ok && row.State == "RUNNING" {
			row.State = [...]string{event.Get: "RUNNING_IN_RAY_GET", event.WaitAny: "RUNNING_IN_RAY_WAIT"}[kind]
		}
		f(&row)
	})
}

// stateName is Ray's name for where a task is.
func (m *Machine) stateName(t *task) string {
	switch {
	case t.missing() > 0:
		return "PENDING_ARGS_AVAIL"
	case t.state != sent:
		return "PENDING_NODE_ASSIGNMENT"
	case t.is&nested != 0 || m.ports.Started(t.worker, t.pos):
		return "RUNNING"
	case m.templates[t.template].Type == wire.TaskMethod:
		return "PENDING_ACTOR_TASK_ORDERING_OR_CONCURRENCY"
	}
	return "SUBMITTED_TO_WORKER"
}

// RowOf makes a row of a record of the log.
func (m *Machine) RowOf(r *event.Task) TaskRow {
	states := [...]string{event.Finished: "FINISHED", event.Failed: "FAILED"}
	return TaskRow{Task: *r, State: states[r.Status], Template: m.templates[r.Template]}
}

// SetSite notes where in the program an object is created: a number of the caller's. Beside the objects and not in them,
// since few ask, and the slots in use are near each other.
func (m *Machine) SetSite(h uint64, site uint16) {
	slot := int(slab.Handle(h).Slot())
	if slot >= len(m.sites) {
		m.sites = append(m.sites, make([]uint16, max(1024, slot+1-len(m.sites), len(m.sites)))...)
	}
	m.sites[slot] = site
}

func (m *Machine) siteOf(h slab.Handle) uint16 {
	if slot := int(h.Slot()); slot < len(m.sites) {
		return m.sites[slot]
	}
	return 0
}
