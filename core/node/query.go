package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"

	"thornback/core/door"
	"thornback/core/owner"
	"thornback/core/resources"
	"thornback/core/wire"
)

// query answers a question and changes nothing. It is called without the lock, and takes it for a short while at a time
// (Node.view): a session with a million tasks goes on while somebody lists them.
type query func(n *Node, request json.RawMessage) (any, error)

// queries are what drivers, workers and other processes of the user may ask. Nothing in here may change anything: who reaches
// the socket may call them all.
var queries map[string]query

func init() { // not a literal: queries that explain themselves would be an initialization cycle
	queries = map[string]query{
		"stats":     locked((*Node).queryStats),
		"resources": locked((*Node).queryResources),
		"session":   locked((*Node).querySession),
		"demands":   locked((*Node).queryDemands),
		"processes": locked((*Node).queryProcesses),
		"actors":    (*Node).queryActors,
		"objects":   (*Node).queryObjects,
		"tasks":     (*Node).queryTasks,
		"timeline":  (*Node).queryTimeline,
		"summary":   (*Node).querySummary,
		"template":  (*Node).queryTemplate,
		"actor":     (*Node).queryActor,
		"workers":   locked((*Node).queryWorkers),
		"explain":   (*Node).queryExplain,
		"balance":   locked((*Node).queryBalance),
		"metrics":   (*Node).queryMetrics,
	}
}

// locked makes a query of what is quick enough to be done under the lock in one go.
func locked(ask func(n *Node) any) query {
	return func(n *Node, _ json.RawMessage) (answer any, err error) {
		err = n.view(func() { answer = ask(n) })
		return answer, err
	}
}

// view runs f under the lock.
func (n *Node) view(f func()) error {
	if !n.enter() {
		return ErrClosed
	}
	defer n.rescue()
	f()
	n.unlock()
	return nil
}

// answer is what the socket and workers ask.
func (n *Node) answer(op string, request json.RawMessage) (any, error) {
	q, ok := queries[op]
	if !ok {
		return nil, fmt.Errorf("node: no query %q", op)
	}
	return q(n, request)
}

// guarded makes a panic an error, for goroutines of the node's own: there, one that nobody catches would bring the user's
// program down.
func guarded(ask door.Answer) door.Answer {
	return func(op string, request json.RawMessage) (answer any, err error) {
		defer func() {
			if p := recover(); p != nil {
				answer, err = nil, fmt.Errorf("node: %s: internal error: %v\n%s", op, p, debug.Stack())
			}
		}()
		return ask(op, request)
	}
}

// marshal asks, and words the answer or the error for the border.
func (n *Node) marshal(ask door.Answer, op string, request []byte) ([]byte, int32, error) {
	answer, err := ask(op, request)
	if err != nil {
		return nil, CodeOf(err), err
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return nil, wire.EInval, fmt.Errorf("node: %s: %w", op, err)
	}
	return text, wire.OK, nil
}

// askLater answers what a worker asks when the lock is free. Preconditions: n.mu held.
func (n *Node) askLater(w *worker, request uint32, op string, text []byte, ask door.Answer) {
	id, inc := w.id, w.incarnation
	text = bytes.Clone(text)
	n.asking.Add(1)
	go func() {
		defer n.asking.Done()
		answer, code, err := n.marshal(guarded(ask), op, text)
		n.do(func() {
			if w := n.workerAt(id); w != nil && w.incarnation == inc {
				n.replyControl(w, request, answer, code, err)
			}
		})
	}()
}

func (n *Node) queryStats() any {
	m, s := n.m.Stats(), n.store.Stats()
	return map[string]any{
		"objects": m.Objects, "tasks": m.Tasks, "queued": m.Queued, "running": m.Running, "actors": m.Actors,
		"workers": m.Workers, "pooled": m.Pooled, "waiters": m.Waiters, "heap_bytes": m.HeapBytes, "heap_mapped": m.HeapMapped,
		"store_capacity": s.Capacity, "store_used_bytes": s.Used, "store_touched_bytes": s.Touched, "store_extents": s.Allocations,
	}
}

func (n *Node) queryResources() any {
	total, free := map[string]float64{}, map[string]float64{}
	for i := range n.names.Len() {
		id := resources.ID(i)
		if t := n.pool.Total(id); t > 0 {
			total[n.names.Name(id)] = t.Float()
			if f := n.pool.Free(id); f > 0 {
				free[n.names.Name(id)] = f.Float()
			}
		}
	}
	return map[string]any{"total": total, "available": free}
}

// queryDemands tells what waits for a worker: amounts, and how many tasks ask for just that.
func (n *Node) queryDemands() any {
	list := []any{}
	n.m.Demands(func(r resources.Request, tasks int) {
		list = append(list, map[string]any{"resources": n.amounts(r), "count": tasks})
	})
	return list
}

// amounts names what a request asks for. Preconditions: n.mu held.
func (n *Node) amounts(r resources.Request) map[string]float64 {
	all := make(map[string]float64, r.Len())
	for it := range r.Items() {
		all[n.names.Name(it.ID)] = it.Amount.Float()
	}
	return all
}

// queryTemplate tells what tasks of a template are called and have.
func (n *Node) queryTemplate(request json.RawMessage) (answer any, err error) {
	var r struct {
		TID uint32 `json:"tid"`
	}
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, fmt.Errorf("node: template: %w", err)
	}
	seen := n.view(func() {
		t, ok := n.m.Template(r.TID)
		if !ok {
			err = fmt.Errorf("node: no template %d", r.TID)
			return
		}
		name := t.Function
		if name == "" {
			name = n.functionName(t)
		}
		answer = map[string]any{"name": taskName(t), "function": name, "resources": n.amounts(t.Demand)}
	})
	return answer, errors.Join(err, seen)
}

// queryActor tells what an actor is called and has.
func (n *Node) queryActor(request json.RawMessage) (answer any, err error) {
	var r struct {
		Actor uint64 `json:"actor"`
	}
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, fmt.Errorf("node: actor: %w", err)
	}
	seen := n.view(func() {
		var row owner.ActorRow
		if row, err = n.m.ActorRow(r.Actor); err == nil {
			answer = map[string]any{"name": row.Name, "resources": n.amounts(row.Template.Running), "restarts": row.Restarts}
		}
	})
	return answer, errors.Join(err, seen)
}

// querySession tells whose session this is; the number is what ids are made of.
func (n *Node) querySession() any {
	return map[string]any{
		"session": n.opts.Session, "pid": n.pid, "folder": n.opts.SessionDir, "node_ip": n.opts.NodeIP,
		"started_ms": n.started.UnixMilli(), "namespace": n.opts.Namespace, "entrypoint": n.opts.Entrypoint,
	}
}

func (n *Node) queryWorkers() any {
	list := []any{}
	for _, w := range n.workers {
		if w != nil {
			list = append(list, map[string]any{"worker": w.id, "pid": w.pid, "ready": w.ready, "exiting": w.exiting})
		}
	}
	return list
}

// queryBalance tells what is wrong with the books of the resources; "" when they are right.
func (n *Node) queryBalance() any {
	if err := n.m.CheckBalance(); err != nil {
		return err.Error()
	}
	return ""
}
