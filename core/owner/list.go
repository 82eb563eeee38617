package owner

import (
	"maps"
	"slices"

	"thornback/core/slab"
	"thornback/core/wire"
)

// buriedMax is how many dead actors that nobody holds are remembered.
const buriedMax = 1000

// ActorRow is an actor as it is listed.
type ActorRow struct {
	ActorInfo
	Handle   uint64
	Template *Template
	Dead     bool
}

// ActorRow describes one actor.
func (m *Machine) ActorRow(h uint64) (ActorRow, error) {
	info, err := m.ActorInfo(h)
	if err != nil {
		return ActorRow{}, err
	}
	a := m.actors[slab.Handle(h).Slot()]
	return ActorRow{ActorInfo: info, Handle: uint64(a.object), Template: a.template, Dead: a.state >= ending}, nil
}

func (m *Machine) actorRow(a *actor) ActorRow {
	r, err := m.ActorRow(uint64(a.object))
	if err != nil {
		panic("owner: an actor without its object: " + err.Error())
	}
	return r
}

// bury remembers an actor that is to be forgotten.
func (m *Machine) bury(a *actor) {
	if len(m.buried) >= buriedMax {
		m.buried = slices.Delete(m.buried, 0, len(m.buried)-buriedMax+1)
	}
	m.buried = append(m.buried, m.actorRow(a))
}

// Actors returns all actors, those that are dead and forgotten by all first.
func (m *Machine) Actors() []ActorRow {
	rows := slices.Clone(m.buried)
	for _, slot := range slices.Sorted(maps.Keys(m.actors)) {
		rows = append(rows, m.actorRow(m.actors[slot]))
	}
	return rows
}

// Uses counts what objects are held for besides processes' references.
type Uses struct {
	ByTasks   map[uint64]int64 // arguments, and actors whose methods are called
	ByObjects map[uint64]int64 // inside other objects
}

// usesMax bounds the memory for Uses: what is beyond counts as the driver's.
const usesMax = 1 << 20

// TaskUses adds what the tasks in the n-th part of all have as or inside arguments; true when there are parts behind it.
func (m *Machine) TaskUses(n int, u *Uses) bool {
	return m.tasks.Page(n, func(_ slab.Handle, t *task) {
		handles, _ := m.payloadOf(t)
		for i := range t.deps + t.holds {
			count(u.ByTasks, handleAt(handles, t.returns+i))
		}
		if t.actor != 0 && m.templates[t.template].Type == wire.TaskMethod {
			count(u.ByTasks, uint64(m.objects.HandleOf(t.actor-1)))
		}
	})
}

// ObjectUses adds what the objects in the n-th part of all contain; true when there are parts behind it.
func (m *Machine) ObjectUses(n int, u *Uses) bool {
	return m.objects.Page(n, func(_ slab.Handle, o *object) {
		for head := o.inner; head != 0; {
			l := m.links.At(head - 1)
			count(u.ByObjects, l.target)
			head = l.next
		}
	})
}

func count(uses map[uint64]int64, h uint64) {
	if _, ok := uses[h]; ok || len(uses) < usesMax {
		uses[h]++
	}
}

// ObjectRow is an object as it is listed.
type ObjectRow struct {
	Handle  uint64
	Bytes   int64 // -1: not there yet
	Stored  bool  // in the object store
	Actor   bool  // an actor's handle
	Refs    int64
	Site    uint16
	Making  string // state of the task that makes it; "" when none does
	Attempt int
	Workers []Hold // processes that hold it, but for the driver
}

// Hold is how often a worker holds an object.
type Hold struct {
	Serial uint32
	Count  int64
}

// ObjectPage calls f for the objects in the n-th part of all; true when there are parts behind it.
func (m *Machine) ObjectPage(n int, f func(*ObjectRow)) bool {
	var row ObjectRow
	ids := slices.Sorted(maps.Keys(m.workers))
	return m.objects.Page(n, func(h slab.Handle, o *object) {
		if o.granted {
			return
		}
		row = ObjectRow{
			Handle: uint64(h), Bytes: int64(o.length), Stored: o.where == wire.WhereStore, Actor: o.kind == anActor, Refs: o.refs,
			Workers: row.Workers[:0], Site: m.siteOf(h),
		}
		if o.state == Pending {
			row.Bytes = -1
		}
		if o.task != 0 {
			t := m.tasks.At(o.task - 1)
			row.Making, row.Attempt = m.stateName(t), int(t.attempt)
		}
		for _, id := range ids {
			if c := m.workers[id].holds[uint64(h)]; c > 0 {
				row.Workers = append(row.Workers, Hold{m.serialOf(id), c})
			}
		}
		f(&row)
	})
}
