package owner

import (
	"errors"
	"fmt"

	"thornback/core/resources"
	"thornback/core/slab"
	"thornback/core/wire"
)

// sanityCheck derives everything that the machine counts from what it counts, and compares. driver is how often the driver
// holds each object.
func (m *Machine) sanityCheck(driver map[uint64]int64) error {
	c := &check{m: m, refs: map[uint64]int64{}, taskLinks: map[uint64]int32{}, waiterLinks: map[uint64]int{}, also: map[resources.ID]resources.Amount{}}
	for h, n := range driver {
		c.refs[h] += n
	}
	c.objects()
	c.tasks()
	c.workers()
	c.actors()
	c.waiters()
	c.compare()
	if err := m.sched.Check(c.also); err != nil {
		c.errs = append(c.errs, err)
	}
	return errors.Join(c.errs...)
}

type check struct {
	m           *Machine
	refs        map[uint64]int64 // holders by object
	taskLinks   map[uint64]int32 // links to tasks, by task
	waiterLinks map[uint64]int   // links to waiters, by waiter
	links       int              // all of them
	also        map[resources.ID]resources.Amount
	errs        []error
}

func (c *check) bad(format string, args ...any) { c.errs = append(c.errs, fmt.Errorf(format, args...)) }

func (c *check) objects() {
	m := c.m
	m.objects.Each(func(h slab.Handle, o *object) bool {
		for head := o.links; head != 0; {
			l := m.links.At(head - 1)
			head = l.next
			c.links++
			switch l.kind {
			case linkTask:
				c.taskLinks[l.target]++
			case linkWaiter:
				c.waiterLinks[l.target]++
			case linkInner:
				c.bad("object %x: an inner link among those who wait", uint64(h))
			}
		}
		if o.links != 0 && o.state != Pending {
			c.bad("object %x is there, and has somebody waiting", uint64(h))
		}
		for head := o.inner; head != 0; {
			l := m.links.At(head - 1)
			head = l.next
			c.links++
			c.refs[l.target]++
			if l.kind != linkInner {
				c.bad("object %x: a link of kind %d inside", uint64(h), l.kind)
			}
		}
		if o.refs <= 0 && o.task == 0 && !(o.isActor && m.actors[h.Slot()] != nil) {
			c.bad("object %x has no holder and nobody makes it", uint64(h))
		}
		if (o.task != 0) != (o.state == Pending && !o.granted) {
			c.bad("object %x: state %d, made by %d, granted %v", uint64(h), o.state, o.task, o.granted)
		}
		return true
	})
}

func (c *check) tasks() {
	m := c.m
	running, inQueue := 0, 0
	m.tasks.Each(func(h slab.Handle, t *task) bool {
		handles, _ := m.payloadOf(t)
		tmpl := m.templates[t.template]
		for i := range t.returns {
			if o, ok := m.objects.Get(slab.Handle(handleAt(handles, i))); !ok || o.task != h.Slot()+1 {
				c.bad("task %x does not make its return %d", uint64(h), i)
			}
		}
		for i := range t.deps + t.holds {
			c.refs[handleAt(handles, t.returns+i)]++
		}
		if tmpl.Type == wire.TaskMethod {
			c.refs[uint64(m.objects.HandleOf(t.actor-1))]++
		}
		pending := int32(0)
		for i := range t.deps {
			if m.stateOf(handleAt(handles, t.returns+i)) == Pending {
				pending++
			}
		}
		if pending != t.pending || t.pending > 0 && t.state != waiting {
			c.bad("task %x: %d arguments missing, %d counted, state %d", uint64(h), pending, t.pending, t.state)
		}
		if t.pending > 0 && c.taskLinks[uint64(h)] != t.pending {
			c.bad("task %x: %d links for %d missing arguments", uint64(h), c.taskLinks[uint64(h)], t.pending)
		}
		switch {
		case t.state == sent:
			running++
			if m.workers[t.worker] == nil {
				c.bad("task %x runs on worker %d, which is not there", uint64(h), t.worker)
			}
		case t.state == queued && tmpl.Type != wire.TaskMethod:
			inQueue++
		case t.state == waiting && t.pending == 0 && tmpl.Type != wire.TaskMethod:
			c.bad("task %x waits for nothing", uint64(h))
		}
		return true
	})
	if running != m.running {
		c.bad("%d tasks run, %d counted", running, m.running)
	}
	if inQueue != m.sched.Queued() {
		c.bad("%d tasks queued, %d with the scheduler", inQueue, m.sched.Queued())
	}
}

func (c *check) workers() {
	for id, ws := range c.m.workers {
		granted := 0
		for h, n := range ws.holds {
			if n <= 0 {
				c.bad("worker %d holds %x %d times", id, h, n)
			}
			c.refs[h] += n
			if o, ok := c.m.objects.Get(slab.Handle(h)); ok && o.granted {
				granted++
			}
		}
		if granted != ws.granted {
			c.bad("worker %d has %d grants, %d counted", id, granted, ws.granted)
		}
		for _, n := range ws.nested {
			t, ok := c.m.tasks.Get(n.task)
			if !ok || !t.nested || t.worker != id || t.state != sent {
				c.bad("worker %d: nested task %x is not its", id, uint64(n.task))
			}
			for it := range c.m.sched.Request(n.class).Items() {
				if !n.lent || it.ID != resources.CPU {
					c.also[it.ID] += it.Amount
				}
			}
		}
		for request, wid := range ws.waits {
			if w := c.m.waiter(wid); w == nil || w.worker != id || w.request != request {
				c.bad("worker %d: request %d waits as %d, which is another's", id, request, wid)
			}
		}
	}
}

func (c *check) actors() {
	for slot, a := range c.m.actors {
		o, ok := c.m.objects.Get(a.object)
		if !ok || a.object.Slot() != slot || !o.isActor {
			c.bad("actor %x has no object", uint64(a.object))
		}
		if a.template.Detached && !a.struck {
			c.refs[uint64(a.object)]++
		}
		if a.state == dead && c.m.names[nameOf(a.template)] == a.object {
			c.bad("actor %x is dead and has a name", uint64(a.object))
		}
		for _, th := range a.calls.items[a.calls.head:] {
			if t, ok := c.m.tasks.Get(th); !ok || t.state != sent || t.actor != slot+1 || t.worker != a.worker {
				c.bad("actor %x: call %x is not on its way", uint64(a.object), uint64(th))
			}
		}
		for _, th := range a.ready.items[a.ready.head:] {
			if t, ok := c.m.tasks.Get(th); ok && (t.state != queued || t.pending != 0) {
				c.bad("actor %x: call %x is not ready", uint64(a.object), uint64(th))
			}
		}
		for caller, q := range a.callers {
			if q.len() == 0 {
				c.bad("actor %x: nothing queued of caller %x", uint64(a.object), caller)
			}
		}
		if a.state == alive && a.ready.len() > 0 && a.calls.len() == 0 && !a.stalled {
			c.bad("actor %x: %d calls ready, none under way", uint64(a.object), a.ready.len())
		}
		if a.state == dead && a.calls.len()+a.ready.len()+len(a.callers) > 0 {
			c.bad("actor %x is dead and has calls", uint64(a.object))
		}
	}
}

func (c *check) waiters() {
	free := 0
	for i, w := range c.m.waiters {
		if w == nil {
			free++
			continue
		}
		have, links := 0, 0
		for _, h := range w.handles {
			if c.m.stateOf(h) == Pending {
				links++
			} else {
				have++
			}
		}
		if w.id != uint64(i+1) || !w.done && (have != w.have || c.waiterLinks[w.id] != links) {
			c.bad("waiter %d: id %d, %d of %d there, %d counted, %d links", i, w.id, have, len(w.handles), w.have, c.waiterLinks[w.id])
		}
		if !w.done && w.have >= w.need {
			c.bad("waiter %d has what it needs and was not told", i)
		}
	}
	if free != len(c.m.spare) {
		c.bad("%d free waiters, %d in the list", free, len(c.m.spare))
	}
}

func (c *check) compare() {
	c.m.objects.Each(func(h slab.Handle, o *object) bool {
		if o.refs != c.refs[uint64(h)] {
			c.bad("object %x: %d holders, %d counted", uint64(h), c.refs[uint64(h)], o.refs)
		}
		delete(c.refs, uint64(h))
		return true
	})
	for h, n := range c.refs {
		c.bad("%d holders of object %x, which is gone", n, h)
	}
	if c.links != c.m.links.Len() {
		c.bad("%d links in lists, %d live", c.links, c.m.links.Len())
	}
}
