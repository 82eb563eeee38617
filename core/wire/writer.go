package wire

import "encoding/binary"

// Writer puts a message together in memory that is known to be large enough; it panics (slice bounds) when it is not.
type Writer struct {
	buf []byte
	off int
}

// NewWriter writes to b.
func NewWriter(b []byte) Writer { return Writer{buf: b} }

// Len returns the number of bytes written.
func (w *Writer) Len() int { return w.off }

// U32 writes an unsigned 32-bit integer.
func (w *Writer) U32(v uint32) {
	binary.LittleEndian.PutUint32(w.buf[w.off:], v)
	w.off += 4
}

// U64 writes an unsigned 64-bit integer.
func (w *Writer) U64(v uint64) {
	binary.LittleEndian.PutUint64(w.buf[w.off:], v)
	w.off += 8
}

// Padded writes bytes and passes over the padding to a multiple of 8.
func (w *Writer) Padded(b []byte) {
	copy(w.buf[w.off:w.off+len(b)], b)
	w.off += Pad8(len(b))
}

// Value writes an xr_value and its inline bytes.
func (w *Writer) Value(v Value) {
	w.U32(v.Where)
	w.U32(v.Refs)
	w.U64(v.Length)
	w.U64(v.Offset)
	if v.Where == WhereInline {
		w.Padded(v.Bytes)
	}
}

// Size returns the number of bytes that Writer.Value takes.
func (v Value) Size() int {
	if v.Where == WhereInline {
		return ValueBytes + Pad8(len(v.Bytes))
	}
	return ValueBytes
}

// Pad8 rounds up to a multiple of 8.
func Pad8(n int) int { return (n + 7) &^ 7 }
