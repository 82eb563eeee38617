package arena

// blockID names a record in the slab. It stays the same while the record lives
// and is used again afterwards; 0 is no block.
type blockID uint32

type state uint8

const (
	unborn state = iota // the record is on the slab's spare list
	used                // handed out
	warm                // free, and memory is behind it
	cold                // free, and perhaps no memory is behind it
)

func (s state) free() bool { return s >= warm }

func (s state) String() string {
	return [...]string{"unborn", "used", "warm", "cold"}[s]
}

// The two kinds of list that a block can be in at the same time.
const (
	byWarmth  = iota // bins.heads of all warm blocks, by their own size
	byStretch        // bins.heads of stretches, by the stretch's size, on its first block
	listKinds
)

type link struct{ prev, next blockID }

// block is one extent, used or free. All sizes and offsets are in granules.
// It holds no Go pointer.
type block struct {
	off, size  uint32
	prev, next blockID         // neighbours in the arena, in order of offset
	mate       blockID         // first <-> last block of a stretch; stale inside one
	link       [listKinds]link // neighbours in the bins
	bin        [listKinds]uint16
	state      state
}

const noBin = 0 // bin numbers in a block are one higher, so that zero is none

func (b *block) end() uint32 { return b.off + b.size }

const (
	slabShift = 10
	slabMask  = 1<<slabShift - 1
)

// slab holds block records in chunks that never move.
type slab struct {
	chunks []*[1 << slabShift]block
	spare  blockID // list of unborn records through block.next
	made   uint32  // records made so far, the never used record 0 included
}

func (s *slab) at(id blockID) *block {
	return &s.chunks[id>>slabShift][id&slabMask]
}

// take returns a record that the caller fills in completely.
func (s *slab) take() blockID {
	if id := s.spare; id != 0 {
		s.spare = s.at(id).next
		return id
	}
	if s.made == 0 {
		s.made = 1 // record 0 means "none"
	}
	id := blockID(s.made)
	if int(id>>slabShift) == len(s.chunks) {
		s.chunks = append(s.chunks, new([1 << slabShift]block))
	}
	s.made++
	return id
}

func (s *slab) drop(id blockID) {
	*s.at(id) = block{next: s.spare}
	s.spare = id
}
