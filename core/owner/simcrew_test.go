package owner

import (
	"slices"

	"thornback/core/wire"
)

// simCrew is what the process of an actor has that takes several calls at a time: it takes calls out of its ring as they
// come, and each group runs so many of its own.
type simCrew struct {
	limits []int
	queues [][]record // taken, not begun
}

func (c *simCrew) each(f func(*record)) {
	for _, q := range c.queues {
		for i := range q {
			f(&q[i])
		}
	}
}

// running counts the calls of a group that run.
func (w *simWorker) running(group uint32) (n int) {
	for _, f := range w.frames {
		if f.job.actor != nil && f.job.tmpl.Group == group {
			n++
		}
	}
	return n
}

// countGroup counts the calls of a group that the process has, in its ring, taken, or running.
func (w *simWorker) countGroup(group uint32) int {
	n := w.running(group) + len(w.crew.queues[group])
	for _, r := range w.tasks {
		if r.claim == wire.ClaimFree && r.job.tmpl.Group == group {
			n++
		}
	}
	return n
}

// crewOptions lists what a process that runs several calls can do next.
func (w *simWorker) crewOptions() []func() {
	var list []func()
	if len(w.replies) > 0 {
		list = append(list, w.read)
	}
	for _, f := range w.frames {
		if f.request == 0 && !f.starved && !f.paused() {
			list = append(list, func() { w.run(f) })
		}
	}
	if w.exiting {
		if len(w.frames) == 0 {
			list = append(list, func() { w.s.end(w) })
		}
		return list
	}
	if len(w.tasks) > 0 {
		list = append(list, w.takeCalls)
	}
	for g, q := range w.crew.queues {
		if len(q) > 0 && w.running(uint32(g)) < w.crew.limits[g] {
			list = append(list, func() {
				w.crew.queues[g] = q[1:]
				w.begin(&q[0])
			})
		}
	}
	for _, held := range []*[]uint64{&w.pins, &w.globals} {
		if len(*held) > 0 {
			list = append(list, func() {
				w.refs((*held)[0], -1)
				*held = (*held)[1:]
			})
		}
	}
	return list
}

func (w *simWorker) crewStep() {
	list := w.crewOptions()
	list[w.s.rng.IntN(len(list))]()
}

// takeCalls empties the ring, as the thread does that reads it.
func (w *simWorker) takeCalls() {
	all := w.tasks
	w.tasks, w.base = nil, w.base+uint64(len(all))
	for _, r := range all {
		if r.claim == wire.ClaimFree {
			w.claimed(&r)
			w.crew.queues[r.job.tmpl.Group] = append(w.crew.queues[r.job.tmpl.Group], r)
		}
	}
}

// cancelQueued ends a call that was taken and has not begun; false when there is no such call.
func (w *simWorker) cancelQueued(task uint64) bool {
	for g, q := range w.crew.queues {
		i := slices.IndexFunc(q, func(r record) bool { return r.task == task })
		if i < 0 {
			continue
		}
		f := &frame{job: q[i].job, task: task}
		w.crew.queues[g] = slices.Delete(slices.Clone(q), i, i+1)
		o := &Outcome{Status: wire.DoneError}
		var contents []string
		for range f.job.rets {
			v := w.s.errorValue()
			o.Values, o.Inner, contents = append(o.Values, v), append(o.Inner, nil), append(contents, w.s.content(v))
		}
		w.say(func() { w.s.doneRead(w, f, o, contents) })
		return true
	}
	return false
}
