package arena

import "math/bits"

const (
	slotBits = 5 // 32 bins for each power of two: at most 3 % too large
	slots    = 1 << slotBits
	rows     = maxGranulesBits - slotBits + 2
)

// bins are lists of blocks by size. Sizes below 32 granules have a bin each;
// above, each power of two is a row of 32 bins.
type bins struct {
	kind  int // which of block's links these lists run through
	rows  uint32
	slots [rows]uint32
	heads [rows * slots]blockID
}

// binOf returns the bin in which a block of n granules is kept, n > 0.
func binOf(n uint32) uint32 {
	if n < slots {
		return n
	}
	length := uint32(bits.Len32(n))
	row := length - slotBits
	return row<<slotBits | n>>(length-slotBits-1)&(slots-1)
}

// binAbove returns the lowest bin in which every block has at least n granules.
func binAbove(n uint32) uint32 {
	if n < slots {
		return n
	}
	return binOf(n + 1<<(bits.Len32(n)-slotBits-1) - 1)
}

// first returns the head of the lowest bin at or above bin that is not empty.
func (s *bins) first(bin uint32) blockID {
	row := bin >> slotBits
	if row >= rows {
		return 0
	}
	set := s.slots[row] & (^uint32(0) << (bin & (slots - 1)))
	if set == 0 {
		above := s.rows & (^uint32(0) << (row + 1))
		if above == 0 {
			return 0
		}
		row = uint32(bits.TrailingZeros32(above))
		set = s.slots[row]
	}
	return s.heads[row<<slotBits|uint32(bits.TrailingZeros32(set))]
}

// below returns the highest bin under bin that is not empty.
func (s *bins) below(bin uint32) (uint32, bool) {
	row := bin >> slotBits
	var set uint32
	if row < rows {
		set = s.slots[row] & (1<<(bin&(slots-1)) - 1)
	}
	if set == 0 {
		under := s.rows & (1<<row - 1)
		if under == 0 {
			return 0, false
		}
		row = uint32(bits.Len32(under)) - 1
		set = s.slots[row]
	}
	return row<<slotBits | (uint32(bits.Len32(set)) - 1), true
}

// push puts the block in front of the bin for n granules.
func (s *bins) push(sl *slab, id blockID, n uint32) {
	bin := binOf(n)
	b, head := sl.at(id), s.heads[bin]
	b.bin[s.kind] = uint16(bin) + 1
	b.link[s.kind] = link{next: head}
	if head != 0 {
		sl.at(head).link[s.kind].prev = id
	} else {
		s.slots[bin>>slotBits] |= 1 << (bin & (slots - 1))
		s.rows |= 1 << (bin >> slotBits)
	}
	s.heads[bin] = id
}

// remove takes the block out of its bin; a block in no bin stays as it is.
func (s *bins) remove(sl *slab, id blockID) {
	b := sl.at(id)
	if b.bin[s.kind] == noBin {
		return
	}
	bin, l := uint32(b.bin[s.kind]-1), b.link[s.kind]
	b.bin[s.kind], b.link[s.kind] = noBin, link{}
	if l.next != 0 {
		sl.at(l.next).link[s.kind].prev = l.prev
	}
	if l.prev != 0 {
		sl.at(l.prev).link[s.kind].next = l.next
		return
	}
	s.heads[bin] = l.next
	if l.next == 0 {
		row := bin >> slotBits
		s.slots[row] &^= 1 << (bin & (slots - 1))
		if s.slots[row] == 0 {
			s.rows &^= 1 << row
		}
	}
}

// maxInBin returns the largest size kept in the bin.
func maxInBin(bin uint32) uint32 {
	if bin < slots {
		return bin
	}
	row, slot := bin>>slotBits, bin&(slots-1)
	return (slots+slot+1)<<(row-1) - 1
}
