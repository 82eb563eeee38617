package owner

import (
	"testing"

	"thornback/core/resources"
	"thornback/core/slab"
	"thornback/core/wire"
)

// TestWindow sends no more calls of a group than its window holds, whatever the others have, and the next as one ends.
func TestWindow(t *testing.T) {
	t.Parallel()
	names := resources.NewNames()
	p := &countingPorts{sent: map[uint32]int{}}
	m := New(p, resources.NewPool(request(names, map[string]float64{"CPU": 1})), 4)
	create := &Template{Type: wire.TaskCreate, Returns: 1, Unordered: true, Limits: []int{1, 3}}
	slow := &Template{Type: wire.TaskMethod, Returns: 1}
	io := &Template{Type: wire.TaskMethod, Returns: 1, Group: 1}
	for _, tmpl := range []*Template{create, slow, io} {
		if err := m.AddTemplate(tmpl, tmpl == create, tmpl != create); err != nil {
			t.Fatal(err)
		}
	}
	submit := func(tmpl *Template, actor uint64) uint64 {
		s := &Submission{Template: tmpl, Actor: actor, Returns: 1, Rets: make([]uint64, 1), From: Driver}
		if err := m.Submit(s); err != nil {
			t.Fatal(err)
		}
		m.Schedule(0)
		return s.Rets[0]
	}
	actor := submit(create, 0)
	m.WorkerReady(0)
	m.Schedule(0)
	done := &Outcome{Values: []wire.Value{{Where: wire.WhereInline, Bytes: []byte{wire.TagNone}}}, Inner: [][]uint64{nil}}
	if !m.Done(0, p.last, done, 1) {
		t.Fatal("the creation was not accepted")
	}
	const many = 1000
	for range many {
		submit(slow, actor)
	}
	first := p.last
	for range many {
		submit(io, actor)
	}
	if p.sent[0] != 2+windowSpare || p.sent[1] != 6+windowSpare {
		t.Fatalf("%d and %d calls sent, windows are %d and %d", p.sent[0], p.sent[1], 2+windowSpare, 6+windowSpare)
	}
	if !m.Done(0, first, done, 2) {
		t.Fatal("the call was not accepted")
	}
	if p.sent[0] != 3+windowSpare || p.sent[1] != 6+windowSpare {
		t.Fatalf("%d and %d calls sent after one has ended", p.sent[0], p.sent[1])
	}
	m.WorkerLost(0, Cause{Message: "gone"}, 3)
	if st := m.Stats(); st.Running != 0 || st.Tasks != 0 {
		t.Fatalf("%d tasks, %d running after the worker's end", st.Tasks, st.Running)
	}
	if err := m.sanityCheck(heldOnce(m)); err != nil {
		t.Fatal(err)
	}
}

// heldOnce says that the driver holds every object once.
func heldOnce(m *Machine) map[uint64]int64 {
	held := map[uint64]int64{}
	m.objects.Each(func(h slab.Handle, _ *object) bool {
		held[uint64(h)] = 1
		return true
	})
	return held
}

// countingPorts counts the calls sent to each group.
type countingPorts struct {
	sink
	sent map[uint32]int
	last uint64
}

func (p *countingPorts) Send(_ WorkerID, m *TaskMessage) (uint64, error) {
	p.last = m.Task
	if m.Template.Type == wire.TaskMethod {
		p.sent[m.Template.Group]++
	}
	return 0, nil
}
