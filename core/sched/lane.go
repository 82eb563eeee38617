package sched

import "container/heap"

// SubmitterID names who submits tasks: the driver, a task, an actor.
type SubmitterID uint64

// DriverID is the submitter that is always there.
const DriverID SubmitterID = 0

const (
	// unknownNS is what a task of unknown length counts against its submitter.
	unknownNS = 1e6
	// leastNS is what a task counts at least.
	leastNS = 1e3
)

// submitter is somebody with queued tasks. Submitters get equal shares of work, whatever they have queued: the next task
// is that of the one who was given the least since it came (start-time fair queueing; Goyal, Vin and Cheng, SIGCOMM 1996).
type submitter struct {
	id     SubmitterID
	given  float64 // ns of work, times CPUs; new ones begin where the others are
	credit float64 // of that, for tasks that were taken back
	lanes  int     // lanes that it has in all classes
}

// lane is what one submitter has queued in one class.
type lane struct {
	id    SubmitterID
	by    *submitter
	queue queue
	key   float64 // by.given when last looked at: not more than it is
	since uint64  // order among equal keys
	at    int     // place in class.lanes, -1 while empty
}

// lanes are those of a class with queued tasks, a heap whose first is the one to be served.
type lanes []*lane

func (ls lanes) Len() int { return len(ls) }

func (ls lanes) Less(i, j int) bool {
	a, b := ls[i], ls[j]
	return a.key < b.key || a.key == b.key && a.since < b.since
}

func (ls lanes) Swap(i, j int) {
	ls[i], ls[j] = ls[j], ls[i]
	ls[i].at, ls[j].at = i, j
}

// Push and Pop are for package heap.
func (ls *lanes) Push(x any) {
	l := x.(*lane)
	l.at = len(*ls)
	*ls = append(*ls, l)
}

// Pop takes off the last.
func (ls *lanes) Pop() any {
	n := len(*ls) - 1
	l := (*ls)[n]
	l.at = -1
	(*ls)[n] = nil
	*ls = (*ls)[:n]
	return l
}

type laneKey struct {
	class ClassID
	by    SubmitterID
}

// laneOf finds or makes the lane of a submitter. A submitter that comes back begins where the others are.
func (s *Scheduler) laneOf(c ClassID, cl *class, by SubmitterID) *lane {
	l := cl.recent
	if l != nil && l.id == by {
		return l
	}
	if l != nil && l.at < 0 {
		s.dropLane(c, l) // kept in case that its submitter goes on
	}
	key := laneKey{c, by}
	l = s.lanes[key]
	if l == nil {
		sub := s.submitters[by]
		if sub == nil {
			sub = &submitter{id: by}
			s.submitters[by] = sub
		}
		sub.lanes++
		l = &lane{id: by, by: sub, at: -1}
		s.lanes[key] = l
	}
	cl.recent = l
	return l
}

func (s *Scheduler) dropLane(c ClassID, l *lane) {
	delete(s.lanes, laneKey{c, l.id})
	if l.by.lanes--; l.by.lanes == 0 {
		delete(s.submitters, l.id)
	}
}

// enter puts a lane that has got a task among those to be served.
func (s *Scheduler) enter(c ClassID, cl *class, l *lane) {
	if l.at >= 0 {
		return
	}
	l.by.given = max(l.by.given, s.given)
	l.key = l.by.given
	s.entered++
	l.since = s.entered
	if len(cl.lanes) == 0 { // the usual case
		l.at = 0
		cl.lanes = append(cl.lanes, l)
	} else {
		heap.Push(&cl.lanes, l)
	}
	if !cl.listed {
		cl.listed = true
		s.active = append(s.active, c)
	}
}

// next returns the lane whose task is the next of its class, nil when there is none. Removed tasks are dropped.
func (s *Scheduler) next(c ClassID, cl *class) *lane {
	for len(cl.lanes) > 0 {
		l := cl.lanes[0]
		if len(s.removed) > 0 {
			s.skipRemoved(cl, l)
		}
		switch {
		case l.queue.len() == 0:
			s.leave(c, cl)
		case l.key < l.by.given && len(cl.lanes) > 1: // it was served in another class
			s.behindOthers(cl, l)
		default:
			return l
		}
	}
	return nil
}

func (s *Scheduler) skipRemoved(cl *class, l *lane) {
	for l.queue.len() > 0 {
		t := l.queue.front(&s.chunks)
		n := s.removed[t]
		if n == 0 {
			return
		}
		if s.removed[t] = n - 1; n == 1 {
			delete(s.removed, t)
		}
		l.queue.popFront(&s.chunks)
		cl.queued--
	}
}

// leave takes the first lane, which is empty, off those to be served.
func (s *Scheduler) leave(c ClassID, cl *class) {
	l := cl.lanes[0]
	if len(cl.lanes) == 1 {
		l.at = -1
		cl.lanes = cl.lanes[:0]
	} else {
		heap.Pop(&cl.lanes)
	}
	if l != cl.recent {
		s.dropLane(c, l)
	}
}

func (s *Scheduler) behindOthers(cl *class, l *lane) {
	l.key = l.by.given
	s.entered++
	l.since = s.entered
	heap.Fix(&cl.lanes, l.at)
}

// charge counts a task that is given to a worker against its submitter.
func (s *Scheduler) charge(cl *class, l *lane) {
	cost := cl.cost()
	if l.by.credit > 0 {
		used := min(cost, l.by.credit)
		l.by.credit -= used
		cost -= used
	}
	l.by.given += cost
	s.given = max(s.given, l.by.given)
}

func (cl *class) cost() float64 {
	if cl.mean == 0 {
		return unknownNS * cl.weight
	}
	return max(cl.mean, leastNS) * cl.weight
}
