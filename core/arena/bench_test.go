package arena

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkSameSize is a put and a drop of the same size, next to others.
func BenchmarkSameSize(b *testing.B) {
	for _, size := range []uint64{4 << 10, 1 << 20, 100 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			a := New(1 << 40)
			benchAlloc(b, a, size)
			b.ReportAllocs()
			for b.Loop() {
				benchFree(b, a, benchAlloc(b, a, size))
			}
		})
	}
}

// BenchmarkMixed replaces random objects of random sizes among many that stay.
func BenchmarkMixed(b *testing.B) {
	for _, objects := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("%dobjects", objects), func(b *testing.B) {
			a := New(1 << 40)
			random := rand.New(rand.NewPCG(1, 2))
			size := func() uint64 { return 1 + random.Uint64N(4<<20)>>random.UintN(8) }
			live := make([]uint64, objects)
			for i := range live {
				live[i] = benchAlloc(b, a, size())
			}
			b.ReportAllocs()
			for b.Loop() {
				i := random.IntN(objects)
				benchFree(b, a, live[i])
				live[i] = benchAlloc(b, a, size())
			}
			s := a.Stats()
			b.ReportMetric(float64(s.Touched)/float64(s.Used), "touched/used")
		})
	}
}

// BenchmarkMergeAfterRelease frees and takes blocks inside one very long stretch.
func BenchmarkMergeAfterRelease(b *testing.B) {
	const objects = 20_000
	for b.Loop() {
		b.StopTimer()
		a := New(1 << 40)
		var live [objects]uint64
		for i := range live {
			live[i] = benchAlloc(b, a, Granularity)
		}
		for i := 0; i < objects; i += 2 {
			benchFree(b, a, live[i])
		}
		for e := range a.FreeExtents(0) {
			if err := a.Released(e.Offset, e.Length); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		for i := 1; i < objects; i += 2 {
			benchFree(b, a, live[i])
		}
		for i := 1; i < objects; i += 2 {
			benchAlloc(b, a, Granularity)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/objects, "ns/call")
}

// benchAlloc and benchFree do without testing.B.Helper, which costs more than they.
func benchAlloc(b *testing.B, a *Arena, n uint64) uint64 {
	e, err := a.Alloc(n)
	if err != nil {
		b.Fatal(err)
	}
	return e.Offset
}

func benchFree(b *testing.B, a *Arena, offset uint64) {
	if err := a.Free(offset); err != nil {
		b.Fatal(err)
	}
}
