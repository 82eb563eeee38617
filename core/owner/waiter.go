package owner

import (
	"unsafe"

	"thornback/core/offheap"
	"thornback/core/slab"
	"thornback/core/wire"
)

// waiter is a thread of the driver or of a worker that waits for objects.
type waiter struct {
	id       uint64 // place in Machine.waiters, generation above
	handles  []uint64
	have     int
	need     int
	failFast bool
	block    offheap.Ref // driver: memory of its futex word
	word     *uint32
	worker   WorkerID // else: who asked, and as which request
	request  uint32
	kind     uint32 // wire.ReqGet or ReqWait
	task     uint64 // the task that waits
	blocked  bool   // its worker's CPU is lent
	done     bool
}

// wordBytes is the size of a block for a futex word: a cache line, since another thread spins on it.
const wordBytes = 64

// WaitBegin registers a thread of the driver that waits until need of the objects are ready, or, with failFast, one has
// failed. No word means that this is so already and nothing was registered; else Ports.Wake is called for the word, which
// lies outside the Go heap, when it comes true.
func (m *Machine) WaitBegin(handles []uint64, need int, failFast bool) (uint64, *uint32, error) {
	w := &waiter{handles: append([]uint64(nil), handles...), need: need, failFast: failFast, worker: Driver}
	for _, h := range handles {
		if m.stateOf(h) == Unknown {
			return 0, nil, ErrStale
		}
	}
	if !m.await(w) {
		return 0, nil, nil
	}
	r, b, err := m.heap.Alloc(wordBytes)
	if err != nil {
		m.forget(w)
		return 0, nil, err
	}
	w.block = r
	w.word = (*uint32)(unsafe.Pointer(&b[0]))
	*w.word = 0
	return w.id, w.word, nil
}

// WaitEnd forgets a waiter of the driver.
func (m *Machine) WaitEnd(id uint64) {
	if w := m.waiter(id); w != nil && w.worker == Driver {
		m.heap.Free(w.block, wordBytes)
		m.forget(w)
	}
}

// await counts what is ready and registers the waiter for the rest; false when it need not wait.
func (m *Machine) await(w *waiter) bool {
	for _, h := range w.handles {
		switch m.stateOf(h) {
		case Ready, Unknown: // one that is gone will not come
			w.have++
		case Failed:
			w.have++
			if w.failFast {
				w.have = w.need
			}
		}
	}
	if w.have >= w.need {
		return false
	}
	m.register(w)
	for _, h := range w.handles {
		o, ok := m.objects.Get(slab.Handle(h))
		if !ok || o.state != Pending {
			continue
		}
		lh, l := m.links.Take()
		*l = link{target: w.id, next: o.links, kind: linkWaiter}
		o.links = lh.Slot() + 1
	}
	return true
}

func (m *Machine) register(w *waiter) {
	if n := len(m.spare); n > 0 {
		w.id = uint64(m.spare[n-1])
		m.spare = m.spare[:n-1]
		m.waiters[w.id] = w
	} else {
		w.id = uint64(len(m.waiters))
		m.waiters = append(m.waiters, w)
	}
	w.id++ // so that 0 is no waiter
}

func (m *Machine) waiter(id uint64) *waiter {
	if id == 0 || id > uint64(len(m.waiters)) {
		return nil
	}
	return m.waiters[id-1]
}

// waiterHit tells a waiter that one of its objects is ready.
func (m *Machine) waiterHit(id uint64, failed bool) {
	w := m.waiter(id)
	if w == nil || w.done {
		return
	}
	w.have++
	if w.have < w.need && (!failed || !w.failFast) {
		return
	}
	w.done = true
	if w.worker == Driver {
		m.ports.Wake(w.word)
		return
	}
	m.answer(w)
	if ws := m.workers[w.worker]; ws != nil {
		delete(ws.waits, w.request)
	}
	m.forget(w)
}

// forget removes a waiter and its links, so that waiting again and again for a slow object leaves nothing behind.
func (m *Machine) forget(w *waiter) {
	for _, h := range w.handles {
		if o, ok := m.objects.Get(slab.Handle(h)); ok && o.state == Pending {
			m.unlink(o, w.id)
		}
	}
	if w.blocked {
		w.blocked = false
		m.unblock(w.worker, w.task)
	}
	m.waiters[w.id-1] = nil
	m.spare = append(m.spare, uint32(w.id-1))
}

func (m *Machine) unlink(o *object, id uint64) {
	p := &o.links
	for *p != 0 {
		slot := *p - 1
		l := m.links.At(slot)
		if l.kind == linkWaiter && l.target == id {
			*p = l.next
			m.links.Drop(m.links.HandleOf(slot))
			continue
		}
		p = &l.next
	}
}

// Ask is a worker's GET or WAIT request.
type Ask struct {
	Kind     uint32 // wire.ReqGet or ReqWait
	Request  uint32
	Task     uint64 // which task waits; 0: a thread outside any
	Handles  []uint64
	Need     int
	FailFast bool
	Now      bool // answer with what there is
}

// Ask answers a worker's request at once, or registers it; the worker's CPU is lent meanwhile.
func (m *Machine) Ask(id WorkerID, a Ask) {
	ws := m.workers[id]
	if ws == nil {
		return
	}
	w := &waiter{handles: a.Handles, need: a.Need, failFast: a.FailFast, worker: id, request: a.Request, kind: a.Kind, task: a.Task}
	if a.Kind == wire.ReqGet {
		for _, h := range a.Handles {
			if m.stateOf(h) == Unknown {
				m.ports.ReplyError(id, a.Request, wire.EBadHandle, "the object of a reference is gone")
				return
			}
		}
	}
	if _, twice := ws.waits[a.Request]; twice {
		m.ports.ReplyError(id, a.Request, wire.EInval, "request number in use")
		return
	}
	if a.Now {
		if a.Kind == wire.ReqGet && m.missing(a.Handles) {
			m.ports.ReplyError(id, a.Request, wire.ETimeout, "not ready")
			return
		}
		m.answer(w)
		return
	}
	if !m.await(w) {
		m.answer(w)
		return
	}
	ws.waits[a.Request] = w.id
	if a.Task != 0 {
		w.blocked = true
		m.block(id, ws, a.Task)
		m.takeBack(id, 0, 0)
	}
}

// Dropped says that a worker no longer waits for a request.
func (m *Machine) Dropped(id WorkerID, request uint32) {
	ws := m.workers[id]
	if ws == nil {
		return
	}
	if w := m.waiter(ws.waits[request]); w != nil {
		delete(ws.waits, request)
		m.forget(w)
	}
}

func (m *Machine) missing(handles []uint64) bool {
	for _, h := range handles {
		if m.stateOf(h) == Pending {
			return true
		}
	}
	return false
}

// answer sends the reply of a worker's request. Stored values are held for the worker from here on.
func (m *Machine) answer(w *waiter) {
	if w.kind == wire.ReqWait {
		ready := make([]byte, len(w.handles))
		for i, h := range w.handles {
			if m.stateOf(h) != Pending {
				ready[i] = 1
			}
		}
		m.ports.ReplyReady(w.worker, w.request, ready)
		return
	}
	if w.failFast {
		for i, h := range w.handles {
			if s, v := m.Look(h); s == Failed {
				m.ports.ReplyValues(w.worker, w.request, i, []wire.Value{v})
				return
			}
		}
	}
	values := make([]wire.Value, len(w.handles))
	for i, h := range w.handles {
		_, values[i] = m.Look(h)
		if values[i].Where == wire.WhereStore {
			m.holdFor(w.worker, h, 1)
		}
	}
	m.ports.ReplyValues(w.worker, w.request, 0, values)
}
