package owner

import (
	"thornback/core/resources"
	"thornback/core/sched"
)

// Template holds the options that many submissions share.
type Template struct {
	ID              uint32
	Type            uint32 // wire.TaskPlain, TaskCreate, TaskMethod
	FID             uint32
	Name            string
	ClassName       string // of the actor
	ActorName       string // TaskCreate: found by ActorNamed while the actor lives; "" for none
	Namespace       string // of the name
	Table           string // TaskCreate with a name: what a handle needs to know of the class; Python's
	Detached        bool   // TaskCreate: lives until it is killed
	Returns         int
	MaxRetries      int // after the death of the worker; -1: without limit
	RetryExceptions bool
	Demand          resources.Request // while it runs; for TaskCreate: to be placed
	Running         resources.Request // TaskCreate: while the actor lives
	class           sched.ClassID
}

// AddTemplate registers t and sets its ID.
func (m *Machine) AddTemplate(t *Template, create, method bool) error {
	switch {
	case method: // runs in the actor's own worker, which has its demand already
	case create:
		c, err := m.sched.CreateClass(t.Demand, t.Running)
		if err != nil {
			return err
		}
		t.class = c
	default:
		t.class = m.sched.Class(t.Demand)
	}
	t.ID = uint32(len(m.templates))
	m.templates = append(m.templates, t)
	return nil
}

// Template finds a template by its number.
func (m *Machine) Template(id uint32) (*Template, bool) {
	if int(id) >= len(m.templates) {
		return nil, false
	}
	return m.templates[id], true
}
