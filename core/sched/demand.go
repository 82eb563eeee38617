package sched

import "thornback/core/resources"

// Demands tells, for each class with tasks that wait for a worker, what one of them asks for and how many there are; those
// taken out of the queue and not yet passed over count too.
func (s *Scheduler) Demands(f func(request resources.Request, tasks int)) {
	for i := range s.classes {
		if n := s.classes[i].queued; n > 0 {
			f(s.classes[i].request, n)
		}
	}
}
