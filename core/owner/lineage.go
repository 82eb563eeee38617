package owner

import (
	"encoding/binary"
	"errors"
	"fmt"

	"thornback/core/offheap"
	"thornback/core/slab"
	"thornback/core/wire"
)

// Lineage: a task that left a result in the store is kept as long as the result is there, so that it can be run again should
// the result's memory be lost. It holds its arguments no longer, but their objects are not forgotten: one that nobody holds
// loses its value (its state is Unknown), and is computed again itself when it is needed. Small arguments without references
// inside stay as they are.

// LineageMax is how many bytes of tasks are kept at the most, as in Ray.
const LineageMax = 1 << 30

// ErrInUse says that an object can't be lost now, because a task that is under way has it as an argument.
var ErrInUse = errors.New("owner: the object is an argument of a task that is under way")

// Values of object.maker that are no task's slot+1.
const (
	makerPut     = ^uint32(0)     // put: nobody can compute it
	makerEvicted = ^uint32(0) - 1 // its task is kept no longer
)

// Why an object can't be computed again, as keys of python/thornback/_object_error.py.
const (
	whyAttempts = "OBJECT_UNRECONSTRUCTABLE_MAX_ATTEMPTS_EXCEEDED"
	whyEvicted  = "OBJECT_UNRECONSTRUCTABLE_LINEAGE_EVICTED"
	whyPut      = "OBJECT_UNRECONSTRUCTABLE_PUT"
	whyDisabled = "OBJECT_UNRECONSTRUCTABLE_RETRIES_DISABLED"
)

// released marks the handle of an argument, in the payload of a kept task, that the task does not hold. It is a bit of a
// generation, which no slot reaches.
const released = 1 << 63

// taskOverhead is what a kept task costs beside its payload, about.
const taskOverhead = 128

// lineage is what the machine keeps of ended tasks.
type lineage struct {
	kept  fifo   // in the order of their ends; some are gone by now
	count int    // of them
	bytes uint64 // that they cost
	most  uint64 // limit of that
	empty int    // objects without value that kept tasks have as arguments
}

// LimitLineage says how many bytes of ended tasks are kept at the most.
func (m *Machine) LimitLineage(bytes uint64) { m.lineage.most = bytes }

// keepTask keeps a task that has ended well, if a result of it lies in the store. False: it is to be forgotten.
func (m *Machine) keepTask(th slab.Handle, t *task, o *Outcome) bool {
	stored := false
	for i := range o.Values {
		stored = stored || o.Values[i].Where == wire.WhereStore
	}
	tmpl := m.templates[t.template]
	if !stored || o.Status != wire.DoneOK || tmpl.Type != wire.TaskPlain || tmpl.Stream || tmpl.MaxRetries == 0 || t.cancel != 0 {
		return false
	}
	handles, _ := m.payloadOf(t)
	t.pos = 0 // counts the results that are there
	for i := range t.returns {
		if r, ok := m.objects.Get(slab.Handle(handleAt(handles, i))); ok {
			r.maker = th.Slot() + 1
			t.pos++
		}
	}
	if t.pos == 0 {
		return false
	}
	t.state = kept
	t.is |= again
	m.leaveScope(th)
	m.unlimit(th) // it has met its deadline; running again is not what that was for
	m.noteKept(th)
	m.lineage.count++
	m.lineage.bytes += uint64(t.bytes()) + taskOverhead
	for i := range t.deps + t.holds {
		m.releaseArgument(handles[8*(t.returns+i):])
	}
	for m.lineage.bytes > m.lineage.most && m.lineage.kept.len() > 0 {
		m.evict(m.lineage.kept.pop())
	}
	return true
}

// noteKept puts a task into the queue of kept ones, after clearing it of those that have gone.
func (m *Machine) noteKept(th slab.Handle) {
	if q := &m.lineage.kept; q.len() > 2*m.lineage.count+1024 {
		for _, th := range q.take() {
			if t, ok := m.tasks.Get(th); ok && t.state == kept {
				q.push(th)
			}
		}
	}
	m.lineage.kept.push(th)
}

// releaseArgument lets go an argument of a task that is kept from now on.
func (m *Machine) releaseArgument(at []byte) {
	h := binary.LittleEndian.Uint64(at)
	o, ok := m.objects.Get(slab.Handle(h))
	switch {
	case !ok || o.where == wire.WhereInline && o.inner == 0 && o.state == Ready && o.kind != anActor:
		return // stays held
	case o.kind == anActor || o.where == whereStream: // what runs again finds it gone, if it is
		putHandle(at, released)
		m.unhold(h, 1)
		return
	}
	o.lineage++
	putHandle(at, h|released)
	m.unhold(h, 1)
}

// evict forgets a kept task; its results can't be computed again.
func (m *Machine) evict(th slab.Handle) {
	t, ok := m.tasks.Get(th)
	if !ok || t.state != kept || t.is&again == 0 {
		return
	}
	m.disown(th, t, makerEvicted)
	m.forgetTask(th, t)
}

// disown takes a task off its results.
func (m *Machine) disown(th slab.Handle, t *task, maker uint32) {
	handles, _ := m.payloadOf(t)
	for i := range t.returns {
		if o, ok := m.objects.Get(slab.Handle(handleAt(handles, i))); ok && o.maker == th.Slot()+1 {
			o.maker = maker
		}
	}
}

// forgetTask ends a kept task.
func (m *Machine) forgetTask(th slab.Handle, t *task) {
	handles, _ := m.payloadOf(t)
	m.unkeep(t)
	for i := range t.deps + t.holds {
		h := handleAt(handles, t.returns+i)
		if h&released == 0 {
			m.unhold(h, 1)
			continue
		}
		h &^= released
		if o, ok := m.objects.Get(slab.Handle(h)); ok {
			o.lineage--
			m.unhold(h, 0)
		}
	}
	m.heap.Free(offheap.Ref(t.payload), t.bytes())
	m.tasks.Drop(th)
}

func (m *Machine) unkeep(t *task) {
	m.lineage.count--
	m.lineage.bytes -= uint64(t.bytes()) + taskOverhead
}

// resultGone says that a result of a task that is or was kept has gone.
func (m *Machine) resultGone(maker uint32) {
	if maker == 0 || maker >= makerEvicted {
		return
	}
	if t := m.tasks.At(maker - 1); t.state == kept {
		if t.pos--; t.pos == 0 {
			m.forgetTask(m.tasks.HandleOf(maker-1), t)
		}
	}
}

// hollow takes the value of an object that nobody holds, but that kept tasks have as an argument.
func (m *Machine) hollow(o *object) {
	if o.state != Ready && o.state != Failed {
		return
	}
	m.takeValue(o)
	o.state = Unknown
	m.lineage.empty++
}

// Lose says that the memory of a stored object is lost. The object is computed again, and with it what that needs and is
// gone; where that is not possible it fails with the reason. Nobody may have views of it.
func (m *Machine) Lose(h uint64) error {
	o, ok := m.objects.Get(slab.Handle(h))
	switch {
	case !ok:
		return fmt.Errorf("%w: %x", ErrStale, h)
	case o.state != Ready || o.where != wire.WhereStore || o.kind == anActor:
		return fmt.Errorf("owner: object %x is not in the store", h)
	}
	var wait []slab.Handle // tasks that counted it as there, each as often as they have it
	busy := false
	m.tasks.Each(func(th slab.Handle, t *task) bool {
		handles, _ := m.payloadOf(t)
		for i := range t.deps {
			if handleAt(handles, t.returns+i) == h {
				busy = busy || t.state == queued || t.state == sent
				if t.state == waiting {
					wait = append(wait, th)
				}
			}
		}
		return !busy
	})
	if busy {
		return ErrInUse
	}
	m.takeValue(o)
	m.moved = true
	for _, th := range wait {
		m.awaits(th, m.tasks.At(th.Slot()), o)
	}
	for _, w := range m.waiters {
		if w != nil && !w.done {
			m.awaitAgain(w, h, o)
		}
	}
	m.recompute(h, o)
	return nil
}

// awaitAgain has a waiter count an object once more that it had counted as ready.
func (m *Machine) awaitAgain(w *waiter, h uint64, o *object) {
	for _, x := range w.handles {
		if x == h {
			w.have--
			lh, l := m.links.Take()
			*l = link{target: w.id, next: o.links, kind: linkWaiter}
			o.links = lh.Slot() + 1
		}
	}
}

// recompute has an object without value computed again, by the task that made it, or fails it.
func (m *Machine) recompute(h uint64, o *object) {
	if o.state == Unknown {
		m.lineage.empty--
	}
	o.state = Pending
	why := ""
	switch {
	case o.maker == makerPut:
		why = whyPut
	case o.maker == makerEvicted:
		why = whyEvicted
	case o.maker == 0:
		why = whyDisabled
	default:
		t := m.tasks.At(o.maker - 1)
		if t.state == kept && !m.mayRetry(t, m.templates[t.template]) {
			why = whyAttempts
		}
	}
	if why != "" {
		m.fillError(slab.Handle(h), wire.ErrReconstruction, map[string]string{"object": fmt.Sprintf("%016x", h), "reason": why})
		return
	}
	o.task = o.maker
	if th := m.tasks.HandleOf(o.maker - 1); m.tasks.At(th.Slot()).state == kept {
		m.runAgain(th, m.tasks.At(th.Slot()))
	}
}

// runAgain queues a kept task, as soon as its arguments are there.
func (m *Machine) runAgain(th slab.Handle, t *task) {
	m.unkeep(t)
	m.nextAttempt(t)
	handles, _ := m.payloadOf(t)
	n := t.deps + t.holds
	for i := range n { // held before any is looked at, so that none goes meanwhile
		at := handles[8*(t.returns+i):]
		h := binary.LittleEndian.Uint64(at)
		if h&released != 0 {
			if o, ok := m.objects.Get(slab.Handle(h &^ released)); ok {
				o.lineage--
				o.refs++
			}
			putHandle(at, h&^released)
		}
	}
	for i := range n {
		h := handleAt(handles, t.returns+i)
		o, ok := m.objects.Get(slab.Handle(h))
		if ok && o.state == Unknown {
			m.recompute(h, o)
		}
	}
	m.queueAgain(th, t)
}

// queueAgain queues a task that had its arguments once, and waits for those that are being computed again.
func (m *Machine) queueAgain(th slab.Handle, t *task) {
	t.state, t.pos = waiting, 0
	handles, _ := m.payloadOf(t)
	for i := range t.deps {
		if o, ok := m.objects.Get(slab.Handle(handleAt(handles, t.returns+i))); ok && o.state == Pending {
			m.awaits(th, t, o)
		}
	}
	if t.missing() == 0 {
		m.enqueue(th, t)
	}
}
