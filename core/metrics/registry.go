// Package metrics decides what the session's metrics are: it adds up what processes report, for the text that Prometheus reads.
//
// Counters and histograms are sums over all processes, so they never go back when one ends; gauges belong to the process that
// set them and go with it. What is kept is bounded: series beyond the bound are refused, those that are there go on. Not safe
// for concurrent use: the node's lock guards a Registry; Parse needs no lock. It reads no clock and does no I/O.
package metrics

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// How much all series may take, and those of one name, by cost.
const (
	BytesMax       = 8 << 20
	FamilyBytesMax = BytesMax / 4
)

// Registry holds the session's metrics.
type Registry struct {
	families []*family // in the order in which they were first reported
	byName   map[string]*family
	bytes    int
	dropped  uint64 // values refused, ever
}

// family is what has one name. The first report decides on kind, description and bounds.
type family struct {
	name   string
	kind   Kind
	help   string
	bounds []float64
	series map[string]*series
	bytes  int
}

// series is one combination of labels; of a gauge, in one process.
type series struct {
	keys, labels []string
	process      uint64
	pid          int
	value        float64
	counts       []uint64
}

// Refusal tells a process which of its metrics were not taken, and why.
type Refusal struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// New returns an empty registry.
func New() *Registry { return &Registry{byName: map[string]*family{}} }

// Add takes a report of a process, whose number never comes twice, and answers what it did not take, once for each name.
func (r *Registry) Add(report Report, process uint64, pid int) []Refusal {
	var refused []Refusal
	for i := range report.families {
		from := &report.families[i]
		f, why := r.family(from)
		count := 0
		for j := range from.Series {
			if why == "" && r.add(f, from, &from.Series[j], process, pid) {
				continue
			}
			count++
		}
		if count == 0 {
			continue
		}
		r.dropped += uint64(count)
		if why == "" {
			why = fmt.Sprintf("too many combinations of tags: a metric may take %d bytes, all of a session %d", FamilyBytesMax, BytesMax)
		}
		refused = append(refused, Refusal{Name: from.Name, Reason: why})
	}
	return refused
}

// family finds or makes a family, or says why the report does not fit it.
func (r *Registry) family(from *Family) (*family, string) {
	f := r.byName[from.Name]
	switch {
	case f == nil:
		cost := 256 + len(from.Name) + len(from.Help) + 8*len(from.Bounds)
		if r.bytes+cost > BytesMax {
			return nil, ""
		}
		r.bytes += cost
		f = &family{name: from.Name, kind: from.Kind, help: from.Help, bounds: from.Bounds, series: map[string]*series{}}
		r.byName[from.Name] = f
		r.families = append(r.families, f)
	case f.kind != from.Kind:
		return nil, fmt.Sprintf("it is a %s already, not a %s", f.kind, from.Kind)
	case !slices.Equal(f.bounds, from.Bounds):
		return nil, fmt.Sprintf("it has the boundaries %v already", f.bounds)
	}
	return f, ""
}

// add puts a value into its series; false when there is no room for another one.
func (r *Registry) add(f *family, from *Family, s *Series, process uint64, pid int) bool {
	if f == nil {
		return false
	}
	if f.kind != Gauge {
		process, pid = 0, 0
	}
	key := keyOf(from.Keys, s.Labels, process)
	to := f.series[key]
	if to == nil {
		cost := costOf(key, len(s.Counts))
		if r.bytes+cost > BytesMax || f.bytes+cost > FamilyBytesMax {
			return false
		}
		r.bytes += cost
		f.bytes += cost
		to = &series{keys: from.Keys, labels: s.Labels, process: process, pid: pid, counts: make([]uint64, len(s.Counts))}
		f.series[key] = to
	}
	if f.kind == Gauge {
		to.value = float64(s.Value)
	} else {
		to.value += float64(s.Value)
	}
	for i, c := range s.Counts {
		to.counts[i] += c
	}
	return true
}

// keyOf names a series: labels without a value are as if they were not there, and their order does not count.
func keyOf(keys, labels []string, process uint64) string {
	pairs := make([]string, 0, len(keys))
	for i, k := range keys {
		if labels[i] != "" {
			pairs = append(pairs, fmt.Sprintf("%s=%q", k, labels[i]))
		}
	}
	slices.Sort(pairs)
	return fmt.Sprintf("%d %s", process, strings.Join(pairs, ","))
}

// costOf estimates the memory of a series: its key twice, since the labels are kept too, and what Go needs around it.
func costOf(key string, counts int) int { return 256 + 2*len(key) + 8*counts }

// Gone drops the gauges of a process that has ended. Names stay, so that one keeps its kind.
func (r *Registry) Gone(process uint64) {
	for _, f := range r.families {
		if f.kind != Gauge {
			continue
		}
		for key, s := range f.series {
			if s.process == process {
				r.bytes -= costOf(key, 0)
				f.bytes -= costOf(key, 0)
				delete(f.series, key)
			}
		}
	}
}

// Snapshot returns a copy of everything, in no order.
func (r *Registry) Snapshot() (all []Family, dropped uint64) {
	all = make([]Family, 0, len(r.families))
	for _, f := range r.families {
		at := map[string]int{} // names of labels, to where in all their series are
		for key, s := range f.series {
			names := strings.Join(s.keys, ",")
			i, ok := at[names]
			if !ok {
				i = len(all)
				at[names] = i
				all = append(all, Family{Name: f.name, Kind: f.kind, Help: f.help, Keys: s.keys, Bounds: f.bounds})
			}
			all[i].Series = append(all[i].Series, Series{
				Labels: s.labels, Value: Number(s.value), Counts: slices.Clone(s.counts), PID: s.pid, key: key,
			})
		}
	}
	return all, r.dropped
}

// Sort puts what Snapshot returned in the order of names and labels. It needs no lock.
func Sort(all []Family) {
	slices.SortFunc(all, func(a, b Family) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), slices.Compare(a.Keys, b.Keys))
	})
	for _, f := range all {
		slices.SortFunc(f.Series, func(a, b Series) int { return strings.Compare(a.key, b.key) })
	}
}
