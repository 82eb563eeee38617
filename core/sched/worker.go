package sched

import "thornback/core/resources"

// Lengths of work, in ns of the tasks' mean, that decide where a task goes.
const (
	// packNS: with less work than this before it, a task goes behind others rather than to a sleeping worker: waking
	// one costs about as much.
	packNS = 60e3
	// aheadNS: how much work is sent ahead to one worker.
	aheadNS = 2e6
	// longNS: tasks longer than this are never sent ahead.
	longNS = 10e6
	// turnNS: so much work one class may give to a leased worker while others wait.
	turnNS = 20e6
	// startNS: for less work than this no process is started.
	startNS = 5e6
	// clogNS: a task that runs longer than this frees those sent ahead behind it.
	clogNS = 3e6
	// aheadMax: tasks in one worker's ring.
	aheadMax = 256
)

type state uint8

const (
	idle    state = iota
	leased        // has tasks of one class
	blocked       // leased, and its task waits in get, or for nested ones to end: its CPU is lent
	actor         // dedicated for good
)

// worker is what the scheduler knows of one process.
type worker struct {
	id       WorkerID
	state    state
	class    ClassID
	inflight []TaskID          // in the order sent; the first runs, or is next
	since    int64             // when the first came to be first
	served   float64           // ns of work given during this lease
	full     bool              // its ring had no room; until the next Done
	held     bool              // idle, but for nested tasks that have outlived the one they ran on top of
	blocks   int               // tasks and threads of it that wait in get
	shares   []resources.Share // devices, as long as the request is claimed
	nested   int               // tasks that it runs on top of those; while there are any it gets no other
}

// flows reports whether the worker of a lease will soon take its next task: it does not wait for others, and its present
// task has not run for long.
func (w *worker) flows(now int64) bool {
	return w.state == leased && !w.full && (len(w.inflight) == 0 || now-w.since <= clogNS)
}

// drop removes a task from inflight.
func (w *worker) drop(t TaskID) bool {
	for i, x := range w.inflight {
		if x == t {
			w.inflight = append(w.inflight[:i], w.inflight[i+1:]...)
			return true
		}
	}
	return false
}

// AddWorker says that a process asked for with Starting is there.
func (s *Scheduler) AddWorker(id WorkerID) {
	s.workers[id] = &worker{id: id}
	s.idle = append(s.idle, id)
	s.pooled++
}

// RemoveWorker forgets a process that ended and returns the tasks it had, in the order sent. Its claims are released.
func (s *Scheduler) RemoveWorker(id WorkerID) []TaskID {
	w, ok := s.workers[id]
	if !ok {
		return nil
	}
	delete(s.workers, id)
	if w.state == idle { // it may have died before there was any class
		s.idle = without(s.idle, id)
		s.refusing = without(s.refusing, id)
		s.pooled--
		return w.inflight
	}
	cl := &s.classes[w.class]
	switch w.state {
	case leased, blocked:
		s.pool.ReleaseDevices(w.shares)
		if w.state == blocked {
			s.takeBack(cl.request)
		}
		s.pool.Release(cl.request)
		cl.leases = without(cl.leases, id)
		s.pooled--
	case actor:
		s.stick(cl.running, -1)
		s.pool.ReleaseDevices(w.shares)
		s.pool.Release(cl.running)
	}
	s.ahead -= max(0, len(w.inflight)-1)
	return w.inflight
}

// Idle returns the workers that have nothing to do, the longest idle first.
func (s *Scheduler) Idle() []WorkerID { return s.idle }

// Pooled returns the number of processes that are not actors.
func (s *Scheduler) Pooled() int { return s.pooled }

// Block says that a task of the worker waits for objects: its CPU is lent to others meanwhile. Actors keep theirs.
func (s *Scheduler) Block(id WorkerID) {
	w := s.workers[id]
	if w == nil {
		return
	}
	w.blocks++
	s.settle(id, w)
}

// Unblock ends what Block began. The CPU is taken back at once, even if others use it now: the node is then
// overcommitted until they end.
func (s *Scheduler) Unblock(id WorkerID) {
	w := s.workers[id]
	if w == nil || w.blocks == 0 {
		return
	}
	w.blocks--
	s.settle(id, w)
}

// Nest says that the worker is given a task to run on top of the one that waits. Until Unnest that one can't go on, even
// if what it waited for is there: its CPU stays lent.
func (s *Scheduler) Nest(id WorkerID) {
	if w := s.workers[id]; w != nil {
		w.nested++
		s.settle(id, w)
	}
}

// Unnest ends what Nest began.
func (s *Scheduler) Unnest(id WorkerID) {
	if w := s.workers[id]; w != nil && w.nested > 0 {
		w.nested--
		s.settle(id, w)
	}
}

// settle lends the CPU of a worker, takes it back, or lets an idle one have work, after its counts have changed.
func (s *Scheduler) settle(id WorkerID, w *worker) {
	waits := w.blocks+w.nested > 0
	switch {
	case w.state == leased && waits:
		w.state = blocked
		s.lend(s.classes[w.class].request)
	case w.state == blocked && !waits:
		w.state = leased
		s.takeBack(s.classes[w.class].request)
	case w.state == idle && w.nested == 0 && w.held:
		w.held = false
		s.idle = append(s.idle, id)
	}
}

// Shares returns the devices that the worker has. The slice is not to be changed.
func (s *Scheduler) Shares(id WorkerID) []resources.Share {
	if w := s.workers[id]; w != nil {
		return w.shares
	}
	return nil
}

// Sent returns the tasks that the worker was given, in order. The slice is valid until the next call.
func (s *Scheduler) Sent(id WorkerID) []TaskID {
	if w := s.workers[id]; w != nil {
		return w.inflight
	}
	return nil
}

// Clogged returns a worker whose tasks sent ahead should be taken back, because the one before them is blocked or runs
// long.
func (s *Scheduler) Clogged(now int64) (WorkerID, bool) {
	if s.ahead == 0 {
		return 0, false
	}
	for _, c := range s.classes {
		for _, id := range c.leases {
			w := s.workers[id]
			if len(w.inflight) > 1 && (w.state == blocked || now-w.since > clogNS) {
				return id, true
			}
		}
	}
	return 0, false
}

// Richest returns the worker with the most work sent ahead, for an idle one to take half of; false when there is too
// little to be worth it.
func (s *Scheduler) Richest() (WorkerID, bool) {
	if s.ahead == 0 || len(s.idle) == 0 {
		return 0, false
	}
	var best WorkerID
	most := 2 * packNS
	found := false
	for i := range s.classes {
		cl := &s.classes[i]
		if len(cl.leases) == 0 || !s.pool.Fits(cl.request) {
			continue
		}
		for _, id := range cl.leases {
			if work := float64(len(s.workers[id].inflight)-1) * cl.mean; work > most {
				best, most, found = id, work, true
			}
		}
	}
	return best, found
}

// give notes that a worker gets a task.
func (s *Scheduler) give(w *worker, t TaskID, now int64) {
	if len(w.inflight) == 0 {
		w.since = now
	} else {
		s.ahead++
	}
	w.inflight = append(w.inflight, t)
	w.served += s.classes[w.class].mean
}

func (s *Scheduler) lease(w *worker, c ClassID, cl *class) {
	w.state, w.class, w.since, w.served = leased, c, 0, 0
	w.full, w.held, w.blocks, w.nested = false, false, 0, 0
	if cl.devices {
		w.shares = s.pool.ClaimDevices(cl.request)
	}
	cl.leases = append(cl.leases, w.id)
}

// unlease ends a lease: the demand is released, the worker idle.
func (s *Scheduler) unlease(id WorkerID, w *worker) {
	cl := &s.classes[w.class]
	if w.state == blocked {
		s.takeBack(cl.request)
	}
	if cl.devices {
		s.pool.ReleaseDevices(w.shares)
		w.shares = nil
	}
	s.pool.Release(cl.request)
	cl.leases = without(cl.leases, id)
	w.state, w.blocks, w.full, w.held = idle, 0, false, w.nested > 0
	if !w.held {
		s.idle = append(s.idle, id)
	}
}

// dedicate turns the worker that created an actor into that actor's.
func (s *Scheduler) dedicate(id WorkerID, w *worker, cl *class) {
	if w.state == blocked {
		s.takeBack(cl.request)
	}
	s.pool.Release(cl.excess)
	s.stick(cl.running, 1)
	cl.leases = without(cl.leases, id)
	w.state, w.blocks, w.full = actor, 0, false
	s.pooled--
}

func without(ids []WorkerID, id WorkerID) []WorkerID {
	for i, x := range ids {
		if x == id {
			return append(ids[:i], ids[i+1:]...)
		}
	}
	return ids
}

// Moving reports whether a process is starting, or some worker of the pool runs without waiting for others.
func (s *Scheduler) Moving() bool {
	if s.starting > 0 {
		return true
	}
	for _, w := range s.workers {
		if w.state == leased {
			return true
		}
	}
	return false
}

// Withdraw takes an idle worker out of the pool: it gets no more work and will be removed when its process has ended.
func (s *Scheduler) Withdraw(id WorkerID) {
	if w := s.workers[id]; w != nil && w.state == idle {
		s.idle = without(s.idle, id)
		s.refusing = without(s.refusing, id)
		s.pooled--
		delete(s.workers, id)
	}
}
