package owner

import (
	"testing"

	"thornback/core/resources"
	"thornback/core/wire"
)

// sink is Ports that accept everything.
type sink struct{ last []uint64 }

func (s *sink) Send(_ WorkerID, t *TaskMessage) (uint64, error) {
	s.last = append(s.last, t.Task)
	return 0, nil
}
func (*sink) TakeBack(WorkerID, uint64) bool                  { return false }
func (*sink) Started(WorkerID, uint64) bool                   { return true }
func (*sink) ReplyValues(WorkerID, uint32, int, []wire.Value) {}
func (*sink) ReplyReady(WorkerID, uint32, []byte)             {}
func (*sink) ReplyError(WorkerID, uint32, int32, string)      {}
func (*sink) Exit(WorkerID)                                   {}
func (*sink) Kill(WorkerID)                                   {}
func (*sink) Spawn(int)                                       {}
func (*sink) FreeExtent(uint64)                               {}
func (*sink) Wake(*uint32)                                    {}

// BenchmarkTask is the state machine's share of one task: submit, send, done, value looked at and let go.
func BenchmarkTask(b *testing.B) {
	s := &sink{}
	cpu, err := resources.NewRequest(resources.Item{ID: resources.CPU, Amount: resources.Unit})
	if err != nil {
		b.Fatal(err)
	}
	m := New(s, resources.NewPool(cpu), 4)
	m.sched.Starting(1)
	m.WorkerReady(0)
	t := &Template{Type: wire.TaskPlain, Returns: 1, Demand: cpu}
	if err := m.AddTemplate(t, false, false); err != nil {
		b.Fatal(err)
	}
	args := make([]byte, 24)
	rets := make([]uint64, 1)
	one := []wire.Value{{Where: wire.WhereInline, Length: 9, Bytes: make([]byte, 9)}}
	b.ReportAllocs()
	for b.Loop() {
		sub := Submission{Template: t, Args: args, Returns: 1, Rets: rets, From: Driver}
		if err := m.Submit(&sub); err != nil {
			b.Fatal(err)
		}
		m.Schedule(0)
		if !m.Done(0, s.last[0], &Outcome{ExecNS: 1000, Values: one}, 0) {
			b.Fatal("not done")
		}
		s.last = s.last[:0]
		m.Schedule(0)
		m.Refs(Driver, rets[0], -1)
	}
}
