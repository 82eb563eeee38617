package owner

import (
	"container/heap"
	"fmt"

	"thornback/core/slab"
	"thornback/core/wire"
)

// deadline is the time at which a task is cancelled. What a task submits has to end by then too.
type deadline struct {
	at       int64 // ns on the machine's clock
	task     slab.Handle
	ancestor uint64 // the task that brought it in: this one, or one above
	name     string // of that one
	place    int    // in deadlines.order; -1 when it has passed
}

// deadlines are those of all tasks that have one; there are none in most programs.
type deadlines struct {
	of    map[slab.Handle]*deadline
	order byTime
}

// byTime is a heap; a task stands before what it has submitted.
type byTime []*deadline

func (q byTime) Len() int { return len(q) }

func (q byTime) Less(i, j int) bool {
	if q[i].at != q[j].at {
		return q[i].at < q[j].at
	}
	return q[i].ancestor == uint64(q[i].task) && q[j].ancestor != uint64(q[j].task)
}

func (q byTime) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *byTime) Push(x any) {
	d := x.(*deadline)
	d.place = len(*q)
	*q = append(*q, d)
}

func (q *byTime) Pop() any {
	old := *q
	d := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	d.place = -1
	return d
}

// NextDeadline is when Expire is to be called next; 0: not at all.
func (m *Machine) NextDeadline() int64 {
	if len(m.limits.order) == 0 {
		return 0
	}
	return max(1, m.limits.order[0].at)
}

// limit notes until when a task may run: its own deadline, or that of the task that submits it if it is earlier. False: it
// has passed already.
func (m *Machine) limit(th slab.Handle, s *Submission) bool {
	d := &deadline{at: s.Deadline, task: th, ancestor: uint64(th), name: s.Template.Name}
	isCreation := s.Template.Type == wire.TaskCreate // an actor outlives who creates it
	if up := m.limits.of[slab.Handle(s.Caller)]; up != nil && !isCreation && (d.at == 0 || up.at <= d.at) {
		d.at, d.ancestor, d.name = up.at, up.ancestor, up.name
	}
	if d.at == 0 {
		return true
	}
	if m.limits.of == nil {
		m.limits.of = map[slab.Handle]*deadline{}
	}
	m.limits.of[th] = d
	if d.at <= m.now && !isCreation { // the actor is there first, then dead
		d.place = -1
		return false
	}
	heap.Push(&m.limits.order, d)
	return true
}

// unlimit forgets the deadline of a task that has ended.
func (m *Machine) unlimit(th slab.Handle) {
	if d := m.limits.of[th]; d != nil {
		if d.place >= 0 {
			heap.Remove(&m.limits.order, d.place)
		}
		delete(m.limits.of, th)
	}
}

// Expire cancels the tasks whose deadline has come, and ends actors that are not constructed by theirs. What has not begun
// fails at once.
func (m *Machine) Expire(now int64) {
	for len(m.limits.order) > 0 && m.limits.order[0].at <= now {
		d := heap.Pop(&m.limits.order).(*deadline)
		t := m.tasks.At(d.task.Slot())
		if m.templates[t.template].Type == wire.TaskCreate {
			m.killFor(m.actors[t.actor-1], Cause{Message: deathLate})
		} else {
			m.cancelTask(d.task, t, Cancellation{})
		}
	}
}

// passed returns the deadline of a task that is cancelled because of it, else nil.
func (m *Machine) passed(th slab.Handle) *deadline {
	if d := m.limits.of[th]; d != nil && d.place < 0 {
		return d
	}
	return nil
}

// failLate ends a task that is late.
func (m *Machine) failLate(th slab.Handle, t *task, d *deadline) {
	fields := map[string]string{"handle": fmt.Sprint(uint64(th)), "message": ""}
	if d.ancestor != uint64(th) {
		fields["ancestor"], fields["ancestor_handle"] = d.name, fmt.Sprint(d.ancestor)
	}
	m.fail(th, t, wire.ErrDeadlineExceeded, fields)
}
