package sched

import (
	"fmt"
	"slices"

	"thornback/core/resources"
)

// Check reports a broken invariant. also is what ClaimFor has claimed and LendFor not lent. It is for tests.
func (s *Scheduler) Check(also map[resources.ID]resources.Amount) error {
	if err := s.pool.Check(); err != nil {
		return err
	}
	if err := s.checkQueues(); err != nil {
		return err
	}
	used := map[resources.ID]resources.Amount{}
	add := func(r resources.Request, lent bool) {
		for it := range r.Items() {
			if !lent || it.ID != resources.CPU {
				used[it.ID] += it.Amount
			}
		}
	}
	free, pooled, ahead := len(s.refusing)+len(s.idle), 0, 0
	for id, w := range s.workers {
		cl := &s.classes[max(0, min(int(w.class), len(s.classes)-1))]
		leased := slices.Contains(cl.leases, id)
		ahead += max(0, len(w.inflight)-1)
		if w.state != actor {
			pooled++
		}
		switch w.state {
		case idle:
			if !w.held {
				free--
			}
			if leased || len(w.inflight) > 0 || w.held != (w.nested > 0) ||
				!w.held && slices.Contains(s.idle, id) == slices.Contains(s.refusing, id) {
				return fmt.Errorf("sched: check: idle worker %d: leased %v, %d tasks", id, leased, len(w.inflight))
			}
			continue
		case actor:
			add(cl.running, false)
			if leased || len(w.inflight) > 0 {
				return fmt.Errorf("sched: check: actor's worker %d: leased %v, %d tasks", id, leased, len(w.inflight))
			}
			continue
		}
		add(cl.request, w.state == blocked)
		if !leased || len(w.inflight) == 0 || (w.state == blocked) != (w.blocks+w.nested > 0) {
			return fmt.Errorf("sched: check: leased worker %d: in the list %v, %d tasks, %d blocks", id, leased, len(w.inflight), w.blocks)
		}
	}
	if free != 0 || pooled != s.pooled || ahead != s.ahead || s.starting < 0 {
		return fmt.Errorf("sched: check: %d idle too many, pooled %d of %d, ahead %d of %d, starting %d",
			free, s.pooled, pooled, s.ahead, ahead, s.starting)
	}
	for id := range resources.ID(s.pool.Len()) {
		if want := s.pool.Total(id) - used[id] - also[id]; s.pool.Free(id) != want {
			return fmt.Errorf("sched: check: resource %d: %s free, %s by the leases", id, s.pool.Free(id), want)
		}
	}
	return nil
}

// checkQueues compares the queues with what is counted of them.
func (s *Scheduler) checkQueues() error {
	queued, removed, leases := 0, 0, 0
	tombs := map[TaskID]int{}
	for c := range s.classes {
		cl := &s.classes[c]
		queued += cl.queue.len()
		leases += len(cl.leases)
		if cl.listed != slices.Contains(s.active, ClassID(c)) || cl.queue.len() > 0 && !cl.listed {
			return fmt.Errorf("sched: check: class %d with %d queued: listed %v", c, cl.queue.len(), cl.listed)
		}
		for i := range cl.queue.len() {
			tombs[*cl.queue.at(i)]++
		}
	}
	for t, n := range s.removed {
		removed += n
		if n <= 0 || tombs[t] < n {
			return fmt.Errorf("sched: check: task %x removed %d times, queued %d times", uint64(t), n, tombs[t])
		}
	}
	for t, n := range tombs {
		if live := n - s.removed[t]; live > 1 {
			return fmt.Errorf("sched: check: task %x queued %d times", uint64(t), live)
		}
	}
	if queued-removed != s.queued {
		return fmt.Errorf("sched: check: %d queued, %d by the queues", s.queued, queued-removed)
	}
	for _, cl := range s.classes {
		for _, id := range cl.leases {
			if w := s.workers[id]; w == nil || w.state != leased && w.state != blocked {
				return fmt.Errorf("sched: check: a lease of worker %d, which has none", id)
			}
		}
	}
	return nil
}
