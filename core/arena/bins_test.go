package arena

import "testing"

// One block in each bin: both searches must go through all of them in order.
func TestBinsAreSearchedInOrder(t *testing.T) {
	t.Parallel()
	var sl slab
	s := bins{kind: byWarmth}
	const last = rows<<slotBits - slots // 1<<28 granules, the only size in its row
	in := map[uint32]blockID{}
	for bin := uint32(1); bin <= last; bin++ {
		n := maxInBin(bin)
		if binOf(n) != bin {
			t.Fatalf("%d granules are in bin %d, not %d", n, binOf(n), bin)
		}
		in[bin] = sl.take()
		*sl.at(in[bin]) = block{size: n, state: warm}
		s.push(&sl, in[bin], n)
	}
	want := uint32(last)
	for bin, ok := s.below(rows * slots); ok; bin, ok = s.below(bin) {
		if bin != want {
			t.Fatalf("below %d comes %d", want+1, bin)
		}
		want--
	}
	if want != 0 {
		t.Fatalf("search downwards ends at %d", want)
	}
	for bin := uint32(1); bin <= last; bin++ {
		if got := s.first(bin); got != in[bin] {
			t.Fatalf("first at %d is block %d, want %d", bin, got, in[bin])
		}
		s.remove(&sl, in[bin])
		if got := s.first(bin); got != in[bin+1] {
			t.Fatalf("first at %d without it is block %d, want %d", bin, got, in[bin+1])
		}
	}
	if s.rows != 0 || s.slots != [rows]uint32{} {
		t.Fatal("empty bins are marked")
	}
}
