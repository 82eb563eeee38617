package owner

import (
	"thornback/core/resources"
	"thornback/core/slab"
)

// Bounds of an explanation.
const (
	explainDepth = 24
	explainNodes = 400
)

// Holder is a task or an actor that has some of a resource that another is short of.
type Holder struct {
	Resource resources.ID
	Amount   resources.Amount
	Name     string // of the task, or the actor's class
	Task     uint64
	Actor    uint64
	Worker   WorkerID
}

// Explanation is a tree of reasons why something is not there yet. Because says what each waits for.
type Explanation struct {
	Reason   Reason
	Object   uint64 // that is explained, or that the node above waits for; 0: none
	Task     uint64 // that makes it
	Actor    uint64
	Name     string // of the task, or the actor's class
	Argument string // by which the task above has it: its place, from 1, or its keyword
	Worker   WorkerID
	Place    int // tasks or calls that come before it
	Queued   int // tasks of its kind that wait
	Short    []resources.Shortage
	Holders  []Holder // of what is short
	Message  string   // what is lacking for ever, or why an actor died
	Seen     bool     // explained elsewhere in the tree; a wait in a circle, if above
	Left     int      // things that it waits for too and that are not listed
	Because  []Explanation
}

// explainer builds a tree of a bounded size.
type explainer struct {
	m     *Machine
	seen  map[uint64]bool // tasks
	nodes int
}

// Explain says why an object is not there yet, or what becomes of an actor.
func (m *Machine) Explain(h uint64) Explanation {
	e := &explainer{m: m, seen: map[uint64]bool{}}
	return e.object(h, explainDepth)
}

// ExplainTask says why a task without results has not ended.
func (m *Machine) ExplainTask(task uint64) Explanation {
	e := &explainer{m: m, seen: map[uint64]bool{}}
	return e.task(slab.Handle(task), explainDepth)
}

// ExplainDriver explains what the driver's threads wait for at present.
func (m *Machine) ExplainDriver() []Explanation {
	e := &explainer{m: m, seen: map[uint64]bool{}}
	var all []Explanation
	for _, w := range m.waiters {
		if w == nil || w.worker != Driver {
			continue
		}
		for _, h := range w.handles {
			if m.stateOf(h) == Pending && len(all) < listMax && !e.seen[h] {
				all = append(all, e.object(h, explainDepth))
			}
		}
	}
	return all
}

func (e *explainer) object(h uint64, depth int) Explanation {
	e.nodes++
	o, ok := e.m.objects.Get(slab.Handle(h))
	x := Explanation{Object: h, Worker: Driver}
	switch {
	case !ok:
		x.Reason = IsUnknown
	case o.kind == anActor && e.m.actors[slab.Handle(h).Slot()] != nil:
		return e.actor(h, e.m.actors[slab.Handle(h).Slot()], depth)
	case o.where == whereStream && o.state == Pending:
		st := e.m.streams[slab.Handle(h).Slot()]
		if st == nil {
			x.Reason = IsUnknown
			return x
		}
		return e.object(uint64(st.items.first()), depth)
	case o.state == Ready:
		x.Reason = IsReady
	case o.state == Failed:
		x.Reason = IsFailed
	case o.task == 0:
		x.Reason = IsPromised
	default:
		x = e.task(e.m.tasks.HandleOf(o.task-1), depth)
		x.Object = h
	}
	return x
}

func (e *explainer) actor(h uint64, a *actor, depth int) Explanation {
	x := Explanation{Object: h, Actor: h, Name: a.template.ClassName, Worker: a.worker, Place: a.calls.len()}
	switch a.state {
	case creating, restarting:
		x.Reason = ActorCreating
		if a.state == restarting {
			x.Reason = ActorRestarting
		}
		if _, ok := e.m.tasks.Get(a.create); ok && a.create != 0 && depth > 0 {
			x.Because = []Explanation{e.task(a.create, depth-1)}
		}
	case alive:
		x.Reason = ActorAlive
		if a.calls.len() > 0 && depth > 0 {
			x.Because = []Explanation{e.task(a.calls.first(), depth-1)}
		}
	default:
		x.Reason, x.Message = ActorDead, a.death.Message
	}
	return x
}

// task explains a task that has not ended.
func (e *explainer) task(th slab.Handle, depth int) Explanation {
	m := e.m
	x := Explanation{Task: uint64(th), Worker: Driver}
	t, ok := m.tasks.Get(th)
	if !ok {
		x.Reason = IsUnknown
		return x
	}
	tmpl := m.templates[t.template]
	x.Name, x.Worker = tmpl.Name, t.worker
	if t.actor != 0 {
		x.Actor = uint64(m.objects.HandleOf(t.actor - 1))
	}
	b := m.blockOf(th, t)
	x.Reason, x.Place = b.reason, max(b.place, b.wait.Place)
	x.Queued, x.Short = b.wait.Queued, b.wait.Short
	if b.reason == Infeasible {
		x.Message = tmpl.Lacks
	}
	if e.seen[uint64(th)] {
		x.Seen = true
		return x
	}
	e.seen[uint64(th)] = true
	if b.reason == ResourcesShort {
		x.Holders = e.holders(b.wait.Short)
	}
	if depth == 0 {
		x.Left = len(b.objects) + len(b.tasks)
		return x
	}
	for i, h := range b.objects {
		if i == listMax || e.nodes >= explainNodes {
			x.Left = len(b.objects) - i
			break
		}
		because := e.object(h, depth-1)
		if b.places != nil {
			because.Argument = b.places[i]
		}
		x.Because = append(x.Because, because)
	}
	for i, on := range b.tasks {
		if i == listMax || e.nodes >= explainNodes {
			x.Left += len(b.tasks) - i
			break
		}
		e.nodes++
		x.Because = append(x.Because, e.task(on, depth-1))
	}
	return x
}

// holders finds who has what is short.
func (e *explainer) holders(short []resources.Shortage) []Holder {
	var all []Holder
	for _, s := range short {
		for i, h := range e.m.sched.Holders(s.ID) {
			if i == listMax {
				break
			}
			holder := Holder{Resource: s.ID, Amount: h.Amount, Worker: h.Worker}
			if ws := e.m.workers[h.Worker]; ws != nil && ws.actor != nil {
				holder.Name, holder.Actor = ws.actor.template.ClassName, uint64(ws.actor.object)
			} else if t, ok := e.m.tasks.Get(slab.Handle(h.Task)); ok {
				holder.Name, holder.Task = e.m.templates[t.template].Name, uint64(h.Task)
			}
			all = append(all, holder)
		}
	}
	return all
}
