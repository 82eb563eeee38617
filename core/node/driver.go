package node

import (
	"encoding/json"
	"sync/atomic"
	"unsafe"

	"thornback/core/owner"
	"thornback/core/wire"
)

// drainEvery: a driver that submits without pause reads the workers' output itself this often, counted in submissions, as
// long as tasks are queued.
const drainEvery = 16

// Submit submits for the driver; deadline is a time of CLOCK_MONOTONIC, or 0. It reports whether tasks are queued behind others.
func (n *Node) Submit(tid uint32, s *owner.Submission, deadline uint64) (flight bool, err error) {
	if !n.enter() {
		return false, ErrClosed
	}
	defer n.rescue()
	t, ok := n.m.Template(tid)
	if !ok {
		n.unlock()
		return false, owner.ErrStale
	}
	s.Template, s.From = t, owner.Driver
	if t.Lacks != "" {
		n.warnInfeasible(t)
	}
	if deadline != 0 {
		s.Deadline = max(1, n.clock(deadline))
	}
	now := n.now()
	n.m.At(now)
	if err = n.m.Submit(s); err == nil {
		n.submits++
		if n.submits%drainEvery == 0 && n.pending() {
			n.drain(now)
		}
		n.m.Schedule(now)
		flight = n.m.Ahead()
	}
	n.unlock()
	return flight, err
}

// Put makes an object for the driver. A stored value's extent came from Alloc.
func (n *Node) Put(v wire.Value, inner []uint64, site uint16) (uint64, error) {
	if !n.enter() {
		return 0, ErrClosed
	}
	defer n.rescue()
	defer n.unlock()
	if v.Where == wire.WhereStore {
		if _, mine := n.driverSpans[v.Offset]; !mine {
			return 0, owner.ErrStale
		}
		delete(n.driverSpans, v.Offset)
	}
	h, err := n.m.Put(v, inner)
	if err == nil {
		n.m.SetSite(h, site)
	}
	return h, err
}

// Alloc takes an extent for an object that the driver writes; its memory is reserved.
func (n *Node) Alloc(bytes uint64) (uint64, error) {
	if !n.enter() {
		return 0, ErrClosed
	}
	defer n.rescue()
	n.allocs++
	e, err := n.store.Alloc(bytes)
	if err != nil && n.drain(n.now()) { // something that was let go may still lie in the rings
		e, err = n.store.Alloc(bytes)
	}
	if err != nil {
		err = n.fullError(err)
		n.unlock()
		return 0, err
	}
	n.driverSpans[e.Offset] = struct{}{}
	n.unlock()
	if err := n.store.Reserve(e); err != nil {
		n.do(func() {
			delete(n.driverSpans, e.Offset)
			if cold := n.store.FreeCold(e.Offset); cold != nil {
				panic("node: " + cold.Error())
			}
		})
		return 0, err
	}
	return e.Offset, nil
}

// Abort gives back an extent from Alloc that will not be put.
func (n *Node) Abort(offset uint64) error {
	err := owner.ErrStale
	n.do(func() {
		if _, mine := n.driverSpans[offset]; mine {
			delete(n.driverSpans, offset)
			n.FreeExtent(offset)
			err = nil
		}
	})
	return err
}

// Delta is a change of how often the driver holds an object.
type Delta struct {
	Handle uint64
	Delta  int64
}

// Refs applies changes of the driver's references.
func (n *Node) Refs(deltas []Delta) {
	if !n.enter() {
		return
	}
	defer n.rescue()
	defer n.unlock()
	n.applyDeltas(owner.Driver, deltas)
	if n.m.Moved() {
		n.m.Schedule(n.now())
	}
}

// Placed is a value as the border tells it: xr_value, with the address of inline bytes in Offset.
type Placed struct {
	Where, Refs    uint32
	Length, Offset uint64
}

// Look tells the states of objects, in order until most ready ones are found, and, if values is not nil, where the ready ones lie. It returns how many are ready.
// Addresses are valid as long as the caller holds the object.
func (n *Node) Look(handles []uint64, most int, states []byte, values []Placed) (int, error) {
	if !n.enter() {
		return 0, ErrClosed
	}
	defer n.rescue()
	defer n.unlock()
	ready := 0
	for i, h := range handles {
		if ready == most {
			clear(states[i:])
			break
		}
		s, v := n.m.Look(h)
		states[i] = byte(s)
		if s != owner.Pending {
			ready++
		}
		if s == owner.Failed {
			n.m.Saw(h)
		}
		if values == nil {
			continue
		}
		values[i] = Placed{v.Where, 0, v.Length, v.Offset}
		if v.Where == wire.WhereInline {
			values[i].Offset = uint64(uintptr(unsafe.Pointer(unsafe.SliceData(v.Bytes))))
		}
	}
	return ready, nil
}

// WaitBegin registers a waiting thread; see capi/thornback.h. The word stays valid until WaitEnd.
func (n *Node) WaitBegin(handles []uint64, need int, failFast bool, scope uint64) (uint64, *uint32, error) {
	if !n.enter() {
		return 0, nil, ErrClosed
	}
	defer n.rescue()
	defer n.unlock()
	n.m.At(n.now())
	return n.m.WaitBegin(handles, need, failFast, scope)
}

// WaitEnd forgets a waiting thread.
func (n *Node) WaitEnd(id uint64) {
	n.do(func() { n.m.WaitEnd(id) })
}

// Define registers a function, class or method.
func (n *Node) Define(kind uint32, name string, blob []byte, digest [16]byte) (uint32, error) {
	if !n.enter() {
		return 0, ErrClosed
	}
	defer n.rescue()
	defer n.unlock()
	return n.define(kind, name, blob, digest)
}

// Template registers options.
func (n *Node) Template(text []byte) (uint32, error) {
	if !n.enter() {
		return 0, ErrClosed
	}
	defer n.rescue()
	defer n.unlock()
	return n.template(text)
}

// Control runs an operation of the control table, or a query.
func (n *Node) Control(op string, request []byte) (answer []byte, code int32, err error) {
	if q, ok := queries[op]; ok { // a panic goes on to the border's guard
		return n.marshal(func(_ string, r json.RawMessage) (any, error) { return q(n, r) }, op, request)
	}
	if op == opMetrics {
		return n.marshal(func(_ string, r json.RawMessage) (any, error) { return n.report(nil, r) }, op, request)
	}
	if !n.enter() {
		return nil, wire.EClosed, ErrClosed
	}
	defer n.rescue()
	if op == opCancel {
		n.settle()
	}
	answer, code, err = n.control(op, request)
	n.m.Schedule(n.now())
	n.unlock()
	return answer, code, err
}

// atomicWord gives atomic access to a waiter's word.
func atomicWord(w *uint32) *atomic.Uint32 { return (*atomic.Uint32)(unsafe.Pointer(w)) }
