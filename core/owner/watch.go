package owner

import (
	"unsafe"

	"thornback/core/offheap"
	"thornback/core/slab"
	"thornback/core/wire"
)

// watches are what the driver wants to be told of without a thread that waits for each.
type watches struct {
	ready []uint64    // objects that became ready and were not taken yet
	block offheap.Ref // memory of word, when word is not nil
	word  *uint32     // of the thread that takes them
	armed bool        // it is to be woken when there are some
}

// Watch has a process told, once, when an object is ready; at once when it is, or when there is none. A process that watches
// one twice before that is told once: false says that it does already.
func (m *Machine) Watch(id WorkerID, h uint64) bool {
	o, ok := m.objects.Get(slab.Handle(h))
	if !ok || o.state != Pending {
		m.watchHit(id, h)
		return true
	}
	for at := o.links; at != 0; {
		l := m.links.At(at - 1)
		if l.kind == linkWatch && l.target == uint64(id) {
			return false
		}
		at = l.next
	}
	lh, l := m.links.Take()
	*l = link{target: uint64(id), next: o.links, kind: linkWatch}
	o.links = lh.Slot() + 1
	return true
}

func (m *Machine) watchHit(id WorkerID, h uint64) {
	if id != Driver {
		if m.workers[id] != nil { // a process may have taken the number of one that is gone; it ignores what it does not watch
			m.ports.ReadyRef(id, h)
		}
		return
	}
	w := &m.watches
	w.ready = append(w.ready, h)
	if w.armed {
		w.armed = false
		m.ports.Wake(w.word)
	}
}

// Watched takes objects that the driver watches and that are ready, as many as there is room for. When there are none, it
// gives the word that Ports.Wake is called for when there are: one thread waits for it at a time, until it calls again.
func (m *Machine) Watched(into []uint64) (int, *uint32, error) {
	w := &m.watches
	n, seen := 0, 0
	for ; n < len(into) && seen < len(w.ready); seen++ {
		if h := w.ready[seen]; m.stateOf(h) == Pending { // lost meanwhile, and made again
			m.Watch(Driver, h)
		} else {
			into[n] = h
			n++
		}
	}
	w.ready = append(w.ready[:0], w.ready[seen:]...)
	w.armed = n == 0
	if n > 0 {
		return n, nil, nil
	}
	if w.word == nil {
		r, b, err := m.heap.Alloc(wordBytes)
		if err != nil {
			w.armed = false
			return 0, nil, err
		}
		w.block, w.word = r, (*uint32)(unsafe.Pointer(&b[0]))
	}
	*w.word = 0
	return 0, w.word, nil
}

// ValueFor gives a process the value of a ready object, which it holds from now on when it is a stored one. The zero Value
// means that there is no such object. Inline bytes are valid until the next call.
func (m *Machine) ValueFor(id WorkerID, h uint64) wire.Value {
	s, v := m.Look(h)
	if s != Ready && s != Failed {
		return wire.Value{}
	}
	if v.Where == wire.WhereStore {
		m.holdFor(id, h, 1)
	}
	return v
}
