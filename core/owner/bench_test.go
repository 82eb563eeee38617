package owner

import (
	"testing"
	"unsafe"

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
func (*sink) ReadyRef(WorkerID, uint64)                       {}
func (*sink) FailAwaited(WorkerID, uint64, []byte)            {}
func (*sink) Quiet(WorkerID) bool                             { return false }
func (*sink) Room(WorkerID, uint64, uint64)                   {}
func (*sink) Exit(WorkerID)                                   {}
func (*sink) Kill(WorkerID)                                   {}
func (*sink) Cancel(WorkerID, uint64, bool)                   {}
func (*sink) Spawn(int)                                       {}
func (*sink) Renamed()                                        {}
func (*sink) FreeExtent(uint64)                               {}
func (*sink) Alarm(uint64, int64)                             {}
func (*sink) Wake(*uint32)                                    {}

// benchmark returns a machine with one worker, and a template for tasks on it.
func benchmark(b *testing.B) (*Machine, *sink, *Template) {
	s := &sink{}
	cpu, err := resources.NewRequest(resources.Item{ID: resources.CPU, Amount: resources.Unit})
	if err != nil {
		b.Fatal(err)
	}
	m := New(s, resources.NewPool(cpu), 4)
	m.Keep(10_000, 1000) // as a node does
	m.sched.Starting(1)
	m.WorkerReady(0)
	t := &Template{Type: wire.TaskPlain, Returns: 1, Demand: cpu}
	if err := m.AddTemplate(t, false, false); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	return m, s, t
}

// BenchmarkTask is the state machine's share of one task: submit, send, done, value looked at and let go.
func BenchmarkTask(b *testing.B) {
	m, s, t := benchmark(b)
	args := make([]byte, 24)
	rets := make([]uint64, 1)
	one := []wire.Value{{Where: wire.WhereInline, Length: 9, Bytes: make([]byte, 9)}}
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

// BenchmarkBurst is the same for each of a thousand tasks that are submitted before the first is sent.
func BenchmarkBurst(b *testing.B) {
	const burst = 1000
	m, s, t := benchmark(b)
	args := make([]byte, 24)
	rets := make([]uint64, burst)
	one := []wire.Value{{Where: wire.WhereInline, Length: 9, Bytes: make([]byte, 9)}}
	for b.Loop() {
		for i := range rets {
			sub := Submission{Template: t, Args: args, Returns: 1, Rets: rets[i : i+1], From: Driver}
			if err := m.Submit(&sub); err != nil {
				b.Fatal(err)
			}
		}
		for done := 0; done < burst; {
			m.Schedule(0)
			for _, task := range s.last {
				if !m.Done(0, task, &Outcome{ExecNS: 1000, Values: one}, 0) {
					b.Fatal("not done")
				}
			}
			done += len(s.last)
			s.last = s.last[:0]
		}
		for _, h := range rets {
			m.Refs(Driver, h, -1)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/burst, "ns/task")
}

// TestSizes keeps what a queued task costs from growing unseen.
func TestSizes(t *testing.T) {
	if got := unsafe.Sizeof(task{}); got != 80 {
		t.Errorf("a task takes %d bytes, not 80", got)
	}
	if got := unsafe.Sizeof(object{}); got != 48 {
		t.Errorf("an object takes %d bytes, not 48", got)
	}
}
