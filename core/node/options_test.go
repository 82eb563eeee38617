package node

import (
	"errors"
	"strings"
	"testing"

	"thornback/core/owner"
	"thornback/core/resources"
	"thornback/core/wire"
)

func TestParseOptions(t *testing.T) {
	t.Parallel()
	const rest = `"session_dir":"/x","zygote":{"argv":["python"]}`
	for _, c := range []struct{ text, err string }{
		{`{` + rest + `}`, ""},
		{`{"num_cpus":2.5,"num_gpus":1,"resources":{"a":0.5},"prestart":64,` + rest + `}`, ""},
		{``, "options"},
		{`{"num_cpus":"two",` + rest + `}`, "options"},
		{`{"num_cpus":-1,` + rest + `}`, "negative"},
		{`{"num_gpus":-0.5,` + rest + `}`, "negative"},
		{`{"session_dir":"/x"}`, "zygote"},
		{`{"zygote":{"argv":["python"]}}`, "folder"},
		{`{"prestart":65,` + rest + `}`, "prestart"},
		{`{"prestart":-1,` + rest + `}`, "prestart"},
	} {
		_, err := ParseOptions([]byte(c.text))
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v", c.text, err)
		}
	}
	o, err := ParseOptions([]byte(`{"num_cpus":8,` + rest + `}`))
	if err != nil || o.WorkersMax < 8 {
		t.Errorf("a pool of %d for 8 CPUs, %v", o.WorkersMax, err)
	}
}

func TestTotal(t *testing.T) {
	t.Parallel()
	names := resources.NewNames()
	o := Options{NumCPUs: 1.5, StoreBytes: 1 << 30, NodeIP: "10.0.0.1", Resources: map[string]float64{"slot": 3, "none": 0}}
	r, err := o.total(names)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]resources.Amount{
		"CPU": 15_000, "GPU": 0, "object_store_memory": 10_000 << 30, "slot": 30_000, "node:10.0.0.1": 10_000, "none": 0,
	} {
		id, err := names.ID(name)
		if err != nil || r.Of(id) != want {
			t.Errorf("%s: %s, want %s, %v", name, r.Of(id), want, err)
		}
	}
	o.Resources["slot"] = -1
	if _, err := o.total(names); err == nil || !strings.Contains(err.Error(), "slot") {
		t.Errorf("a negative resource: %v", err)
	}
}

func TestCodes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want int32
	}{
		{ErrClosed, wire.EClosed}, {owner.ErrStale, wire.EBadHandle}, {owner.ErrNoActor, wire.EBadHandle}, {errFull, wire.EFull},
		{errors.New("other"), wire.EInval},
	} {
		if got := CodeOf(errors.Join(errors.New("outer"), c.err)); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
}
