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
	Function        string // module and name of the function; "" when they are not known
	ClassName       string // of the actor
	ActorName       string // TaskCreate: found by ActorNamed while the actor lives; "" for none
	Namespace       string // of the name
	Table           string // TaskCreate with a name: what a handle needs to know of the class; Python's
	Detached        bool   // TaskCreate: lives until it is killed
	Returns         int
	MaxRetries      int               // after the death of the worker; -1: without limit
	RetryExceptions bool              // an exception of the user's code counts as a failed attempt too
	RetryClasses    string            // only one of these classes; Python's; "": any
	MaxRestarts     int               // TaskCreate: how often the actor is made again; -1: without limit
	MaxPending      int               // TaskCreate: calls of one process that may wait for the actor; <= 0: any number
	MaxCalls        int               // TaskPlain: after so many of this function a worker ends; 0: never
	Untracked       bool              // nothing is noted of its tasks when they end
	Group           uint32            // TaskMethod: concurrency group, see xr_msg_task
	Unordered       bool              // TaskCreate: a call that waits for its arguments holds back no other
	Limits          []int             // TaskCreate: calls that run at a time, by group; empty: one, no groups
	Concurrency     []byte            // TaskCreate, with Limits: the same and more, as the worker wants it
	Asyncio         bool              // TaskCreate: its calls run on an event loop
	Stream          bool              // a generator: its items are a stream, and its last return stands for that
	Dynamic         bool              // a generator that puts its items and returns the references
	Window          uint32            // generator: items that may be unread before it pauses; 0: no limit
	Demand          resources.Request // while it runs; for TaskCreate: to be placed
	Running         resources.Request // TaskCreate: while the actor lives
	Context         bool              // the worker asks for TaskContext before it runs
	Lacks           string            // what the node will never have of the demand, in words; "" when it has all
	Refused         bool              // with Lacks: submissions are refused instead of waiting for ever
	class           sched.ClassID
}

// classKey tells the scheduler's classes apart: a function that is given another name with each call is one all the same.
type classKey struct {
	fid     uint32
	create  bool
	alone   bool
	demand  resources.Request
	running resources.Request
}

// AddTemplate registers t and sets its ID.
func (m *Machine) AddTemplate(t *Template, create, method bool) error {
	if !method { // a method runs in the actor's own worker, which has its demand already
		c, err := m.classOf(classKey{fid: t.FID, create: create, alone: t.MaxCalls > 0, demand: t.Demand, running: t.Running})
		if err != nil {
			return err
		}
		t.class = c
	}
	t.ID = uint32(len(m.templates))
	m.templates = append(m.templates, t)
	return nil
}

func (m *Machine) classOf(key classKey) (sched.ClassID, error) {
	c, ok := m.classes[key]
	if ok {
		return c, nil
	}
	var err error
	switch {
	case key.create:
		c, err = m.sched.CreateClass(key.demand, key.running)
	case key.alone:
		c = m.sched.AloneClass(key.demand)
	default:
		c = m.sched.Class(key.demand)
	}
	if err == nil {
		m.classes[key] = c
	}
	return c, err
}

// Template finds a template by its number.
func (m *Machine) Template(id uint32) (*Template, bool) {
	if int(id) >= len(m.templates) {
		return nil, false
	}
	return m.templates[id], true
}
