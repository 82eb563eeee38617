package metrics

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Limits of a report and of what is in it.
const (
	ReportBytesMax = 1 << 20
	familiesMax    = 1000
	nameBytesMax   = 256
	helpBytesMax   = 4 << 10
	boundsMax      = 1000
	labelsMax      = 64
	labelBytesMax  = 4 << 10 // of one value
	countMax       = 1 << 53 // of a report: sums of those don't overflow
)

// ErrReport is wrapped by the errors of Parse.
var ErrReport = errors.New("metrics: malformed report")

// Kind says how values of a family are put together.
type Kind string

// The kinds.
const (
	Counter   Kind = "counter"   // the sum of what all processes added
	Gauge     Kind = "gauge"     // what each live process set last
	Histogram Kind = "histogram" // the sum of what all processes counted
)

// Family is what has one name: in a report what a process recorded since its last one, in an answer all there is.
type Family struct {
	Name   string    `json:"name"`
	Kind   Kind      `json:"kind"`
	Help   string    `json:"help"`
	Keys   []string  `json:"keys"`   // of the labels
	Bounds []float64 `json:"bounds"` // of a histogram: upper, ascending, finite
	Series []Series  `json:"series"`
}

// Series is one combination of labels.
type Series struct {
	Labels []string `json:"labels"`           // values, one for each key
	Value  Number   `json:"value"`            // of a histogram, the sum
	Counts []uint64 `json:"counts,omitempty"` // of a histogram: one for each bound, one above
	PID    int      `json:"pid,omitempty"`    // of a gauge, in an answer
	key    string
}

// Number is a float64 that is text in JSON, which has no infinity and no NaN.
type Number float64

// MarshalJSON writes the shortest text that reads as the same number.
func (f Number) MarshalJSON() ([]byte, error) {
	return json.Marshal(strconv.FormatFloat(float64(f), 'g', -1, 64))
}

// UnmarshalJSON reads what Python's repr writes too.
func (f *Number) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return fmt.Errorf("%w: value %.40q", ErrReport, s)
	}
	*f = Number(v)
	return nil
}

// Report is what a process recorded since its last report, checked.
type Report struct{ families []Family }

// Parse reads and checks a report. Nothing of one that is wrong anywhere is taken.
func Parse(text []byte) (Report, error) {
	if len(text) > ReportBytesMax {
		return Report{}, fmt.Errorf("%w: %d bytes, at most %d", ErrReport, len(text), ReportBytesMax)
	}
	var r struct {
		Families []Family `json:"families"`
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return Report{}, fmt.Errorf("%w: %w", ErrReport, err)
	}
	if len(r.Families) > familiesMax {
		return Report{}, fmt.Errorf("%w: %d families, at most %d", ErrReport, len(r.Families), familiesMax)
	}
	for i := range r.Families {
		if err := r.Families[i].check(); err != nil {
			return Report{}, fmt.Errorf("%w: %.80q: %w", ErrReport, r.Families[i].Name, err)
		}
	}
	return Report{families: r.Families}, nil
}

func (f *Family) check() error {
	switch {
	case !validName(f.Name, true) || len(f.Name) > nameBytesMax:
		return errors.New("not a name")
	case f.Kind != Counter && f.Kind != Gauge && f.Kind != Histogram:
		return fmt.Errorf("kind %.20q", f.Kind)
	case len(f.Help) > helpBytesMax:
		return fmt.Errorf("a description of %d bytes, at most %d", len(f.Help), helpBytesMax)
	case len(f.Keys) > labelsMax:
		return fmt.Errorf("%d labels, at most %d", len(f.Keys), labelsMax)
	case len(f.Bounds) > boundsMax || len(f.Bounds) > 0 && f.Kind != Histogram:
		return fmt.Errorf("%d bounds", len(f.Bounds))
	}
	for i, b := range f.Bounds {
		if i > 0 && b <= f.Bounds[i-1] {
			return errors.New("bounds that do not ascend")
		}
	}
	for i, k := range f.Keys {
		if !validName(k, false) || len(k) > nameBytesMax || slices.Contains(f.Keys[:i], k) {
			return fmt.Errorf("label %.80q", k)
		}
	}
	for _, s := range f.Series {
		if err := f.checkSeries(s); err != nil {
			return err
		}
	}
	return nil
}

func (f *Family) checkSeries(s Series) error {
	if len(s.Labels) != len(f.Keys) {
		return fmt.Errorf("%d values for %d labels", len(s.Labels), len(f.Keys))
	}
	for _, l := range s.Labels {
		if len(l) > labelBytesMax {
			return fmt.Errorf("a label of %d bytes, at most %d", len(l), labelBytesMax)
		}
	}
	counts := 0
	if f.Kind == Histogram {
		counts = len(f.Bounds) + 1
	}
	if len(s.Counts) != counts {
		return fmt.Errorf("%d counts for %d bounds", len(s.Counts), len(f.Bounds))
	}
	for _, c := range s.Counts {
		if c > countMax {
			return fmt.Errorf("a count of %d", c)
		}
	}
	if v := float64(s.Value); f.Kind == Counter && !(v >= 0 && v <= math.MaxFloat64) {
		return fmt.Errorf("a counter grows by %g", v)
	}
	return nil
}

// validName reports whether Prometheus takes a text as the name of a metric, or of a label, which has no colons.
func validName(s string, colons bool) bool {
	for i, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == ':' && colons
		if !letter && !(i > 0 && c >= '0' && c <= '9') {
			return false
		}
	}
	return s != ""
}
