package resources

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestScenarios replays testdata/*.txt. Arguments name resources with amounts in
// units; what a worker claimed is remembered under its name.
func TestScenarios(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			s := &scenario{names: NewNames(), workers: map[string]Request{}}
			datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
				out, err := s.run(t, d)
				if err != nil {
					return err.Error() + "\n"
				}
				if err := s.pool.Check(); err != nil {
					t.Fatalf("%s: %v", d.Pos, err)
				}
				return out + s.state()
			})
		})
	}
}

type scenario struct {
	names   *Names
	pool    *Pool
	workers map[string]Request
}

func (s *scenario) run(t *testing.T, d *datadriven.TestData) (string, error) {
	var name string
	units := map[string]float64{}
	for _, arg := range d.CmdArgs {
		if len(arg.Vals) == 0 {
			name = arg.Key
			continue
		}
		value, err := strconv.ParseFloat(arg.Vals[0], 64)
		if err != nil {
			t.Fatalf("%s: %v", d.Pos, err)
		}
		units[arg.Key] = value
	}
	r, err := s.names.Request(units)
	if err != nil {
		return "", err
	}
	switch d.Cmd {
	case "node":
		s.pool = NewPool(r)
	case "claim":
		if !s.pool.Claim(r) {
			return s.refusal(r), nil
		}
		s.workers[name] = r
	case "release":
		s.pool.Release(s.workers[name])
	case "lend":
		s.pool.LendCPU(s.workers[name])
	case "take-back":
		s.pool.TakeBackCPU(s.workers[name])
	default:
		t.Fatalf("%s: unknown command %s", d.Pos, d.Cmd)
	}
	return "", nil
}

func (s *scenario) refusal(r Request) string {
	var out strings.Builder
	fmt.Fprintf(&out, "feasible: %t\n", s.pool.Feasible(r))
	for _, short := range s.pool.Missing(r) {
		what := "waits"
		if short.Infeasible() {
			what = "never"
		}
		fmt.Fprintf(&out, "%s: %s\n", what, short.Text(s.names))
	}
	return out.String()
}

func (s *scenario) state() string {
	var parts []string
	for id := range ID(s.pool.Len()) {
		if total := s.pool.Total(id); total != 0 {
			parts = append(parts, fmt.Sprintf("%s %s of %s", s.names.Name(id), s.pool.Free(id), total))
		}
	}
	return strings.Join(parts, ", ") + "\n"
}
