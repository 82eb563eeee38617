package wire

import (
	"encoding/binary"
	"slices"
)

// Reader takes a message apart. The first read past the end, or bad count, makes it fail; from then on it gives zeros,
// so that a caller checks Failed once, at the end. Byte slices alias the message.
type Reader struct {
	buf    []byte
	off    int
	failed bool
}

// NewReader reads from b.
func NewReader(b []byte) Reader { return Reader{buf: b} }

// Failed reports whether the message was shorter than what was read from it.
func (r *Reader) Failed() bool { return r.failed }

// Rest returns the number of unread bytes.
func (r *Reader) Rest() int { return len(r.buf) - r.off }

// U32 reads an unsigned 32-bit integer.
func (r *Reader) U32() uint32 {
	if b := r.Bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// U64 reads an unsigned 64-bit integer.
func (r *Reader) U64() uint64 {
	if b := r.Bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// Bytes reads n bytes; nil when there are not so many.
func (r *Reader) Bytes(n int) []byte {
	if r.failed || n < 0 || n > len(r.buf)-r.off {
		r.failed = true
		return nil
	}
	b := r.buf[r.off : r.off+n : r.off+n]
	r.off += n
	return b
}

// Padded reads n bytes and passes over the padding to a multiple of 8; the padding after the last bytes of a message may
// be missing.
func (r *Reader) Padded(n uint64) []byte {
	if n > uint64(len(r.buf)) {
		r.failed = true
		return nil
	}
	b := r.Bytes(int(n))
	r.off = min((r.off+7)&^7, len(r.buf))
	return b
}

// Count checks that n items of the given size can still follow, so that nothing is allocated for a count that lies.
func (r *Reader) Count(n uint32, size int) int {
	if r.failed || uint64(n)*uint64(size) > uint64(r.Rest()) {
		r.failed = true
		return 0
	}
	return int(n)
}

// U64s reads n integers into dst, appending.
func (r *Reader) U64s(dst []uint64, n uint32) []uint64 {
	count := r.Count(n, 8)
	dst = slices.Grow(dst, count)
	for range count {
		dst = append(dst, r.U64())
	}
	return dst
}

// Value is a value as it stands in a message.
type Value struct {
	Where  uint32
	Refs   uint32
	Length uint64
	Offset uint64 // in the arena, when Where is WhereStore
	Bytes  []byte // when Where is WhereInline; aliases the message
}

// Value reads an xr_value and its inline bytes, not the handles that may follow.
func (r *Reader) Value() Value {
	v := Value{Where: r.U32(), Refs: r.U32(), Length: r.U64(), Offset: r.U64()}
	switch v.Where {
	case WhereInline:
		v.Bytes = r.Padded(v.Length)
	case WhereStore:
	default:
		r.failed = true
	}
	return v
}
