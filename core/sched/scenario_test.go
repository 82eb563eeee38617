package sched

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"thornback/core/resources"
)

// TestScenarios replays testdata/*.txt. Classes have the names that the scenario gives them, tasks are f1, f2 ... of class
// f, times are in microseconds. Each command prints what was decided, and the state.
func TestScenarios(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			s := &scenario{names: resources.NewNames(), classes: map[string]ClassID{}, tasks: map[TaskID]string{}, by: map[TaskID]SubmitterID{}}
			datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
				out := s.run(t, d)
				if err := s.s.Check(nil); err != nil {
					t.Fatalf("%s: %v", d.Pos, err)
				}
				return out + s.state()
			})
		})
	}
}

type scenario struct {
	names   *resources.Names
	pool    *resources.Pool
	s       *Scheduler
	classes map[string]ClassID
	tasks   map[TaskID]string
	by      map[TaskID]SubmitterID
	last    TaskID
	now     int64
}

// amounts reads the arguments that are numbers.
func amounts(t *testing.T, d *datadriven.TestData, skip ...string) map[string]float64 {
	units := map[string]float64{}
	for _, arg := range d.CmdArgs {
		if len(arg.Vals) == 0 || slices.Contains(skip, arg.Key) {
			continue
		}
		v, err := strconv.ParseFloat(arg.Vals[0], 64)
		if err != nil {
			t.Fatalf("%s: %v", d.Pos, err)
		}
		units[arg.Key] = v
	}
	return units
}

func (s *scenario) request(t *testing.T, d *datadriven.TestData, units map[string]float64) resources.Request {
	r, err := s.names.Request(units)
	if err != nil {
		t.Fatalf("%s: %v", d.Pos, err)
	}
	return r
}

func (s *scenario) run(t *testing.T, d *datadriven.TestData) string {
	var name, task string
	var w, us, most, n, by int
	n = 1
	d.MaybeScanArgs(t, "name", &name)
	d.MaybeScanArgs(t, "task", &task)
	d.MaybeScanArgs(t, "w", &w)
	d.MaybeScanArgs(t, "us", &us)
	d.MaybeScanArgs(t, "most", &most)
	d.MaybeScanArgs(t, "n", &n)
	d.MaybeScanArgs(t, "by", &by)
	id := WorkerID(w)
	switch d.Cmd {
	case "node":
		s.pool = resources.NewPool(s.request(t, d, amounts(t, d, "most")))
		s.s = New(Config{WorkersMax: most}, s.pool)
	case "class":
		s.classes[name] = s.s.Class(s.request(t, d, amounts(t, d, "name")))
	case "actor-class":
		c, err := s.s.CreateClass(s.request(t, d, amounts(t, d, "name")), resources.Request{})
		if err != nil {
			t.Fatalf("%s: %v", d.Pos, err)
		}
		s.classes[name] = c
	case "enqueue":
		for range n {
			s.last++
			s.tasks[s.last] = fmt.Sprintf("%s%d", name, s.last)
			s.by[s.last] = SubmitterID(by)
			s.s.Enqueue(s.last, s.classes[name], SubmitterID(by))
		}
	case "start":
		s.s.Starting(n)
	case "arrive":
		s.s.Starting(-1)
		s.s.AddWorker(id)
	case "next":
		return s.next()
	case "done":
		s.now += int64(us) * 1000
		s.s.Done(id, s.s.Sent(id)[0], int64(us)*1000, s.now)
	case "later":
		s.now += int64(us) * 1000
		if w, ok := s.s.Clogged(s.now); ok {
			return fmt.Sprintf("clogged: worker %d\n", w)
		}
	case "take-back":
		ts := s.s.Sent(id)
		s.s.TookBack(id, ts[len(ts)-1], s.by[ts[len(ts)-1]])
	case "refused":
		w, t, _ := s.s.Next(s.now)
		s.s.Refused(w, t, s.by[t])
		return fmt.Sprintf("worker %d has no room for %s\n", w, s.tasks[t])
	case "retry":
		s.s.Retry()
	case "remove":
		for t, name := range s.tasks {
			if name == task {
				s.s.Remove(t)
			}
		}
	case "block":
		s.s.Block(id)
	case "unblock":
		s.s.Unblock(id)
	case "richest":
		w, ok := s.s.Richest()
		return fmt.Sprintf("richest: %d, %v\n", w, ok)
	case "lost":
		had := s.s.RemoveWorker(id)
		return fmt.Sprintf("it had %s\n", s.list(had))
	default:
		t.Fatalf("%s: unknown command %s", d.Pos, d.Cmd)
	}
	return ""
}

// next takes decisions until there are no more.
func (s *scenario) next() string {
	var out strings.Builder
	for {
		w, t, ok := s.s.Next(s.now)
		if !ok {
			return out.String()
		}
		fmt.Fprintf(&out, "worker %d: %s\n", w, s.tasks[t])
	}
}

func (s *scenario) list(ts []TaskID) string {
	var names []string
	for _, t := range ts {
		names = append(names, s.tasks[t])
	}
	return "[" + strings.Join(names, " ") + "]"
}

func (s *scenario) state() string {
	return fmt.Sprintf("queued %d, ahead %d, idle %v, CPU free %s, wanted %d, at limit %v\n", s.s.Queued(), s.s.Ahead(), s.s.Idle(),
		s.pool.Free(resources.CPU), s.s.Wanted(s.now), s.s.AtLimit())
}
