package sched

import (
	"fmt"
	"slices"

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
	alone   bool              // none is sent ahead: the worker may be done with the class after any of them
	devices bool              // the request has GPUs
	weight  float64           // CPUs, at least 1
	mean    float64           // of the tasks' length, ns; 0 while unknown
	given   float64           // ns of work given in its turn
	leases  []WorkerID
	lanes   lanes          // submitters with queued tasks
	queued  int            // tasks in them, removed ones included
	recent  *lane          // where the last task went
	listed  bool           // in Scheduler.active
	tried   uint64         // Scheduler.round in which no worker was found for it
	passed  int64          // since when its next task waits for resources while others get theirs; 0: it does not
	short   []resources.ID // what it was short of meanwhile
}

// Scheduler is the state of all queues and workers of one node.
type Scheduler struct {
	cfg        Config
	pool       *resources.Pool
	classes    []class
	workers    map[WorkerID]*worker
	idle       []WorkerID // last in first out: the one that ran last is warm, and may still spin
	active     []ClassID  // classes with queued tasks, in turn order
	turn       int
	round      uint64 // number of the present call of Next
	submitters map[SubmitterID]*submitter
	lanes      map[laneKey]*lane
	given      float64 // the most that a submitter was given
	entered    uint64  // counts lanes that came to be served
	chunks     chunks
	waiting    []ClassID          // classes that are passed over, the longest first
	keeps      []keep             // what is kept for them, as of the last Next
	stuck      []resources.Amount // by resource: claimed by workers that won't give it back soon
	refusing   []WorkerID         // idle, but without room in their rings when last tried
	removed    map[TaskID]int     // how often in a queue, but to be passed over
	queued     int
	starting   int  // processes asked for and not yet there
	pooled     int  // processes that are not actors
	ahead      int  // tasks sent ahead of a running one
	deferred   bool // no process was started for a queue that fits, as a worker seemed to be about to empty it
}

// New returns a scheduler over the node's resources, which it alone claims from.
func New(cfg Config, pool *resources.Pool) *Scheduler {
	return &Scheduler{
		cfg: cfg, pool: pool, workers: map[WorkerID]*worker{}, removed: map[TaskID]int{},
		submitters: map[SubmitterID]*submitter{}, lanes: map[laneKey]*lane{},
	}
}

// Class registers a class of plain tasks.
func (s *Scheduler) Class(request resources.Request) ClassID {
	s.classes = append(s.classes, class{request: request, devices: request.Of(resources.GPU) > 0, weight: weight(request)})
	return ClassID(len(s.classes) - 1)
}

// AloneClass registers a class of plain tasks of which a worker is given one at a time, none ahead.
func (s *Scheduler) AloneClass(request resources.Request) ClassID {
	c := s.Class(request)
	s.classes[c].alone = true
	return c
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
	s.classes = append(s.classes, class{request: placement, running: running, excess: rest, create: true, devices: placement.Of(resources.GPU) > 0, weight: weight(placement)})
	return ClassID(len(s.classes) - 1), nil
}

func weight(r resources.Request) float64 { return max(1, r.Of(resources.CPU).Float()) }

// Enqueue adds a task at the end of its submitter's queue in its class.
func (s *Scheduler) Enqueue(t TaskID, c ClassID, by SubmitterID) {
	cl := &s.classes[c]
	l := s.laneOf(c, cl, by)
	l.queue.pushBack(&s.chunks, t)
	cl.queued++
	s.queued++
	s.enter(c, cl, l)
}

// Requeue adds a task that is to be run again at the front of its submitter's queue.
func (s *Scheduler) Requeue(t TaskID, c ClassID, by SubmitterID) {
	cl := &s.classes[c]
	l := s.laneOf(c, cl, by)
	l.queue.pushFront(&s.chunks, t)
	cl.queued++
	s.queued++
	s.enter(c, cl, l)
}

// Remove takes a queued task out, wherever it stands.
func (s *Scheduler) Remove(t TaskID) {
	s.removed[t]++ // it may be queued again before its first entry is passed over
	s.queued--
}

// Queued returns the number of tasks that wait for a worker; Ahead of those sent ahead of a running one.
func (s *Scheduler) Queued() int { return s.queued }

// Ahead returns the number of tasks that were sent to a worker behind another task.
func (s *Scheduler) Ahead() int { return s.ahead }

// comparedMax is how often Next compares all classes before it takes them in their order.
const comparedMax = 8

// Next decides one assignment: the caller sends the task to the worker, or says Refused. False when nothing can be
// assigned now. The submitter that was given the least comes first; its classes, and those of equal submitters, take turns,
// so that none waits for another's whole queue.
func (s *Scheduler) Next(now int64) (WorkerID, TaskID, bool) {
	if s.queued == 0 && len(s.removed) == 0 { // classes stay listed: as a rule the next task is of the same
		return 0, 0, false
	}
	s.round++
	if len(s.waiting) > 0 || len(s.keeps) > 0 {
		s.keep(now)
	}
	for tries := 0; ; tries++ {
		c, l := s.choose(tries < comparedMax)
		if l == nil {
			return 0, 0, false
		}
		cl := &s.classes[c]
		w := s.place(c, cl, now)
		if w == nil {
			cl.tried = s.round
			s.passOver(c, cl, now)
			continue
		}
		t := l.queue.popFront(&s.chunks)
		cl.queued--
		s.queued--
		s.charge(cl, l)
		if l.queue.len() == 0 {
			s.leave(c, cl)
		}
		if cl.passed != 0 {
			s.served(c, cl)
		}
		s.give(w, t, now)
		// Counted over all its leases: one that ends with each task would never reach the limit by itself.
		if cl.given += cl.mean; cl.given >= turnNS || cl.create {
			cl.given = 0
			s.turn = (slices.Index(s.active, c) + 1) % len(s.active)
		}
		return w.id, t, true
	}
}

// choose returns the class, and its lane, whose task is to be placed next, of those not tried yet in this round; no lane
// when there is none. With compare false the first one in turn order will do.
func (s *Scheduler) choose(compare bool) (ClassID, *lane) {
	if len(s.active) == 1 { // the usual case
		c := s.active[0]
		cl := &s.classes[c]
		if cl.tried == s.round {
			return 0, nil
		}
		l := s.next(c, cl)
		if l == nil {
			s.unlist(0)
		}
		return c, l
	}
	var best *lane
	var class ClassID
	for i := 0; i < len(s.active); i++ {
		k := (s.turn + i) % len(s.active)
		c := s.active[k]
		cl := &s.classes[c]
		if cl.tried == s.round {
			continue
		}
		l := s.next(c, cl)
		if l == nil {
			s.unlist(k)
			i--
			continue
		}
		if best == nil || l.by.given < best.by.given {
			best, class = l, c
		}
		if !compare {
			break
		}
	}
	return class, best
}

// unlist takes a class without queued tasks off the active ones.
func (s *Scheduler) unlist(k int) {
	c := s.active[k]
	cl := &s.classes[c]
	cl.listed = false
	if cl.passed != 0 {
		s.served(c, cl)
	}
	s.active = slices.Delete(s.active, k, k+1)
	if k < s.turn {
		s.turn--
	}
	if s.turn >= len(s.active) {
		s.turn = 0
	}
}

// place finds a worker for the next task of a class; nil when there is none.
func (s *Scheduler) place(c ClassID, cl *class, now int64) *worker {
	if !cl.create {
		if w := s.behind(cl, packNS, now); w != nil {
			return w
		}
	}
	if n := len(s.idle); n > 0 && (len(s.keeps) == 0 || s.allowed(c, cl.request)) && s.pool.Claim(cl.request) {
		w := s.workers[s.idle[n-1]]
		s.idle = s.idle[:n-1]
		s.lease(w, c, cl)
		return w
	}
	if cl.create {
		return nil
	}
	return s.behind(cl, aheadNS, now)
}

// behind finds the leased worker of a class with the least work before it, if that is less than limit ns; unknown
// lengths never queue behind others, and nothing behind a task that runs longer than its class usually does.
func (s *Scheduler) behind(cl *class, limit float64, now int64) *worker {
	if cl.alone || cl.mean == 0 || cl.mean > longNS {
		return nil
	}
	others := len(s.active) > 1
	var best *worker
	for _, id := range cl.leases {
		w := s.workers[id]
		n := len(w.inflight)
		if !w.flows(now) || n >= aheadMax || (others && w.served >= turnNS) {
			continue
		}
		if work := float64(n) * cl.mean; work < limit {
			best, limit = w, work
		}
	}
	return best
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
func (s *Scheduler) Refused(id WorkerID, t TaskID, by SubmitterID) {
	w := s.workers[id]
	w.full = true
	s.TookBack(id, t, by)
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
func (s *Scheduler) TookBack(id WorkerID, t TaskID, by SubmitterID) {
	w := s.workers[id]
	if !w.drop(t) {
		panic(fmt.Sprintf("sched: task %x taken back from worker %d, which does not have it", uint64(t), id))
	}
	if len(w.inflight) > 0 {
		s.ahead--
	}
	s.Requeue(t, w.class, by)
	cl := &s.classes[w.class]
	cl.recent.by.credit += cl.cost() // counted once, however often it is sent
	if len(w.inflight) == 0 && w.state != actor {
		s.unlease(id, w)
	}
}

// ClaimFor claims the demand of a class for a task that runs nested in a blocked worker; ReleaseFor gives it back.
func (s *Scheduler) ClaimFor(c ClassID) bool { return s.pool.Claim(s.classes[c].request) }

// ReleaseFor ends what ClaimFor began.
func (s *Scheduler) ReleaseFor(c ClassID) { s.pool.Release(s.classes[c].request) }

// LendFor lends the CPU of a ClaimFor while its task waits for others; TakeBackFor ends that.
func (s *Scheduler) LendFor(c ClassID) { s.lend(s.classes[c].request) }

// TakeBackFor ends what LendFor began.
func (s *Scheduler) TakeBackFor(c ClassID) { s.takeBack(s.classes[c].request) }

// Request returns the demand of a class.
func (s *Scheduler) Request(c ClassID) resources.Request { return s.classes[c].request }

// Wanted returns how many processes should be started for what waits: no more than could run at once, than the pool
// may have, and none for queues that the workers at hand will have emptied sooner.
func (s *Scheduler) Wanted(now int64) int {
	s.deferred = false
	if len(s.idle) > 0 {
		return 0
	}
	most := s.cfg.WorkersMax - s.pooled
	type claim struct {
		request resources.Request
		shares  []resources.Share
	}
	var claimed []claim
	for _, c := range s.active {
		cl := &s.classes[c]
		n := cl.queued
		if cl.mean > 0 && float64(n)*cl.mean < startNS && s.flowing(cl, now) {
			s.deferred = s.deferred || n > 0 && s.pool.Fits(cl.request)
			continue
		}
		// Claimed for a moment, because classes share what is free.
		for ; n > 0 && len(claimed) < most && s.allowed(c, cl.request) && s.pool.Claim(cl.request); n-- {
			claimed = append(claimed, claim{cl.request, s.pool.ClaimDevices(cl.request)})
		}
	}
	for _, c := range claimed {
		s.pool.ReleaseDevices(c.shares)
		s.pool.Release(c.request)
	}
	return max(0, len(claimed)-s.starting)
}

// Deferred reports whether Wanted counted on a worker that may turn out to take long: it is to be asked again soon.
func (s *Scheduler) Deferred() bool { return s.deferred && s.queued > 0 }

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
		if cl := &s.classes[c]; len(cl.lanes) > 0 && s.allowed(c, cl.request) && s.pool.Fits(cl.request) {
			return true
		}
	}
	return false
}

// Starting counts processes asked for; a negative n says that so many failed to start.
func (s *Scheduler) Starting(n int) { s.starting += n }
