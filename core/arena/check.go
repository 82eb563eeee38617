package arena

import "fmt"

// Check derives every invariant again from the blocks alone and reports the first
// that does not hold. It is for tests: it looks at every block.
func (a *Arena) Check() error {
	tally := tally{starts: map[blockID]bool{}}
	if err := a.checkBlocks(&tally); err != nil {
		return err
	}
	if tally.usedSize != a.usedSize || tally.coldSize != a.coldSize || tally.used != a.allocations {
		return fmt.Errorf("arena: check: blocks say used %d, cold %d, allocations %d; accounts say %d, %d, %d",
			tally.usedSize, tally.coldSize, tally.used, a.usedSize, a.coldSize, a.allocations)
	}
	if err := a.checkIndex(tally.blocks); err != nil {
		return err
	}
	if err := a.checkStretches(&tally); err != nil {
		return err
	}
	for _, s := range []*bins{&a.warm, &a.stretches} {
		if err := a.checkBins(s, &tally); err != nil {
			return err
		}
	}
	return a.checkHot()
}

// tally is what checkBlocks and checkStretches count.
type tally struct {
	blocks, used, usedSize, coldSize uint32
	binned                           [listKinds]uint32
	starts                           map[blockID]bool // first blocks of stretches
}

func (a *Arena) checkBlocks(t *tally) error {
	var at uint32
	var prev blockID
	for id := a.index.get(0); id != 0; prev, id = id, a.slab.at(id).next {
		b := a.slab.at(id)
		switch {
		case b.off != at || b.size == 0 || b.prev != prev:
			return fmt.Errorf("arena: check: block %d at %d+%d prev %d, but %d ends at %d", id, b.off, b.size, b.prev, prev, at)
		case a.index.get(b.off) != id:
			return fmt.Errorf("arena: check: index has %d at %d, block is %d", a.index.get(b.off), b.off, id)
		case prev != 0 && b.state.free() && a.slab.at(prev).state == b.state:
			return fmt.Errorf("arena: check: %s neighbours at %d not merged", b.state, b.off)
		}
		switch b.state {
		case used:
			t.used++
			t.usedSize += b.size
		case warm:
			t.binned[byWarmth]++
		case cold:
			t.coldSize += b.size
		default:
			return fmt.Errorf("arena: check: block %d at %d is %s", id, b.off, b.state)
		}
		t.blocks++
		at = b.end()
	}
	if at != a.granules {
		return fmt.Errorf("arena: check: blocks end at %d of %d", at, a.granules)
	}
	return nil
}

// checkIndex requires that all blocks were found in the index.
func (a *Arena) checkIndex(blocks uint32) error {
	var entries uint32
	for _, chunk := range a.index.chunks {
		if chunk == nil {
			continue
		}
		for _, id := range chunk {
			if id != 0 {
				entries++
			}
		}
	}
	if entries != blocks {
		return fmt.Errorf("arena: check: %d blocks, %d index entries", blocks, entries)
	}
	var spare uint32
	for id := a.slab.spare; id != 0; id = a.slab.at(id).next {
		spare++
	}
	if blocks+spare+1 != a.slab.made {
		return fmt.Errorf("arena: check: %d blocks and %d spare of %d records", blocks, spare, a.slab.made-1)
	}
	return nil
}

func (a *Arena) checkStretches(t *tally) error {
	var top blockID
	for id := a.index.get(0); id != 0; id = a.slab.at(id).next {
		if !a.free(id) {
			continue
		}
		first := id
		for a.free(a.slab.at(id).next) {
			id = a.slab.at(id).next
		}
		f, l := a.slab.at(first), a.slab.at(id)
		if f.mate != id || l.mate != first {
			return fmt.Errorf("arena: check: stretch %d..%d has mates %d, %d", first, id, f.mate, l.mate)
		}
		switch {
		case l.next == 0 && l.state == cold:
			top = first
		case first != id || l.state == cold:
			t.starts[first] = true
			t.binned[byStretch]++
		}
	}
	if top != a.top {
		return fmt.Errorf("arena: check: top is %d, should be %d", a.top, top)
	}
	return nil
}

func (a *Arena) checkBins(s *bins, t *tally) error {
	var binned uint32
	for bin, head := range s.heads {
		row, slot := bin>>slotBits, bin&(slots-1)
		if (s.slots[row]>>slot&1 == 1) != (head != 0) || (s.rows>>row&1 == 1) != (s.slots[row] != 0) {
			return fmt.Errorf("arena: check: bitmaps of kind %d are wrong at bin %d", s.kind, bin)
		}
		var prev blockID
		for id := head; id != 0; prev, id = id, a.slab.at(id).link[s.kind].next {
			b, size := a.slab.at(id), a.sizeIn(s, id)
			if b.link[s.kind].prev != prev || int(b.bin[s.kind]) != bin+1 || int(binOf(size)) != bin {
				return fmt.Errorf("arena: check: block %d of %d granules in bin %d of kind %d, prev %d for %d",
					id, size, bin, s.kind, b.link[s.kind].prev, prev)
			}
			if s.kind == byWarmth && b.state != warm || s.kind == byStretch && !t.starts[id] {
				return fmt.Errorf("arena: check: %s block %d is in bins of kind %d", b.state, id, s.kind)
			}
			binned++
		}
	}
	if binned != t.binned[s.kind] {
		return fmt.Errorf("arena: check: %d blocks in bins of kind %d, should be %d", binned, s.kind, t.binned[s.kind])
	}
	return nil
}

func (a *Arena) checkHot() error {
	if a.hot.id == 0 {
		return nil
	}
	b := a.slab.at(a.hot.id)
	if b.state != warm || a.hot.off < b.off || a.hot.off+a.hot.size > b.end() {
		return fmt.Errorf("arena: check: hot %d+%d is not in %s block %d+%d", a.hot.off, a.hot.size, b.state, b.off, b.size)
	}
	return nil
}
