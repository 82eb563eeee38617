package owner

import (
	"errors"
	"slices"
	"testing"
)

// scopes derives what scopes count from what belongs to them.
func (c *check) scopes() {
	m := c.m
	all := map[*scope]bool{}
	note := func(sc *scope) {
		for ; sc != nil && !all[sc]; sc = sc.outer {
			all[sc] = true
		}
	}
	for slot, sc := range m.scopes.by {
		note(sc)
		if o, ok := m.objects.Get(sc.object); !ok || sc.object.Slot() != slot || o.where != whereScope || o.state != Pending {
			c.bad("scope %x has no object", uint64(sc.object))
		}
	}
	for th, sc := range m.scopes.of {
		note(sc)
		if _, ok := m.tasks.Get(th); !ok {
			c.bad("task %x is gone, and in scope %x", uint64(th), uint64(sc.object))
		}
		if _, ok := sc.tasks[th]; !ok {
			c.bad("task %x is in scope %x, which does not know", uint64(th), uint64(sc.object))
		}
	}
	for _, a := range m.actors {
		if sc := a.scope; sc != nil {
			note(sc)
			if sc.actors[a.object] != a || a.state == dead {
				c.bad("actor %x, state %d, is in scope %x, which does not know", uint64(a.object), a.state, uint64(sc.object))
			}
		}
	}
	if len(all) != m.scopes.live {
		c.bad("%d scopes, %d counted", len(all), m.scopes.live)
	}
	for sc := range all {
		c.scope(sc, all)
	}
}

func (c *check) scope(sc *scope, all map[*scope]bool) {
	m, name := c.m, uint64(sc.object)
	c.refs[uint64(sc.alarm)]++
	settled := !slices.Contains(m.scopes.due, sc) && (sc.outer == nil || !slices.Contains(m.scopes.due, sc.outer))
	if rung := m.stateOf(uint64(sc.alarm)) != Pending; settled && rung != sc.over {
		c.bad("scope %x: over %v, its alarm was given: %v", name, sc.over, rung)
	}
	for th := range sc.tasks {
		t, ok := m.tasks.Get(th)
		switch {
		case !ok || m.scopes.of[th] != sc:
			c.bad("scope %x has task %x, which does not know", name, uint64(th))
		case settled && sc.over && t.cancel == 0:
			c.bad("scope %x is over, and task %x was not cancelled", name, uint64(th))
		}
	}
	for h, a := range sc.actors {
		switch {
		case m.actors[h.Slot()] != a || a.scope != sc:
			c.bad("scope %x has actor %x, which does not know", name, uint64(h))
		case settled && sc.over && a.state < ending:
			c.bad("scope %x is over, and actor %x is in state %d", name, uint64(h), a.state)
		}
	}
	for in := range sc.inner {
		if !all[in] || in.outer != sc || settled && sc.over && !in.over {
			c.bad("scope %x has scope %x, which does not know", name, uint64(in.object))
		}
	}
	if sc.outer != nil {
		if _, ok := sc.outer.inner[sc]; !ok {
			c.bad("scope %x is in one that does not know", name)
		}
	}
	if settled && sc.closed && len(sc.tasks)+len(sc.inner)+len(sc.actors) == 0 {
		c.bad("scope %x is left, nothing is in it, and it has not ended", name)
	}
	if sc.object == 0 && !sc.closed {
		c.bad("a scope that nobody holds goes on")
	}
	for _, e := range sc.errs {
		c.refs[uint64(e)]++
		if m.stateOf(uint64(e)) != Failed {
			c.bad("scope %x: object %x is no error", name, uint64(e))
		}
	}
}

// A worker can do nothing to a scope that it does not hold, and its own ends with it.
func TestHostileScopes(t *testing.T) {
	t.Parallel()
	s := quiet(t, 2)
	h, alarm, err := s.m.OpenScope(0, 0, 1, true)
	if err != nil {
		t.Fatal(err)
	}
	mine := s.m.Grant(1, 1)
	stolen := Submission{Template: s.templates[1], Returns: 1, Rets: mine, Scope: h, From: 1}
	if err := s.m.Submit(&stolen); !errors.Is(err, ErrScopeEnded) {
		t.Errorf("a submission into another worker's scope: %v", err)
	}
	s.m.RefuseFrom(1, mine, ErrScopeEnded)
	if s.m.stateOf(mine[0]) != Failed {
		t.Error("a refused submission has no error")
	}
	if _, _, err := s.m.OpenScope(1, h, 2, false); !errors.Is(err, ErrScopeEnded) {
		t.Errorf("a scope in another worker's: %v", err)
	}
	for name, err := range map[string]error{
		"another worker's":           s.m.CloseScope(1, h, true, true, true),
		"no scope":                   s.m.CloseScope(0, mine[0], true, true, true),
		"the alarm":                  s.m.CloseScope(0, alarm, true, true, true),
		"nothing":                    s.m.CloseScope(0, 1<<40, true, true, true),
		"a worker that is not there": s.m.CloseScope(9, h, true, true, true),
	} {
		if !errors.Is(err, ErrStale) {
			t.Errorf("closing %s: %v", name, err)
		}
	}
	if errs := s.m.ScopeErrors(1, h); errs != nil {
		t.Errorf("another worker's errors: %x", errs)
	}
	s.m.Refs(1, alarm, -5) // holds that it has not
	s.m.Schedule(s.now)
	if s.m.stateOf(h) != Pending || s.m.stateOf(alarm) != Pending || s.m.scopes.live != 1 {
		t.Error("a scope was ended by another worker")
	}
	s.check()
	s.m.WorkerLost(0, Cause{Message: "gone"}, s.now)
	s.workers[0] = nil
	s.m.Schedule(s.now)
	if s.m.scopes.live != 0 || s.m.stateOf(h) != Unknown {
		t.Error("a scope outlives who opened it")
	}
	s.check()
}
