package offheap

import (
	"testing"

	"pgregory.net/rapid"
)

func TestClassesGrow(t *testing.T) {
	t.Parallel()
	last, lastSize := -1, 0
	for n := 1; n <= classMax; n++ {
		class, size := classOf(n)
		if size < n || size > n+n/2+16 {
			t.Fatalf("classOf(%d): size %d", n, size)
		}
		if class < last || class >= numClasses || size < lastSize || (class == last) != (size == lastSize) {
			t.Fatalf("classOf(%d) = %d, %d after %d, %d", n, class, size, last, lastSize)
		}
		last, lastSize = class, size
	}
}

func TestBadSizes(t *testing.T) {
	t.Parallel()
	h := NewHeap(&Region{})
	for _, n := range []int{-1, 0, Max + 1} {
		if _, _, err := h.Alloc(n); err == nil {
			t.Errorf("Alloc(%d) succeeds", n)
		}
	}
}

// Blocks never overlap: each is filled with its own byte and still holds it when freed.
func TestNoOverlap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := NewHeap(&Region{})
		defer func() {
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		}()
		type block struct {
			ref  Ref
			n    int
			fill byte
		}
		var live []block
		for i := range rapid.IntRange(1, 400).Draw(t, "steps") {
			if len(live) == 0 || rapid.Bool().Draw(t, "alloc") {
				n := rapid.OneOf(rapid.IntRange(1, 300), rapid.IntRange(1, 2*classMax)).Draw(t, "n")
				r, b, err := h.Alloc(n)
				if err != nil {
					t.Fatal(err)
				}
				if r == 0 || len(b) != n {
					t.Fatalf("Alloc(%d) = %d, %d bytes", n, r, len(b))
				}
				for k := range b {
					b[k] = byte(i)
				}
				live = append(live, block{r, n, byte(i)})
				continue
			}
			k := rapid.IntRange(0, len(live)-1).Draw(t, "which")
			bl := live[k]
			for _, c := range h.Bytes(bl.ref, bl.n) {
				if c != bl.fill {
					t.Fatalf("block of %d bytes holds %d, not %d", bl.n, c, bl.fill)
				}
			}
			h.Free(bl.ref, bl.n)
			live[k] = live[len(live)-1]
			live = live[:len(live)-1]
		}
		for _, bl := range live {
			h.Free(bl.ref, bl.n)
		}
		if h.Used() != 0 {
			t.Fatalf("%d bytes used after freeing all", h.Used())
		}
	})
}

func BenchmarkAllocFree(b *testing.B) {
	h := NewHeap(&Region{})
	for b.Loop() {
		r, _, err := h.Alloc(64)
		if err != nil {
			b.Fatal(err)
		}
		h.Free(r, 64)
	}
}
