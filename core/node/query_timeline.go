package node

import (
	"encoding/json"
	"fmt"

	"thornback/core/event"
)

// queryTimeline tells when ended tasks were where, and who waited when, the newest of both, as rows of numbers: a hundred
// thousand tasks are some megabytes. Times are nanoseconds after origin_ns, which counts from 1970.
func (n *Node) queryTimeline(request json.RawMessage) (any, error) {
	r := struct {
		Limit int `json:"limit"`
	}{rowsMax}
	if len(request) > 0 {
		if err := json.Unmarshal(request, &r); err != nil {
			return nil, fmt.Errorf("node: timeline: %w", err)
		}
	}
	if r.Limit < 0 || r.Limit > rowsMax {
		return nil, fmt.Errorf("node: timeline: limit %d, at most %d", r.Limit, rowsMax)
	}
	tasks, waits := [][]any{}, [][]any{}
	names, pids := map[uint32]any{}, map[uint32]any{}
	var dropped uint64
	err := n.eachEnded(func(t *event.Task) {
		if len(tasks) >= r.Limit {
			return
		}
		row := n.m.RowOf(t)
		if names[t.Template] == nil {
			names[t.Template] = map[string]any{
				"name": taskName(row.Template), "type": taskTypes[row.Template.Type], "function": n.functionName(row.Template),
			}
		}
		pids[t.Worker] = n.processes.pidOf(t.Worker)
		tasks = append(tasks, []any{
			idText(t.ID, t.Bare), idText(t.Parent, t.BareUp), t.Actor, t.Submitted, t.Ready, t.Sent, t.Ended, t.Exec, t.Template,
			t.Worker, t.Attempt, t.Status == event.Failed,
		})
	}, &dropped)
	if err != nil {
		return nil, err
	}
	err = n.view(func() {
		n.m.Log().Waits.Back(^uint64(0), r.Limit, func(w *event.Wait) bool {
			if w.Worker != 0 {
				pids[w.Worker] = n.processes.pidOf(w.Worker)
			}
			waits = append(waits, []any{idText(w.Task, w.Bare), w.Begin, w.End, w.Worker, w.Kind == event.WaitAny})
			return true
		})
	})
	return map[string]any{
		"origin_ns": n.started.UnixNano(), "tasks": tasks, "waits": waits, "templates": names, "pids": pids, "dropped": dropped,
		"driver_pid": n.pid, "session": n.opts.Session, "node_ip": n.opts.NodeIP,
	}, err
}
