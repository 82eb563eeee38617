package resources

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// worker is one that has claimed something, as an owner of a Pool knows it.
type worker struct {
	has  Request
	lent bool
}

func TestAnySequence(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		total := mustRequest(t, anyItems(t, 4*Unit)...)
		p := NewPool(total)
		var workers []worker
		pick := func(t *rapid.T, lent bool) int {
			var able []int
			for i, w := range workers {
				if w.lent == lent {
					able = append(able, i)
				}
			}
			if len(able) == 0 {
				t.Skip("no such worker")
			}
			return rapid.SampledFrom(able).Draw(t, "worker")
		}
		t.Repeat(map[string]func(*rapid.T){
			"claim": func(t *rapid.T) {
				r := mustRequest(t, anyItems(t, 2*Unit)...)
				fits, short := p.Fits(r), p.Missing(r)
				if claimed := p.Claim(r); claimed != fits || claimed != (len(short) == 0) {
					t.Fatalf("fits %t, missing %v, claimed %t", fits, short, claimed)
				} else if claimed {
					workers = append(workers, worker{has: r})
				}
				checkShort(t, p, r, short)
			},
			"release": func(t *rapid.T) {
				i := pick(t, false)
				p.Release(workers[i].has)
				workers = append(workers[:i], workers[i+1:]...)
			},
			"release CPU for good": func(t *rapid.T) {
				i := pick(t, false)
				p.Release(workers[i].has.Only(CPU))
				workers[i].has = workers[i].has.Without(CPU)
			},
			"lend": func(t *rapid.T) {
				i := pick(t, false)
				p.LendCPU(workers[i].has)
				workers[i].lent = true
			},
			"take back": func(t *rapid.T) {
				i := pick(t, true)
				p.TakeBackCPU(workers[i].has)
				workers[i].lent = false
			},
			"": func(t *rapid.T) { checkSums(t, p, total, workers) },
		})
		for _, w := range workers {
			if w.lent {
				p.TakeBackCPU(w.has)
			}
			p.Release(w.has)
		}
		checkSums(t, p, total, nil)
	})
}

// checkSums requires claims + free = total, where what is lent is claimed by none.
func checkSums(t *rapid.T, p *Pool, total Request, workers []worker) {
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	for id := range ID(10) {
		sum := p.Free(id)
		for _, w := range workers {
			if !w.lent || id != CPU {
				sum += w.has.Of(id)
			}
		}
		if sum != total.Of(id) || p.Total(id) != total.Of(id) {
			t.Fatalf("number %d: free and claimed are %s of %s", id, sum, total.Of(id))
		}
	}
}

func checkShort(t *rapid.T, p *Pool, r Request, short []Shortage) {
	feasible := true
	for _, s := range short {
		if s.By() <= 0 || s.Wanted != r.Of(s.ID) || s.Free > p.Free(s.ID) || s.Total > p.Total(s.ID) {
			t.Fatalf("%+v is not short", s)
		}
		if s.ID != GPU && (s.Free != p.Free(s.ID) || s.Total != p.Total(s.ID)) { // what devices don't give is not free
			t.Fatalf("%+v is not what there is: %s free of %s", s, p.Free(s.ID), p.Total(s.ID))
		}
		feasible = feasible && !s.Infeasible()
	}
	if feasible != p.Feasible(r) {
		t.Fatalf("feasible %t, missing %v", p.Feasible(r), short)
	}
}

// One and a bit can't be had of any number of devices, and the shortage says so.
func TestPartsAboveOneDevice(t *testing.T) {
	t.Parallel()
	p := NewPool(mustRequest(t, Item{GPU, 4 * Unit}))
	r := mustRequest(t, Item{GPU, Unit + 1})
	short := p.Missing(r)
	if p.Claim(r) || len(short) != 1 || !short[0].Infeasible() || short[0].By() <= 0 {
		t.Fatalf("missing %+v", short)
	}
}

func TestBrokenInvariantsPanic(t *testing.T) {
	t.Parallel()
	cpu := func(a Amount) Request { return mustRequest(t, Item{CPU, a}) }
	custom := mustRequest(t, Item{77, Unit})
	for _, tc := range []struct {
		name string
		do   func(p *Pool)
		text string
	}{
		{"release twice", func(p *Pool) { p.Release(cpu(Unit)); p.Release(cpu(1)) }, "release 0.0001 of number 0: 0 claimed"},
		{"release unknown", func(p *Pool) { p.Release(custom) }, "release 1 of number 77: 0 claimed"},
		{"release lent", func(p *Pool) { p.LendCPU(cpu(Unit)); p.Release(cpu(Unit)) }, "1 claimed, 1 of it lent"},
		{"lend twice", func(p *Pool) { p.LendCPU(cpu(Unit)); p.LendCPU(cpu(1)) }, "lend 0.0001 CPU: 1 claimed, 1 of it lent"},
		{"take back too much", func(p *Pool) { p.LendCPU(cpu(1)); p.TakeBackCPU(cpu(2)) }, "take back 0.0002 CPU: 0.0001 lent"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := NewPool(cpu(2 * Unit))
			if !p.Claim(cpu(Unit)) {
				t.Fatal("nothing to claim")
			}
			defer func() {
				if got, ok := recover().(string); !ok || !strings.Contains(got, tc.text) {
					t.Errorf("panic %q does not say %q", got, tc.text)
				}
				if err := p.Check(); err != nil {
					t.Error(err)
				}
			}()
			tc.do(p)
		})
	}
}

func BenchmarkClaimRelease(b *testing.B) {
	for _, bc := range []struct {
		name  string
		items []Item
	}{
		{"1", []Item{{CPU, Unit}}},
		{"4", []Item{{CPU, Unit}, {GPU, Unit / 2}, {Memory, 1 << 40}, {9, 1}}},
	} {
		b.Run(bc.name+"resources", func(b *testing.B) {
			r := mustRequest(b, bc.items...)
			p := NewPool(r)
			b.ReportAllocs()
			for b.Loop() {
				if !p.Claim(r) {
					b.Fatal("does not fit")
				}
				p.Release(r)
			}
		})
	}
}

func BenchmarkRequestAsKey(b *testing.B) {
	r := mustRequest(b, Item{CPU, Unit}, Item{GPU, Unit / 2})
	classes := map[Request]int{{}: 1, r: 2}
	for b.Loop() {
		if classes[r] != 2 {
			b.Fatal("not found")
		}
	}
}
