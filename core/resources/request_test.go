package resources

import (
	"errors"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

func TestNewRequestErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		items []Item
		want  error
	}{
		{"negative", []Item{{CPU, -1}}, ErrNegative},
		{"too much", []Item{{CPU, MaxAmount + 1}}, ErrRange},
		{"twice", []Item{{GPU, 1}, {CPU, 1}, {GPU, 1}}, ErrDuplicate},
		{"twice, once zero", []Item{{GPU, 0}, {GPU, 1}}, ErrDuplicate},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if r, err := NewRequest(tc.items...); !errors.Is(err, tc.want) || r != (Request{}) {
				t.Errorf("got %v, %v", r, err)
			}
		})
	}
}

// anyItems draws items with IDs that differ, in any order.
func anyItems(t *rapid.T, most Amount) []Item {
	return rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) Item {
		return Item{
			ID:     ID(rapid.Uint32Range(0, 8).Draw(t, "id")),
			Amount: Amount(rapid.Int64Range(0, int64(most)).Draw(t, "amount")),
		}
	}), 0, 6, func(it Item) ID { return it.ID }).Draw(t, "items")
}

func mustRequest(t interface{ Fatal(...any) }, items ...Item) Request {
	r, err := NewRequest(items...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A request has what it was made of, and is equal to one made of the same in
// another order, and to no other.
func TestRequestIsItsItems(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		items := anyItems(t, MaxAmount)
		r := mustRequest(t, items...)
		if other := mustRequest(t, rapid.Permutation(items).Draw(t, "permuted")...); other != r {
			t.Fatalf("%v is not %v", other, r)
		}
		got := slices.Collect(r.Items())
		if len(got) != r.Len() || !slices.IsSortedFunc(got, func(a, b Item) int { return int(a.ID) - int(b.ID) }) {
			t.Fatalf("items are %v", got)
		}
		wanted := map[ID]Amount{}
		for _, it := range items {
			if it.Amount > 0 {
				wanted[it.ID] = it.Amount
			}
		}
		if len(wanted) != r.Len() {
			t.Fatalf("%d items, want %d", r.Len(), len(wanted))
		}
		for id := range ID(10) {
			only, without := r.Only(id), r.Without(id)
			if r.Of(id) != wanted[id] || only.Of(id) != wanted[id] || without.Of(id) != 0 {
				t.Fatalf("number %d: %s, only %s, without %s, want %s", id, r.Of(id), only.Of(id), without.Of(id), wanted[id])
			}
			if mustRequest(t, append(slices.Collect(only.Items()), slices.Collect(without.Items())...)...) != r {
				t.Fatalf("number %d: only and without are not all", id)
			}
		}
		if len(items) > 0 {
			items[0].Amount ^= 1
			if mustRequest(t, items...) == r {
				t.Fatal("another amount gives an equal request")
			}
		}
	})
}

func TestNamesRequest(t *testing.T) {
	t.Parallel()
	n := NewNames()
	r, err := n.Request(map[string]float64{"CPU": 1, "GPU": 0, "fast": 0.5, "cheap": 0.001})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Text(n); got != "CPU: 1, cheap: 0.001, fast: 0.5" {
		t.Errorf("request is %q", got)
	}
	if id, ok := n.Lookup("cheap"); !ok || id != firstCustom {
		t.Errorf("cheap is %d, %t", id, ok)
	}
	if _, err := n.Request(map[string]float64{"CPU": -1}); !errors.Is(err, ErrNegative) ||
		err.Error() != `resource "CPU": resources: amount is negative: -1` {
		t.Errorf("got %v", err)
	}
	if empty, err := n.Request(nil); err != nil || empty != (Request{}) || empty.Text(n) != "nothing" {
		t.Errorf("got %v, %v", empty, err)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	n := NewNames()
	for id, name := range map[ID]string{CPU: "CPU", GPU: "GPU", Memory: "memory", ObjectStoreMemory: "object_store_memory"} {
		if got, err := n.ID(name); err != nil || got != id || n.Name(id) != name {
			t.Errorf("%s is %d, %v", name, got, err)
		}
	}
	if _, ok := n.Lookup("unknown"); ok || n.Len() != int(firstCustom) {
		t.Errorf("looking up gave a number: %d names", n.Len())
	}
	if got := n.Name(firstCustom); got != "resource#4" {
		t.Errorf("name of no name is %q", got)
	}
	for i := n.Len(); i < NamesMax; i++ {
		if id, err := n.ID(strconv.Itoa(i)); err != nil || int(id) != i {
			t.Fatalf("name %d is %d, %v", i, id, err)
		}
	}
	if _, err := n.ID("one more"); !errors.Is(err, ErrTooManyNames) {
		t.Errorf("got %v", err)
	}
	if id, err := n.ID("CPU"); err != nil || id != CPU {
		t.Errorf("CPU is %d, %v", id, err)
	}
}
