package owner

import (
	"slices"
	"testing"

	"thornback/core/wire"
)

// A task that submits one like itself and waits for it, 300 deep, on one CPU and with two processes at the most: tasks run
// on top of each other, and few processes more are started.
func TestDeepWaits(t *testing.T) {
	t.Parallel()
	const depth = 300
	for seed := uint64(1); seed <= 5; seed++ {
		s := newSim(seed)
		s.kills, s.budget = 0, 0
		child := func(depth int, caller uint64) *job {
			s.lastJob++
			j := &job{id: s.lastJob, tmpl: s.templates[0], depth: depth, pure: true, caller: caller}
			s.jobs[j.id] = j
			return j
		}
		s.program = func(w *simWorker, f *frame) {
			switch {
			case f.job.depth > 0 && len(f.refs) == 0:
				w.submitJob(f, child(f.job.depth-1, f.job.id))
			case f.steps >= 0 && f.job.depth > 0:
				f.steps = -1
				w.requests++
				f.request, f.handles = w.requests, f.refs
				a := Ask{Kind: wire.ReqGet, Request: w.requests, Task: f.task, Handles: slices.Clone(f.refs), Need: 1}
				w.say(func() { s.m.Ask(w.id, a) })
			default:
				w.done(f)
			}
		}
		j := child(depth, 0)
		j.rets = make([]uint64, 1)
		s.accepted(j)
		if err := s.m.Submit(s.submission(j, 0, Driver)); err != nil {
			t.Fatal(err)
		}
		s.register(j)
		s.keep(j.rets[0])
		s.m.Schedule(0)
		if err := s.run(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if limit := s.poolMax + 2*depth/nestedMax + overMax; s.mostPool > limit {
			t.Errorf("seed %d: %d processes for waits %d deep, limit %d", seed, s.mostPool, depth, limit)
		}
		t.Logf("seed %d: %d processes, pool limit %d", seed, s.mostPool, s.poolMax)
	}
}
