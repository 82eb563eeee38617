package arena

import (
	"errors"
	"fmt"
	"sort"
)

// model is what a user of the arena relies on, kept page by page.
type model struct {
	arena  *Arena
	owner  []uint64 // per granule: offset+1 of the extent that it is in, 0 when free
	backed []bool   // per granule: memory is certainly behind it
	live   map[uint64]uint64
}

func newModel(granules uint64) *model {
	return &model{
		arena:  New(granules * Granularity),
		owner:  make([]uint64, granules),
		backed: make([]bool, granules),
		live:   map[uint64]uint64{},
	}
}

func (m *model) alloc(n uint64) error {
	before := m.arena.Stats()
	e, err := m.arena.Alloc(n)
	if err != nil {
		var full *FullError
		if !errors.As(err, &full) || !errors.Is(err, ErrFull) {
			return fmt.Errorf("alloc %d: %w", n, err)
		}
		if longest := m.longestFree() * Granularity; max(n, 1) <= longest || full.Largest != longest || full.Free != before.Free {
			return fmt.Errorf("alloc %d refused with %v, longest free extent is %d", n, full, longest)
		}
		return m.check()
	}
	if e.Length < max(n, 1) || e.Length >= max(n, 1)+Granularity || e.Fresh > e.Length || e.Offset%Granularity != 0 {
		return fmt.Errorf("alloc %d gave %+v", n, e)
	}
	for p := e.Offset / Granularity; p < (e.Offset+e.Length)/Granularity; p++ {
		if m.owner[p] != 0 {
			return fmt.Errorf("alloc %d gave %+v, but %d belongs to %d", n, e, p, m.owner[p]-1)
		}
		if !m.backed[p] && p*Granularity < e.Offset+e.Length-e.Fresh {
			return fmt.Errorf("alloc %d gave %+v, but %d has no memory", n, e, p)
		}
		m.owner[p], m.backed[p] = e.Offset+1, true
	}
	m.live[e.Offset] = e.Length
	return m.check()
}

func (m *model) free(offset uint64, asCold bool) error {
	length, known := m.live[offset]
	do := m.arena.Free
	if asCold {
		do = m.arena.FreeCold
	}
	err := do(offset)
	if known != (err == nil) || err != nil && !errors.Is(err, ErrNotAllocated) {
		return fmt.Errorf("free %d, allocated %t: %v", offset, known, err)
	}
	if known {
		delete(m.live, offset)
		for p := offset / Granularity; p < (offset+length)/Granularity; p++ {
			m.owner[p] = 0
			m.backed[p] = m.backed[p] && !asCold
		}
	}
	return m.check()
}

func (m *model) released(offset, length uint64) error {
	err := m.arena.Released(offset, length)
	ok := offset%Granularity == 0 && length%Granularity == 0 && length > 0 &&
		offset < m.capacity() && length <= m.capacity()-offset
	for p := offset / Granularity; ok && p < (offset+length)/Granularity; p++ {
		ok = m.owner[p] == 0
	}
	if ok != (err == nil) || err != nil && !errors.Is(err, ErrNotFree) {
		return fmt.Errorf("released %d+%d, free %t: %v", offset, length, ok, err)
	}
	for p := offset / Granularity; ok && p < (offset+length)/Granularity; p++ {
		m.backed[p] = false
	}
	return m.check()
}

// takeAndGiveBack is what an owner does that gives memory back to the system.
func (m *model) takeAndGiveBack(minBytes uint64) error {
	e, ok := m.arena.Take(minBytes)
	if !ok {
		for e := range m.arena.FreeExtents(minBytes) {
			return fmt.Errorf("take %d found nothing beside %+v", minBytes, e)
		}
		return nil
	}
	if e.Length < minBytes {
		return fmt.Errorf("take %d gave %+v", minBytes, e)
	}
	for p := e.Offset / Granularity; p < (e.Offset+e.Length)/Granularity; p++ {
		if m.owner[p] != 0 || !m.backed[p] {
			return fmt.Errorf("take %d gave %+v, but %d is owned by %d, backed %t", minBytes, e, p, m.owner[p], m.backed[p])
		}
		m.owner[p] = e.Offset + 1
	}
	m.live[e.Offset] = e.Length
	return m.free(e.Offset, true)
}

func (m *model) releaseAll(minBytes uint64) error {
	for e := range m.arena.FreeExtents(minBytes) {
		if e.Length < minBytes {
			return fmt.Errorf("free extent %+v is under %d", e, minBytes)
		}
		if err := m.released(e.Offset, e.Length); err != nil {
			return err
		}
	}
	for e := range m.arena.FreeExtents(minBytes) {
		return fmt.Errorf("free extent %+v was not released", e)
	}
	return nil
}

func (m *model) capacity() uint64 { return uint64(len(m.owner)) * Granularity }

// offsets returns the allocated offsets in order, so that a choice replays.
func (m *model) offsets() []uint64 {
	all := make([]uint64, 0, len(m.live))
	for off := range m.live {
		all = append(all, off)
	}
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	return all
}

func (m *model) longestFree() uint64 {
	var longest, run uint64
	for _, owner := range m.owner {
		if run++; owner != 0 {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest
}

func (m *model) check() error {
	if err := m.arena.Check(); err != nil {
		return err
	}
	want := Stats{Capacity: m.capacity(), LargestFree: m.longestFree() * Granularity, Allocations: uint64(len(m.live))}
	for p := range m.owner {
		if m.owner[p] != 0 {
			want.Used += Granularity
		}
		if m.backed[p] {
			want.Touched += Granularity
		}
	}
	want.Free = want.Capacity - want.Used
	if got := m.arena.Stats(); got != want {
		return fmt.Errorf("stats are %+v, should be %+v", got, want)
	}
	return nil
}

// end frees everything: one extent as long as the arena must be left.
func (m *model) end() error {
	for _, off := range m.offsets() {
		if err := m.free(off, false); err != nil {
			return err
		}
	}
	e, err := m.arena.Alloc(m.capacity())
	if err != nil || e.Offset != 0 || e.Length != m.capacity() {
		return fmt.Errorf("after all was freed: %+v, %v", e, err)
	}
	return nil
}
