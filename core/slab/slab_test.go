package slab

import (
	"testing"

	"pgregory.net/rapid"

	"thornback/core/offheap"
)

func TestStaleHandles(t *testing.T) {
	t.Parallel()
	s := New[int](nil)
	h, e := s.Take()
	*e = 7
	if got, ok := s.Get(h); !ok || *got != 7 {
		t.Fatalf("Get(%x) = %v, %v", h, got, ok)
	}
	s.Drop(h)
	if _, ok := s.Get(h); ok {
		t.Fatal("a dropped handle still answers")
	}
	h2, e2 := s.Take()
	if h2.Slot() != h.Slot() || h2 == h {
		t.Fatalf("slot %d not reused under a new generation: %x then %x", h.Slot(), h, h2)
	}
	if *e2 != 0 {
		t.Fatalf("a reused entry holds %d", *e2)
	}
	for _, wild := range []Handle{0, 1, 5, ^Handle(0), Handle(1) << 32, h ^ 1} {
		if _, ok := s.Get(wild); ok {
			t.Errorf("Get(%x) answers", wild)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("Drop of a stale handle does not panic")
		}
	}()
	s.Drop(h)
}

func TestAgainstMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := New[uint64](&offheap.Region{})
		model := map[Handle]uint64{}
		var handles []Handle
		n := rapid.IntRange(1, 10_000).Draw(t, "steps")
		seed := rapid.Uint64().Draw(t, "seed")
		for i := range n {
			seed = seed*6364136223846793005 + 1442695040888963407
			if r := seed >> 33; r%3 != 0 || len(handles) == 0 {
				h, e := s.Take()
				if _, dup := model[h]; dup {
					t.Fatalf("step %d: handle %x given out twice", i, h)
				}
				*e = r
				model[h] = r
				handles = append(handles, h)
			} else {
				k := int(r) % len(handles)
				h := handles[k]
				s.Drop(h)
				delete(model, h)
				handles[k] = handles[len(handles)-1]
				handles = handles[:len(handles)-1]
			}
		}
		if s.Len() != len(model) {
			t.Fatalf("Len %d, model %d", s.Len(), len(model))
		}
		seen := 0
		s.Each(func(h Handle, e *uint64) bool {
			if model[h] != *e {
				t.Fatalf("%x holds %d, model %d", h, *e, model[h])
			}
			seen++
			return true
		})
		if seen != len(model) {
			t.Fatalf("Each saw %d of %d", seen, len(model))
		}
	})
}

func BenchmarkTakeDrop(b *testing.B) {
	s := New[[7]uint64](nil)
	for b.Loop() {
		h, _ := s.Take()
		s.Drop(h)
	}
}
