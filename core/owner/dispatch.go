package owner

import (
	"errors"
	"maps"
	"slices"

	"thornback/core/resources"
	"thornback/core/sched"
	"thornback/core/slab"
	"thornback/core/wire"
)

// nestedMax is how many tasks may run on top of each other in one worker.
const nestedMax = 24

// Moved reports whether something happened since Schedule was called.
func (m *Machine) Moved() bool { return m.moved }

// Schedule sends what can be sent. Call it after telling what happened, once for a batch.
func (m *Machine) Schedule(now int64) {
	if at := m.NextDeadline(); at != 0 && at <= now {
		m.Expire(now)
	}
	m.now = now
	if !m.moved {
		return
	}
	m.stopForsaken()
	if len(m.scopes.due) > 0 {
		m.settleScopes()
	}
	m.moved = false
	for {
		w, id, ok := m.sched.Next(now)
		if !ok {
			break
		}
		m.send(w, slab.Handle(id), now)
	}
	if m.sched.Queued() == 0 {
		m.share(now)
		return
	}
	if n := m.sched.Wanted(now); n > 0 {
		m.sched.Starting(n)
		m.ports.Spawn(n)
	} else if m.sched.AtLimit() {
		m.help()
	}
}

// send writes an assigned task into its worker's ring.
func (m *Machine) send(w WorkerID, th slab.Handle, now int64) {
	t, ok := m.tasks.Get(th)
	if !ok {
		panic("owner: a queued task is gone")
	}
	pos, err := m.ports.Send(w, m.message(th, t))
	switch {
	case errors.Is(err, ErrNoRoom):
		m.sched.Refused(w, sched.TaskID(th), m.submitter(t))
		return
	case err != nil:
		m.sched.TookBack(w, sched.TaskID(th), m.submitter(t))
		m.sched.Remove(sched.TaskID(th))
		if m.templates[t.template].Type == wire.TaskCreate {
			m.failCreation(th, t, m.actors[t.actor-1], Cause{Message: err.Error()})
			return
		}
		m.fail(th, t, wire.ErrStoreFull, map[string]string{"message": err.Error()})
		return
	}
	m.sentTo(t, w, pos)
	m.running++
}

// takeBack takes back what a worker has not begun, the last first, and leaves keep of its tasks alone. It returns how
// many came back.
func (m *Machine) takeBack(w WorkerID, keep int, now int64) int {
	ids := m.sched.Sent(w)
	back := 0
	for i := len(ids) - 1; i >= keep; i-- {
		th := slab.Handle(ids[i])
		t, ok := m.tasks.Get(th)
		if !ok || !m.ports.TakeBack(w, t.pos) {
			break // it runs; so do, or did, all before it
		}
		t.state, t.worker = queued, Driver
		m.running--
		m.sched.TookBack(w, sched.TaskID(th), m.submitter(t))
		back++
	}
	if back > 0 {
		m.moved = true
	}
	return back
}

// share lets an idle worker have half of what was sent ahead to another.
func (m *Machine) share(now int64) {
	w, ok := m.sched.Richest()
	if !ok {
		return
	}
	if m.takeBack(w, (len(m.sched.Sent(w))+1)/2, now) == 0 {
		return
	}
	for {
		w, id, ok := m.sched.Next(now)
		if !ok {
			break
		}
		m.send(w, slab.Handle(id), now)
	}
	m.moved = false
}

// help runs, when no more processes may be started, a queued task on top of a blocked one that waits for it: tasks that
// wait for tasks go on to any depth with a bounded number of processes. When that is not possible, and nothing else runs
// that could bring a result, one more process is started.
func (m *Machine) help() {
	helped := false
	for _, id := range slices.Sorted(maps.Keys(m.workers)) { // in order, so that a run can be replayed
		ws := m.workers[id]
		if len(ws.waits) <= len(ws.nested) || len(ws.nested) >= nestedMax || ws.actor != nil {
			continue
		}
		for _, request := range slices.Sorted(maps.Keys(ws.waits)) {
			w := m.waiter(ws.waits[request])
			if w == nil || !w.blocked {
				continue
			}
			// Only what runs on top can be helped: those below go on when all above has ended, so a task for them could wait
			// for one that it keeps from running.
			if n := len(ws.nested); n > 0 && w.task != uint64(ws.nested[n-1].task) {
				continue
			}
			if m.helpWith(id, ws, w.handles, nestedMax) {
				helped = true
				break
			}
		}
	}
	if !helped && !m.progress() {
		m.sched.Starting(1)
		m.ports.Spawn(1)
	}
}

// helpWith looks for a task that makes one of the objects, or an argument for it, and can run now.
func (m *Machine) helpWith(id WorkerID, ws *workerState, handles []uint64, depth int) bool {
	for _, h := range handles {
		o, ok := m.objects.Get(slab.Handle(h))
		if !ok || o.task == 0 {
			continue
		}
		th := m.tasks.HandleOf(o.task - 1)
		t := m.tasks.At(o.task - 1)
		tmpl := m.templates[t.template]
		switch {
		case t.state == queued && tmpl.Type == wire.TaskPlain && !ownProcess(tmpl) && m.sched.ClaimFor(tmpl.class):
			t.is |= nested
			if pos, err := m.ports.Send(id, m.message(th, t)); err == nil {
				m.sched.Remove(sched.TaskID(th))
				m.sentTo(t, id, pos)
				m.running++
				ws.nested = append(ws.nested, nestedTask{task: th, class: tmpl.class})
				m.sched.Nest(id)
				m.settleNested(ws)
				return true
			}
			t.is &^= nested
			m.sched.ReleaseFor(tmpl.class)
			return false
		case t.state == waiting && depth > 0:
			hs, _ := m.payloadOf(t)
			var deps []uint64
			for i := range t.deps {
				deps = append(deps, handleAt(hs, t.returns+i))
			}
			if m.helpWith(id, ws, deps, depth-1) {
				return true
			}
		}
	}
	return false
}

// ownProcess reports whether a task can't be run on top of another: it ends its process, or that must be set up for it.
func ownProcess(t *Template) bool { return t.MaxCalls > 0 || t.Demand.Of(resources.GPU) > 0 }

// progress reports whether some worker is starting or runs without being blocked.
func (m *Machine) progress() bool {
	if m.sched.Moving() {
		return true
	}
	for _, ws := range m.workers {
		if n := len(ws.nested); n > 0 && !ws.nested[n-1].lent {
			return true
		}
	}
	return false
}
