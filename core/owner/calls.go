package owner

import (
	"errors"
	"maps"
	"slices"

	"thornback/core/slab"
	"thornback/core/wire"
)

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

// take empties the queue and returns what was in it, in order.
func (f *fifo) take() []slab.Handle {
	all := f.items[f.head:]
	*f = fifo{}
	return all
}

// callActor takes over a call. Calls of one caller run in the order of submission: one whose arguments are not there
// holds back those behind it, but not other callers'. Where the order does not matter each goes when it can.
func (m *Machine) callActor(th slab.Handle, t *task, from WorkerID) {
	a := m.actors[t.actor-1]
	if a.template.MaxPending > 0 {
		m.submitted(a, th, from)
	}
	if a.state >= ending {
		m.failCall(th, t, a)
		return
	}
	if a.template.Unordered && t.missing() > 0 {
		a.pending[th] = struct{}{}
		return
	}
	q := a.callers[t.caller]
	if t.missing() > 0 || q != nil {
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
func (m *Machine) argsReady(th slab.Handle, t *task) {
	a := m.actors[t.actor-1]
	if a.template.Unordered {
		delete(a.pending, th)
		m.ready(a, th, t)
		return
	}
	m.advance(a, t.caller)
}

// advance makes ready what stands first among the calls of one caller and has its arguments.
func (m *Machine) advance(a *actor, caller uint64) {
	q := a.callers[caller]
	for q != nil && q.len() > 0 {
		th := q.first()
		t, ok := m.queuedCall(th)
		if ok && t.missing() > 0 {
			return
		}
		q.pop()
		if ok {
			m.ready(a, th, t)
		}
	}
	delete(a.callers, caller)
}

// ready sends a call, or queues it while the actor is being created, its ring is full, or so is its group.
func (m *Machine) ready(a *actor, th slab.Handle, t *task) {
	t.state = queued
	if a.state >= ending {
		m.failCall(th, t, a)
		return
	}
	g := m.groupOf(a, t)
	if a.state != alive || g.ready.len() > 0 || g.full() || !m.sendCall(a, th, t) {
		g.ready.push(th)
		if a.state == restarting && m.templates[t.template].MaxRetries == 0 {
			m.awaitRestart(a)
		}
	}
}

func (m *Machine) sendCall(a *actor, th slab.Handle, t *task) bool {
	pos, err := m.ports.Send(a.worker, m.message(th, t))
	switch {
	case errors.Is(err, ErrNoRoom):
		// No answer may come that says when there is room: none is due, or the worker has taken all out of its ring and works on
		// it.
		if (a.calls.len() == 0 || len(a.template.Limits) > 0) && !a.stalled {
			a.stalled = true
			m.stalled = append(m.stalled, a.object)
		}
		return false
	case err != nil:
		m.fail(th, t, wire.ErrStoreFull, map[string]string{"message": err.Error()})
		return true
	}
	m.sentTo(t, a.worker, pos)
	m.running++
	a.calls.push(th)
	m.groupOf(a, t).sent++
	return true
}

// flush sends queued calls as long as there is room.
func (m *Machine) flush(a *actor) {
	for i := range a.groups {
		g := &a.groups[i]
		for a.state == alive && g.ready.len() > 0 && !g.full() {
			th := g.ready.first()
			t, ok := m.queuedCall(th)
			if ok && !m.sendCall(a, th, t) {
				return
			}
			g.ready.pop()
		}
	}
}

// callLeft takes an ended call off its actor's books and uses the room it left.
func (m *Machine) callLeft(th slab.Handle, t *task) {
	if a := m.actors[t.actor-1]; a != nil {
		a.calls.drop(th)
		m.groupOf(a, t).sent--
		m.flush(a)
	}
}

// takeCalls takes all calls that were sent or are ready off an actor's books.
func (a *actor) takeCalls() []slab.Handle {
	all := a.calls.take()
	for i := range a.groups {
		g := &a.groups[i]
		all = append(all, g.ready.take()...)
		g.sent = 0
	}
	return all
}

// failCalls ends everything that was asked of an actor which will not answer.
func (m *Machine) failCalls(a *actor) {
	all := a.takeCalls()
	for _, caller := range slices.Sorted(maps.Keys(a.callers)) { // in order, so that a run can be replayed
		all = append(all, a.callers[caller].take()...)
		delete(a.callers, caller)
	}
	all = append(all, slices.Sorted(maps.Keys(a.pending))...)
	clear(a.pending)
	for _, th := range all {
		if t, ok := m.queuedCall(th); ok {
			if t.state == sent {
				m.running--
			}
			m.failCall(th, t, a)
		}
	}
}

func (m *Machine) failCall(th slab.Handle, t *task, a *actor) {
	if t.cancel != 0 {
		m.failCancelled(th, t, "")
		return
	}
	m.failBlob(th, t, m.deathBlob(a, m.templates[t.template].Name))
}
