package arena

const (
	indexShift = 10 // 4 KiB of index for 4 MiB of arena
	indexMask  = 1<<indexShift - 1
)

// index finds the block that starts at a granule. It is sparse: a chunk is made
// when the first block starts in it. Unlike a hash map it never rehashes, so no
// single allocation takes long.
type index struct {
	chunks []*[1 << indexShift]blockID
}

func (x *index) get(off uint32) blockID {
	c := off >> indexShift
	if int(c) >= len(x.chunks) || x.chunks[c] == nil {
		return 0
	}
	return x.chunks[c][off&indexMask]
}

func (x *index) set(off uint32, id blockID) {
	c := int(off >> indexShift)
	if c >= len(x.chunks) {
		x.chunks = append(x.chunks, make([]*[1 << indexShift]blockID, c+1-len(x.chunks))...)
	}
	if x.chunks[c] == nil {
		x.chunks[c] = new([1 << indexShift]blockID)
	}
	x.chunks[c][off&indexMask] = id
}

// clear requires that set was called for off before.
func (x *index) clear(off uint32) {
	x.chunks[off>>indexShift][off&indexMask] = 0
}

// covering returns the block with the highest start at or below off. It walks,
// so it is for rare calls only. The block at 0 always exists.
func (x *index) covering(off uint32) blockID {
	if int(off>>indexShift) >= len(x.chunks) {
		off = uint32(len(x.chunks))<<indexShift - 1
	}
	for c := int(off >> indexShift); c >= 0; c-- {
		if chunk := x.chunks[c]; chunk != nil {
			for i := int(off & indexMask); i >= 0; i-- {
				if chunk[i] != 0 {
					return chunk[i]
				}
			}
		}
		off = uint32(c)<<indexShift - 1 // last granule of the chunk before
	}
	return 0
}
