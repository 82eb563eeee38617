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
	begun    int64
	done     bool
	timed    bool   // it ends by itself
	began    uint64 // order in which waits began
	scope    *scope // when that is over, the wait ends; or nil
}

// endless reports whether a task waits here, and will not give up by itself.
func (w *waiter) endless() bool { return w.blocked && !w.timed && !w.done }

// wordBytes is the size of a block for a futex word: a cache line, since another thread spins on it.
const wordBytes = 64

// WaitBegin registers a thread of the driver that waits until need of the objects are ready, or, with failFast, one has
// failed. No word means that this is so already and nothing was registered; else Ports.Wake is called for the word, which
// lies outside the Go heap, when it comes true. scope is the one in whose block the thread is, or 0: when that is over, the
// wait ends, or never begins, with ErrScopeOver.
func (m *Machine) WaitBegin(handles []uint64, need int, failFast bool, scope uint64) (uint64, *uint32, error) {
	for _, h := range handles {
		if m.stateOf(h) == Unknown {
			return 0, nil, ErrStale
		}
	}
	w := m.newWaiter(handles)
	w.worker = Driver
	w.need, w.failFast = need, failFast
	if scope != 0 {
		w.scope = m.scopeOfWait(scope, 0, handles)
	}
	if !m.await(w) {
		m.rest(w)
		return 0, nil, nil
	}
	if w.scope != nil && w.scope.over {
		m.forget(w)
		m.rest(w)
		return 0, nil, ErrScopeOver
	}
	r, b, err := m.heap.Alloc(wordBytes)
	if err != nil {
		m.forget(w)
		m.rest(w)
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
		m.rest(w)
	}
}

// What is kept of waiters for the next ones: without it, each get would be work for the garbage collector.
const (
	restedMax        = 64
	restedHandlesMax = 1024
)

// newWaiter returns a waiter for copies of the handles.
func (m *Machine) newWaiter(handles []uint64) *waiter {
	n := len(m.rested)
	if n == 0 {
		return &waiter{handles: append([]uint64(nil), handles...)}
	}
	w := m.rested[n-1]
	m.rested = m.rested[:n-1]
	*w = waiter{handles: append(w.handles[:0], handles...)}
	return w
}

// rest keeps a waiter that nothing names any more.
func (m *Machine) rest(w *waiter) {
	if len(m.rested) < restedMax && cap(w.handles) <= restedHandlesMax {
		m.rested = append(m.rested, w)
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
	w.begun = m.now
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
	if w.scope != nil && m.stateOf(uint64(w.scope.alarm)) == Pending {
		o := m.objects.At(w.scope.alarm.Slot())
		lh, l := m.links.Take()
		*l = link{target: w.id, next: o.links, kind: linkAlarm}
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
	m.rest(w)
}

// forget removes a waiter and its links, so that waiting again and again for a slow object leaves nothing behind.
func (m *Machine) forget(w *waiter) {
	for _, h := range w.handles {
		if o, ok := m.objects.Get(slab.Handle(h)); ok && o.state == Pending {
			m.unlink(o, linkWaiter, w.id)
		}
	}
	if w.scope != nil && m.stateOf(uint64(w.scope.alarm)) == Pending {
		m.unlink(m.objects.At(w.scope.alarm.Slot()), linkAlarm, w.id)
	}
	if w.blocked {
		w.blocked = false
		if !w.timed {
			m.endless--
		}
		m.unblock(w.worker, w.task)
	}
	m.noteWait(w)
	m.waiters[w.id-1] = nil
	m.spare = append(m.spare, uint32(w.id-1))
}

func (m *Machine) unlink(o *object, kind linkKind, target uint64) {
	p := &o.links
	for *p != 0 {
		slot := *p - 1
		l := m.links.At(slot)
		if l.kind == kind && l.target == target {
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
	Timed    bool // the worker gives up after a while
}

// Ask answers a worker's request at once, or registers it; the worker's CPU is lent meanwhile.
func (m *Machine) Ask(id WorkerID, a Ask) {
	ws := m.workers[id]
	if ws == nil {
		return
	}
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
	if a.Now && a.Kind == wire.ReqGet && m.missing(a.Handles) {
		m.ports.ReplyError(id, a.Request, wire.ETimeout, "not ready")
		return
	}
	w := m.newWaiter(a.Handles)
	w.worker, w.request, w.kind, w.task = id, a.Request, a.Kind, a.Task
	w.need, w.failFast, w.timed = a.Need, a.FailFast, a.Timed
	if a.Now {
		m.answer(w)
		m.rest(w)
		return
	}
	if m.scopes.live > 0 && a.Task != 0 {
		w.scope = m.scopeOfWait(0, a.Task, a.Handles)
	}
	if !m.await(w) {
		m.answer(w)
		m.rest(w)
		return
	}
	if w.scope != nil && w.scope.over {
		m.replyOver(w)
		m.forget(w)
		m.rest(w)
		return
	}
	ws.waits[a.Request] = w.id
	if a.Task != 0 {
		w.blocked = true
		m.waited++
		w.began = m.waited
		if !w.timed {
			m.endless++
		}
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
		m.rest(w)
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
			if s := m.stateOf(h); s != Pending {
				ready[i] = 1
				if s == Failed {
					m.Saw(h)
				}
			}
		}
		m.ports.ReplyReady(w.worker, w.request, ready)
		return
	}
	if w.failFast {
		for i, h := range w.handles {
			if s, v := m.Look(h); s == Failed {
				m.Saw(h)
				m.ports.ReplyValues(w.worker, w.request, i, []wire.Value{v})
				return
			}
		}
	}
	m.values = m.values[:0]
	for _, h := range w.handles {
		s, v := m.Look(h)
		if s == Failed {
			m.Saw(h)
		}
		if v.Where == wire.WhereStore {
			m.holdFor(w.worker, h, 1)
		}
		m.values = append(m.values, v)
	}
	m.ports.ReplyValues(w.worker, w.request, 0, m.values)
	if cap(m.values) > valuesKept {
		m.values = nil
	}
}

// valuesKept is how many values of an answer there is kept room for.
const valuesKept = 4096
