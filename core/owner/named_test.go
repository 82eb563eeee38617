package owner

import (
	"testing"

	"thornback/core/resources"
	"thornback/core/wire"
)

// TestNameTaken creates nothing of an actor whose name another one has by then, detached or not, and frees what it held.
func TestNameTaken(t *testing.T) {
	t.Parallel()
	for _, detached := range []bool{false, true} {
		names := resources.NewNames()
		p := &countingPorts{sent: map[uint32]int{}}
		m := New(p, resources.NewPool(request(names, map[string]float64{"CPU": 1})), 4)
		create := &Template{Type: wire.TaskCreate, Returns: 1, ActorName: "fred", Namespace: "home", Detached: detached}
		if err := m.AddTemplate(create, true, false); err != nil {
			t.Fatal(err)
		}
		var actors [2]uint64
		for i := range actors {
			s := &Submission{Template: create, Returns: 1, Rets: make([]uint64, 1), From: Driver}
			if err := m.Submit(s); err != nil {
				t.Fatal(err)
			}
			actors[i] = s.Rets[0]
			if refused := m.NameRefused(actors[i]); refused != (i == 1) {
				t.Fatalf("actor %d: refused is %v", i, refused)
			}
		}
		if h, _ := m.ActorNamed("home", "fred"); h != actors[0] {
			t.Fatalf("the name is %x's, the first is %x", h, actors[0])
		}
		info, err := m.ActorInfo(actors[1])
		if err != nil || info.State != "DEAD" || info.Death.Message != deathName {
			t.Fatalf("the second is %+v, %v", info, err)
		}
		if st := m.Stats(); st.Queued != 1 || st.Tasks != 1 {
			t.Fatalf("%d queued of %d tasks, one is to be created", st.Queued, st.Tasks)
		}
		m.unhold(actors[1], 1)
		if m.NameRefused(actors[1]) || m.Stats().Objects != 1 {
			t.Fatalf("%d objects are left", m.Stats().Objects)
		}
		if h, _ := m.ActorNamed("home", "fred"); h != actors[0] {
			t.Fatal("the name went with the actor that never had it")
		}
	}
}
