package sched

import (
	"testing"
)

// small returns a model with idle workers.
func small(t *testing.T, workers int) *model {
	t.Helper()
	m := newModel(t)
	for m.s.Pooled() < workers {
		m.s.Starting(1)
		m.starts++
		m.start()
	}
	return m
}

// teach lets a class have a known length.
func (m *model) teach(t *testing.T, c ClassID, ns int64) {
	t.Helper()
	m.enqueue(c)
	if !m.next(t) {
		t.Fatal("the first task of a class finds no worker")
	}
	m.done(m.busy()[0], ns)
}

// With two classes queued, neither waits for the other's whole queue, whatever the lengths of their tasks.
func TestClassesTakeTurns(t *testing.T) {
	t.Parallel()
	for _, length := range []int64{1_000, 100_000, 5e6, 9e6, 15e6, 50e6} {
		m := small(t, 1)
		m.teach(t, 0, length)
		m.teach(t, 2, length)
		queued := int(2*turnNS/length) + 2*aheadMax
		for range queued {
			m.enqueue(0)
		}
		for m.next(t) {
		}
		m.enqueue(2) // in the middle of the first one's turn
		other := m.last
		ran := 0
		for m.waiting[other] {
			for m.next(t) {
			}
			if ran == queued {
				t.Fatalf("tasks of %d ns: the other class waited for all %d tasks", length, queued)
			}
			if b := m.busy(); len(b) > 0 && m.waiting[other] {
				m.now += length
				m.done(b[0], length)
				ran++
			}
		}
		// turnNS of work, and what may lie in the ring by then.
		if limit := int(turnNS/length) + aheadMax + 1; ran > limit {
			t.Errorf("tasks of %d ns: the other class waited for %d, limit %d", length, ran, limit)
		}
	}
}

// What is sent behind others is short and of known length.
func TestSentAhead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		length      int64
		ahead, most int
	}{
		{"unknown", 0, 0, 0},
		{"long", longNS + 1, 0, 0},
		{"ten ms", longNS - 1, 0, 0},
		{"one ms", 1e6, 1, 2},
		{"short", 10_000, 199, 200},
		{"very short", 100, aheadMax - 1, aheadMax},
	} {
		m := small(t, 1)
		if c.length > 0 {
			m.teach(t, 0, c.length)
		}
		for range 1000 {
			m.enqueue(0)
		}
		for m.next(t) {
		}
		if n := m.s.Ahead(); n < c.ahead || n > c.most {
			t.Errorf("%s: %d sent ahead, want %d to %d", c.name, n, c.ahead, c.most)
		}
	}
}

// Nothing is sent behind a task that runs much longer than its class usually does: what was sent is told to be taken back,
// and it goes elsewhere, or a process is wanted for it.
func TestClogged(t *testing.T) {
	t.Parallel()
	m := small(t, 1)
	m.teach(t, 0, 10_000)
	m.enqueue(0)
	m.enqueue(0)
	for m.next(t) {
	}
	if _, ok := m.s.Clogged(m.now + clogNS); ok {
		t.Fatal("clogged before its time")
	}
	m.now += clogNS + 1
	w, ok := m.s.Clogged(m.now)
	if !ok {
		t.Fatal("not clogged")
	}
	last := m.sent[w][1]
	m.back(w, last)
	m.sent[w] = m.sent[w][:1]
	if m.next(t) {
		t.Fatal("sent behind the long task again")
	}
	if n := m.s.Wanted(m.now); n != 1 {
		t.Fatalf("%d processes wanted for a task whose only worker is busy for long, want 1", n)
	}
	m.s.Starting(1)
	m.starts++
	m.start()
	if !m.next(t) || m.at[last] == w {
		t.Fatal("not sent to the new worker")
	}
}

// Workers that wait don't count as those that will soon empty the queue.
func TestWantedWhileBlocked(t *testing.T) {
	t.Parallel()
	m := small(t, 1)
	m.teach(t, 0, 1_000)
	m.enqueue(0)
	m.next(t)
	m.s.Block(m.busy()[0])
	m.enqueue(0)
	if m.next(t) {
		t.Fatal("sent behind a task that waits")
	}
	if n := m.s.Wanted(m.now); n != 1 {
		t.Fatalf("%d processes wanted, want 1: the one there waits for this task", n)
	}
}

func TestWanted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		workers int
		tasks   map[ClassID]int
		want    int
	}{
		{"nothing", 0, nil, 0},
		{"one", 0, map[ClassID]int{0: 1}, 1},
		{"as many as there are CPUs", 0, map[ClassID]int{0: 100}, 4},
		{"the GPU is the limit", 0, map[ClassID]int{1: 100}, 2},
		{"no demand: the pool is the limit", 0, map[ClassID]int{2: 100}, 6},
		{"classes share the CPUs", 0, map[ClassID]int{0: 3, 3: 100}, 3},
		{"somebody is idle", 1, map[ClassID]int{0: 100}, 0},
	} {
		m := small(t, c.workers)
		for class, n := range c.tasks {
			for range n {
				m.enqueue(class)
			}
		}
		if got := m.s.Wanted(0); c.name == "classes share the CPUs" && got == 2 {
			continue // the large one first
		} else if got != c.want {
			t.Errorf("%s: %d wanted, want %d", c.name, got, c.want)
		}
		if err := m.s.Check(nil); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// A full pool is only at its limit when that keeps something from running: else helpers would be started for ever.
func TestAtLimit(t *testing.T) {
	t.Parallel()
	m := newModel(t)
	big := m.s.Class(req(t, map[string]float64{"CPU": 100}))
	for range 6 {
		m.s.Starting(1)
		m.starts++
		m.start()
	}
	m.enqueue(big)
	if m.next(t) || m.s.AtLimit() {
		t.Fatal("a task that never fits makes the pool grow")
	}
	for range 6 {
		m.enqueue(2)
	}
	for m.next(t) {
	}
	if m.s.AtLimit() {
		t.Fatal("at the limit, though nothing that waits could run")
	}
	m.enqueue(2)
	if m.next(t) || !m.s.AtLimit() {
		t.Fatal("not at the limit with all workers busy and a task that fits")
	}
}

// A task that was removed may be queued again, and removed again, before its first place in the queue comes up.
func TestRemoveAgain(t *testing.T) {
	t.Parallel()
	m := small(t, 0)
	m.enqueue(3)
	m.enqueue(0)
	id := m.last
	for range 3 {
		m.s.Remove(id)
		m.s.Requeue(id, 0, DriverID)
		m.check(t)
	}
	m.s.Remove(id)
	delete(m.waiting, id)
	m.finish(t)
}

func TestQueue(t *testing.T) {
	t.Parallel()
	var q queue
	var c chunks
	var want []TaskID
	next := TaskID(1)
	for round := range 5000 {
		switch {
		case round%7 < 3:
			q.pushBack(&c, next)
			want = append(want, next)
			next++
		case round%7 == 3 || round%11 == 0:
			q.pushFront(&c, next)
			want = append([]TaskID{next}, want...)
			next++
		case len(want) > 0 && round > 2500:
			if got := q.popFront(&c); got != want[0] {
				t.Fatalf("round %d: %d, want %d", round, got, want[0])
			}
			want = want[1:]
		}
		if n := q.check(&c); n != c.used {
			t.Fatalf("round %d: %d chunks used, %d in the queue", round, c.used, n)
		}
		if q.len() != len(want) {
			t.Fatalf("round %d: %d in the queue, want %d", round, q.len(), len(want))
		}
	}
	for _, w := range want {
		if got := q.popFront(&c); got != w {
			t.Fatalf("%d, want %d", got, w)
		}
	}
	if c.used != 0 || len(c.blocks) > 1 {
		t.Errorf("an empty queue keeps %d chunks, %d blocks", c.used, len(c.blocks))
	}
}
