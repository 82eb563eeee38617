package owner

import (
	"math"
	"slices"
	"testing"

	"thornback/core/resources"
	"thornback/core/wire"
)

// quiet is a simulated node whose rings always have room and whose workers do nothing by themselves.
func quiet(t *testing.T, workers int) *sim {
	t.Helper()
	s := newSim(1)
	t.Cleanup(func() {
		if err := s.m.Close(); err != nil {
			t.Error(err)
		}
		if s.err != nil {
			t.Error(s.err)
		}
	})
	for range workers {
		s.m.Prestart(1)
		s.asked--
		w := &simWorker{s: s, id: WorkerID(len(s.workers)), dropped: map[uint32][]uint64{}}
		s.workers = append(s.workers, w)
		s.m.WorkerReady(w.id)
	}
	return s
}

// What a worker says that makes no sense is refused, and harms nobody else.
func TestHostileSubmissions(t *testing.T) {
	t.Parallel()
	s := quiet(t, 2)
	mine, other := slices.Clone(s.m.Grant(0, 4)), slices.Clone(s.m.Grant(1, 4))
	plain, create, method := s.templates[1], s.templates[5], s.templates[7]
	for name, sub := range map[string]Submission{
		"a creation without a return":   {Template: create},
		"one handle for two returns":    {Template: plain, Returns: 2, Rets: []uint64{mine[0], mine[0]}},
		"another worker's handle":       {Template: plain, Returns: 2, Rets: []uint64{mine[0], other[0]}},
		"a handle of nobody":            {Template: plain, Returns: 2, Rets: []uint64{mine[0], 12345}},
		"fewer handles than returns":    {Template: plain, Returns: 3, Rets: mine[:2]},
		"an argument that is gone":      {Template: plain, Returns: 1, Rets: mine[:1], Deps: []uint64{77 << 32}},
		"a call of what is no actor":    {Template: method, Returns: 1, Rets: mine[:1], Actor: mine[1]},
		"a call of what is not there":   {Template: method, Returns: 1, Rets: mine[:1], Actor: 9 << 32},
		"a worker that is not there":    {Template: plain, Returns: 1, Rets: mine[:1], From: 7},
		"a driver's creation, the same": {Template: create, From: Driver},
	} {
		before := s.m.Stats()
		if err := s.m.Submit(&sub); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if after := s.m.Stats(); after != before {
			t.Errorf("%s: %+v became %+v", name, before, after)
		}
	}
	s.m.RefuseFrom(0, []uint64{mine[0], mine[0], other[0], 5}, ErrStale)
	if s.m.stateOf(mine[0]) != Failed || s.m.stateOf(other[0]) != Pending {
		t.Error("a refusal fails another worker's handle, or not its own")
	}
	if s.m.PutFrom(0, other[1], wire.Value{Where: wire.WhereInline, Bytes: []byte("x")}, nil) {
		t.Error("a put to another worker's handle is accepted")
	}
	s.check()
}

// No counting of a worker makes an object go that others hold, nor lets it stay when the worker is gone.
func TestHostileRefs(t *testing.T) {
	t.Parallel()
	s := quiet(t, 2)
	h, err := s.m.Put(wire.Value{Where: wire.WhereInline, Bytes: []byte("x")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.driver[h] = 1
	for _, delta := range []int64{1 << 30, 1 << 30, 1 << 30, math.MaxInt64, math.MaxInt64, -1 << 30, -5, 1 << 62, math.MinInt64 + 1, math.MinInt64, 3} {
		s.m.Refs(0, h, delta)
		if s.m.stateOf(h) != Ready {
			t.Fatalf("gone after %d", delta)
		}
		s.check()
	}
	s.m.WorkerLost(0, Cause{}, 0)
	s.workers[0] = nil
	if o, ok := s.m.objects.Get(2); ok || s.m.stateOf(h) != Ready {
		t.Fatal(o, ok)
	}
	s.check()
	delete(s.driver, h)
	s.m.Refs(Driver, h, -1)
	if s.m.stateOf(h) != Unknown {
		t.Fatal("still there")
	}
}

// A worker that gives another number of results than asked for is ended, so that its task is not waited for for ever.
func TestWrongNumberOfResults(t *testing.T) {
	t.Parallel()
	s := quiet(t, 1)
	j := &job{id: 1, tmpl: s.templates[2], rets: make([]uint64, 1)}
	s.jobs[1] = j
	if err := s.m.Submit(s.submission(j, 0, Driver)); err != nil {
		t.Fatal(err)
	}
	s.driver[j.rets[0]] = 1
	for s.now = 0; len(s.workers[0].tasks) == 0; s.now++ { // rings refuse at times
		s.m.Tick(s.now)
		s.m.Schedule(s.now)
	}
	task := s.workers[0].tasks[0].task
	if s.m.Done(0, task, &Outcome{}, 0) || !s.workers[0].killed {
		t.Fatal("accepted, or not ended")
	}
	s.workers[0].step()
	s.end(s.workers[0])
	if state, v := s.m.Look(j.rets[0]); state != Failed || v.Bytes[4] != wire.ErrWorkerCrashed {
		t.Fatalf("state %d, %q", state, v.Bytes)
	}
	s.check()
}

// A task that can never run makes the pool grow neither at once nor for ever.
func TestInfeasible(t *testing.T) {
	t.Parallel()
	s := quiet(t, 3)
	tmpl := &Template{Type: wire.TaskPlain, Name: "big", Returns: 1, Demand: request(resources.NewNames(), map[string]float64{"CPU": 1000})}
	if err := s.m.AddTemplate(tmpl, false, false); err != nil {
		t.Fatal(err)
	}
	sub := &Submission{Template: tmpl, Returns: 1, Rets: make([]uint64, 1), From: Driver, Args: make([]byte, 8)}
	if err := s.m.Submit(sub); err != nil {
		t.Fatal(err)
	}
	s.driver[sub.Rets[0]] = 1
	for range 10 {
		s.m.moved = true
		s.m.Schedule(0)
	}
	if s.asked != 0 {
		t.Fatalf("%d processes started for a task that never fits", s.asked)
	}
	s.check()
}

// Requests that a worker should not make are answered, and leave nothing behind.
func TestHostileAsks(t *testing.T) {
	t.Parallel()
	s := quiet(t, 1)
	w := s.workers[0]
	mine := slices.Clone(s.m.Grant(0, 2))
	s.m.Ask(0, Ask{Kind: wire.ReqWait, Request: 1, Handles: []uint64{99 << 32}, Need: 1})
	if len(w.replies) != 1 {
		t.Fatal("a wait for what is gone waits for ever")
	}
	s.m.Ask(0, Ask{Kind: wire.ReqGet, Request: 2, Handles: mine, Need: 2, Task: 12345})
	s.m.Ask(0, Ask{Kind: wire.ReqGet, Request: 3, Handles: []uint64{mine[0], mine[0]}, Need: 2})
	s.m.Ask(7, Ask{Kind: wire.ReqGet, Request: 3, Handles: mine, Need: 2})
	s.m.Dropped(0, 77)
	s.m.Dropped(7, 1)
	s.check()
	for _, h := range mine {
		if !s.m.PutFrom(0, h, wire.Value{Where: wire.WhereInline, Bytes: []byte("x")}, nil) {
			t.Fatal("put refused")
		}
	}
	if len(w.replies) != 3 {
		t.Fatalf("%d replies", len(w.replies))
	}
	s.check()
	s.end(w)
	if st := s.m.Stats(); st.Waiters != 0 || st.Objects != 0 {
		t.Fatalf("left: %+v", st)
	}
}
