package sched

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"thornback/core/resources"
)

func req(t testing.TB, units map[string]float64) resources.Request {
	t.Helper()
	r, err := resources.NewNames().Request(units)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// model is what a caller knows of a scheduler.
type model struct {
	s       *Scheduler
	pool    *resources.Pool
	total   resources.Request
	now     int64
	last    TaskID
	class   map[TaskID]ClassID
	by      map[TaskID]SubmitterID
	waiting map[TaskID]bool // enqueued, not assigned
	at      map[TaskID]WorkerID
	sent    map[WorkerID][]TaskID
	actors  map[WorkerID]bool
	nextID  WorkerID
	blocks  map[WorkerID]int
	nested  map[WorkerID]int
	starts  int // asked for, not there
}

func newModel(t testing.TB) *model {
	m := &model{
		total: req(t, map[string]float64{"CPU": 4, "GPU": 2}), class: map[TaskID]ClassID{}, by: map[TaskID]SubmitterID{}, waiting: map[TaskID]bool{},
		at: map[TaskID]WorkerID{}, sent: map[WorkerID][]TaskID{}, actors: map[WorkerID]bool{}, blocks: map[WorkerID]int{},
		nested: map[WorkerID]int{},
	}
	m.pool = resources.NewPool(m.total)
	m.s = New(Config{WorkersMax: 6}, m.pool)
	for _, units := range []map[string]float64{{"CPU": 1}, {"CPU": 0.5, "GPU": 0.6}, {}, {"CPU": 3}} {
		m.s.Class(req(t, units))
	}
	if _, err := m.s.CreateClass(req(t, map[string]float64{"CPU": 1}), req(t, map[string]float64{"CPU": 0.25})); err != nil {
		t.Fatal(err)
	}
	return m
}

const createClass = 4

// fatal is what *rapid.T and *testing.T have in common here.
type fatal interface{ Fatalf(string, ...any) }

func (m *model) check(t fatal) {
	if err := m.s.Check(nil); err != nil {
		t.Fatalf("%v", err)
	}
	if m.s.Queued() != len(m.waiting) {
		t.Fatalf("%d queued, %d by the caller's book", m.s.Queued(), len(m.waiting))
	}
	ahead := 0
	for id, ts := range m.sent {
		ahead += max(0, len(ts)-1)
		if got := m.s.Sent(id); !slices.Equal(got, ts) {
			t.Fatalf("worker %d was sent %v, says %v", id, ts, got)
		}
	}
	if m.s.Ahead() != ahead {
		t.Fatalf("%d sent ahead, %d by the caller's book", m.s.Ahead(), ahead)
	}
}

// next takes one decision and checks that it was allowed.
func (m *model) next(t fatal) bool {
	w, id, ok := m.s.Next(m.now)
	if !ok {
		return false
	}
	if !m.waiting[id] {
		t.Fatalf("task %d is given to worker %d and does not wait", id, w)
	}
	ts, known := m.sent[w]
	switch {
	case !known || m.actors[w]:
		t.Fatalf("task %d is given to worker %d, which is not in the pool", id, w)
	case len(ts) > 0 && m.class[ts[0]] != m.class[id]:
		t.Fatalf("worker %d has tasks of classes %d and %d", w, m.class[ts[0]], m.class[id])
	case len(ts) > 0 && m.blocks[w]+m.nested[w] > 0:
		t.Fatalf("task %d is sent behind one that waits", id)
	case m.nested[w] > 0:
		t.Fatalf("task %d is sent to a worker that runs nested tasks", id)
	}
	if len(ts) == 0 { // a new lease was claimed
		for it := range m.s.Request(m.class[id]).Items() {
			if m.pool.Free(it.ID) < 0 {
				t.Fatalf("resource %d: %s free after a claim", it.ID, m.pool.Free(it.ID))
			}
		}
	} else if mean := m.s.classes[m.class[id]].mean; mean == 0 || mean > longNS || m.class[id] == createClass {
		t.Fatalf("task %d of mean length %.0f ns is sent ahead", id, mean)
	}
	delete(m.waiting, id)
	m.at[id] = w
	m.sent[w] = append(ts, id)
	return true
}

func (m *model) enqueue(c ClassID) { m.enqueueBy(c, DriverID) }

func (m *model) enqueueBy(c ClassID, by SubmitterID) {
	m.last++
	m.by[m.last] = by
	m.class[m.last] = c
	m.waiting[m.last] = true
	m.s.Enqueue(m.last, c, m.by[m.last])
}

func (m *model) start() {
	m.starts--
	m.s.Starting(-1)
	m.s.AddWorker(m.nextID)
	m.sent[m.nextID] = nil
	m.nextID++
}

// done ends the first task of a worker.
func (m *model) done(w WorkerID, ns int64) {
	id := m.sent[w][0]
	m.sent[w] = m.sent[w][1:]
	delete(m.at, id)
	m.s.Done(w, id, ns, m.now)
	if m.class[id] == createClass {
		m.actors[w] = true
	}
	if len(m.sent[w]) == 0 {
		m.blocks[w] = 0
	}
}

func (m *model) busy() []WorkerID {
	return slices.Sorted(func(yield func(WorkerID) bool) {
		for w, ts := range m.sent {
			if len(ts) > 0 && !yield(w) {
				return
			}
		}
	})
}

// Any sequence of calls keeps the books balanced, loses no task and gives none out twice; and when all tasks have ended
// and all workers are gone, all resources are free.
func TestAnySequence(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(&testing.T{})
		lengths := []int64{0, 100, 5_000, 100_000, 3e6, 50e6}
		pick := func() WorkerID {
			b := m.busy()
			if len(b) == 0 {
				t.Skip("nobody is busy")
			}
			return rapid.SampledFrom(b).Draw(t, "worker")
		}
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) { m.check(t) },
			"enqueue": func(t *rapid.T) {
				c := ClassID(rapid.IntRange(0, 4).Draw(t, "class"))
				by := SubmitterID(rapid.IntRange(0, 4).Draw(t, "by"))
				for range rapid.IntRange(1, 40).Draw(t, "n") {
					m.enqueueBy(c, by)
				}
			},
			"next": func(t *rapid.T) {
				for range rapid.IntRange(1, 20).Draw(t, "n") {
					if !m.next(t) {
						break
					}
				}
			},
			"spawn": func(t *rapid.T) {
				n := m.s.Wanted(m.now)
				if n > 0 && (m.s.Pooled()+m.starts+n > 6 || len(m.s.Idle()) > 0) {
					t.Fatalf("%d more wanted, %d there, %d starting, %d idle", n, m.s.Pooled(), m.starts, len(m.s.Idle()))
				}
				m.s.Starting(n)
				m.starts += n
			},
			"arrive": func(t *rapid.T) {
				if m.starts == 0 {
					t.Skip("none starting")
				}
				m.start()
			},
			"done": func(t *rapid.T) {
				m.now += int64(rapid.IntRange(0, 5e6).Draw(t, "time"))
				m.done(pick(), rapid.SampledFrom(lengths).Draw(t, "ns"))
			},
			"take back": func(t *rapid.T) {
				w := pick()
				ts := m.sent[w]
				keep := rapid.IntRange(0, len(ts)-1).Draw(t, "keep")
				for i := len(ts) - 1; i >= keep; i-- {
					m.back(w, ts[i])
				}
				m.sent[w] = ts[:keep]
			},
			"refuse": func(t *rapid.T) {
				w, id, ok := m.s.Next(m.now)
				if !ok {
					t.Skip("nothing to refuse")
				}
				m.s.Refused(w, id, m.by[id])
				if again, same, ok := m.s.Next(m.now); ok {
					if again == w {
						t.Fatalf("worker %d is chosen again, which has just refused", w)
					}
					m.s.TookBack(again, same, m.by[same])
				}
				if rapid.Bool().Draw(t, "retry") {
					m.s.Retry()
				}
			},
			"remove": func(t *rapid.T) {
				if len(m.waiting) == 0 {
					t.Skip("none waits")
				}
				id := rapid.SampledFrom(slices.Sorted(maps.Keys(m.waiting))).Draw(t, "task")
				m.s.Remove(id)
				if rapid.Bool().Draw(t, "requeue") { // ran elsewhere, and that failed
					m.s.Requeue(id, m.class[id], m.by[id])
				} else {
					delete(m.waiting, id)
				}
			},
			"block": func(t *rapid.T) {
				w := pick()
				m.blocks[w]++
				m.s.Block(w)
			},
			"unblock": func(t *rapid.T) {
				w := pick()
				m.blocks[w] = max(0, m.blocks[w]-1)
				m.s.Unblock(w)
			},
			"nest": func(*rapid.T) {
				w := pick()
				m.nested[w]++
				m.s.Nest(w)
			},
			"unnest": func(t *rapid.T) {
				for _, w := range slices.Sorted(maps.Keys(m.nested)) {
					if m.nested[w] > 0 {
						m.nested[w]--
						m.s.Unnest(w)
						return
					}
				}
				t.Skip("none nested")
			},
			"die": func(*rapid.T) { m.die(pick()) },
		})
		m.finish(t)
	})
}

// back takes a task back from a worker.
func (m *model) back(w WorkerID, id TaskID) {
	m.s.TookBack(w, id, m.by[id])
	m.waiting[id] = true
	delete(m.at, id)
	if m.s.Sent(w) == nil || len(m.s.Sent(w)) == 0 {
		m.blocks[w] = 0
	}
}

func (m *model) die(w WorkerID) {
	had := slices.Clone(m.s.RemoveWorker(w))
	for i := len(had) - 1; i >= 0; i-- {
		m.s.Requeue(had[i], m.class[had[i]], m.by[had[i]])
		m.waiting[had[i]] = true
		delete(m.at, had[i])
	}
	delete(m.sent, w)
	delete(m.blocks, w)
	delete(m.nested, w)
	delete(m.actors, w)
}

// finish lets everything run to its end.
func (m *model) finish(t fatal) {
	for w, n := range m.nested {
		for range n {
			m.s.Unnest(w)
		}
	}
	clear(m.nested)
	m.s.Retry()
	for range 10_000 {
		for m.starts > 0 {
			m.start()
		}
		for m.next(t) {
		}
		m.check(t)
		m.now += 10e6
		busy := m.busy()
		if len(busy) == 0 && len(m.waiting) == 0 {
			break
		}
		n := m.s.Wanted(m.now)
		if n == 0 && len(busy) == 0 && len(m.actors) == 0 {
			t.Fatalf("%d tasks wait, nobody is busy, none is wanted", len(m.waiting))
		}
		m.s.Starting(n)
		m.starts += n
		for _, w := range busy {
			m.done(w, 1000)
		}
		for w := range maps.Clone(m.actors) {
			m.die(w)
		}
	}
	if len(m.waiting) > 0 {
		t.Fatalf("%d tasks never ran", len(m.waiting))
	}
	for w := range maps.Clone(m.sent) {
		m.die(w)
	}
	m.check(t)
	for it := range m.total.Items() {
		if m.pool.Free(it.ID) != it.Amount {
			t.Fatalf("resource %d: %s of %s free at the end", it.ID, m.pool.Free(it.ID), it.Amount)
		}
	}
}
