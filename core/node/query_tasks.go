package node

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"thornback/core/event"
	"thornback/core/owner"
	"thornback/core/table"
	"thornback/core/wire"
)

// Limits of a list.
const (
	rowsMax = 100_000 // of one answer
	pageLen = 4096    // ended tasks looked at while the lock is held
)

// listing is what is asked of a list.
type listing struct {
	Filters []table.Filter `json:"filters"`
	Limit   int            `json:"limit"`
	Detail  bool           `json:"detail"`
}

func parseListing(request json.RawMessage) (listing, error) {
	l := listing{Limit: 100}
	if len(request) > 0 {
		if err := json.Unmarshal(request, &l); err != nil {
			return l, fmt.Errorf("node: list: %w", err)
		}
	}
	if l.Limit < 0 || l.Limit > rowsMax {
		return l, fmt.Errorf("node: list: limit %d, at most %d", l.Limit, rowsMax)
	}
	return l, nil
}

// list collects rows that pass the filters, up to the limit, and counts the others.
type list[R any] struct {
	listing
	table          *table.Table[R]
	match          func(*R) bool
	rows           []map[string]any
	total, matched int
}

func newList[R any](t *table.Table[R], request json.RawMessage) (*list[R], error) {
	l := &list[R]{table: t, rows: []map[string]any{}}
	var err error
	if l.listing, err = parseListing(request); err != nil {
		return nil, err
	}
	l.match, err = t.Matcher(l.Filters)
	return l, err
}

func (l *list[R]) add(r *R) {
	l.total++
	if !l.match(r) {
		return
	}
	l.matched++
	if len(l.rows) < l.Limit {
		l.rows = append(l.rows, l.table.Row(r, l.Detail))
	}
}

func (l *list[R]) answer(more map[string]any) map[string]any {
	a := map[string]any{"rows": l.rows, "total": l.total, "matched": l.matched}
	for k, v := range more {
		a[k] = v
	}
	return a
}

// taskRow is a task and where to look up what belongs to it.
type taskRow struct {
	owner.TaskRow
	n *Node
}

var taskTypes = [...]string{wire.TaskPlain: "NORMAL_TASK", wire.TaskCreate: "ACTOR_CREATION_TASK", wire.TaskMethod: "ACTOR_TASK"}

// taskTable: ids are handles; Python makes of them what users see. A task without results has an id of another kind.
var taskTable = table.New(
	table.Column[taskRow]{Name: "task_id", Value: func(r *taskRow) any { return idText(r.ID, r.Bare) }},
	table.Column[taskRow]{Name: "attempt_number", Value: func(r *taskRow) any { return int(r.Attempt) }},
	table.Column[taskRow]{Name: "name", Value: func(r *taskRow) any { return taskName(r.Template) }},
	table.Column[taskRow]{Name: "state", Value: func(r *taskRow) any { return r.State }},
	table.Column[taskRow]{Name: "actor_id", Value: func(r *taskRow) any { return handleOrNil(r.Actor) }},
	table.Column[taskRow]{Name: "type", Value: func(r *taskRow) any { return taskTypes[r.Template.Type] }},
	table.Column[taskRow]{Name: "func_or_class_name", Value: func(r *taskRow) any { return r.n.functionName(r.Template) }},
	table.Column[taskRow]{Name: "parent_task_id", Value: func(r *taskRow) any { return idText(r.Parent, r.BareUp) }},
	table.Column[taskRow]{Name: "worker_pid", Value: func(r *taskRow) any { return r.n.processes.pidOf(r.Worker) }},
	table.Column[taskRow]{Name: "error_type", Value: func(r *taskRow) any { return errorType(r) }},
	table.Column[taskRow]{Name: "required_resources", Detail: true, Value: func(r *taskRow) any { return r.n.amounts(r.Template.Demand) }},
	table.Column[taskRow]{Name: "events", Detail: true, Value: func(r *taskRow) any { return r.n.eventsOf(r) }},
	table.Column[taskRow]{Name: "error", Detail: true, Value: func(r *taskRow) any {
		if b := r.n.m.Log().ErrorOf(&r.Task); b != nil {
			return base64.StdEncoding.EncodeToString(b)
		}
		return nil
	}},
)

// idText is a task's id: a handle, with a mark when it is the task's own and not that of its first result.
func idText(id uint64, bare bool) any {
	if bare {
		return fmt.Sprintf("%d-", id)
	}
	return fmt.Sprint(id)
}

func handleOrNil(h uint64) any {
	if h == 0 {
		return nil
	}
	return h
}

// taskName is what users call a task; that of a creation begins with its actor's name.
func taskName(t *owner.Template) string {
	if t.Type == wire.TaskCreate && t.ActorName != "" {
		return t.ActorName + ":" + t.Name
	}
	return t.Name
}

// functionName is what runs, whatever name its tasks were given. Preconditions: n.mu held.
func (n *Node) functionName(t *owner.Template) string {
	name := n.definitions[t.FID].name
	switch t.Type {
	case wire.TaskMethod:
		return t.ClassName + "." + name
	case wire.TaskCreate:
		return t.ClassName + ".__init__"
	}
	return name
}

// errorType is Ray's name for why a task failed.
func errorType(r *taskRow) any {
	if r.State != "FAILED" {
		return nil
	}
	if name, ok := errorTypes[r.Code]; ok {
		return name
	}
	return "TASK_EXECUTION_EXCEPTION"
}

// errorTypes are Ray's names for the engine's errors.
var errorTypes = map[uint8]string{
	wire.ErrWorkerCrashed: "WORKER_DIED", wire.ErrActorDied: "ACTOR_DIED", wire.ErrActorUnavailable: "ACTOR_UNAVAILABLE",
	wire.ErrObjectLost: "OBJECT_LOST", wire.ErrObjectFreed: "OBJECT_FREED", wire.ErrOwnerDied: "OWNER_DIED",
	wire.ErrStoreFull: "OUT_OF_DISK_ERROR", wire.ErrOutOfMemory: "OUT_OF_MEMORY", wire.ErrTaskCancelled: "TASK_CANCELLED",
	wire.ErrUnschedulable: "TASK_UNSCHEDULABLE_ERROR", wire.ErrNodeDied: "NODE_DIED",
}

// eventsOf lists when a task came where. Preconditions: n.mu held.
func (n *Node) eventsOf(r *taskRow) any {
	events := []map[string]any{}
	add := func(state string, ns int64) {
		if ns != 0 {
			events = append(events, map[string]any{"state": state, "created_ms": float64(n.started.UnixNano()+ns) / 1e6})
		}
	}
	add("PENDING_ARGS_AVAIL", r.Submitted)
	add("PENDING_NODE_ASSIGNMENT", r.Ready)
	add("SUBMITTED_TO_WORKER", r.Sent)
	if r.Ended != 0 {
		if r.Exec > 0 {
			add("RUNNING", r.Ended-r.Exec)
		}
		add(r.State, r.Ended)
	}
	return events
}

// querySummary counts tasks by name, kind and state.
func (n *Node) querySummary(json.RawMessage) (any, error) {
	type key struct {
		template uint32
		state    string
	}
	counts := map[key]int{}
	for page, more := 0, true; more; page++ {
		err := n.view(func() {
			more = n.m.TaskPage(page, func(r *owner.TaskRow) { counts[key{r.Template.ID, r.State}]++ })
		})
		if err != nil {
			return nil, err
		}
	}
	var dropped uint64
	err := n.eachEnded(func(t *event.Task) { counts[key{t.Template, n.m.RowOf(t).State}]++ }, &dropped)
	if err != nil {
		return nil, err
	}
	rows := []map[string]any{}
	err = n.view(func() {
		for k, count := range counts {
			t, _ := n.m.Template(k.template)
			rows = append(rows, map[string]any{"name": taskName(t), "type": taskTypes[t.Type], "state": k.state, "count": count})
		}
	})
	return map[string]any{"rows": rows, "dropped": dropped}, err
}

// queryTasks lists tasks: first those that have not ended, then the others, the newest first.
func (n *Node) queryTasks(request json.RawMessage) (any, error) {
	l, err := newList(taskTable, request)
	if err != nil {
		return nil, err
	}
	for page, more := 0, true; more; page++ {
		err := n.view(func() {
			more = n.m.TaskPage(page, func(r *owner.TaskRow) { l.add(&taskRow{*r, n}) })
		})
		if err != nil {
			return nil, err
		}
	}
	var dropped uint64
	err = n.eachEnded(func(t *event.Task) { l.add(&taskRow{n.m.RowOf(t), n}) }, &dropped)
	return l.answer(map[string]any{"dropped": dropped}), err
}

// eachEnded calls f, under the lock, for the tasks that have ended, the newest first, some at a time.
func (n *Node) eachEnded(f func(*event.Task), dropped *uint64) error {
	before := ^uint64(0)
	for before != 0 {
		err := n.view(func() {
			*dropped = n.m.Log().Tasks.Dropped()
			before = n.m.Log().Tasks.Back(before, pageLen, func(t *event.Task) bool {
				f(t)
				return true
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}
