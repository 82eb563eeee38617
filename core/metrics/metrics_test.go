package metrics

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

func parsed(t *testing.T, families ...Family) Report {
	t.Helper()
	text, err := json.Marshal(map[string]any{"families": families})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func one(kind Kind, name string, value float64, labels ...string) Family {
	f := Family{Name: name, Kind: kind, Series: []Series{{Value: Number(value)}}}
	for i, l := range labels {
		f.Keys = append(f.Keys, fmt.Sprintf("k%d", i))
		f.Series[0].Labels = append(f.Series[0].Labels, l)
	}
	return f
}

// lines renders a snapshot, a series a line.
func lines(r *Registry) string {
	all, _ := r.Snapshot()
	Sort(all)
	var b strings.Builder
	for _, f := range all {
		for _, s := range f.Series {
			fmt.Fprintf(&b, "%s %s %v %d %g %v\n", f.Name, f.Kind, s.Labels, s.PID, float64(s.Value), s.Counts)
		}
	}
	return b.String()
}

func want(t *testing.T, r *Registry, text string) {
	t.Helper()
	if got := lines(r); got != text {
		t.Errorf("got\n%swant\n%s", got, text)
	}
}

func TestProcessesAreAddedUpAndGaugesGoWithThem(t *testing.T) {
	t.Parallel()
	r := New()
	hist := Family{Name: "h", Kind: Histogram, Bounds: []float64{1, 5}, Series: []Series{{Value: 2.5, Counts: []uint64{1, 1, 0}}}}
	for process := range uint64(3) {
		report := parsed(t, one(Counter, "c", 2, "x"), one(Gauge, "g", float64(process)), hist)
		if refused := r.Add(report, process, 100+int(process)); len(refused) > 0 {
			t.Error(refused)
		}
	}
	r.Add(parsed(t, one(Gauge, "g", math.Inf(-1))), 2, 102)
	want(t, r, "c counter [x] 0 6 []\ng gauge [] 100 0 []\ng gauge [] 101 1 []\ng gauge [] 102 -Inf []\n"+
		"h histogram [] 0 7.5 [3 3 0]\n")
	r.Gone(1)
	r.Gone(0)
	want(t, r, "c counter [x] 0 6 []\ng gauge [] 102 -Inf []\nh histogram [] 0 7.5 [3 3 0]\n")
}

func TestTheFirstReportDecidesWhatANameIs(t *testing.T) {
	t.Parallel()
	r := New()
	r.Add(parsed(t, one(Counter, "c", 1)), 1, 1)
	h := func(bounds ...float64) Family {
		return Family{Name: "h", Kind: Histogram, Bounds: bounds, Series: []Series{{Counts: make([]uint64, len(bounds)+1)}}}
	}
	r.Add(parsed(t, h(1, 2)), 1, 1)
	refused := r.Add(parsed(t, one(Gauge, "c", 5), h(1, 3), one(Counter, "d", 1)), 2, 2)
	text := fmt.Sprint(refused)
	if text != "[{c it is a counter already, not a gauge} {h it has the boundaries [1 2] already}]" {
		t.Error(text)
	}
	if _, dropped := r.Snapshot(); dropped != 2 {
		t.Error(dropped)
	}
	want(t, r, "c counter [] 0 1 []\nd counter [] 0 1 []\nh histogram [] 0 0 [0 0 0]\n")
}

func TestLabelsWithoutValueAndTheirOrderDoNotCount(t *testing.T) {
	t.Parallel()
	r := New()
	for _, labels := range [][2][]string{
		{{"a", "b"}, {"1", "2"}}, {{"b", "a"}, {"2", "1"}}, {{"a", "b", "c"}, {"1", "2", ""}}, {{"a", "b"}, {"1,b=2", ""}},
	} {
		f := Family{Name: "c", Kind: Counter, Keys: labels[0], Series: []Series{{Labels: labels[1], Value: 1}}}
		r.Add(parsed(t, f), 1, 1)
	}
	want(t, r, "c counter [1 2] 0 3 []\nc counter [1,b=2 ] 0 1 []\n")
}

func TestSeriesBeyondTheBoundAreRefusedAndOthersGoOn(t *testing.T) {
	t.Parallel()
	r := New()
	r.Add(parsed(t, one(Counter, "c", 1, "first"), one(Gauge, "g", 1, "first")), 1, 1)
	long := strings.Repeat("x", labelBytesMax-20)
	var refused []Refusal
	taken := 0
	for ; refused == nil; taken++ {
		refused = r.Add(parsed(t, one(Gauge, "g", 1, fmt.Sprint(taken, long))), 2, 2)
	}
	if taken < FamilyBytesMax/3/labelBytesMax || len(refused) != 1 || !strings.Contains(refused[0].Reason, "too many combinations") {
		t.Fatal(taken, refused)
	}
	if refused := r.Add(parsed(t, one(Counter, "c", 1, "first")), 2, 2); refused != nil {
		t.Error(refused)
	}
	if r.bytes > FamilyBytesMax+2000 {
		t.Error(r.bytes)
	}
	if refused := r.Add(parsed(t, one(Gauge, "other", 1, "first")), 2, 2); refused != nil {
		t.Error(refused)
	}
	r.Gone(2)
	want(t, r, "c counter [first] 0 2 []\ng gauge [first] 1 1 []\n")
	if refused := r.Add(parsed(t, one(Gauge, "g", 1, long)), 3, 3); refused != nil {
		t.Error("the room of gauges that are gone is not free:", refused)
	}
	r.Gone(3)
	r.Gone(1)
	if r.bytes > 3000 {
		t.Errorf("%d bytes are left of one series and three names", r.bytes)
	}
}

func TestNonsenseIsRefusedWhole(t *testing.T) {
	t.Parallel()
	series := func(s string) string {
		return `{"families":[{"name":"n","kind":"counter","series":[{"labels":[],"value":"1"}]},` + s + `]}`
	}
	for name, text := range map[string]string{
		"no JSON":            "]",
		"no object":          "3",
		"too long":           `{"families":[]` + strings.Repeat(" ", ReportBytesMax) + "}",
		"kind":               series(`{"name":"x","kind":"summary"}`),
		"empty name":         series(`{"name":"","kind":"counter"}`),
		"name":               series(`{"name":"x y","kind":"counter"}`),
		"digit first":        series(`{"name":"1x","kind":"counter"}`),
		"long name":          series(`{"name":"` + strings.Repeat("x", nameBytesMax+1) + `","kind":"counter"}`),
		"long help":          series(`{"name":"x","kind":"counter","help":"` + strings.Repeat("x", helpBytesMax+1) + `"}`),
		"label name":         series(`{"name":"x","kind":"counter","keys":["a:b"]}`),
		"label twice":        series(`{"name":"x","kind":"counter","keys":["a","a"]}`),
		"labels missing":     series(`{"name":"x","kind":"counter","keys":["a"],"series":[{"labels":[],"value":"1"}]}`),
		"labels too many":    series(`{"name":"x","kind":"counter","series":[{"labels":["1"],"value":"1"}]}`),
		"a number as value":  series(`{"name":"x","kind":"counter","series":[{"labels":[],"value":1}]}`),
		"a text as value":    series(`{"name":"x","kind":"counter","series":[{"labels":[],"value":"one"}]}`),
		"a counter down":     series(`{"name":"x","kind":"counter","series":[{"labels":[],"value":"-1"}]}`),
		"a counter NaN":      series(`{"name":"x","kind":"counter","series":[{"labels":[],"value":"nan"}]}`),
		"a counter infinite": series(`{"name":"x","kind":"counter","series":[{"labels":[],"value":"inf"}]}`),
		"counts of none":     series(`{"name":"x","kind":"counter","series":[{"labels":[],"value":"1","counts":[1]}]}`),
		"bounds of none":     series(`{"name":"x","kind":"gauge","bounds":[1]}`),
		"bounds that fall":   series(`{"name":"x","kind":"histogram","bounds":[2,1]}`),
		"counts too few":     series(`{"name":"x","kind":"histogram","bounds":[1],"series":[{"labels":[],"value":"1","counts":[1]}]}`),
		"negative counts":    series(`{"name":"x","kind":"histogram","bounds":[],"series":[{"labels":[],"value":"1","counts":[-1]}]}`),
		"huge counts": series(`{"name":"x","kind":"histogram","bounds":[],"series":[{"labels":[],"value":"1",` +
			`"counts":[18446744073709551615]}]}`),
		"many labels": series(`{"name":"x","kind":"counter","keys":[` + strings.Repeat(`"a",`, labelsMax) + `"b"]}`),
		"many bounds": series(`{"name":"x","kind":"histogram","bounds":[` + strings.Repeat("1,", boundsMax) + `2]}`),
		"long label": series(`{"name":"x","kind":"counter","keys":["a"],"series":[{"labels":["` +
			strings.Repeat("x", labelBytesMax+1) + `"],"value":"1"}]}`),
	} {
		if r, err := Parse([]byte(text)); !errors.Is(err, ErrReport) || len(r.families) > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"families":[{"name":"n","kind":"counter","keys":["a"],"series":[{"labels":["x"],"value":"1"}]}]}`))
	f.Add([]byte(`{"families":[{"name":"h","kind":"histogram","bounds":[1],"series":[{"labels":[],"value":"inf","counts":[1,2]}]}]}`))
	f.Add([]byte(`{"families":[{"name":"g","kind":"gauge","series":[{"labels":null,"value":"nan"}]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		report, err := Parse(text)
		if err != nil {
			return
		}
		r := New()
		r.Add(report, 1, 1)
		r.Add(report, 2, 2)
		all, _ := r.Snapshot()
		Sort(all)
		if _, err := json.Marshal(all); err != nil {
			t.Error(err)
		}
		if r.bytes > BytesMax {
			t.Error(r.bytes)
		}
		r.Gone(1)
		r.Gone(2)
	})
}
