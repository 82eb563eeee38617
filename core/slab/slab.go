// Package slab keeps large numbers of small entries without giving the garbage collector work: entries live in chunks
// of pointer-free arrays and name each other by slot. A million queued tasks are a few hundred chunks to it.
//
// A slot is given out with a generation, together a Handle. Handles travel to other processes; a stale one is found out
// by its generation. Not safe for concurrent use: the owner of the Slab serialises.
package slab

import "unsafe"

// Handle names an entry: slot in the low 32 bits, generation in the high ones. 0 is never given out.
type Handle uint64

// Slot is the index part of a handle.
func (h Handle) Slot() uint32 { return uint32(h) }

const (
	chunkBits = 12
	chunkSize = 1 << chunkBits
	noSlot    = ^uint32(0)
)

// meta is what the slab itself knows of a slot. An even generation means free.
type meta struct {
	gen  uint32
	next uint32 // the next free slot, while free
}

// Memory gives out memory that stays for good, as offheap.Region does.
type Memory interface {
	Take(bytes int) ([]byte, error)
}

// Slab holds entries of type T, which must contain no pointers.
type Slab[T any] struct {
	mem     Memory // nil: the Go heap
	entries [][]T
	metas   [][]meta
	free    uint32 // head of the free list, last in first out: warm entries first
	live    int
}

// New returns an empty slab whose chunks come from mem, or from the Go heap when that is nil or has no more.
func New[T any](mem Memory) *Slab[T] { return &Slab[T]{mem: mem, free: noSlot} }

// Len returns the number of live entries.
func (s *Slab[T]) Len() int { return s.live }

// Cap returns the number of slots that exist.
func (s *Slab[T]) Cap() int { return len(s.entries) * chunkSize }

// Take gives out a zeroed entry. The pointer is valid until Drop.
func (s *Slab[T]) Take() (Handle, *T) {
	if s.free == noSlot {
		s.grow()
	}
	slot := s.free
	m := &s.metas[slot>>chunkBits][slot&(chunkSize-1)]
	s.free = m.next
	m.gen++ // odd: live
	s.live++
	e := &s.entries[slot>>chunkBits][slot&(chunkSize-1)]
	var zero T
	*e = zero
	return Handle(uint64(m.gen)<<32 | uint64(slot)), e
}

// Get finds the entry of a handle; false when it is stale, free or was never given out.
func (s *Slab[T]) Get(h Handle) (*T, bool) {
	slot := uint32(h)
	c := int(slot >> chunkBits)
	if c >= len(s.entries) {
		return nil, false
	}
	i := slot & (chunkSize - 1)
	gen := uint32(h >> 32)
	if gen&1 == 0 || s.metas[c][i].gen != gen {
		return nil, false
	}
	return &s.entries[c][i], true
}

// At returns the entry in a slot that the caller knows to be live.
func (s *Slab[T]) At(slot uint32) *T { return &s.entries[slot>>chunkBits][slot&(chunkSize-1)] }

// HandleOf returns the current handle of a live slot.
func (s *Slab[T]) HandleOf(slot uint32) Handle {
	return Handle(uint64(s.metas[slot>>chunkBits][slot&(chunkSize-1)].gen)<<32 | uint64(slot))
}

// Drop frees the entry; its handle is stale from now on. Panics when the handle is stale already, since that is a broken
// invariant of the caller, not input.
func (s *Slab[T]) Drop(h Handle) {
	if _, ok := s.Get(h); !ok {
		panic("slab: drop of a stale handle")
	}
	slot := uint32(h)
	m := &s.metas[slot>>chunkBits][slot&(chunkSize-1)]
	m.gen++ // even: free
	m.next = s.free
	s.free = slot
	s.live--
}

// Each calls f for every live entry until it returns false. f may drop the entry it is given, nothing else.
func (s *Slab[T]) Each(f func(Handle, *T) bool) {
	for c := range s.entries {
		for i := range s.entries[c] {
			gen := s.metas[c][i].gen
			if gen&1 == 0 {
				continue
			}
			if !f(Handle(uint64(gen)<<32|uint64(c<<chunkBits|i)), &s.entries[c][i]) {
				return
			}
		}
	}
}

// Page calls f for every live entry of the n-th part of the slab, some thousands at most, and reports whether there are
// parts behind it: for those who look at all entries, but not at once. f must not drop or take entries.
func (s *Slab[T]) Page(n int, f func(Handle, *T)) bool {
	if n >= len(s.entries) {
		return false
	}
	for i := range s.entries[n] {
		if gen := s.metas[n][i].gen; gen&1 == 1 {
			f(Handle(uint64(gen)<<32|uint64(n<<chunkBits|i)), &s.entries[n][i])
		}
	}
	return n+1 < len(s.entries)
}

// grow adds one chunk and puts its slots on the free list, lowest slot first out.
func (s *Slab[T]) grow() {
	base := uint32(len(s.entries)) << chunkBits
	metas := chunk[meta](s.mem)
	for i := range metas {
		metas[i].next = base + uint32(i) + 1
	}
	metas[chunkSize-1].next = s.free
	s.entries = append(s.entries, chunk[T](s.mem))
	s.metas = append(s.metas, metas)
	s.free = base
}

// chunk returns zeroed memory for a chunk of entries.
func chunk[T any](mem Memory) []T {
	if mem != nil {
		if b, err := mem.Take(chunkSize * int(unsafe.Sizeof(*new(T)))); err == nil {
			return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), chunkSize)
		}
	}
	return make([]T, chunkSize)
}
