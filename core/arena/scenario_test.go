package arena

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestScenarios replays testdata/*.txt; all figures there are in granules. Extents
// have the names that the scenario gives them, and each command prints the map.
func TestScenarios(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			s := &scenario{offsets: map[string]uint64{}}
			datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
				out := s.run(t, d)
				if err := s.arena.Check(); err != nil {
					t.Fatalf("%s: %v", d.Pos, err)
				}
				return out + s.layout()
			})
		})
	}
}

type scenario struct {
	arena   *Arena
	offsets map[string]uint64
}

func (s *scenario) run(t *testing.T, d *datadriven.TestData) string {
	var name string
	var n, at uint64
	d.MaybeScanArgs(t, "name", &name)
	d.MaybeScanArgs(t, "n", &n)
	d.MaybeScanArgs(t, "at", &at)
	var err error
	switch d.Cmd {
	case "new":
		s.arena = New(n * Granularity)
	case "alloc":
		var e Extent
		if e, err = s.arena.Alloc(n * Granularity); err == nil {
			s.offsets[name] = e.Offset
			return fmt.Sprintf("%s: %d+%d fresh %d\n", name, e.Offset/Granularity, e.Length/Granularity, e.Fresh/Granularity)
		}
	case "free":
		err = s.arena.Free(s.offsets[name])
	case "free-cold":
		err = s.arena.FreeCold(s.offsets[name])
	case "released":
		err = s.arena.Released(at*Granularity, n*Granularity)
	case "take":
		e, ok := s.arena.Take(n * Granularity)
		s.offsets[name] = e.Offset
		return fmt.Sprintf("%s: %d+%d %t\n", name, e.Offset/Granularity, e.Length/Granularity, ok)
	case "free-extents":
		var out strings.Builder
		for e := range s.arena.FreeExtents(n * Granularity) {
			fmt.Fprintf(&out, "%d+%d\n", e.Offset/Granularity, e.Length/Granularity)
		}
		return out.String()
	case "stats":
		return fmt.Sprintf("%+v\n", s.arena.Stats())
	default:
		t.Fatalf("%s: unknown command %s", d.Pos, d.Cmd)
	}
	if err != nil {
		return err.Error() + "\n"
	}
	return ""
}

// layout prints the blocks in order of offset; the braces are stretches.
func (s *scenario) layout() string {
	var out strings.Builder
	for id := s.arena.index.get(0); id != 0; id = s.arena.slab.at(id).next {
		b := s.arena.slab.at(id)
		if b.state.free() && !s.arena.free(b.prev) {
			out.WriteString("{")
		}
		fmt.Fprintf(&out, "%s %d", b.state, b.size)
		if b.state.free() && !s.arena.free(b.next) {
			out.WriteString("}")
		}
		if b.next != 0 {
			out.WriteString(" ")
		}
	}
	return out.String() + "\n"
}
