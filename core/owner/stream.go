package owner

import (
	"fmt"

	"thornback/core/slab"
	"thornback/core/wire"
)

// whereStream, in an object that has no value, says that it is a stream: its holders are the consumers of a generator.
const whereStream = 3

// streamReturns is how many returns a generator has: its end, and the stream.
const streamReturns = 2

// endFields is what the mark of the end says, should a program see it.
var endFields = map[string]string{"message": "the generator has no more items"}

// stream is what a generator has yielded and nobody has taken. There is always one object at its end that is not there
// yet, so that waiting for the next item is waiting for an ordinary object; when the generator has ended, it is filled with
// the mark of the end. Each item is held once by the stream, and that hold goes to who takes it.
type stream struct {
	object  slab.Handle // the stream's own
	task    slab.Handle // the generator; 0 when it has ended
	kind    objectKind  // of its items
	items   fifo        // not taken yet; the last is what comes next, or the end
	made    uint64      // items yielded; what a later attempt yields below that is the same again
	taken   uint64
	window  uint32 // items that may be unread before the generator pauses; 0: no limit
	dropped bool   // nobody holds it any more; there is nothing in it
}

// newStream begins the stream of a generator. h is the object that stands for it; it is no return of the task's, since
// nothing fills it.
func (m *Machine) newStream(th slab.Handle, s *Submission) {
	h := &s.Rets[len(s.Rets)-1]
	var o *object
	if s.From == Driver {
		var oh slab.Handle
		oh, o = m.objects.Take()
		o.refs = 1
		*h = uint64(oh)
	} else {
		o = m.objects.At(slab.Handle(*h).Slot())
		m.usedGrant(s.From, o)
	}
	o.where = whereStream
	if s.Template.Type == wire.TaskMethod {
		o.kind = ofCall
	}
	st := &stream{object: slab.Handle(*h), task: th, kind: o.kind, window: s.Template.Window}
	m.extend(st)
	m.streams[st.object.Slot()] = st
	m.producing[th] = st
}

// extend adds the object that comes next.
func (m *Machine) extend(st *stream) {
	h, o := m.objects.Take()
	o.refs = 1
	o.task, o.kind = st.task.Slot()+1, st.kind
	m.SetSite(uint64(h), m.siteOf(st.object))
	st.items.push(h)
}

// last is the object that comes next, or the end.
func (st *stream) last() slab.Handle { return st.items.items[len(st.items.items)-1] }

// Yield takes an item of a generator. False when nobody wants it: what it brought is to be freed. A generator that leaves
// out an item is ended with its worker.
func (m *Machine) Yield(id WorkerID, task uint64, index uint64, v wire.Value, inner []uint64) bool {
	th := slab.Handle(task)
	t, ok := m.tasks.Get(th)
	if !ok || t.state != sent || t.worker != id {
		return false
	}
	st := m.producing[th]
	switch {
	case st == nil || index > st.made:
		m.ports.Kill(id)
		return false
	case index < st.made: // of an earlier attempt
		if index == 0 && st.dropped {
			m.unwanted(t, st)
		} else if index == 0 {
			m.tellRoom(st) // what was taken then counts in this one too
		}
		return false
	}
	st.made++
	if st.dropped {
		if st.made == 1 {
			m.unwanted(t, st)
		}
		return false
	}
	h := st.last()
	m.extend(st)
	if err := m.fill(h, v, inner); err != nil {
		m.fillError(h, wire.ErrOutOfMemory, map[string]string{"message": err.Error()})
	}
	return true
}

// streamOf finds a stream that id holds.
func (m *Machine) streamOf(id WorkerID, h uint64) (*stream, error) {
	st := m.streams[slab.Handle(h).Slot()]
	if st == nil || st.object != slab.Handle(h) {
		return nil, fmt.Errorf("%w: stream %x", ErrStale, h)
	}
	if id != Driver {
		if ws := m.workers[id]; ws == nil || ws.holds[h] == 0 {
			return nil, fmt.Errorf("%w: stream %x is not worker %d's", ErrStale, h, id)
		}
	}
	return st, nil
}

// Next hands over, into items, the first ones of a stream that are there; who takes them holds each once. When there is none, or
// none is asked for, next is the object that comes next, held once for the caller too: it becomes ready with the next item,
// or with the end. One item at a time is handed over where a generator's window counts them. ended says that none comes
// after these.
func (m *Machine) Next(id WorkerID, h uint64, items []uint64) (n int, next uint64, ended bool, err error) {
	st, err := m.streamOf(id, h)
	if err != nil {
		return 0, 0, false, err
	}
	if st.window > 0 && len(items) > 1 {
		items = items[:1]
	}
	for n < len(items) && st.items.len() > 1 {
		items[n] = uint64(st.items.pop())
		if id != Driver {
			m.workers[id].holds[items[n]]++ // the stream's hold is the worker's now
		}
		n++
	}
	if n > 0 {
		st.taken += uint64(n)
		m.tellRoom(st)
	} else {
		next = uint64(st.items.first())
		m.Refs(id, next, 1)
	}
	return n, next, st.task == 0 && st.items.len() == 1, nil
}

// tellRoom lets a generator with a window know how many items were taken.
func (m *Machine) tellRoom(st *stream) {
	if st.window == 0 || st.task == 0 {
		return
	}
	if t := m.tasks.At(st.task.Slot()); t.state == sent {
		m.ports.Room(t.worker, uint64(st.task), st.taken)
	}
}

// endStream says that a generator has ended. A blob is the error that takes the place of its next item.
func (m *Machine) endStream(th slab.Handle, blob []byte) {
	st := m.producing[th]
	if st == nil {
		return
	}
	delete(m.producing, th)
	if st.dropped {
		return
	}
	if blob != nil {
		m.fillBlob(st.last(), blob)
		m.extend(st)
	}
	st.task = 0
	m.fillError(st.last(), wire.ErrEndOfStream, endFields)
}

// raiseStream makes the error that a generator raised its last item. What its first return gets is that it has ended, and
// the error again only if it was cancelled, as Ray has it; then it reports true.
func (m *Machine) raiseStream(st *stream, o *Outcome, canceled bool) bool {
	v, inner := o.Values[0], []uint64(nil)
	if len(o.Inner) > 0 {
		inner = o.Inner[0]
	}
	if st.dropped {
		m.discard(o)
	} else {
		h := st.last()
		m.extend(st)
		if err := m.fillAs(Failed, h, m.objects.At(h.Slot()), v, inner); err != nil {
			m.fillError(h, wire.ErrOutOfMemory, map[string]string{"message": err.Error()})
		}
	}
	if canceled && v.Where == wire.WhereInline {
		return true
	}
	o.Values[0] = wire.Value{Where: wire.WhereInline, Length: 1, Bytes: []byte{wire.TagNone}}
	o.Inner = nil
	return false
}

// streamUnheld says that a stream has no consumer any more: what is in it goes.
func (m *Machine) streamUnheld(h slab.Handle, o *object) {
	st := m.streams[h.Slot()]
	delete(m.streams, h.Slot())
	o.where = 0
	m.freeObject(h, o)
	st.dropped, st.taken = true, wire.RoomStop-1
	for st.items.len() > 0 {
		h := st.items.pop()
		io := m.objects.At(h.Slot())
		if io.state == Pending { // whoever waits for it is told, rather than kept waiting
			m.fillError(h, wire.ErrEndOfStream, endFields)
		}
		m.unhold(uint64(h), 1)
	}
	if st.task != 0 {
		m.unwanted(m.tasks.At(st.task.Slot()), st)
	}
}

// unwanted stops a generator whose items nobody can take, and whose end nobody waits for. Not at once: objects are let go in
// the middle of everything.
func (m *Machine) unwanted(t *task, st *stream) {
	if m.isAwaited(t) {
		m.tellRoom(st) // it runs to its end, so nothing may keep it waiting
		return
	}
	m.forsaken = append(m.forsaken, st.task)
	m.moved = true
}

// isAwaited reports whether somebody holds the first return of a task.
func (m *Machine) isAwaited(t *task) bool {
	handles, _ := m.payloadOf(t)
	o, ok := m.objects.Get(slab.Handle(handleAt(handles, 0)))
	return ok && o.refs > 0
}

// stopForsaken ends the generators that unwanted has found: those that have not begun never do.
func (m *Machine) stopForsaken() {
	for len(m.forsaken) > 0 {
		th := m.forsaken[len(m.forsaken)-1]
		m.forsaken = m.forsaken[:len(m.forsaken)-1]
		st := m.producing[th]
		if st == nil || !st.dropped {
			continue
		}
		if t := m.tasks.At(th.Slot()); !m.isAwaited(t) && !m.withdraw(th, t) {
			m.ports.Room(t.worker, uint64(th), wire.RoomStop)
		}
	}
}

// endUnheld says that nobody waits for the end of a task any more, though it has not ended.
func (m *Machine) endUnheld(o *object) {
	t := m.tasks.At(o.task - 1)
	if !m.templates[t.template].Stream {
		return
	}
	if st := m.producing[m.tasks.HandleOf(o.task-1)]; st != nil && st.dropped {
		m.unwanted(t, st)
	}
}
