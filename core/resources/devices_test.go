package resources

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestDevicesClaims(t *testing.T) {
	t.Parallel()
	type step struct {
		amount Amount // negative: what was claimed in the step with this number (from 1) is released
		want   []Share
		ok     bool
	}
	claim := func(a Amount, want ...Share) step { return step{a, want, true} }
	refuse := func(a Amount) step { return step{a, nil, false} }
	for _, tc := range []struct {
		name  string
		n     int
		steps []step
	}{
		{"whole ones in order", 3, []step{claim(Unit, Share{0, Unit}), claim(2*Unit, Share{1, Unit}, Share{2, Unit}), refuse(1)}},
		{"parts are packed", 3, []step{
			claim(4000, Share{0, 4000}), claim(4000, Share{0, 4000}), claim(4000, Share{1, 4000}), claim(4000, Share{1, 4000}),
			claim(2000, Share{0, 2000}), claim(Unit, Share{2, Unit}), refuse(2001),
		}},
		{"two halves are no whole one", 2, []step{claim(6000, Share{0, 6000}), claim(6000, Share{1, 6000}), refuse(Unit), refuse(5000), claim(4000, Share{0, 4000})}},
		{"whole ones around a part", 3, []step{claim(Unit, Share{0, Unit}), claim(1, Share{1, 1}), {amount: -1}, claim(2*Unit, Share{0, Unit}, Share{2, Unit})}},
		{"one and a half", 3, []step{refuse(15_000), claim(0)}},
		{"none there", 0, []step{refuse(1), refuse(Unit), claim(0)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := NewDevices(tc.n)
			var claims [][]Share
			for i, s := range tc.steps {
				if s.amount < 0 {
					d.Release(claims[-s.amount-1])
					claims = append(claims, nil)
					continue
				}
				if fits := d.Fits(s.amount); fits != s.ok {
					t.Fatalf("step %d: fits %v, want %v", i, fits, s.ok)
				}
				got, ok := d.Claim(s.amount)
				if ok != s.ok || !slices.Equal(got, s.want) {
					t.Fatalf("step %d: claimed %v, %v; want %v, %v", i, got, ok, s.want, s.ok)
				}
				claims = append(claims, got)
			}
		})
	}
}

// Whatever is claimed and released, no device is given out twice, claims and what is free make up all, and what Fits says
// is true.
func TestDevicesAnySequence(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 5).Draw(t, "devices")
		d := NewDevices(n)
		var claims [][]Share
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				used := make([]Amount, n)
				for _, c := range claims {
					for _, s := range c {
						used[s.Device] += s.Amount
					}
				}
				for i, u := range used {
					if u < 0 || u+d.Free(i) != Unit {
						t.Fatalf("device %d: %s claimed, %s free", i, u, d.Free(i))
					}
				}
			},
			"claim": func(t *rapid.T) {
				amount := Amount(rapid.IntRange(1, 12_000).Draw(t, "amount"))
				if rapid.Bool().Draw(t, "whole") {
					amount = Amount(rapid.IntRange(1, 4).Draw(t, "n")) * Unit
				}
				fits := d.Fits(amount)
				shares, ok := d.Claim(amount)
				if fits != ok {
					t.Fatalf("fits %v, claimed %v", fits, ok)
				}
				sum := Amount(0)
				for _, s := range shares {
					sum += s.Amount
				}
				if ok && (sum != amount || amount < Unit && len(shares) != 1) {
					t.Fatalf("%s wanted, got %v", amount, shares)
				}
				if ok {
					claims = append(claims, shares)
				}
			},
			"release": func(t *rapid.T) {
				if len(claims) == 0 {
					t.Skip("nothing is claimed")
				}
				i := rapid.IntRange(0, len(claims)-1).Draw(t, "claim")
				d.Release(claims[i])
				claims = slices.Delete(claims, i, i+1)
			},
		})
		for _, c := range claims {
			d.Release(c)
		}
		if d.Sum() != Amount(n)*Unit {
			t.Fatalf("%s of %d free at the end", d.Sum(), n)
		}
	})
}

func TestDevicesReleaseTwicePanics(t *testing.T) {
	t.Parallel()
	d := NewDevices(1)
	shares, _ := d.Claim(Unit)
	d.Release(shares)
	defer func() {
		if recover() == nil {
			t.Error("released twice")
		}
	}()
	d.Release(shares)
}

// The pool's scalar sum and the devices agree on what fits.
func TestPoolWithDevices(t *testing.T) {
	t.Parallel()
	p := NewPool(mustRequest(t, Item{CPU, 8 * Unit}, Item{GPU, 2 * Unit}))
	part := mustRequest(t, Item{CPU, Unit}, Item{GPU, 6000})
	whole := mustRequest(t, Item{CPU, Unit}, Item{GPU, Unit})
	var held [][]Share
	for range 2 {
		if !p.Claim(part) {
			t.Fatal("a part does not fit")
		}
		held = append(held, p.ClaimDevices(part))
	}
	small := mustRequest(t, Item{GPU, 8000})
	if p.Fits(small) || p.Claim(small) || !p.Feasible(small) {
		t.Error("0.8 of the sum is free, but of no device")
	}
	missing := p.Missing(small)
	if len(missing) != 1 || missing[0].Infeasible() || missing[0].Free != 4000 {
		t.Errorf("missing %+v", missing)
	}
	if p.Feasible(mustRequest(t, Item{GPU, 15_000})) {
		t.Error("one and a half devices are feasible")
	}
	if err := p.Check(); err != nil {
		t.Error(err)
	}
	p.ReleaseDevices(held[0])
	p.Release(part)
	if !p.Claim(whole) {
		t.Error("a whole one does not fit")
	}
	if got := p.ClaimDevices(whole); !slices.Equal(got, []Share{{0, Unit}}) {
		t.Errorf("claimed %v", got)
	}
	if err := p.Check(); err != nil {
		t.Error(err)
	}
}
