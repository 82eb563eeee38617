package arena

import (
	"errors"
	"fmt"
	"math"
	"testing"
)

func TestNewPanics(t *testing.T) {
	t.Parallel()
	for _, capacity := range []uint64{0, Granularity - 1, MaxCapacity + 1} {
		t.Run(fmt.Sprint(capacity), func(t *testing.T) {
			t.Parallel()
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			New(capacity)
		})
	}
}

func TestCapacityIsRoundedDown(t *testing.T) {
	t.Parallel()
	if got := New(3*Granularity - 1).Stats().Capacity; got != 2*Granularity {
		t.Errorf("capacity %d", got)
	}
}

// Every call with a wrong argument is an error and changes nothing.
func TestWrongArguments(t *testing.T) {
	t.Parallel()
	const page = Granularity
	// A granule number above 32 bits must not be cut down to one that exists.
	const wrapped = (1 << 32) * page
	for _, tc := range []struct {
		name string
		do   func(a *Arena) error
		want error
	}{
		{"free inside", func(a *Arena) error { return a.Free(page) }, ErrNotAllocated},
		{"free not aligned", func(a *Arena) error { return a.Free(1) }, ErrNotAllocated},
		{"free of free", func(a *Arena) error { return a.Free(10 * page) }, ErrNotAllocated},
		{"free inside free", func(a *Arena) error { return a.Free(50 * page) }, ErrNotAllocated},
		{"free behind", func(a *Arena) error { return a.Free(100 * page) }, ErrNotAllocated},
		{"free wrapped", func(a *Arena) error { return a.Free(wrapped) }, ErrNotAllocated},
		{"free at the end", func(a *Arena) error { return a.Free(math.MaxUint64) }, ErrNotAllocated},
		{"free cold", func(a *Arena) error { return a.FreeCold(77) }, ErrNotAllocated},
		{"lookup", func(a *Arena) error { _, err := a.Lookup(50 * page); return err }, ErrNotAllocated},
		{"released used", func(a *Arena) error { return a.Released(0, 11*page) }, ErrNotFree},
		{"released nothing", func(a *Arena) error { return a.Released(50*page, 0) }, ErrNotFree},
		{"released too long", func(a *Arena) error { return a.Released(50*page, 51*page) }, ErrNotFree},
		{"released overflow", func(a *Arena) error { return a.Released(50*page, math.MaxUint64-page+1) }, ErrNotFree},
		{"released wrapped", func(a *Arena) error { return a.Released(wrapped+50*page, page) }, ErrNotFree},
		{"released not aligned", func(a *Arena) error { return a.Released(50*page, 77) }, ErrNotFree},
		{"alloc over free", func(a *Arena) error { _, err := a.Alloc(91 * page); return err }, ErrFull},
		{"alloc over capacity", func(a *Arena) error { _, err := a.Alloc(100*page + 1); return err }, ErrFull},
		{"alloc all there is", func(a *Arena) error { _, err := a.Alloc(math.MaxUint64); return err }, ErrFull},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			a := New(100 * page)
			if e := mustAlloc(t, a, 10*page); e.Offset != 0 {
				t.Fatalf("first extent is %+v", e)
			}
			before := a.Stats()
			if err := tc.do(a); !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
			if after := a.Stats(); after != before {
				t.Errorf("stats went from %+v to %+v", before, after)
			}
			if err := a.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDoubleFree(t *testing.T) {
	t.Parallel()
	a := New(100 * Granularity)
	e := mustAlloc(t, a, 1)
	mustFree(t, a, e.Offset)
	if err := a.Free(e.Offset); !errors.Is(err, ErrNotAllocated) {
		t.Errorf("got %v", err)
	}
}

func TestFullErrorHasFigures(t *testing.T) {
	t.Parallel()
	a := New(10 * Granularity)
	first := mustAlloc(t, a, 3*Granularity)
	mustAlloc(t, a, 5*Granularity)
	mustFree(t, a, first.Offset)
	_, err := a.Alloc(4*Granularity - 5)
	var full *FullError
	if !errors.As(err, &full) || *full != (FullError{Wanted: 4*Granularity - 5, Free: 5 * Granularity, Largest: 3 * Granularity}) {
		t.Errorf("got %v", err)
	}
}

// A full terabyte works: no granule number overflows.
func TestLargestArena(t *testing.T) {
	t.Parallel()
	a := New(MaxCapacity)
	const half = MaxCapacity / 2
	lower, upper := mustAlloc(t, a, half), mustAlloc(t, a, half)
	if upper != (Extent{Offset: half, Length: half, Fresh: half}) {
		t.Fatalf("upper half is %+v", upper)
	}
	mustFree(t, a, upper.Offset)
	mustFree(t, a, lower.Offset)
	if all := mustAlloc(t, a, MaxCapacity); all != (Extent{Length: MaxCapacity}) {
		t.Fatalf("all is %+v", all)
	}
	if err := a.Check(); err != nil {
		t.Fatal(err)
	}
}

// The only extent that is long enough lies deep in a bin of shorter ones.
func TestFullIsNeverWrong(t *testing.T) {
	t.Parallel()
	a := New(64 << 20)
	fit := mustAlloc(t, a, 1030*Granularity)
	var short []Extent
	for range 3 * lookFor {
		mustAlloc(t, a, 1) // keeps them apart
		short = append(short, mustAlloc(t, a, 1025*Granularity))
	}
	mustAlloc(t, a, a.Stats().Free)
	mustFree(t, a, fit.Offset)
	for _, e := range short {
		mustFree(t, a, e.Offset)
	}
	if binOf(1030) != binOf(1025) {
		t.Fatal("sizes are in different bins: the test tests nothing")
	}
	if e := mustAlloc(t, a, 1030*Granularity); e.Offset != fit.Offset {
		t.Fatalf("got %+v", e)
	}
	var full *FullError
	if _, err := a.Alloc(1030 * Granularity); !errors.As(err, &full) || full.Largest != 1025*Granularity {
		t.Fatalf("got %v", err)
	}
}

// When the system has no memory behind an extent the caller puts it back, and
// nobody is told later that there is some.
func TestAllocUndone(t *testing.T) {
	t.Parallel()
	a := New(100 * Granularity)
	e := mustAlloc(t, a, 10*Granularity)
	if err := a.FreeCold(e.Offset); err != nil {
		t.Fatal(err)
	}
	if got := a.Stats().Touched; got != 0 {
		t.Errorf("touched is %d", got)
	}
	if again := mustAlloc(t, a, 10*Granularity); again != e {
		t.Errorf("got %+v after %+v", again, e)
	}
}

// Ten thousand puts in an arena for a hundred touch no more than two at a time do.
func TestReuseStaysWarm(t *testing.T) {
	t.Parallel()
	const size = 2560 * Granularity
	a := New(100 * size)
	last := mustAlloc(t, a, size)
	for range 10_000 {
		next := mustAlloc(t, a, size)
		mustFree(t, a, last.Offset)
		last = next
	}
	if got := a.Stats().Touched; got != 2*size {
		t.Errorf("touched is %d, want %d", got, 2*size)
	}
}

func mustAlloc(t *testing.T, a *Arena, n uint64) Extent {
	t.Helper()
	e, err := a.Alloc(n)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func mustFree(t *testing.T, a *Arena, offset uint64) {
	t.Helper()
	if err := a.Free(offset); err != nil {
		t.Fatal(err)
	}
}
