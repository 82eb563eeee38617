package arena

import "math"

// lookFor bounds the search of the bin whose blocks may or may not be large
// enough. Repeated sizes are found at once; longer looking would cost more than
// the space that it saves.
const lookFor = 4

// find returns either a warm block of at least n granules or the first block of a
// stretch of at least n granules, or two zeros when there is neither.
func (a *Arena) find(n uint32) (warmBlock, first blockID) {
	if id := a.findIn(&a.warm, n); id != 0 {
		return id, 0
	}
	if first := a.findIn(&a.stretches, n); first != 0 {
		return 0, first
	}
	if a.top != 0 && a.stretchSize(a.top) >= n {
		return 0, a.top
	}
	// All bins above that of n are empty. Used memory would come before memory
	// never handed out, but not at the price of this search while there is some.
	if id := a.scan(&a.warm, n, math.MaxInt); id != 0 {
		return id, 0
	}
	return 0, a.scan(&a.stretches, n, math.MaxInt)
}

// findIn returns a block of at least n granules in constant time. It may miss one
// that is in the bin of n itself.
func (a *Arena) findIn(s *bins, n uint32) blockID {
	if id := a.scan(s, n, lookFor); id != 0 {
		return id
	}
	return s.first(binAbove(n))
}

// scan looks at up to limit blocks of the bin of n for one that is large enough.
func (a *Arena) scan(s *bins, n uint32, limit int) blockID {
	for id := s.heads[binOf(n)]; id != 0 && limit > 0; limit-- {
		if a.sizeIn(s, id) >= n {
			return id
		}
		id = a.slab.at(id).link[s.kind].next
	}
	return 0
}

// sizeIn returns the size by which a block is binned in s.
func (a *Arena) sizeIn(s *bins, id blockID) uint32 {
	if s.kind == byWarmth {
		return a.slab.at(id).size
	}
	return a.stretchSize(id)
}

func (a *Arena) largestFree() uint32 {
	var largest uint32
	if a.top != 0 {
		largest = a.stretchSize(a.top)
	}
	for _, s := range []*bins{&a.warm, &a.stretches} {
		bin, ok := s.below(rows * slots)
		if !ok {
			continue
		}
		for id := s.heads[bin]; id != 0; id = a.slab.at(id).link[s.kind].next {
			largest = max(largest, a.sizeIn(s, id))
		}
	}
	return largest
}
