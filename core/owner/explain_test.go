package owner

import (
	"testing"

	"thornback/core/resources"
	"thornback/core/wire"
)

// Reasons that last for so short that no test of a running session sees them for sure: those that last longer are in
// tests/test_explain.py.

func wantReason(t *testing.T, m *Machine, h uint64, want Reason) Explanation {
	t.Helper()
	x := m.Explain(h)
	if x.Reason != want {
		t.Fatalf("%s, want %s", x.Reason, want)
	}
	return x
}

// TestExplainPromised: a worker has been given the number of an object that it will put, and somebody asks before it does.
func TestExplainPromised(t *testing.T) {
	t.Parallel()
	m := New(&sink{}, resources.NewPool(request(resources.NewNames(), map[string]float64{"CPU": 1})), 4)
	m.sched.Starting(1)
	m.WorkerReady(0)
	granted := m.Grant(0, 2)
	wantReason(t, m, granted[0], IsPromised)
	if !m.PutFrom(0, granted[0], wire.Value{Where: wire.WhereInline, Bytes: []byte{wire.TagNone}}, nil) {
		t.Fatal("the put was refused")
	}
	wantReason(t, m, granted[0], IsReady)
	wantReason(t, m, granted[1], IsPromised)
	m.WorkerLost(0, Cause{Message: "gone"}, 1)
	wantReason(t, m, granted[1], IsUnknown)
}

// givingPorts give back what was sent.
type givingPorts struct{ sink }

func (*givingPorts) TakeBack(WorkerID, uint64) bool { return true }

// busyMachine makes a machine with 2 CPUs and one process, whose tasks, which submit submits, have taken so long.
func busyMachine(t *testing.T, ns uint64) (*Machine, *givingPorts, func() uint64) {
	t.Helper()
	p := &givingPorts{}
	names := resources.NewNames()
	m := New(p, resources.NewPool(request(names, map[string]float64{"CPU": 2})), 4)
	m.sched.Starting(1)
	m.WorkerReady(0)
	tmpl := &Template{Type: wire.TaskPlain, Name: "f", Returns: 1, Demand: request(names, map[string]float64{"CPU": 1})}
	if err := m.AddTemplate(tmpl, false, false); err != nil {
		t.Fatal(err)
	}
	submit := func() uint64 {
		s := &Submission{Template: tmpl, Returns: 1, Rets: make([]uint64, 1), From: Driver, Args: make([]byte, 8)}
		if err := m.Submit(s); err != nil {
			t.Fatal(err)
		}
		return s.Rets[0]
	}
	submit()
	m.Schedule(0)
	done := &Outcome{ExecNS: ns, Values: []wire.Value{{Where: wire.WhereInline, Bytes: []byte{wire.TagNone}}}, Inner: [][]uint64{nil}}
	if !m.Done(0, p.last[0], done, int64(ns)) {
		t.Fatal("the task was not accepted")
	}
	return m, p, submit
}

// TestExplainInQueue: short tasks wait for the worker that has others of them, as no process would start so soon. A CPU is
// free; when a task takes long all the same, a process is started.
func TestExplainInQueue(t *testing.T) {
	t.Parallel()
	const tasks = 500
	m, p, submit := busyMachine(t, 10_000)
	refs := make([]uint64, tasks)
	for i := range refs {
		refs[i] = submit()
	}
	m.Schedule(20_000)
	sent := len(p.last) - 1
	if sent < 1 || sent >= tasks {
		t.Fatalf("%d of %d tasks sent", sent, tasks)
	}
	wantReason(t, m, refs[0], Running)
	wantReason(t, m, refs[1], SentAhead)
	last := wantReason(t, m, refs[tasks-1], InQueue)
	if want := tasks - sent - 1; last.Place != want || len(last.Short) != 0 || len(last.Because) != 0 {
		t.Fatalf("place %d, want %d; short of %v, because of %v", last.Place, want, last.Short, last.Because)
	}
	m.At(5e6)
	m.Tick(5e6)
	m.Schedule(5e6)
	wantReason(t, m, refs[tasks-1], WorkerStarting)
}

// TestFreeCPUIsUsed: a task of a class whose tasks take 3 ms is too long to be sent ahead and too short to have a process
// started at once. When the one before it takes longer, one is, though nothing else happens.
func TestFreeCPUIsUsed(t *testing.T) {
	t.Parallel()
	m, _, submit := busyMachine(t, 3e6)
	submit()
	second := submit()
	m.Schedule(3e6)
	wantReason(t, m, second, InQueue)
	for now := int64(3e6); m.Ahead() && now < 20e6; now += 1e6 {
		m.Tick(now)
		m.Schedule(now)
	}
	wantReason(t, m, second, WorkerStarting)
}
