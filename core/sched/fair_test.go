package sched

import (
	"testing"

	"pgregory.net/rapid"

	"thornback/core/resources"
)

// share runs everything that is queued on the workers at hand, each task for its class's length, until stop says so, and
// returns how long each submitter's tasks ran.
func (m *model) share(t fatal, lengths map[ClassID]int64, stop func() bool) map[SubmitterID]int64 {
	ends := map[WorkerID]int64{}
	got := map[SubmitterID]int64{}
	for range 1_000_000 {
		for m.next(t) {
		}
		if stop() {
			return got
		}
		first, at := WorkerID(0), int64(-1)
		for _, w := range m.busy() {
			if ends[w] == 0 {
				ends[w] = m.now + lengths[m.class[m.sent[w][0]]]
			}
			if at < 0 || ends[w] < at {
				first, at = w, ends[w]
			}
		}
		if at < 0 {
			return got
		}
		m.now = at
		id := m.sent[first][0]
		got[m.by[id]] += lengths[m.class[id]]
		m.done(first, lengths[m.class[id]])
		delete(ends, first)
	}
	t.Fatalf("no end")
	return nil
}

// Who submits few tasks waits for as many of those who submit many, not for their whole queue, also when theirs are spread
// over many classes.
func TestFewBesideMany(t *testing.T) {
	t.Parallel()
	for _, length := range []int64{2_000, 200_000, 12e6} {
		for _, classes := range []int{1, 10} {
			m := small(t, 4)
			lengths := map[ClassID]int64{}
			var many []ClassID
			for range classes {
				c := m.s.Class(req(t, map[string]float64{"CPU": 1}))
				m.teach(t, c, length)
				lengths[c] = length
				many = append(many, c)
			}
			for i := range 20_000 {
				m.enqueueBy(many[i%classes], 1)
			}
			for m.next(t) {
			}
			before := m.last
			for range 10 {
				m.enqueueBy(many[0], 2)
			}
			few := func() bool {
				for id := before + 1; id <= before+10; id++ {
					if m.waiting[id] {
						return false
					}
				}
				return true
			}
			got := m.share(t, lengths, few)
			// 10 tasks each, what was sent ahead, and turns that were begun.
			if limit := 10*length + 4*(aheadNS+turnNS) + 8*length; got[1] > limit {
				t.Errorf("tasks of %d ns in %d classes: the other got %d ns before 10 tasks were given out, limit %d", length, classes, got[1], limit)
			}
		}
	}
}

// Submitters with enough queued get equal shares, whatever classes and lengths they choose.
func TestEqualShares(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := small(&testing.T{}, 4)
		lengths := map[ClassID]int64{}
		var classes []ClassID
		for range rapid.IntRange(1, 4).Draw(t, "classes") {
			c := m.s.Class(req(&testing.T{}, map[string]float64{"CPU": 1}))
			lengths[c] = rapid.SampledFrom([]int64{200_000, 1e6, 5e6, 20e6}).Draw(t, "length")
			m.teach(&testing.T{}, c, lengths[c])
			classes = append(classes, c)
		}
		n := rapid.IntRange(2, 5).Draw(t, "submitters")
		left := map[SubmitterID]int{}
		for by := range n {
			c := rapid.SampledFrom(classes).Draw(t, "class")
			for range int(2e9 / lengths[c]) {
				m.enqueueBy(c, SubmitterID(by))
				left[SubmitterID(by)]++
			}
		}
		start := m.now
		got := m.share(t, lengths, func() bool { return m.now-start > 5e8 }) // 2 s of work, as much as each has
		for by := range n {
			if fair := int64(2e9) / int64(n); got[SubmitterID(by)] < fair*8/10 || got[SubmitterID(by)] > fair*12/10 {
				t.Fatalf("submitter %d of %d got %d ns, a fair share is %d: %v", by, n, got[SubmitterID(by)], fair, got)
			}
		}
	})
}

// A task that needs the whole node runs although small ones never cease to come, after those that ran when it came and a
// bounded number of others.
func TestLargeRequest(t *testing.T) {
	t.Parallel()
	for _, length := range []int64{100_000, 5e6, 30e6} {
		m := small(t, 6)
		one := ClassID(0)
		four := m.s.Class(req(t, map[string]float64{"CPU": 4}))
		m.teach(t, one, length)
		for range 10 {
			m.enqueue(one)
		}
		for m.next(t) {
		}
		m.enqueueBy(four, 7)
		large := m.last
		lengths := map[ClassID]int64{one: length, four: length}
		begin := m.now
		m.share(t, lengths, func() bool {
			for len(m.waiting) < 10 {
				m.enqueue(one)
			}
			return !m.waiting[large] || m.now > begin+1e9
		})
		if m.waiting[large] {
			t.Fatalf("tasks of %d ns: the large one still waits after 1 s", length)
		}
		if limit := begin + overdueNS + turnNS + 3*length + aheadNS; m.now > limit {
			t.Errorf("tasks of %d ns: the large one waited for %d ns", length, m.now-begin)
		}
	}
}

// What is kept for a large request must not keep those from running that the holder of its resources waits for.
func TestReservationYieldsToWhatHoldersNeed(t *testing.T) {
	t.Parallel()
	m := small(t, 4)
	gpu := m.s.Class(req(t, map[string]float64{"CPU": 4, "GPU": 2}))
	m.enqueue(gpu)
	m.next(t)
	parent := m.busy()[0]
	m.enqueueBy(gpu, 1) // short of the CPUs and the GPU
	large := m.last
	m.enqueue(0)
	for m.next(t) {
	}
	m.now += overdueNS
	m.blocks[parent]++
	m.s.Block(parent) // waits for a task of class 0, which needs a CPU
	if !m.next(t) {
		t.Fatal("the task that the GPU's holder waits for can't run")
	}
	m.s.Unblock(parent)
	m.blocks[parent]--
	m.done(parent, 1000)
	m.done(m.busy()[0], 1000)
	for m.next(t) {
	}
	if m.waiting[large] {
		t.Fatal("the large one does not run when all is free")
	}
}

// What an actor has for life is no reason to keep other resources idle.
func TestNothingIsKeptBehindActors(t *testing.T) {
	t.Parallel()
	m := small(t, 6)
	c, err := m.s.CreateClass(req(t, map[string]float64{"CPU": 1, "GPU": 2}), req(t, map[string]float64{"CPU": 1, "GPU": 2}))
	if err != nil {
		t.Fatal(err)
	}
	m.enqueue(c)
	m.next(t)
	id := m.busy()[0]
	m.s.Done(id, m.sent[id][0], 1000, m.now)
	m.sent[id], m.actors[id] = nil, true
	all := m.s.Class(req(t, map[string]float64{"CPU": 3, "GPU": 2}))
	for range 3 {
		m.enqueue(0)
	}
	for m.next(t) {
	}
	m.enqueueBy(all, 1) // short of CPUs too, but it waits for the actor's end
	m.enqueue(0)
	for m.next(t) {
	}
	for range 5 {
		m.now += overdueNS
		m.done(m.busy()[0], 20e6)
		if !m.next(t) {
			t.Fatal("a CPU is kept for a task that can't run as long as the actor lives")
		}
		m.enqueue(0)
	}
	m.die(id)
	lengths := map[ClassID]int64{0: 20e6, all: 20e6}
	large := TaskID(0)
	for t, c := range m.class {
		if c == all {
			large = t
		}
	}
	begin := m.now
	m.share(t, lengths, func() bool {
		for len(m.waiting) < 6 {
			m.enqueue(0)
		}
		return !m.waiting[large] || m.now > begin+1e9
	})
	if m.waiting[large] {
		t.Fatal("now that the actor is gone, it still waits")
	}
}

// Requests that wait are served in the order in which they came to wait.
func TestOrderOfWaiting(t *testing.T) {
	t.Parallel()
	m := small(t, 6)
	units := map[string]float64{"CPU": 4}
	a, b := m.s.Class(req(t, units)), m.s.Class(req(t, units))
	for range 4 {
		m.enqueue(0)
	}
	for m.next(t) {
	}
	m.enqueueBy(a, 1)
	first := m.last
	for m.next(t) {
	}
	m.now += 1e6
	m.enqueueBy(b, 2)
	second := m.last
	for m.next(t) {
	}
	m.now += 2 * overdueNS
	for len(m.busy()) > 0 && m.waiting[second] {
		m.done(m.busy()[0], 30e6)
		for m.next(t) {
		}
		if m.waiting[first] && !m.waiting[second] {
			t.Fatal("the second came first")
		}
	}
	if m.waiting[second] {
		t.Fatal("the second never came")
	}
}

// CPUs are used by others as long as what else a large request needs is not there, and kept then.
func TestCPUsAreKeptLast(t *testing.T) {
	t.Parallel()
	m := small(t, 6)
	gpu := m.s.Class(req(t, map[string]float64{"GPU": 2}))
	all := m.s.Class(req(t, map[string]float64{"CPU": 4, "GPU": 2}))
	m.enqueue(gpu)
	m.next(t)
	holder := m.busy()[0]
	for range 4 {
		m.enqueue(0)
	}
	for m.next(t) {
	}
	m.enqueueBy(all, 1)
	large := m.last
	other := func() WorkerID {
		for _, w := range m.busy() {
			if w != holder {
				return w
			}
		}
		return holder
	}
	for range 8 {
		m.enqueue(0)
		for m.next(t) {
		}
		m.now += overdueNS
		m.done(other(), 20e6)
	}
	if n := len(m.busy()); n < 4 {
		t.Fatalf("%d workers are busy: CPUs are kept while the GPU is another's", n)
	}
	m.enqueueBy(gpu, 2)
	m.done(holder, 20e6)
	for range 10 {
		m.enqueue(0)
		for m.next(t) {
		}
		if !m.waiting[large] {
			return
		}
		m.now += 20e6
		m.done(m.busy()[0], 20e6)
	}
	t.Fatal("the large one still waits")
}

// TestBeforeAnyClass: workers come, ask for things and die before there is any task.
func TestBeforeAnyClass(t *testing.T) {
	t.Parallel()
	s := New(Config{WorkersMax: 1}, resources.NewPool(req(t, map[string]float64{"CPU": 1})))
	for range 2 {
		s.Starting(1)
		s.AddWorker(0)
		s.Block(0)
		s.Done(0, 1, 1000, 0)
		if err := s.Check(nil); err != nil {
			t.Fatal(err)
		}
		if left := s.RemoveWorker(0); len(left) > 0 || s.Pooled() != 0 || len(s.Idle()) > 0 {
			t.Fatalf("%d tasks, %d workers, %v idle after the only one's end", len(left), s.Pooled(), s.Idle())
		}
		s.Starting(-1)
	}
}

func TestManySubmittersLeaveNothing(t *testing.T) {
	t.Parallel()
	m := small(t, 4)
	m.teach(t, 0, 1000)
	for by := range SubmitterID(3000) {
		m.enqueueBy(0, by+1)
		m.enqueueBy(2, by+1)
	}
	m.share(t, map[ClassID]int64{0: 1000, 2: 1000}, func() bool { return len(m.waiting) == 0 })
	m.check(t)
	if len(m.s.lanes) > 4 || len(m.s.submitters) > 4 || m.s.chunks.used != 0 {
		t.Errorf("%d lanes, %d submitters, %d chunks are left", len(m.s.lanes), len(m.s.submitters), m.s.chunks.used)
	}
}

func BenchmarkEnqueueNext(b *testing.B) {
	for _, bc := range []struct {
		name string
		by   int
	}{{"driver", 1}, {"8 submitters", 8}, {"1000 submitters", 1000}} {
		b.Run(bc.name, func(b *testing.B) {
			pool := resources.NewPool(req(b, map[string]float64{"CPU": 4}))
			s := New(Config{WorkersMax: 4}, pool)
			c := s.Class(req(b, map[string]float64{"CPU": 1}))
			s.Starting(1)
			s.AddWorker(0)
			for i := range 2000 {
				s.Enqueue(TaskID(i), c, SubmitterID(i%bc.by))
			}
			b.ReportAllocs()
			i := 2000
			for b.Loop() {
				w, t, ok := s.Next(0)
				if !ok {
					b.Fatal("nothing")
				}
				s.Done(w, t, 1000, 0)
				s.Enqueue(TaskID(i), c, SubmitterID(i%bc.by))
				i++
			}
		})
	}
}
