package owner

import (
	"fmt"

	"thornback/core/resources"
	"thornback/core/slab"
	"thornback/core/wire"
)

// TaskContext is what a running task has of its worker's claim.
type TaskContext struct {
	Devices []resources.Share // GPUs; not to be changed
	CPUs    resources.Amount  // of an actor: while it lives
}

// TaskContext tells what a task that was sent to a worker has.
func (m *Machine) TaskContext(task uint64) (TaskContext, error) {
	t, ok := m.tasks.Get(slab.Handle(task))
	if !ok || t.state != sent {
		return TaskContext{}, fmt.Errorf("%w: task %x", ErrStale, task)
	}
	tmpl := m.templates[t.template]
	c := TaskContext{CPUs: tmpl.Demand.Of(resources.CPU)}
	if tmpl.Type == wire.TaskCreate {
		c.CPUs = tmpl.Running.Of(resources.CPU)
	}
	if tmpl.Demand.Of(resources.GPU) > 0 {
		c.Devices = m.sched.Shares(t.worker)
	}
	return c, nil
}
