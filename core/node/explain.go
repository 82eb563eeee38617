package node

import (
	"encoding/json"
	"fmt"
	"strings"

	"thornback/core/owner"
)

// reasonJSON is one node of an explanation, as Python reads it.
type reasonJSON struct {
	Code     string       `json:"code"`
	Text     string       `json:"text"`
	Name     string       `json:"name,omitempty"`
	Object   uint64       `json:"object,omitempty"`
	Task     uint64       `json:"task,omitempty"`
	Actor    uint64       `json:"actor,omitempty"`
	Argument string       `json:"argument,omitempty"`
	PID      int          `json:"pid,omitempty"`
	Place    int          `json:"place,omitempty"`
	Short    []shortJSON  `json:"short,omitempty"`
	Holders  []holderJSON `json:"holders,omitempty"`
	Message  string       `json:"message,omitempty"`
	Seen     bool         `json:"seen,omitempty"`
	Left     int          `json:"left,omitempty"`
	Because  []reasonJSON `json:"because"`
}

// shortJSON is a resource that is short.
type shortJSON struct {
	Resource string  `json:"resource"`
	Wanted   float64 `json:"wanted"`
	Free     float64 `json:"free"`
	Total    float64 `json:"total"`
}

// holderJSON is who has some of it.
type holderJSON struct {
	Resource string  `json:"resource"`
	Amount   float64 `json:"amount"`
	Name     string  `json:"name"`
	Task     uint64  `json:"task,omitempty"`
	Actor    uint64  `json:"actor,omitempty"`
	PID      int     `json:"pid"`
}

// queryExplain tells why an object is not there, or, without one, what the driver's threads wait for.
func (n *Node) queryExplain(request json.RawMessage) (any, error) {
	var r struct {
		Object uint64 `json:"object"`
		Task   uint64 `json:"task"` // one without results, instead
	}
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, fmt.Errorf("node: explain: %w", err)
	}
	list := []reasonJSON{}
	err := n.view(func() {
		switch {
		case r.Task != 0:
			list = append(list, n.reason(n.m.ExplainTask(r.Task)))
			return
		case r.Object != 0:
			list = append(list, n.reason(n.m.Explain(r.Object)))
			return
		}
		for _, x := range n.m.ExplainDriver() {
			list = append(list, n.reason(x))
		}
	})
	return list, err
}

func (n *Node) reason(x owner.Explanation) reasonJSON {
	j := reasonJSON{
		Code: string(x.Reason), Text: n.reasonText(&x), Name: x.Name, Object: x.Object, Task: x.Task, Actor: x.Actor,
		Argument: x.Argument, PID: n.workerPID(x.Worker), Place: x.Place, Message: x.Message, Seen: x.Seen, Left: x.Left,
		Because: []reasonJSON{},
	}
	for _, s := range x.Short {
		j.Short = append(j.Short, shortJSON{n.names.Name(s.ID), s.Wanted.Float(), s.Free.Float(), s.Total.Float()})
	}
	for _, h := range x.Holders {
		j.Holders = append(j.Holders, holderJSON{
			n.names.Name(h.Resource), h.Amount.Float(), h.Name, h.Task, h.Actor, n.workerPID(h.Worker),
		})
	}
	for _, b := range x.Because {
		j.Because = append(j.Because, n.reason(b))
	}
	return j
}

func (n *Node) workerPID(id owner.WorkerID) int {
	if w := n.workerAt(id); w != nil {
		return w.pid
	}
	return 0
}

// reasonTexts say what a reason means, after the name of the task or actor.
var reasonTexts = map[owner.Reason]string{
	owner.IsReady:            "is ready",
	owner.IsFailed:           "is ready: an error",
	owner.IsUnknown:          "is gone: nobody holds it, or it was freed",
	owner.IsPromised:         "is being made by a worker",
	owner.ArgumentPending:    "waits for its arguments",
	owner.Infeasible:         "can never run here",
	owner.ResourcesShort:     "waits for resources that others have",
	owner.ResourcesKept:      "waits: what is free is kept for a larger request that has waited for longer",
	owner.WorkerStarting:     "waits for a worker process, which is starting",
	owner.WorkersAtLimit:     "waits for a worker process: no more may be started",
	owner.InQueue:            "waits for its turn",
	owner.SentAhead:          "is with a worker, behind another task",
	owner.SentNotBegun:       "is with a worker, which has not begun with it",
	owner.Running:            "runs",
	owner.BlockedInGet:       "runs, and is blocked in get()",
	owner.BlockedInWait:      "runs, and is blocked in wait()",
	owner.BelowAnother:       "waits for a task that its process runs meanwhile",
	owner.Backpressure:       "is paused: nobody takes the items that it has yielded",
	owner.ActorCreating:      "waits for its actor, which is being created",
	owner.ActorRestarting:    "waits for its actor, which is restarting",
	owner.ActorDead:          "is dead",
	owner.ActorAlive:         "is alive",
	owner.ActorBusy:          "waits: its actor runs one call at a time",
	owner.ConcurrencyReached: "waits: its actor runs as many calls as max_concurrency allows",
	owner.CallOrder:          "waits: an earlier call of the same caller has to go first",
	owner.RingFull:           "waits: its actor's process does not take more calls",
	owner.CancelAsked:        "was asked to stop",
}

func (n *Node) reasonText(x *owner.Explanation) string {
	var b strings.Builder
	if x.Argument != "" {
		fmt.Fprintf(&b, "argument %s: ", x.Argument)
	}
	switch {
	case x.Task != 0:
		fmt.Fprintf(&b, "%s() ", x.Name)
	case x.Actor != 0:
		fmt.Fprintf(&b, "actor %s ", x.Name)
	default:
		b.WriteString("the object ")
	}
	text := reasonTexts[x.Reason]
	if x.Task == 0 {
		text = strings.Replace(text, "waits for its actor, which ", "", 1)
	}
	b.WriteString(text)
	if x.Message != "" {
		b.WriteString(": " + x.Message)
	}
	n.addShortages(&b, x)
	if x.Place > 0 {
		fmt.Fprintf(&b, "; %d before it", x.Place)
	}
	if pid := n.workerPID(x.Worker); pid != 0 {
		fmt.Fprintf(&b, " (pid %d)", pid)
	}
	if x.Seen {
		b.WriteString(" (see above)")
	}
	if x.Left > 0 {
		fmt.Fprintf(&b, "; %d more not shown", x.Left)
	}
	return b.String()
}

func (n *Node) addShortages(b *strings.Builder, x *owner.Explanation) {
	if x.Reason != owner.ResourcesShort {
		return
	}
	sep := ": "
	for _, s := range x.Short {
		b.WriteString(sep + s.Text(n.names))
		sep = "; "
		var who []string
		for _, h := range x.Holders {
			if h.Resource == s.ID {
				who = append(who, fmt.Sprintf("%s has %s (pid %d)", h.Name, h.Amount, n.workerPID(h.Worker)))
			}
		}
		if len(who) > 0 {
			b.WriteString(" (" + strings.Join(who, ", ") + ")")
		}
	}
}
