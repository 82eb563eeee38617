package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

// What Writer writes Reader reads, whatever the order of the fields.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		type field struct {
			kind int
			n    uint64
			b    []byte
			v    Value
		}
		var fields []field
		size := 0
		for range rapid.IntRange(0, 30).Draw(t, "fields") {
			f := field{kind: rapid.IntRange(0, 3).Draw(t, "kind")}
			switch f.kind {
			case 0:
				f.n, size = uint64(rapid.Uint32().Draw(t, "u32")), size+4
			case 1:
				f.n, size = rapid.Uint64().Draw(t, "u64"), size+8
			case 2:
				f.b = rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "bytes")
				size = Pad8(size) + Pad8(len(f.b))
			case 3:
				f.v = Value{Where: WhereStore, Refs: 3, Length: rapid.Uint64().Draw(t, "length"), Offset: rapid.Uint64().Draw(t, "offset")}
				if rapid.Bool().Draw(t, "inline") {
					f.v.Where, f.v.Offset, f.v.Bytes = WhereInline, 0, rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "bytes")
					f.v.Length = uint64(len(f.v.Bytes))
				}
				size = Pad8(size) + f.v.Size()
			}
			fields = append(fields, f)
		}
		buf := make([]byte, size+8)
		w := NewWriter(buf)
		align := func() { // padded fields stand at multiples of 8, as in all messages
			if w.Len()%8 != 0 {
				w.U32(0)
			}
		}
		for _, f := range fields {
			switch f.kind {
			case 0:
				w.U32(uint32(f.n))
			case 1:
				w.U64(f.n)
			case 2:
				align()
				w.Padded(f.b)
			case 3:
				align()
				w.Value(f.v)
			}
		}
		r := NewReader(buf[:w.Len()])
		skip := func() {
			if (w.Len()-r.Rest())%8 != 0 {
				r.U32()
			}
		}
		for i, f := range fields {
			ok := true
			switch f.kind {
			case 0:
				ok = uint64(r.U32()) == f.n
			case 1:
				ok = r.U64() == f.n
			case 2:
				skip()
				ok = bytes.Equal(r.Padded(uint64(len(f.b))), f.b)
			case 3:
				skip()
				v := r.Value()
				ok = bytes.Equal(v.Bytes, f.v.Bytes) && v.Where == f.v.Where && v.Refs == f.v.Refs && v.Length == f.v.Length && v.Offset == f.v.Offset
			}
			if !ok || r.Failed() {
				t.Fatalf("field %d of kind %d comes back changed, failed %v", i, f.kind, r.Failed())
			}
		}
		if r.Rest() != 0 {
			t.Fatalf("%d bytes left", r.Rest())
		}
	})
}

// A message cut anywhere fails once, and then gives zeros.
func TestCut(t *testing.T) {
	t.Parallel()
	v := Value{Where: WhereInline, Length: 11, Bytes: []byte("eleven byte")}
	buf := make([]byte, 4+4+8+v.Size()+16)
	w := NewWriter(buf)
	w.U32(7)
	w.U32(8)
	w.U64(9)
	w.Value(v)
	w.U64(10)
	w.U64(11)
	for n := range buf {
		r := NewReader(buf[:n])
		r.U32()
		r.U32()
		r.U64()
		r.Value()
		r.U64s(nil, 2)
		if !r.Failed() {
			t.Fatalf("a message of %d bytes of %d is complete", n, len(buf))
		}
		if r.U32() != 0 || r.U64() != 0 || r.Bytes(0) != nil || r.Padded(0) != nil || r.Count(1, 1) != 0 {
			t.Fatalf("cut at %d: something is read after the failure", n)
		}
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rest int
		n    uint32
		size int
		want int
	}{
		{16, 2, 8, 2}, {16, 3, 8, 0}, {15, 2, 8, 0}, {16, 1<<32 - 1, 24, 0}, {16, 0, 8, 0}, {0, 0, 8, 0}, {1, 1, 1, 1},
	} {
		r := NewReader(make([]byte, c.rest))
		if got := r.Count(c.n, c.size); got != c.want || r.Failed() != (c.n > 0 && c.want == 0) {
			t.Errorf("Count(%d, %d) with %d bytes: %d, failed %v", c.n, c.size, c.rest, got, r.Failed())
		}
	}
	r := NewReader(make([]byte, 8))
	if r.Bytes(-1) != nil || !r.Failed() {
		t.Error("a negative length is read")
	}
	r = NewReader(make([]byte, 8))
	if r.Padded(1<<63) != nil || !r.Failed() {
		t.Error("a length beyond int is read")
	}
}

// FuzzReader reads any bytes as any sequence of fields: no panic, no read past the end, nothing allocated for counts that lie.
func FuzzReader(f *testing.F) {
	f.Add([]byte{3, 4, 5, 1, 2}, bytes.Repeat([]byte{1, 0, 0, 0}, 20))
	f.Add([]byte{4, 4}, []byte{255, 255, 255, 255, 255, 255, 255, 127})
	f.Fuzz(func(t *testing.T, ops, msg []byte) {
		r := NewReader(msg)
		for _, op := range ops {
			before := r.Rest()
			var got []byte
			switch op % 7 {
			case 0:
				r.U32()
			case 1:
				r.U64()
			case 2:
				got = r.Bytes(int(r.U32()))
			case 3:
				got = r.Padded(r.U64())
			case 4:
				if s := r.U64s(nil, r.U32()); len(s) > len(msg)/8 {
					t.Fatalf("%d numbers out of %d bytes", len(s), len(msg))
				}
			case 5:
				v := r.Value()
				if got = v.Bytes; !r.Failed() && v.Where == WhereInline && uint64(len(got)) != v.Length {
					t.Fatalf("a value of %d bytes has %d", v.Length, len(got))
				}
			case 6:
				r.Count(r.U32(), int(op))
			}
			if r.Rest() < 0 || r.Rest() > before || len(got) > before || cap(got) != len(got) {
				t.Fatalf("op %d: %d bytes left of %d, %d given with room for %d", op%7, r.Rest(), before, len(got), cap(got))
			}
		}
	})
}

func TestSysErr(t *testing.T) {
	t.Parallel()
	fields := map[string]string{"message": "gone \u00e4 \"quoted\"", "pid": "12", "stderr": "a\nb\xff"}
	b := SysErr(ErrWorkerCrashed, fields)
	if !IsError(b) || b[0] != TagSysErr || binary.LittleEndian.Uint32(b[4:]) != ErrWorkerCrashed {
		t.Fatalf("% x", b[:8])
	}
	var got map[string]string
	if err := json.Unmarshal(b[8:], &got); err != nil {
		t.Fatal(err)
	}
	if got["message"] != fields["message"] || got["pid"] != "12" || got["stderr"] != "a\nb\ufffd" || len(got) != 3 {
		t.Fatalf("%q", got)
	}
	for _, c := range []struct {
		blob []byte
		want bool
	}{{nil, false}, {[]byte{TagNone}, false}, {[]byte{TagError}, true}, {[]byte{9, TagError}, false}} {
		if IsError(c.blob) != c.want {
			t.Errorf("IsError(%v) is %v", c.blob, !c.want)
		}
	}
}
