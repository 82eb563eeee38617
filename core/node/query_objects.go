package node

import (
	"encoding/json"
	"fmt"

	"thornback/core/owner"
	"thornback/core/table"
)

// objectRow is an object and one process that holds it.
type objectRow struct {
	*owner.ObjectRow
	n      *Node
	kind   string // Ray's name for why it is held
	serial uint32 // 0: the driver
	count  int64
}

var objectTable = table.New(
	table.Column[objectRow]{Name: "object_id", Value: func(r *objectRow) any { return r.Handle }},
	table.Column[objectRow]{Name: "object_size", Value: func(r *objectRow) any { return int(r.Bytes) }},
	table.Column[objectRow]{Name: "task_status", Value: func(r *objectRow) any { return r.status() }},
	table.Column[objectRow]{Name: "attempt_number", Value: func(r *objectRow) any { return r.Attempt + 1 }},
	table.Column[objectRow]{Name: "reference_type", Value: func(r *objectRow) any { return r.kind }},
	table.Column[objectRow]{Name: "type", Value: func(r *objectRow) any { return processTypes[r.serial == 0] }},
	table.Column[objectRow]{Name: "pid", Value: func(r *objectRow) any { return r.n.pidOf(r.serial) }},
	table.Column[objectRow]{Name: "call_site", Value: func(r *objectRow) any { return r.n.sites.text(r.Site) }},
	table.Column[objectRow]{Name: "stored", Value: func(r *objectRow) any { return r.Stored }},
	table.Column[objectRow]{Name: "count", Value: func(r *objectRow) any { return int(r.count) }},
)

var processTypes = map[bool]string{true: "DRIVER", false: "WORKER"}

func (r *objectRow) status() string {
	switch {
	case r.Making != "":
		return r.Making
	case r.Actor || r.serial != 0:
		return "NIL"
	}
	return "FINISHED"
}

// pidOf returns the pid of a process by its serial number, 0 being the driver. Preconditions: n.mu held.
func (n *Node) pidOf(serial uint32) any {
	if serial == 0 {
		return n.pid
	}
	return n.processes.pidOf(serial)
}

// queryObjects lists objects, once for each process that holds them. The driver's hold is what remains of all.
func (n *Node) queryObjects(request json.RawMessage) (any, error) {
	l, err := newList(objectTable, request)
	if err != nil {
		return nil, err
	}
	uses := owner.Uses{ByTasks: map[uint64]int64{}, ByObjects: map[uint64]int64{}}
	for _, step := range []func(int) bool{
		func(page int) bool { return n.m.TaskUses(page, &uses) },
		func(page int) bool { return n.m.ObjectUses(page, &uses) },
		func(page int) bool {
			return n.m.ObjectPage(page, func(o *owner.ObjectRow) { n.holders(o, &uses, l.add) })
		},
	} {
		for page, more := 0, true; more; page++ {
			if err := n.view(func() { more = step(page) }); err != nil {
				return nil, err
			}
		}
	}
	return l.answer(nil), nil
}

// holders tells each process that holds an object, and what for.
func (n *Node) holders(o *owner.ObjectRow, uses *owner.Uses, tell func(*objectRow)) {
	rest := o.Refs
	for _, w := range o.Workers {
		rest -= w.Count
		tell(&objectRow{o, n, kindOf(o, "LOCAL_REFERENCE"), w.Serial, w.Count})
	}
	tasks, objects := uses.ByTasks[o.Handle], uses.ByObjects[o.Handle]
	local := rest - tasks - objects
	switch {
	case rest <= 0:
	case tasks > 0:
		tell(&objectRow{o, n, kindOf(o, "USED_BY_PENDING_TASK"), 0, rest})
	case local > 0:
		tell(&objectRow{o, n, kindOf(o, "LOCAL_REFERENCE"), 0, rest})
	default:
		tell(&objectRow{o, n, kindOf(o, "CAPTURED_IN_OBJECT"), 0, rest})
	}
}

func kindOf(o *owner.ObjectRow, kind string) string {
	if o.Actor {
		return "ACTOR_HANDLE"
	}
	return kind
}

// actorRow is an actor and where to look up what belongs to it.
type actorRow struct {
	owner.ActorRow
	n *Node
}

var actorTable = table.New(
	table.Column[actorRow]{Name: "actor_id", Value: func(r *actorRow) any { return r.Handle }},
	table.Column[actorRow]{Name: "class_name", Value: func(r *actorRow) any { return r.Template.ClassName }},
	table.Column[actorRow]{Name: "state", Value: func(r *actorRow) any { return r.State }},
	table.Column[actorRow]{Name: "name", Value: func(r *actorRow) any { return r.Template.ActorName }},
	table.Column[actorRow]{Name: "pid", Value: func(r *actorRow) any { return r.pid() }},
	table.Column[actorRow]{Name: "ray_namespace", Value: func(r *actorRow) any { return r.namespace() }},
	table.Column[actorRow]{Name: "required_resources", Detail: true, Value: func(r *actorRow) any { return r.n.amounts(r.Template.Running) }},
	table.Column[actorRow]{Name: "death_cause", Detail: true, Value: func(r *actorRow) any { return r.death() }},
	table.Column[actorRow]{Name: "is_detached", Detail: true, Value: func(r *actorRow) any { return r.Template.Detached }},
	table.Column[actorRow]{Name: "num_restarts", Detail: true, Value: func(r *actorRow) any { return r.Restarts }},
	table.Column[actorRow]{Name: "pending_calls", Detail: true, Value: func(r *actorRow) any { return r.Pending }},
)

func (r *actorRow) pid() any {
	if r.PID == 0 {
		return nil
	}
	return r.PID
}

func (r *actorRow) namespace() string {
	if r.Template.Namespace == "" {
		return r.n.opts.Namespace
	}
	return r.Template.Namespace
}

func (r *actorRow) death() any {
	if !r.Dead {
		return nil
	}
	return map[string]any{"message": r.Death.Message, "fields": r.Death.Fields}
}

// queryActors lists actors, dead ones too.
func (n *Node) queryActors(request json.RawMessage) (any, error) {
	l, err := newList(actorTable, request)
	if err != nil {
		return nil, err
	}
	err = n.view(func() {
		for _, a := range n.m.Actors() {
			l.add(&actorRow{a, n})
		}
	})
	return l.answer(nil), err
}

// queryProcesses lists the workers' processes, the newest of those that are gone too.
func (n *Node) queryProcesses() any {
	list := []any{}
	for _, p := range n.processes.all() {
		list = append(list, map[string]any{
			"serial": p.serial, "pid": p.pid, "alive": p.ended == 0, "wanted": p.wanted, "exit": p.exit,
			"asked_ms": n.unixMS(p.asked), "forked_ms": n.unixMS(p.forked), "ready_ms": n.unixMS(p.ready), "ended_ms": n.unixMS(p.ended),
			"log": fmt.Sprintf("worker-%d", p.serial),
		})
	}
	return list
}
