package owner

import (
	"testing"

	"thornback/core/wire"
)

// late reports whether the deadline of a job, or of one above it, has come.
func (j *job) late(now int64) bool {
	for ; j != nil; j = j.parent {
		if j.until != 0 && j.until <= now {
			return true
		}
	}
	return false
}

// deadlines are those of tasks that are there, in a heap that knows its places.
func (c *check) deadlines() {
	waiting := 0
	for th, d := range c.m.limits.of {
		if _, ok := c.m.tasks.Get(th); !ok || d.task != th {
			c.bad("task %x is gone and has a deadline", uint64(th))
		}
		if d.place >= 0 {
			waiting++
			if d.place >= len(c.m.limits.order) || c.m.limits.order[d.place] != d {
				c.bad("task %x: its deadline is not at its place %d", uint64(th), d.place)
			}
		}
	}
	if waiting != len(c.m.limits.order) {
		c.bad("%d deadlines to come, %d in order", waiting, len(c.m.limits.order))
	}
	for i, d := range c.m.limits.order {
		if up := (i - 1) / 2; i > 0 && d.at < c.m.limits.order[up].at {
			c.bad("deadline %d comes before deadline %d", i, up)
		}
	}
}

// Deadlines cost a task that has none nothing to keep, and one that has ended leaves none behind.
func TestDeadlinesAreForgotten(t *testing.T) {
	t.Parallel()
	s := quiet(t, 1)
	tmpl := s.templates[2]
	var refs []uint64
	for i := range int64(1000) {
		sub := &Submission{Template: tmpl, Returns: 1, Rets: make([]uint64, 1), From: Driver, Args: make([]byte, 8), Deadline: 1e9 + (i*7919)%1000}
		if err := s.m.Submit(sub); err != nil {
			t.Fatal(err)
		}
		s.driver[sub.Rets[0]]++
		refs = append(refs, sub.Rets[0])
	}
	s.check()
	if at := s.m.NextDeadline(); at != 1e9 {
		t.Fatalf("the first deadline is %d", at)
	}
	for at := int64(1e9); at < 1e9+1000; at += 100 {
		s.m.Expire(at)
		s.check()
	}
	s.m.Expire(2e9)
	s.check()
	for _, h := range refs {
		if state, v := s.m.Look(h); state != Failed || v.Bytes[4] != wire.ErrDeadlineExceeded {
			t.Fatalf("state %d, %q", state, v.Bytes)
		}
	}
	if n := len(s.m.limits.of); n != 0 || s.m.NextDeadline() != 0 {
		t.Fatalf("%d deadlines left", n)
	}
	s.m.At(3e9)
	late := &Submission{Template: tmpl, Returns: 1, Rets: make([]uint64, 1), From: Driver, Args: make([]byte, 8), Deadline: 3e9}
	if err := s.m.Submit(late); err != nil {
		t.Fatal(err)
	}
	s.driver[late.Rets[0]]++
	if s.m.stateOf(late.Rets[0]) != Failed || s.m.tasks.Len() != 0 {
		t.Fatal("a task that is late when it comes is kept")
	}
	s.check()
}
