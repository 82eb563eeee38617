package owner

import (
	"fmt"

	"thornback/core/offheap"
	"thornback/core/slab"
	"thornback/core/wire"
)

// ghost is the value of an object that was freed by hand. Views may show it, so its memory goes with the last holder.
type ghost struct {
	where  uint8
	place  uint64
	length uint64
}

// FreeByHand makes an object unusable: who asks for it gets an error. One that is not there yet is left alone.
func (m *Machine) FreeByHand(h uint64) error {
	o, ok := m.objects.Get(slab.Handle(h))
	switch {
	case !ok:
		return fmt.Errorf("%w: %x", ErrStale, h)
	case o.kind == anActor || o.state != Ready:
		return nil
	}
	blob := wire.SysErr(wire.ErrObjectFreed, map[string]string{"object": fmt.Sprintf("%016x", h)})
	r, b, err := m.heap.Alloc(len(blob))
	if err != nil {
		return err
	}
	copy(b, blob)
	m.ghosts[slab.Handle(h)] = ghost{o.where, o.place, o.length}
	o.state, o.where, o.place, o.length = Failed, wire.WhereInline, uint64(r), uint64(len(blob))
	return nil
}

// takeGhost gives back what was freed by hand, when its object goes.
func (m *Machine) takeGhost(h slab.Handle) {
	g, ok := m.ghosts[h]
	if !ok {
		return
	}
	delete(m.ghosts, h)
	if g.where == wire.WhereStore {
		m.ports.FreeExtent(g.place)
	} else {
		m.heap.Free(offheap.Ref(g.place), max(1, int(g.length)))
	}
}
