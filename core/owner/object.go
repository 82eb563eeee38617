package owner

import (
	"fmt"

	"thornback/core/offheap"
	"thornback/core/slab"
	"thornback/core/wire"
)

// State of an object, as at the border.
type State uint8

// The states. Pending includes granted ones that the worker has not filled.
const (
	Pending State = iota
	Ready
	Failed  // ready, and the value is an error
	Unknown // stale, or without value: see lineage.go
)

// object is 48 bytes; a million of them are 48 MB outside the collector's interest.
type object struct {
	refs    int64 // holders of all kinds
	state   State
	where   uint8 // wire.Where*, when ready; whereStream, whereScope
	granted bool  // given to a worker, not yet used
	kind    objectKind
	links   uint32 // list of who waits for it: slot+1 in Machine.links
	inner   uint32 // list of the objects it contains: slot+1
	task    uint32 // slot+1 of the task that makes it
	place   uint64 // offheap.Ref or arena offset
	length  uint64
	lineage uint32 // kept tasks that have it as an argument without holding it
	maker   uint32 // slot+1 of the kept task that made it, or maker*; 0: unknown
}

type objectKind uint8

const (
	anActor objectKind = 1 + iota
	ofCall             // a result of a call of an actor, even when that has ended
)

// link is an element of a list in Machine.links.
type link struct {
	target uint64 // handle of an object (inner) or task (linkTask), index and generation of a waiter (linkWaiter), a process (linkWatch)
	next   uint32 // slot+1
	kind   linkKind
}

type linkKind uint8

const (
	linkInner linkKind = iota
	linkTask
	linkWaiter
	linkWatch
	linkAlarm // target as of linkWaiter
)

// Put makes a new object, held once by the driver. An inline value is copied; a stored one is owned from now on.
func (m *Machine) Put(v wire.Value, inner []uint64) (uint64, error) {
	h, o := m.objects.Take()
	o.refs = 1
	if err := m.fill(h, v, inner); err != nil {
		m.objects.Drop(h)
		return 0, err
	}
	o.maker = makerPut
	return uint64(h), nil
}

// fill gives an object its value and tells those who wait.
func (m *Machine) fill(h slab.Handle, v wire.Value, inner []uint64) error {
	return m.fillAs(Ready, h, m.objects.At(h.Slot()), v, inner)
}

// fillAs is fill with a state: the first byte of a stored value, which would tell an error, is not looked at.
func (m *Machine) fillAs(state State, h slab.Handle, o *object, v wire.Value, inner []uint64) error {
	o.state = state
	o.where, o.length, o.place = uint8(v.Where), v.Length, v.Offset
	if v.Where == wire.WhereInline {
		r, b, err := m.heap.Alloc(max(1, len(v.Bytes)))
		if err != nil {
			return fmt.Errorf("owner: value of %d bytes: %w", len(v.Bytes), err)
		}
		copy(b, v.Bytes)
		o.place, o.length = uint64(r), uint64(len(v.Bytes))
		if wire.IsError(v.Bytes) {
			o.state = Failed
		}
	}
	for _, x := range inner {
		if io, ok := m.objects.Get(slab.Handle(x)); ok {
			io.refs++
			lh, l := m.links.Take()
			*l = link{target: x, next: o.inner, kind: linkInner}
			o.inner = lh.Slot() + 1
		}
	}
	m.fire(h, o)
	return nil
}

// fire tells all who wait for an object that it is ready, and lets it go if nobody holds it.
func (m *Machine) fire(h slab.Handle, o *object) {
	head := o.links
	o.links = 0
	failed := o.state == Failed
	for head != 0 {
		slot := head - 1
		l := *m.links.At(slot)
		m.links.Drop(m.links.HandleOf(slot))
		head = l.next
		switch l.kind {
		case linkTask:
			m.depReady(slab.Handle(l.target))
		case linkWaiter:
			m.waiterHit(l.target, failed)
		case linkWatch:
			m.watchHit(WorkerID(l.target), uint64(h))
		case linkAlarm:
			m.alarmHit(l.target)
		}
	}
	o.task = 0
	if o.refs == 0 {
		m.letGo(h)
	}
}

// hold adds a holder; false when the handle is stale.
func (m *Machine) hold(h uint64) bool {
	o, ok := m.objects.Get(slab.Handle(h))
	if ok {
		o.refs++
	}
	return ok
}

// unhold removes n holders; stale handles are ignored.
func (m *Machine) unhold(h uint64, n int64) {
	o, ok := m.objects.Get(slab.Handle(h))
	if !ok {
		return
	}
	if o.refs -= n; o.refs < 0 {
		o.refs = 0 // a process that counts wrongly must not bring down the others
	}
	if o.refs == 0 {
		m.letGo(slab.Handle(h))
	}
}

// letGo frees an object without holders once it is ready (a pending one goes when its task is done), and then what it
// contained, without recursion however deep they nest.
func (m *Machine) letGo(h slab.Handle) {
	if m.letting {
		m.dying = append(m.dying, h)
		return
	}
	m.letting = true
	m.letGoOne(h)
	for len(m.dying) > 0 {
		h := m.dying[len(m.dying)-1]
		m.dying = m.dying[:len(m.dying)-1]
		m.letGoOne(h)
	}
	m.letting = false
}

func (m *Machine) letGoOne(h slab.Handle) {
	o, ok := m.objects.Get(h)
	if !ok || o.refs > 0 {
		return
	}
	switch {
	case o.kind == anActor:
		m.actorUnheld(h) // comes back here, as no actor's object, when the process is gone
	case o.where == whereStream:
		m.streamUnheld(h, o)
	case o.where == whereScope:
		m.scopeUnheld(h, o)
	case o.task == 0 && o.lineage > 0:
		m.hollow(o)
	case o.task == 0:
		m.freeObject(h, o)
	default:
		m.endUnheld(o)
	}
}

// freeObject ends an object that nobody holds and no task makes.
func (m *Machine) freeObject(h slab.Handle, o *object) {
	if o.state == Failed {
		m.goneUnseen(h, o)
	}
	m.takeValue(o)
	if o.state == Unknown {
		m.lineage.empty--
	}
	m.takeGhost(h)
	for head := o.links; head != 0; { // waiters that gave up without telling; none in practice
		next := m.links.At(head - 1).next
		m.links.Drop(m.links.HandleOf(head - 1))
		head = next
	}
	maker := o.maker
	m.objects.Drop(h)
	m.resultGone(maker)
}

// takeValue frees an object's value and lets go what that contained.
func (m *Machine) takeValue(o *object) {
	switch {
	case o.state == Pending || o.state == Unknown: // granted and never filled, or taken already
	case o.where == wire.WhereInline:
		m.heap.Free(offheap.Ref(o.place), max(1, int(o.length)))
	case o.where == wire.WhereStore:
		m.ports.FreeExtent(o.place)
	}
	head := o.inner
	o.where, o.length, o.inner = 0, 0, 0
	for head != 0 {
		l := *m.links.At(head - 1)
		m.links.Drop(m.links.HandleOf(head - 1))
		head = l.next
		m.unhold(l.target, 1)
	}
}

// Look tells an object's state, and for a ready one its value. Inline bytes are valid while the object is held.
func (m *Machine) Look(h uint64) (State, wire.Value) {
	o, ok := m.objects.Get(slab.Handle(h))
	if !ok {
		return Unknown, wire.Value{}
	}
	if o.state == Pending || o.state == Unknown {
		return o.state, wire.Value{}
	}
	return o.state, m.valueOf(o)
}

func (m *Machine) valueOf(o *object) wire.Value {
	v := wire.Value{Where: uint32(o.where), Length: o.length, Offset: o.place}
	if o.where == wire.WhereInline {
		v.Bytes = m.heap.Bytes(offheap.Ref(o.place), int(o.length))
		v.Offset = 0
	}
	return v
}

// stateOf is Look without the value.
func (m *Machine) stateOf(h uint64) State {
	o, ok := m.objects.Get(slab.Handle(h))
	if !ok {
		return Unknown
	}
	return o.state
}
