package arena

import (
	"fmt"
	"iter"
)

// FreeExtents goes through the free extents that have memory behind them and are
// at least minBytes long, roughly the longest first. The loop may call Released
// on the extent that it was just given; any other change ends in nonsense.
//
// An owner that doesn't want to hold its lock while the system takes the memory
// uses Take and FreeCold instead.
func (a *Arena) FreeExtents(minBytes uint64) iter.Seq[Extent] {
	return func(yield func(Extent) bool) {
		for bin, ok := a.warm.below(rows * slots); ok; bin, ok = a.warm.below(bin) {
			var next blockID
			for id := a.warm.heads[bin]; id != 0; id = next {
				next = a.slab.at(id).link[byWarmth].next // Released may take id away
				if e := a.extent(id); e.Length >= minBytes && !yield(e) {
					return
				}
			}
			if bin > 0 && bytes(maxInBin(bin-1)) < minBytes {
				return
			}
		}
	}
}

// Take hands out a whole free extent that has memory behind it and is at least
// minBytes long, one of the longest, so that nobody gets it while the caller
// gives its memory back to the system. FreeCold ends that. It reports false when
// there is none.
func (a *Arena) Take(minBytes uint64) (Extent, bool) {
	for e := range a.FreeExtents(minBytes) {
		off, size := uint32(e.Offset/Granularity), uint32(e.Length/Granularity)
		a.cutWarm(a.index.get(off), off, size)
		return a.handOut(off, size, 0), true
	}
	return Extent{}, false
}

// Released records that the memory behind a free range was given back to the
// system: it counts as fresh from now on. Parts of it that were cold stay so.
// Offset and length are multiples of Granularity. When a part of the range is
// allocated the error is ErrNotFree and nothing has changed.
func (a *Arena) Released(offset, length uint64) error {
	if offset%Granularity != 0 || length%Granularity != 0 || length == 0 ||
		offset >= bytes(a.granules) || length > bytes(a.granules)-offset {
		return fmt.Errorf("%w: %d bytes at %d", ErrNotFree, length, offset)
	}
	start, end := uint32(offset/Granularity), uint32((offset+length)/Granularity)
	begin := a.index.covering(start)
	for id := begin; id != 0 && a.slab.at(id).off < end; id = a.slab.at(id).next {
		if b := a.slab.at(id); !b.state.free() {
			return fmt.Errorf("%w: %d bytes at %d: %d bytes at %d are allocated",
				ErrNotFree, length, offset, bytes(b.size), bytes(b.off))
		}
	}
	for id := begin; id != 0 && a.slab.at(id).off < end; id = a.slab.at(id).next {
		if b := a.slab.at(id); b.state == warm {
			from, to := max(start, b.off), min(end, b.end())
			id = a.makeFree(a.cutWarm(id, from, to-from), cold)
		}
	}
	return nil
}
