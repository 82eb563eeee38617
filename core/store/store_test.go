package store

import (
	"errors"
	"math"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"thornback/core/arena"
)

func open(t testing.TB, capacity uint64) *Store {
	t.Helper()
	s, err := Open(capacity)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// backed returns the bytes of memory that the store has from the system.
func (s *Store) backed(t interface{ Fatal(...any) }) uint64 {
	var st unix.Stat_t
	if err := unix.Fstat(s.fd, &st); err != nil {
		t.Fatal(err)
	}
	return uint64(st.Blocks) * 512
}

func TestBadCapacities(t *testing.T) {
	t.Parallel()
	for _, n := range []uint64{0, 1, 1<<20 - 1, 1<<40 + arena.Granularity, math.MaxUint64} {
		if s, err := Open(n); err == nil {
			t.Errorf("a store of %d bytes opens", n)
			_ = s.Close()
		}
	}
	for _, n := range []uint64{1 << 20, 1<<20 + 1, 1<<20 + 4095, 1 << 40} {
		s := open(t, n)
		if got := uint64(len(s.Memory())); got != n&^(arena.Granularity-1) || s.Stats().Capacity != got {
			t.Errorf("a store of %d bytes has %d, capacity %d", n, got, s.Stats().Capacity)
		}
		if b := s.backed(t); b != 0 {
			t.Errorf("a new store of %d bytes has %d bytes of memory", n, b)
		}
	}
}

func TestSlices(t *testing.T) {
	t.Parallel()
	s := open(t, 1<<20)
	const whole = 1 << 20
	for _, c := range []struct {
		offset, n uint64
		ok        bool
	}{
		{0, 0, true}, {0, whole, true}, {0, whole + 1, false}, {whole, 0, true}, {whole, 1, false}, {whole + 1, 0, false},
		{4096, whole - 4096, true}, {4096, whole - 4095, false}, {math.MaxUint64, 1, false}, {1, math.MaxUint64, false},
		{math.MaxUint64, math.MaxUint64, false},
	} {
		b, ok := s.Slice(c.offset, c.n)
		if ok != c.ok || ok && (uint64(len(b)) != c.n || cap(b) != len(b)) {
			t.Errorf("Slice(%d, %d): %d bytes, %v", c.offset, c.n, len(b), ok)
		}
	}
}

// Reserved memory is there before it is written, is used again, and goes back to the system when asked for.
func TestLife(t *testing.T) {
	t.Parallel()
	s := open(t, 8<<20)
	e, err := s.Alloc(3 << 20)
	if err != nil {
		t.Fatal(err)
	}
	if e.Fresh != 3<<20 {
		t.Fatalf("new memory: %+v", e)
	}
	if err := s.Reserve(e); err != nil {
		t.Fatal(err)
	}
	if b := s.backed(t); b < 3<<20 {
		t.Fatalf("%d bytes reserved", b)
	}
	b, _ := s.Slice(e.Offset, e.Length)
	b[0], b[len(b)-1] = 1, 2
	if got, err := s.Extent(e.Offset); err != nil || got.Length != e.Length {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := s.Free(e.Offset); err != nil {
		t.Fatal(err)
	}
	if err := s.Free(e.Offset); !errors.Is(err, arena.ErrNotAllocated) {
		t.Fatalf("freed twice: %v", err)
	}
	again, err := s.Alloc(3 << 20)
	if err != nil || again.Offset != e.Offset || again.Fresh != 0 {
		t.Fatalf("not the warm one: %+v, %v", again, err)
	}
	if err := s.Reserve(again); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Alloc(6 << 20); !errors.Is(err, arena.ErrFull) {
		t.Fatalf("a full store: %v", err)
	}
	if err := s.Free(again.Offset); err != nil {
		t.Fatal(err)
	}
	given, err := s.GiveBack(1, 1<<20)
	if err != nil || given != 1<<20 { // no more than asked for
		t.Fatalf("%d given back, %v", given, err)
	}
	if given, err = s.GiveBack(1, 1<<30); err != nil || given != 2<<20 {
		t.Fatalf("%d given back of the rest, %v", given, err)
	}
	if b, touched := s.backed(t), s.Stats().Touched; b != 0 || touched != 0 {
		t.Fatalf("%d bytes of memory left, %d by the book", b, touched)
	}
	if given, err = s.GiveBack(1, 1<<30); err != nil || given != 0 {
		t.Fatalf("%d given back of nothing, %v", given, err)
	}
}

// After any sequence what was written is still there, and the system never has given less than the book says.
func TestAnySequence(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, err := Open(4 << 20)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}()
		live := map[uint64]arena.Extent{}
		var order []uint64
		cold := false // something with memory was counted as without, which is allowed
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0, 1:
				e, err := s.Alloc(uint64(rapid.IntRange(0, 1<<20).Draw(t, "bytes")))
				if errors.Is(err, arena.ErrFull) {
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if e.Fresh > 0 && rapid.IntRange(0, 9).Draw(t, "fails") == 0 { // as if the system had no memory
					cold = true
					if err := s.FreeCold(e.Offset); err != nil {
						t.Fatal(err)
					}
					continue
				}
				if err := s.Reserve(e); err != nil {
					t.Fatal(err)
				}
				b, _ := s.Slice(e.Offset, e.Length)
				b[0], b[len(b)-1] = byte(e.Offset>>12), byte(e.Length>>12)
				live[e.Offset] = e
				order = append(order, e.Offset)
			case 2:
				if len(order) == 0 {
					continue
				}
				i := rapid.IntRange(0, len(order)-1).Draw(t, "which")
				e := live[order[i]]
				b, _ := s.Slice(e.Offset, e.Length)
				if b[0] != byte(e.Offset>>12) || b[len(b)-1] != byte(e.Length>>12) {
					t.Fatalf("extent %+v was overwritten", e)
				}
				if err := s.Free(e.Offset); err != nil {
					t.Fatal(err)
				}
				delete(live, e.Offset)
				order = append(order[:i], order[i+1:]...)
			case 3:
				if _, err := s.GiveBack(uint64(rapid.IntRange(1, 1<<20).Draw(t, "least")), 1<<20); err != nil {
					t.Fatal(err)
				}
			}
			if b, st := s.backed(t), s.Stats(); b > st.Touched && !cold || st.Allocations != uint64(len(live)) {
				t.Fatalf("%d bytes of memory, %d by the book; %d extents, %d live", b, st.Touched, st.Allocations, len(live))
			}
		}
	})
}
