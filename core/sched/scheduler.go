package sched

import (
	"fmt"

	"thornback/core/resources"
)

// ClassID names a class of tasks with equal options; WorkerID a worker of the node.
type (
	ClassID  uint32
	WorkerID uint32
)

// Config holds the limits of one node.
type Config struct {
	WorkersMax int // processes in the pool, those blocked in get included; actors are not counted
}

// class is a set of tasks with equal options.
type class struct {
	request resources.Request // claimed while a lease runs; for dedicated classes: to be placed
	running resources.Request // create: what stays claimed as long as the worker lives
	excess  resources.Request // create: request without running
	create  bool              // each task takes a worker for itself (creation of an actor)
	queue   queue
	mean    float64 // of the tasks' length, ns; 0 while unknown
	leases  []WorkerID
	listed  bool // in Scheduler.active
}

// Scheduler is the state of all queues and workers of one node.
type Scheduler struct {
	cfg      Config
	pool     *resources.Pool
	classes  []class
	workers  map[WorkerID]*worker
	idle     []WorkerID // last in first out: the one that ran last is warm, and may still spin
	active   []ClassID  // classes with queued tasks, in turn order
	turn     int
	given    float64        // ns of work given to the class whose turn it is
	refusing []WorkerID     // idle, but without room in their rings when last tried
	removed  map[TaskID]int // how often in a queue, but to be passed over
	queued   int
	starting int // processes asked for and not yet there
	pooled   int // processes that are not actors
	ahead    int // tasks sent ahead of a running one
}

// New returns a scheduler over the node's resources, which it alone claims from.
func New(cfg Config, pool *resources.Pool) *Scheduler {
	return &Scheduler{cfg: cfg, pool: pool, workers: map[WorkerID]*worker{}, removed: map[TaskID]int{}}
}

// Class registers a class of plain tasks.
func (s *Scheduler) Class(request resources.Request) ClassID {
	s.classes = append(s.classes, class{request: request})
	return ClassID(len(s.classes) - 1)
}

// CreateClass registers a class whose tasks each take a worker for good: placement is claimed until the task ends,
// running, a part of it, from then on until the worker is gone.
func (s *Scheduler) CreateClass(placement, running resources.Request) (ClassID, error) {
	var excess []resources.Item
	for it := range placement.Items() {
		it.Amount -= running.Of(it.ID)
		excess = append(excess, it)
	}
	rest, err := resources.NewRequest(excess...)
	if err != nil {
		return 0, fmt.Errorf("sched: an actor's demand exceeds the one to place it: %w", err)
	}
	s.classes = append(s.classes, class{request: placement, running: running, excess: rest, create: true})
	return ClassID(len(s.classes) - 1), nil
}

// Enqueue adds a task at the end of its class's queue.
func (s *Scheduler) Enqueue(t TaskID, c ClassID) {
	s.classes[c].queue.pushBack(t)
	s.queued++
	s.list(c)
}

// Requeue adds a task that was taken back at the front.
func (s *Scheduler) Requeue(t TaskID, c ClassID) {
	s.classes[c].queue.pushFront(t)
	s.queued++
	s.list(c)
}

// Remove takes a queued task out, wherever it stands.
func (s *Scheduler) Remove(t TaskID) {
	s.removed[t]++ // it may be queued again before its first entry is passed over
	s.queued--
}

func (s *Scheduler) list(c ClassID) {
	if cl := &s.classes[c]; !cl.listed {
		cl.listed = true
		s.active = append(s.active, c)
	}
}

// Queued returns the number of tasks that wait for a worker; Ahead of those sent ahead of a running one.
func (s *Scheduler) Queued() int { return s.queued }

// Ahead returns the number of tasks that were sent to a worker behind another task.
func (s *Scheduler) Ahead() int { return s.ahead }

// front returns the next task of the class, dropping removed ones; false when there is none.
func (s *Scheduler) front(cl *class) (TaskID, bool) {
	for cl.queue.len() > 0 {
		t := *cl.queue.at(0)
		if len(s.removed) > 0 {
			if n := s.removed[t]; n > 0 {
				if s.removed[t] = n - 1; n == 1 {
					delete(s.removed, t)
				}
				cl.queue.popFront()
				continue
			}
		}
		return t, true
	}
	return 0, false
}

// Next decides one assignment: the caller sends the task to the worker, or says Refused. False when nothing can be
// assigned now. Classes take turns, so that none waits for another's whole queue.
func (s *Scheduler) Next(now int64) (WorkerID, TaskID, bool) {
	for tried := 0; tried < len(s.active); {
		if s.turn >= len(s.active) {
			s.turn = 0
		}
		c := s.active[s.turn]
		cl := &s.classes[c]
		t, ok := s.front(cl)
		if !ok {
			cl.listed = false
			s.active = append(s.active[:s.turn], s.active[s.turn+1:]...)
			continue
		}
		w, ok := s.place(c, cl, now)
		if !ok {
			s.turn++
			tried++
			continue
		}
		cl.queue.popFront()
		s.queued--
		s.give(w, t, now)
		// Counted over all its leases: one that ends with each task would never reach the limit by itself.
		if s.given += cl.mean; s.given >= turnNS || cl.create {
			s.turn++ // long enough; the others' turn
			s.given = 0
		}
		return w, t, true
	}
	return 0, 0, false
}

// place finds a worker for the next task of a class.
func (s *Scheduler) place(c ClassID, cl *class, now int64) (WorkerID, bool) {
	if !cl.create {
		if w, ok := s.behind(cl, packNS, now); ok {
			return w, true
		}
	}
	if n := len(s.idle); n > 0 && s.pool.Claim(cl.request) {
		w := s.idle[n-1]
		s.idle = s.idle[:n-1]
		s.lease(w, c, now)
		return w, true
	}
	if cl.create {
		return 0, false
	}
	return s.behind(cl, aheadNS, now)
}

// behind finds the leased worker of a class with the least work before it, if that is less than limit ns; unknown
// lengths never queue behind others, and nothing behind a task that runs longer than its class usually does.
func (s *Scheduler) behind(cl *class, limit float64, now int64) (WorkerID, bool) {
	if cl.mean == 0 || cl.mean > longNS {
		return 0, false
	}
	others := len(s.active) > 1
	var best WorkerID
	found := false
	for _, id := range cl.leases {
		w := s.workers[id]
		n := len(w.inflight)
		if !w.flows(now) || n >= aheadMax || (others && w.served >= turnNS) {
			continue
		}
		if work := float64(n) * cl.mean; work < limit {
			best, limit, found = id, work, true
		}
	}
	return best, found
}

// Done records that a worker ended a task after ns nanoseconds in the user's function (0: not measured).
func (s *Scheduler) Done(id WorkerID, t TaskID, ns, now int64) {
	w, ok := s.workers[id]
	if !ok || !w.drop(t) {
		return
	}
	if len(w.inflight) > 0 {
		s.ahead--
	}
	w.since = now
	w.full = false
	cl := &s.classes[w.class]
	if ns > 0 {
		if cl.mean == 0 {
			cl.mean = float64(ns)
		} else {
			cl.mean += (float64(ns) - cl.mean) / 8
		}
	}
	if w.state == actor || len(w.inflight) > 0 {
		return
	}
	if cl.create {
		s.dedicate(id, w, cl)
		return
	}
	s.unlease(id, w)
}

// Refused says that the worker's ring had no room: the task waits again, at the front. A worker that has nothing else to
// do is passed over until Retry, or Next would choose it for ever.
func (s *Scheduler) Refused(id WorkerID, t TaskID, now int64) {
	w := s.workers[id]
	w.full = true
	s.TookBack(id, t, now)
	if w.state == idle && !w.held {
		s.idle = without(s.idle, id)
		s.refusing = append(s.refusing, id)
	}
}

// Refusing returns the number of workers that Retry would try again.
func (s *Scheduler) Refusing() int { return len(s.refusing) }

// Retry lets workers that refused a task while they were idle be chosen again.
func (s *Scheduler) Retry() {
	s.idle = append(s.idle, s.refusing...)
	s.refusing = s.refusing[:0]
}

// TookBack says that a task sent to a worker was taken back unread: it waits again, at the front of its queue. Take back
// the last first, so that the order stays.
func (s *Scheduler) TookBack(id WorkerID, t TaskID, _ int64) {
	w := s.workers[id]
	if !w.drop(t) {
		panic(fmt.Sprintf("sched: task %x taken back from worker %d, which does not have it", uint64(t), id))
	}
	if len(w.inflight) > 0 {
		s.ahead--
	}
	s.Requeue(t, w.class)
	if len(w.inflight) == 0 && w.state != actor {
		s.unlease(id, w)
	}
}

// ClaimFor claims the demand of a class for a task that runs nested in a blocked worker; ReleaseFor gives it back.
func (s *Scheduler) ClaimFor(c ClassID) bool { return s.pool.Claim(s.classes[c].request) }

// ReleaseFor ends what ClaimFor began.
func (s *Scheduler) ReleaseFor(c ClassID) { s.pool.Release(s.classes[c].request) }

// LendFor lends the CPU of a ClaimFor while its task waits for others; TakeBackFor ends that.
func (s *Scheduler) LendFor(c ClassID) { s.pool.LendCPU(s.classes[c].request) }

// TakeBackFor ends what LendFor began.
func (s *Scheduler) TakeBackFor(c ClassID) { s.pool.TakeBackCPU(s.classes[c].request) }

// Request returns the demand of a class.
func (s *Scheduler) Request(c ClassID) resources.Request { return s.classes[c].request }

// Wanted returns how many processes should be started for what waits: no more than could run at once, than the pool
// may have, and none for queues that the workers at hand will have emptied sooner.
func (s *Scheduler) Wanted(now int64) int {
	if len(s.idle) > 0 {
		return 0
	}
	most := s.cfg.WorkersMax - s.pooled
	var claimed []resources.Request
	for _, c := range s.active {
		cl := &s.classes[c]
		n := cl.queue.len()
		if cl.mean > 0 && float64(n)*cl.mean < startNS && s.flowing(cl, now) {
			continue
		}
		// Claimed for a moment, because classes share what is free.
		for ; n > 0 && len(claimed) < most && s.pool.Claim(cl.request); n-- {
			claimed = append(claimed, cl.request)
		}
	}
	for _, r := range claimed {
		s.pool.Release(r)
	}
	return max(0, len(claimed)-s.starting)
}

// flowing reports whether some worker of the class will soon take its next task.
func (s *Scheduler) flowing(cl *class, now int64) bool {
	for _, id := range cl.leases {
		if s.workers[id].flows(now) {
			return true
		}
	}
	return false
}

// AtLimit reports whether tasks wait that could run, but the pool has no worker for them and may not grow.
func (s *Scheduler) AtLimit() bool {
	if len(s.idle) > 0 || s.pooled+s.starting < s.cfg.WorkersMax {
		return false
	}
	for _, c := range s.active {
		if cl := &s.classes[c]; cl.queue.len() > 0 && s.pool.Fits(cl.request) {
			return true
		}
	}
	return false
}

// Starting counts processes asked for; a negative n says that so many failed to start.
func (s *Scheduler) Starting(n int) { s.starting += n }
