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
	used, stuck := map[resources.ID]resources.Amount{}, map[resources.ID]resources.Amount{}
	add := func(r resources.Request, lent bool) {
		for it := range r.Items() {
			if !lent || it.ID != resources.CPU {
				used[it.ID] += it.Amount
			}
		}
	}
	devices := resources.Amount(0) // shares that don't match the claims
	shared := func(r resources.Request, w *worker) {
		devices += r.Of(resources.GPU)
		for _, share := range w.shares {
			devices -= share.Amount
		}
	}
	free, pooled, ahead := len(s.refusing)+len(s.idle), 0, 0
	for id, w := range s.workers {
		cl := &class{} // of one that has never had a task
		if int(w.class) < len(s.classes) {
			cl = &s.classes[w.class]
		}
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
			shared(cl.running, w)
			for it := range cl.running.Items() {
				stuck[it.ID] += it.Amount
			}
			if leased || len(w.inflight) > 0 {
				return fmt.Errorf("sched: check: actor's worker %d: leased %v, %d tasks", id, leased, len(w.inflight))
			}
			continue
		}
		add(cl.request, w.state == blocked)
		shared(cl.request, w)
		if w.state == blocked {
			for it := range cl.request.Without(resources.CPU).Items() {
				stuck[it.ID] += it.Amount
			}
		}
		if !leased || len(w.inflight) == 0 || (w.state == blocked) != (w.blocks+w.nested > 0) {
			return fmt.Errorf("sched: check: leased worker %d: in the list %v, %d tasks, %d blocks", id, leased, len(w.inflight), w.blocks)
		}
	}
	if free != 0 || pooled != s.pooled || ahead != s.ahead || s.starting < 0 {
		return fmt.Errorf("sched: check: %d idle too many, pooled %d of %d, ahead %d of %d, starting %d",
			free, s.pooled, pooled, s.ahead, ahead, s.starting)
	}
	if devices != 0 {
		return fmt.Errorf("sched: check: the workers' devices are %s less than their claims", devices)
	}
	for id, n := range s.stuck {
		if also == nil && n != stuck[resources.ID(id)] || n < 0 {
			return fmt.Errorf("sched: check: resource %d: %s stuck, %s by the workers", id, n, stuck[resources.ID(id)])
		}
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
	queued, removed, leases, chunked := 0, 0, 0, 0
	tombs := map[TaskID]int{}
	for c := range s.classes {
		cl := &s.classes[c]
		leases += len(cl.leases)
		if cl.listed != slices.Contains(s.active, ClassID(c)) || len(cl.lanes) > 0 && !cl.listed ||
			(cl.passed != 0) != slices.Contains(s.waiting, ClassID(c)) || cl.passed != 0 && !cl.listed {
			return fmt.Errorf("sched: check: class %d with %d lanes: listed %v, passed over %d", c, len(cl.lanes), cl.listed, cl.passed)
		}
		n := 0
		for i, l := range cl.lanes {
			if l.at != i || s.lanes[laneKey{ClassID(c), l.by.id}] != l || i > 0 && cl.lanes.Less(i, (i-1)/2) || l.key > l.by.given {
				return fmt.Errorf("sched: check: class %d: lane %d of %x is at %d, key %g of %g", c, i, l.by.id, l.at, l.key, l.by.given)
			}
			n += l.queue.len()
			chunked += l.queue.check(&s.chunks)
			l.queue.each(&s.chunks, func(t TaskID) bool { tombs[t]++; return true })
		}
		if n != cl.queued {
			return fmt.Errorf("sched: check: class %d: %d queued, %d counted", c, n, cl.queued)
		}
		queued += n
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
	if err := s.checkLanes(); err != nil {
		return err
	}
	if queued-removed != s.queued || chunked != s.chunks.used {
		return fmt.Errorf("sched: check: %d queued, %d by the queues; %d chunks used, %d by the queues",
			s.queued, queued-removed, s.chunks.used, chunked)
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

// checkLanes compares the lanes with what is counted of them.
func (s *Scheduler) checkLanes() error {
	by := map[SubmitterID]int{}
	for key, l := range s.lanes {
		by[key.by]++
		if l.by != s.submitters[key.by] || l.at < 0 && l.queue.len() > 0 || l.at < 0 && s.classes[key.class].recent != l {
			return fmt.Errorf("sched: check: lane of %x in class %d is at %d, %d queued", key.by, key.class, l.at, l.queue.len())
		}
	}
	for id, sub := range s.submitters {
		if sub.lanes != by[id] || sub.lanes == 0 {
			return fmt.Errorf("sched: check: submitter %x has %d lanes, %d counted", id, by[id], sub.lanes)
		}
	}
	return nil
}

// check returns how many chunks a queue has.
func (q *queue) check(c *chunks) int {
	if q.head == 0 {
		if q.n > 1 {
			panic(fmt.Sprintf("sched: a queue of %d tasks without a chunk", q.n))
		}
		return 0
	}
	n := 1
	for i := q.head; i != q.tail; i = c.at(i).next {
		n++
	}
	if want := int(q.from) + q.n; (n-1)*chunkLen+int(q.to) != want {
		panic(fmt.Sprintf("sched: a queue of %d tasks in %d chunks from %d to %d", q.n, n, q.from, q.to))
	}
	return n
}
