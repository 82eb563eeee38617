package arena

import "fmt"

const (
	// Granularity is the unit of offsets and lengths in bytes: one page.
	Granularity = 4096
	// MaxCapacity is the largest arena in bytes: 1 TiB.
	MaxCapacity = Granularity << maxGranulesBits

	maxGranulesBits = 28
)

// Extent is a part of the arena, in bytes.
type Extent struct {
	Offset uint64
	Length uint64 // a multiple of Granularity
	// Fresh is the length of the tail that may have no memory behind it; all
	// before the tail has. Always 0 in what FreeExtents and Take report.
	Fresh uint64
}

// Stats are the figures of an arena, in bytes unless they say otherwise.
type Stats struct {
	Capacity    uint64 // what New was given, rounded down to whole granules
	Used        uint64 // in allocated extents
	Free        uint64 // Capacity - Used
	LargestFree uint64 // the longest extent that Alloc can hand out now
	Touched     uint64 // used or warm: what the system has given memory for, at most
	Allocations uint64 // number of allocated extents
}

// Arena is the map of one arena. See the package comment.
type Arena struct {
	slab      slab
	index     index
	warm      bins
	stretches bins

	// top is the first block of the stretch that ends in memory never handed
	// out, 0 when all was. It is in no bin, so that it is the last choice.
	top blockID

	// hot is the extent freed last, while it is still free: Alloc of the same
	// size gets it back even if it was merged into a larger block.
	hot struct {
		id        blockID
		off, size uint32
	}

	granules    uint32 // capacity
	usedSize    uint32 // granules in used blocks
	coldSize    uint32 // granules in cold blocks
	allocations uint32
}

// New returns the map of an empty arena. The capacity, in bytes, is rounded down
// to whole granules. It panics unless Granularity <= capacity <= MaxCapacity;
// whoever takes a capacity from a user checks it first.
func New(capacity uint64) *Arena {
	if capacity < Granularity || capacity > MaxCapacity {
		panic(fmt.Sprintf("arena: capacity %d is not in %d..%d", capacity, Granularity, uint64(MaxCapacity)))
	}
	a := &Arena{granules: uint32(capacity / Granularity)}
	a.warm.kind, a.stretches.kind = byWarmth, byStretch
	a.coldSize = a.granules
	id := a.slab.take()
	*a.slab.at(id) = block{size: a.granules, state: cold}
	a.index.set(0, id)
	a.enter(id, id)
	return a
}

// Alloc hands out an extent of at least n bytes; 0 counts as 1, so that every
// extent has an offset of its own. It prefers memory in this order: the extent
// freed last if it has the same length, warm memory that fits well, memory given
// back before, memory never handed out. When there is none, the error is a
// *FullError, which is ErrFull.
//
// When the caller can't get memory for the Fresh tail it undoes Alloc with
// FreeCold.
func (a *Arena) Alloc(n uint64) (Extent, error) {
	if n > bytes(a.granules) {
		return Extent{}, a.full(n)
	}
	want := max(uint32((n+Granularity-1)/Granularity), 1)
	if a.hot.size == want && a.hot.id != 0 {
		id, off := a.hot.id, a.hot.off
		a.cutWarm(id, off, want)
		return a.handOut(off, want, 0), nil
	}
	id, first := a.find(want)
	switch {
	case id != 0:
		off := a.slab.at(id).off
		a.cutWarm(id, off, want)
		return a.handOut(off, want, 0), nil
	case first != 0:
		off := a.slab.at(first).off
		return a.handOut(off, want, a.cutStretch(first, want)), nil
	}
	return Extent{}, a.full(n)
}

// Free takes an extent back by the offset that Alloc gave. Its memory stays warm.
// Any other offset, also one freed before, gives ErrNotAllocated and changes
// nothing.
func (a *Arena) Free(offset uint64) error {
	id, err := a.lookup(offset)
	if err != nil {
		return err
	}
	off, size := a.slab.at(id).off, a.slab.at(id).size
	a.takeBack(size)
	a.hot.id = a.makeFree(id, warm)
	a.hot.off, a.hot.size = off, size
	return nil
}

// FreeCold is Free for an extent whose memory was given back to the system, or
// never was reserved: all of it counts as fresh when it is handed out again.
func (a *Arena) FreeCold(offset uint64) error {
	id, err := a.lookup(offset)
	if err != nil {
		return err
	}
	a.takeBack(a.slab.at(id).size)
	a.makeFree(id, cold)
	return nil
}

// Lookup returns the allocated extent that starts at the offset. Fresh is 0.
func (a *Arena) Lookup(offset uint64) (Extent, error) {
	id, err := a.lookup(offset)
	if err != nil {
		return Extent{}, err
	}
	return a.extent(id), nil
}

// Stats returns the figures of the arena. It searches two bins for the largest
// free extent, so it is for reports, not for every allocation.
func (a *Arena) Stats() Stats {
	return Stats{
		Capacity:    bytes(a.granules),
		Used:        bytes(a.usedSize),
		Free:        bytes(a.granules - a.usedSize),
		LargestFree: bytes(a.largestFree()),
		Touched:     bytes(a.granules - a.coldSize),
		Allocations: uint64(a.allocations),
	}
}

func (a *Arena) lookup(offset uint64) (blockID, error) {
	if offset%Granularity == 0 && offset < bytes(a.granules) {
		if id := a.index.get(uint32(offset / Granularity)); id != 0 && a.slab.at(id).state == used {
			return id, nil
		}
	}
	return 0, fmt.Errorf("%w: %d", ErrNotAllocated, offset)
}

func (a *Arena) handOut(off, size, fresh uint32) Extent {
	a.usedSize += size
	a.allocations++
	return Extent{Offset: bytes(off), Length: bytes(size), Fresh: bytes(fresh)}
}

func (a *Arena) takeBack(size uint32) {
	a.usedSize -= size
	a.allocations--
}

func (a *Arena) extent(id blockID) Extent {
	b := a.slab.at(id)
	return Extent{Offset: bytes(b.off), Length: bytes(b.size)}
}

func (a *Arena) full(n uint64) error {
	return &FullError{Wanted: n, Free: bytes(a.granules - a.usedSize), Largest: bytes(a.largestFree())}
}

func bytes(granules uint32) uint64 { return uint64(granules) * Granularity }
