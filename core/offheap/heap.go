// Package offheap is memory outside the Go heap for the bytes of small values and of queued tasks: their addresses may be
// given to C, and a million of them cost the garbage collector nothing.
//
// Not safe for concurrent use: the owner of the Heap serialises.
package offheap

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"golang.org/x/sys/unix"
)

// Ref names a block: chunk number and offset. 0 is no block.
type Ref uint64

const (
	chunkBits = 20
	chunkSize = 1 << chunkBits
	// Max is the largest block, in bytes; those above classMax are mapped one by one.
	Max        = 1 << 32
	classMax   = 256 << 10
	bigRef     = 1 << 63
	minBits    = 4 // smallest class: 16 bytes
	perDouble  = 4 // classes for each doubling of size
	numClasses = (18-minBits)*perDouble + 1
)

// Heap gives out blocks in size classes, four to a doubling, and reuses them last in first out.
type Heap struct {
	region *Region
	chunks [][]byte
	free   [numClasses]Ref // heads of the free lists; the next Ref is in the block's first 8 bytes
	bump   int             // bytes used in the last chunk
	big    map[Ref][]byte  // blocks above classMax
	bigs   Ref             // number of the next one
	used   uint64          // bytes in blocks given out, by class size
}

// NewHeap returns a heap that takes its chunks from a region.
func NewHeap(r *Region) *Heap { return &Heap{region: r} }

// classOf returns the class for n bytes and the size of its blocks.
func classOf(n int) (int, int) {
	if n <= 1<<minBits {
		return 0, 1 << minBits
	}
	b := bits.Len(uint(n-1)) - 1 // 2^b < n <= 2^(b+1)
	step := 1 << b / perDouble
	k := (n - 1<<b + step - 1) / step // 1..4
	if step < 8 {                     // keep blocks 16-aligned below 64 bytes
		return (b-minBits)*perDouble + perDouble, 1 << (b + 1)
	}
	return (b-minBits)*perDouble + k, 1<<b + k*step
}

// Alloc returns a block of at least n bytes, 1 <= n <= Max; its content is arbitrary.
func (h *Heap) Alloc(n int) (Ref, []byte, error) {
	if n <= 0 || n > Max {
		return 0, nil, fmt.Errorf("offheap: %d bytes asked, limits 1 and %d", n, Max)
	}
	if n > classMax {
		return h.allocBig(n)
	}
	class, size := classOf(n)
	if r := h.free[class]; r != 0 {
		b := h.Bytes(r, size)
		h.free[class] = Ref(binary.LittleEndian.Uint64(b))
		h.used += uint64(size)
		return r, b[:n:n], nil
	}
	size = (size + 15) &^ 15
	if len(h.chunks) == 0 || h.bump+size > chunkSize {
		c, err := h.region.Take(chunkSize)
		if err != nil {
			return 0, nil, err
		}
		h.chunks = append(h.chunks, c)
		h.bump = 0
		if len(h.chunks) == 1 {
			h.bump = 16 // so that no block has Ref 0
		}
	}
	r := Ref(len(h.chunks)-1)<<chunkBits | Ref(h.bump)
	h.bump += size
	_, size = classOf(n)
	h.used += uint64(size)
	return r, h.Bytes(r, n), nil
}

// allocBig maps a block of its own.
func (h *Heap) allocBig(n int) (Ref, []byte, error) {
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return 0, nil, fmt.Errorf("offheap: mmap of %d bytes: %w", n, err)
	}
	if h.big == nil {
		h.big = map[Ref][]byte{}
	}
	h.bigs++
	r := bigRef | h.bigs
	h.big[r] = b
	h.used += uint64(n)
	return r, b, nil
}

// Bytes returns the first n bytes of a block.
func (h *Heap) Bytes(r Ref, n int) []byte {
	if r&bigRef != 0 {
		return h.big[r][:n:n]
	}
	off := int(r & (chunkSize - 1))
	return h.chunks[r>>chunkBits][off : off+n : off+n]
}

// Free gives a block back; n is what Alloc was asked for.
func (h *Heap) Free(r Ref, n int) {
	if r&bigRef != 0 {
		if err := unix.Munmap(h.big[r]); err != nil {
			panic(fmt.Sprintf("offheap: munmap of a block of %d bytes: %v", n, err))
		}
		delete(h.big, r)
		h.used -= uint64(n)
		return
	}
	class, size := classOf(n)
	binary.LittleEndian.PutUint64(h.Bytes(r, size), uint64(h.free[class]))
	h.free[class] = r
	h.used -= uint64(size)
}

// Used returns the bytes in blocks given out; Mapped the bytes mapped from the system.
func (h *Heap) Used() uint64 { return h.used }

// Mapped returns the bytes mapped from the system.
func (h *Heap) Mapped() uint64 {
	n := uint64(len(h.chunks)) * chunkSize
	for _, b := range h.big {
		n += uint64(len(b))
	}
	return n
}

// Close gives the large blocks back; the rest belongs to the region. The Heap is empty afterwards.
func (h *Heap) Close() error {
	var first error
	for _, b := range h.big {
		if err := unix.Munmap(b); err != nil && first == nil {
			first = fmt.Errorf("offheap: munmap: %w", err)
		}
	}
	*h = Heap{region: h.region}
	return first
}
