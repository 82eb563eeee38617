package sched

import (
	"slices"

	"thornback/core/resources"
)

const (
	// overdueNS: a class whose next task is passed over for so long has kept for it what becomes free.
	overdueNS = 50e6
	// keepersMax bounds the classes that something is kept for at a time; others wait for those.
	keepersMax = 16
)

// keep is an amount that only this class, and those that have waited for longer, may claim.
type keep struct {
	class  ClassID
	id     resources.ID
	amount resources.Amount
}

// passOver notes that no worker was found for the next task of a class because resources are short. What it was ever short
// of is kept for it once it is overdue, not what was there all the time: a task that waits for the only GPU keeps no CPU
// idle before the GPU is free.
func (s *Scheduler) passOver(c ClassID, cl *class, now int64) {
	if len(s.active) == 1 && len(cl.leases) > 0 || s.pool.Fits(cl.request) {
		return // its own tasks are before it; or only a process is missing
	}
	if cl.passed == 0 {
		cl.passed = max(1, now)
		s.waiting = append(s.waiting, c)
	}
	for it := range cl.request.Items() {
		if !s.pool.FitsItem(it) && !slices.Contains(cl.short, it.ID) {
			cl.short = append(cl.short, it.ID)
		}
	}
}

// served notes that a class got a worker, or has nothing queued any more.
func (s *Scheduler) served(c ClassID, cl *class) {
	cl.passed, cl.short = 0, cl.short[:0]
	i := slices.Index(s.waiting, c)
	s.waiting = slices.Delete(s.waiting, i, i+1)
}

// keep finds what is kept, and for whom.
func (s *Scheduler) keep(now int64) {
	s.keeps = s.keeps[:0]
	for i, c := range s.waiting {
		cl := &s.classes[c]
		if i == keepersMax || now-cl.passed < overdueNS {
			return
		}
		if !s.attainable(cl.request) {
			continue
		}
		for _, id := range cl.short {
			if id == resources.CPU && !s.pool.Fits(cl.request.Without(id)) {
				continue // everybody can use CPUs: they are kept when the rest is there
			}
			s.keeps = append(s.keeps, keep{c, id, cl.request.Of(id)})
		}
	}
}

// allowed reports whether a class may claim a request without taking what is kept for those who have waited for longer.
func (s *Scheduler) allowed(c ClassID, r resources.Request) bool {
	for i := 0; i < len(s.keeps) && s.keeps[i].class != c; i++ {
		k := &s.keeps[i]
		amount := r.Of(k.id)
		if amount == 0 {
			continue
		}
		kept := resources.Amount(0)
		for j := 0; j < len(s.keeps) && s.keeps[j].class != c; j++ {
			if s.keeps[j].id == k.id {
				kept += s.keeps[j].amount
			}
		}
		if s.pool.Free(k.id)-kept < amount {
			return false
		}
	}
	return true
}

// attainable reports whether the request will fit when all those have ended that run now without waiting. If not, some
// worker waits for others, or an actor lives, and has a part: to keep the rest for the request could keep those others from
// running, and so itself for ever.
func (s *Scheduler) attainable(r resources.Request) bool {
	for it := range r.Items() {
		stuck := resources.Amount(0)
		if int(it.ID) < len(s.stuck) {
			stuck = s.stuck[it.ID]
		}
		if s.pool.Total(it.ID)-stuck < it.Amount {
			return false
		}
	}
	return true
}

// stick counts what a worker has and won't give back soon; with sign -1 what it may.
func (s *Scheduler) stick(r resources.Request, sign resources.Amount) {
	for it := range r.Items() {
		for int(it.ID) >= len(s.stuck) {
			s.stuck = append(s.stuck, 0)
		}
		s.stuck[it.ID] += sign * it.Amount
	}
}

// lend lends the CPU of a task that waits for others. What else it has is stuck.
func (s *Scheduler) lend(r resources.Request) {
	s.pool.LendCPU(r)
	if r.Len() > 1 || r.Of(resources.CPU) == 0 {
		s.stick(r.Without(resources.CPU), 1)
	}
}

// takeBack ends what lend began.
func (s *Scheduler) takeBack(r resources.Request) {
	s.pool.TakeBackCPU(r)
	if r.Len() > 1 || r.Of(resources.CPU) == 0 {
		s.stick(r.Without(resources.CPU), -1)
	}
}
