package sched

import (
	"maps"
	"slices"

	"thornback/core/resources"
)

// Wait says why a queued task has no worker.
type Wait struct {
	Place    int                  // tasks of its submitter before it, in its class
	Queued   int                  // tasks of its class that wait, of all submitters
	Short    []resources.Shortage // resources that are short; none: its demand fits
	KeptFor  TaskID               // with Kept: the next task of the class that what is free is kept for
	Kept     bool
	Starting int  // processes that are starting
	Idle     int  // processes that have nothing to do
	AtLimit  bool // no more processes may be started
}

// Explain says why a queued task has no worker.
func (s *Scheduler) Explain(t TaskID, c ClassID, by SubmitterID) Wait {
	cl := &s.classes[c]
	w := Wait{
		Queued: cl.queued, Short: s.pool.Missing(cl.request), Starting: s.starting, Idle: len(s.idle),
		AtLimit: s.pooled+s.starting >= s.cfg.WorkersMax,
	}
	if l := s.lanes[laneKey{c, by}]; l != nil {
		l.queue.each(&s.chunks, func(x TaskID) bool {
			if x == t {
				return false
			}
			if s.removed[x] == 0 {
				w.Place++
			}
			return true
		})
	}
	if len(w.Short) == 0 && !s.allowed(c, cl.request) {
		w.Kept = true
		if first := &s.classes[s.keeps[0].class]; len(first.lanes) > 0 {
			if l := s.next(s.keeps[0].class, first); l != nil {
				w.KeptFor = l.queue.front(&s.chunks)
			}
		}
	}
	return w
}

// Holder is a worker that has some of a resource.
type Holder struct {
	Worker WorkerID
	Amount resources.Amount
	Task   TaskID // that it runs; 0 for an actor's
}

// Holders returns who has claimed a resource and not lent it, in the order of the workers.
func (s *Scheduler) Holders(id resources.ID) []Holder {
	var list []Holder
	for _, wid := range slices.Sorted(maps.Keys(s.workers)) {
		w := s.workers[wid]
		cl := &s.classes[w.class]
		h := Holder{Worker: wid}
		switch {
		case w.state == actor:
			h.Amount = cl.running.Of(id)
		case w.state == leased, w.state == blocked && id != resources.CPU:
			h.Amount = cl.request.Of(id)
		}
		if len(w.inflight) > 0 {
			h.Task = w.inflight[0]
		}
		if h.Amount > 0 {
			list = append(list, h)
		}
	}
	return list
}
