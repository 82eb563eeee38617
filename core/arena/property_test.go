package arena

import (
	"testing"

	"pgregory.net/rapid"
)

func TestAnySequence(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(rapid.Uint64Range(1, 400).Draw(t, "granules"))
		ok := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		anyFree := func(asCold bool) func(*rapid.T) {
			return func(t *rapid.T) {
				if len(m.live) == 0 {
					t.Skip("nothing to free")
				}
				ok(m.free(rapid.SampledFrom(m.offsets()).Draw(t, "offset"), asCold))
			}
		}
		alloc := func(t *rapid.T) { ok(m.alloc(rapid.Uint64Range(0, 70*Granularity).Draw(t, "n"))) }
		t.Repeat(map[string]func(*rapid.T){
			"alloc":       alloc,
			"alloc again": alloc, // twice as likely as each kind of free, so that it fills up
			"free":        anyFree(false),
			"free cold":   anyFree(true),
			"free wrong":  func(t *rapid.T) { ok(m.free(rapid.Uint64().Draw(t, "offset"), false)) },
			"released": func(t *rapid.T) {
				start := rapid.Uint64Range(0, uint64(len(m.owner))).Draw(t, "start")
				ok(m.released(start*Granularity, rapid.Uint64Range(0, 20).Draw(t, "length")*Granularity))
			},
			"release all": func(t *rapid.T) { ok(m.releaseAll(rapid.Uint64Range(0, 40*Granularity).Draw(t, "min"))) },
			"take":        func(t *rapid.T) { ok(m.takeAndGiveBack(rapid.Uint64Range(0, 40*Granularity).Draw(t, "min"))) },
		})
		ok(m.end())
	})
}

// Alloc after Free of the same size gives the same memory, whatever lies around.
func TestFreeThenAllocIsIdentity(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(300)
		for _, n := range rapid.SliceOfN(rapid.Uint64Range(1, 40*Granularity), 1, 40).Draw(t, "sizes") {
			if err := m.alloc(n); err != nil {
				t.Fatal(err)
			}
		}
		for _, off := range rapid.SliceOfDistinct(rapid.SampledFrom(m.offsets()), rapid.ID[uint64]).Draw(t, "holes") {
			if len(m.live) > 1 {
				if err := m.free(off, false); err != nil {
					t.Fatal(err)
				}
			}
		}
		off := rapid.SampledFrom(m.offsets()).Draw(t, "offset")
		for range 3 {
			length := m.live[off]
			if err := m.free(off, false); err != nil {
				t.Fatal(err)
			}
			if err := m.alloc(length); err != nil {
				t.Fatal(err)
			}
			if m.live[off] != length {
				t.Fatalf("extent of %d at %d came back elsewhere: %v", length, off, m.live)
			}
		}
	})
}

func TestBinsCoverAllSizes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		// A random number of bits, so that all rows are met.
		n := uint32(rapid.Uint64Range(1, 1<<rapid.IntRange(0, maxGranulesBits).Draw(t, "bits")).Draw(t, "n"))
		bin, above := binOf(n), binAbove(n)
		if n > maxInBin(bin) || bin > 0 && n <= maxInBin(bin-1) {
			t.Fatalf("%d is in bin %d for %d..%d", n, bin, maxInBin(bin-1)+1, maxInBin(bin))
		}
		if above != bin && above != bin+1 || above > 0 && maxInBin(above-1)+1 < n {
			t.Fatalf("%d may be in bin %d, looked for from %d", n, bin, above)
		}
		if above >= rows*slots {
			t.Fatalf("%d is looked for from bin %d of %d", n, above, rows*slots)
		}
	})
}
