package owner

import (
	"errors"
	"fmt"

	"thornback/core/slab"
	"thornback/core/wire"
)

// sanityCheck derives everything that the machine counts from what it counts, and compares. driver is how often the driver
// holds each object.
func (m *Machine) sanityCheck(driver map[uint64]int64) error {
	c := &check{m: m, refs: map[uint64]int64{}, lineage: map[uint64]uint32{}, taskLinks: map[uint64]int{}, waiterLinks: map[uint64]int{}, alarmLinks: map[uint64]int{}}
	for h, n := range driver {
		c.refs[h] += n
	}
	c.objects()
	c.tasks()
	c.workers()
	c.actors()
	c.streams()
	c.deadlines()
	c.scopes()
	c.waiters()
	c.compare()
	if err := m.CheckBalance(); err != nil {
		c.errs = append(c.errs, err)
	}
	return errors.Join(c.errs...)
}

type check struct {
	m           *Machine
	refs        map[uint64]int64  // holders by object
	taskLinks   map[uint64]int    // links to tasks, by task
	waiterLinks map[uint64]int    // links to waiters, by waiter
	alarmLinks  map[uint64]int    // links to waiters from the alarms of scopes
	links       int               // all of them
	lineage     map[uint64]uint32 // kept tasks by object
	kept, empty int
	keptBytes   uint64
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
			case linkAlarm:
				c.alarmLinks[l.target]++
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
		if o.maker > 0 && o.maker < makerEvicted {
			if t := m.tasks.At(o.maker - 1); t.is&again == 0 {
				c.bad("object %x was made by task %d, which is not kept", uint64(h), o.maker-1)
			}
		}
		if (o.state == Unknown) && (o.refs > 0 || o.lineage == 0) {
			c.bad("object %x has no value: %d holders, %d kept tasks", uint64(h), o.refs, o.lineage)
		}
		if o.state == Unknown {
			c.empty++
		}
		if o.refs <= 0 && o.lineage == 0 && o.task == 0 && !(o.kind == anActor && m.actors[h.Slot()] != nil) {
			c.bad("object %x has no holder and nobody makes it", uint64(h))
		}
		if (o.task != 0) != (o.state == Pending && !o.granted && o.where != whereStream && o.where != whereScope) {
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
			ran := t.is&again != 0 || t.state == kept || tmpl.Type == wire.TaskCreate && t.attempt > 0 // and their objects may be there
			if o, ok := m.objects.Get(slab.Handle(handleAt(handles, i))); !ran && (!ok || o.task != h.Slot()+1) {
				c.bad("task %x (%s, state %d, again %v, attempt %d, stream %v) does not make its return %d", uint64(h), tmpl.Name, t.state, t.is&again != 0, t.attempt, tmpl.Stream, i)
			}
		}
		for i := range t.deps + t.holds {
			switch h := handleAt(handles, t.returns+i); {
			case h == 0 && t.is&again != 0: // was an actor's
			case h&released == 0:
				c.refs[h]++
			default:
				c.lineage[h&^released]++
			}
		}
		if t.state == kept && t.is&again != 0 {
			c.kept++
			c.keptBytes += uint64(t.bytes()) + taskOverhead
			left := uint64(0)
			for i := range t.returns {
				if o, ok := m.objects.Get(slab.Handle(handleAt(handles, i))); ok && o.maker == h.Slot()+1 {
					left++
				}
			}
			if left == 0 || left != t.pos {
				c.bad("task %x is kept for %d results, %d are there", uint64(h), t.pos, left)
			}
			return true
		}
		if tmpl.Type == wire.TaskMethod {
			c.refs[uint64(m.objects.HandleOf(t.actor-1))]++
		}
		pending := 0
		for i := range t.deps {
			if m.stateOf(handleAt(handles, t.returns+i)) == Pending {
				pending++
			}
		}
		if t.state == kept {
			return true // what it lacks is looked at when it runs again
		}
		if pending != t.missing() {
			c.bad("task %x: %d arguments missing, %d counted, state %d", uint64(h), pending, t.missing(), t.state)
		}
		if n := t.missing(); n > 0 && c.taskLinks[uint64(h)] != n {
			c.bad("task %x: %d links for %d missing arguments", uint64(h), c.taskLinks[uint64(h)], n)
		}
		switch {
		case t.state == sent:
			running++
			if m.workers[t.worker] == nil {
				c.bad("task %x runs on worker %d, which is not there", uint64(h), t.worker)
			}
		case t.state == queued && tmpl.Type != wire.TaskMethod:
			inQueue++
		case t.state == waiting && t.missing() == 0 && tmpl.Type != wire.TaskMethod:
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
			if !ok || t.is&nested == 0 || t.worker != id || t.state != sent {
				c.bad("worker %d: nested task %x is not its", id, uint64(n.task))
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
		if !ok || a.object.Slot() != slot || o.kind != anActor {
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
		ready, away := 0, 0
		for _, g := range a.groups {
			ready, away = ready+g.ready.len(), away+g.sent
			for _, th := range g.ready.items[g.ready.head:] {
				if t, ok := c.m.tasks.Get(th); ok && (t.state != queued || t.missing() != 0) {
					c.bad("actor %x: call %x is not ready", uint64(a.object), uint64(th))
				}
			}
		}
		if away != a.calls.len() {
			c.bad("actor %x: %d calls on their way, its groups say %d", uint64(a.object), a.calls.len(), away)
		}
		for caller, q := range a.callers {
			if q.len() == 0 {
				c.bad("actor %x: nothing queued of caller %x", uint64(a.object), caller)
			}
		}
		for th := range a.pending {
			if t, ok := c.m.tasks.Get(th); !ok || t.state != waiting || t.missing() == 0 {
				c.bad("actor %x: call %x does not wait for arguments", uint64(a.object), uint64(th))
			}
		}
		if a.state == alive && ready > 0 && a.calls.len() == 0 && !a.stalled {
			c.bad("actor %x: %d calls ready, none under way", uint64(a.object), ready)
		}
		if t, ok := c.m.tasks.Get(a.create); a.create != 0 && (!ok || a.state == dead || t.state == kept && a.state < restarting) {
			c.bad("actor %x, state %d: its creation is kept, or gone", uint64(a.object), a.state)
		}
		if a.restarts > 0 && a.template.MaxRestarts >= 0 && a.restarts > a.template.MaxRestarts {
			c.bad("actor %x: %d restarts", uint64(a.object), a.restarts)
		}
		if a.state == dead && a.calls.len()+ready+len(a.callers)+len(a.pending) > 0 {
			c.bad("actor %x is dead and has calls", uint64(a.object))
		}
	}
}

func (c *check) streams() {
	for slot, st := range c.m.streams {
		o, ok := c.m.objects.Get(st.object)
		if !ok || st.object.Slot() != slot || o.where != whereStream || st.dropped {
			c.bad("stream %x has no object", uint64(st.object))
		}
		items := st.items.items[st.items.head:]
		for i, h := range items {
			c.refs[uint64(h)]++
			pending := i == len(items)-1 && st.task != 0
			if io, ok := c.m.objects.Get(h); !ok || (io.state == Pending) != pending || pending && io.task != st.task.Slot()+1 {
				c.bad("stream %x: item %d (%x) is not in order", uint64(st.object), i, uint64(h))
			}
		}
		if len(items) == 0 || st.task != 0 && c.m.producing[st.task] != st || st.taken+uint64(len(items)-1) < st.made {
			c.bad("stream %x: %d items, %d made, %d taken, by %x", uint64(st.object), len(items), st.made, st.taken, uint64(st.task))
		}
	}
	for th, st := range c.m.producing {
		if _, ok := c.m.tasks.Get(th); !ok || st.task != th || !st.dropped && c.m.streams[st.object.Slot()] != st {
			c.bad("task %x yields to a stream that is not its", uint64(th))
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
		if alarms := c.alarmLinks[w.id]; !w.done && (alarms == 1) != (w.scope != nil) || alarms > 1 {
			c.bad("waiter %d: %d links from alarms", i, alarms)
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
		if o.lineage != c.lineage[uint64(h)] {
			c.bad("object %x: %d kept tasks have it, %d counted", uint64(h), c.lineage[uint64(h)], o.lineage)
		}
		return true
	})
	if l := &c.m.lineage; l.count != c.kept || l.bytes != c.keptBytes || l.empty != c.empty {
		c.bad("%d tasks kept, %d bytes, %d objects without value; counted %d, %d, %d", c.kept, c.keptBytes, c.empty, l.count, l.bytes, l.empty)
	}
	for h, n := range c.refs {
		c.bad("%d holders of object %x, which is gone", n, h)
	}
	if c.links != c.m.links.Len() {
		c.bad("%d links in lists, %d live", c.links, c.m.links.Len())
	}
}
