package owner

import (
	"encoding/binary"
	"fmt"
	"slices"

	"thornback/core/slab"
	"thornback/core/wire"
)

// generator finds the template of a generator.
func (s *sim) generator(name string) *Template {
	return s.templates[slices.IndexFunc(s.templates, func(t *Template) bool { return t.Name == name })]
}

// consumer takes the items of one generator. They must come in order, each once, and be what the generator gave.
type consumer struct {
	job   *job
	taken int
	last  bool // the error was taken, nothing may follow
}

// split takes the stream out of a generator's returns. Nil for others.
func (s *sim) split(j *job) *consumer {
	if !j.tmpl.Stream {
		return nil
	}
	j.stream = j.rets[1]
	j.rets = j.rets[:1]
	delete(s.creations, j.stream)
	return &consumer{job: j}
}

// maker is the number of the job that makes an object, 0 when it is there.
func (s *sim) maker(h uint64) uint64 {
	o, ok := s.m.objects.Get(slab.Handle(h))
	if !ok || o.task == 0 {
		return 0
	}
	_, args := s.m.payloadOf(s.m.tasks.At(o.task - 1))
	return binary.LittleEndian.Uint64(args)
}

// filled is how many returns get a value.
func (j *job) filled() int {
	if j.tmpl.Stream {
		return j.tmpl.Returns - 1
	}
	return j.tmpl.Returns
}

// item is what a generator gives, the same in each attempt.
func item(j *job, index int) string { return fmt.Sprintf("item %d of job %d", index, j.id) }

// told: a generator hears how many of its items are taken.
func (w *simWorker) told(r *reply) {
	for _, f := range w.frames {
		if f.task == r.room {
			f.stopped = f.stopped || r.taken == wire.RoomStop
			f.taken = max(f.taken, int(min(r.taken, 1<<40)))
		}
	}
}

func (f *frame) paused() bool { return f.window > 0 && f.made-f.taken >= f.window && !f.stopped }

// yield gives an item of a generator to the node.
func (w *simWorker) yield(f *frame) {
	s, index := w.s, f.made
	f.made++
	text := item(f.job, index)
	v := wire.Value{Where: wire.WhereInline, Length: uint64(len(text)), Bytes: []byte(text)}
	if s.rng.IntN(3) == 0 {
		s.lastValue++
		v = wire.Value{Where: wire.WhereStore, Length: v.Length, Offset: s.lastValue << 12}
		s.extents[v.Offset] = text
	}
	w.say(func() {
		if !s.m.Yield(w.id, f.task, uint64(index), v, nil) && v.Where == wire.WhereStore {
			s.FreeExtent(v.Offset)
		}
	})
}

// judgeItems looks at what was taken from a stream.
func (s *sim) judgeItems(c *consumer, items []uint64) {
	for _, h := range items {
		state, v := s.m.Look(h)
		if state == Pending || state == Unknown {
			s.fail("job %d: item %d is in state %d", c.job.id, c.taken, state)
			return
		}
		text := s.content(v)
		if c.last {
			s.fail("job %d: %q comes after the error", c.job.id, text)
		}
		if state == Failed {
			c.last = true
			a := c.job.actor
			constructor := a != nil && (a.raised == text || len(a.accepted) > 0 && a.accepted[0] == text)
			if !slices.Contains(c.job.ends, text) && text[0] != wire.TagSysErr && !constructor {
				s.fail("job %d: ends with %q, which nobody raised", c.job.id, text)
			}
		} else if text != item(c.job, c.taken) {
			s.fail("job %d: item %d is %q", c.job.id, c.taken, text)
		}
		c.taken++
		s.made(h, c.job)
	}
}

// take: the driver takes some items of a generator, looks at what comes next, or drops the generator.
func (s *sim) take() {
	if len(s.streams) == 0 {
		return
	}
	i := s.rng.IntN(len(s.streams))
	c := s.streams[i]
	if s.rng.IntN(8) == 0 {
		s.dropStream(i)
		return
	}
	items := make([]uint64, s.rng.IntN(4))
	n, next, ended, err := s.m.Next(Driver, c.job.stream, items)
	if err != nil {
		s.fail("next: %w", err)
		return
	}
	s.judgeItems(c, items[:n])
	for _, h := range items[:n] {
		s.keep(h)
	}
	if n == 0 {
		s.made(next, c.job)
		s.keep(next)
	}
	if ended && !c.job.ended { // checkJobs has not seen it yet
		s.checkJobs()
	}
	if ended && !c.job.ended {
		s.fail("job %d: the stream has ended, the job has not", c.job.id)
	}
	if ended || s.budget == 0 {
		s.dropStream(i)
	}
	s.m.Schedule(s.now)
}

func (s *sim) dropStream(i int) {
	c := s.streams[i]
	s.streams = slices.Delete(s.streams, i, i+1)
	delete(s.driver, c.job.stream)
	s.m.Refs(Driver, c.job.stream, -1)
	s.m.Schedule(s.now)
}

// take: a task takes items of a generator that it has submitted.
func (w *simWorker) take(f *frame) {
	s := w.s
	c := f.streams[s.rng.IntN(len(f.streams))]
	w.say(func() {
		items := make([]uint64, s.rng.IntN(4))
		n, next, _, err := s.m.Next(w.id, c.job.stream, items)
		if err != nil {
			s.fail("worker %d: next: %v", w.id, err)
			return
		}
		s.judgeItems(c, items[:n])
		got := append(items[:n:n], next)
		if n > 0 {
			got = got[:n]
		} else {
			s.made(next, c.job)
		}
		s.reply(w.id, reply{items: got, task: f.task})
	})
}

// gotItems: the reply to take. A task that has ended meanwhile lets them go.
func (w *simWorker) gotItems(r *reply) {
	for _, h := range r.items {
		i := slices.IndexFunc(w.frames, func(f *frame) bool { return f.task == r.task })
		if i >= 0 && (!w.frames[i].restricted() || w.s.pure[h]) {
			w.frames[i].refs = append(w.frames[i].refs, h)
		} else {
			w.refs(h, -1)
		}
	}
}
