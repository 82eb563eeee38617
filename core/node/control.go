package node

import (
	"encoding/json"
	"errors"
	"fmt"

	"thornback/core/owner"
	"thornback/core/resources"
	"thornback/core/wire"
)

// handler answers one control operation. Preconditions: n.mu held.
type handler func(n *Node, request json.RawMessage) (any, error)

// controls are the operations that need not be fast: JSON in, JSON out. Drivers call them through the border, workers by
// CONTROL requests.
var controls = map[string]handler{
	"begin":          (*Node).controlBegin,
	"stats":          (*Node).controlStats,
	"resources":      (*Node).controlResources,
	"nodes":          (*Node).controlNodes,
	"kill":           (*Node).controlKill,
	"definition.get": (*Node).controlDefinition,
	"actor.info":     (*Node).controlActor,
	"actor.named":    (*Node).controlNamed,
	"workers":        (*Node).controlWorkers,
}

// control runs an operation and words its error for the border.
func (n *Node) control(op string, request []byte) ([]byte, int32, error) {
	h, ok := controls[op]
	if !ok {
		h, ok = testControls[op]
	}
	if !ok {
		return nil, wire.EInval, fmt.Errorf("node: no operation %q", op)
	}
	answer, err := h(n, request)
	if err != nil {
		return nil, CodeOf(err), err
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return nil, wire.EInval, fmt.Errorf("node: %s: %w", op, err)
	}
	return text, wire.OK, nil
}

// CodeOf finds the border's code of an error.
func CodeOf(err error) int32 {
	switch {
	case errors.Is(err, ErrClosed):
		return wire.EClosed
	case errors.Is(err, owner.ErrStale), errors.Is(err, owner.ErrNoActor):
		return wire.EBadHandle
	case errors.Is(err, errFull):
		return wire.EFull
	}
	return wire.EInval
}

func (n *Node) controlBegin(json.RawMessage) (any, error) { return map[string]any{}, n.begin() }

func (n *Node) controlStats(json.RawMessage) (any, error) {
	m, s := n.m.Stats(), n.store.Stats()
	return map[string]any{
		"objects": m.Objects, "tasks": m.Tasks, "queued": m.Queued, "running": m.Running, "actors": m.Actors,
		"workers": m.Workers, "pooled": m.Pooled, "waiters": m.Waiters, "heap_bytes": m.HeapBytes, "heap_mapped": m.HeapMapped,
		"store_capacity": s.Capacity, "store_used_bytes": s.Used, "store_touched_bytes": s.Touched, "store_extents": s.Allocations,
	}, nil
}

func (n *Node) controlResources(json.RawMessage) (any, error) {
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
	return map[string]any{"total": total, "available": free}, nil
}

func (n *Node) controlNodes(json.RawMessage) (any, error) {
	res, err := n.controlResources(nil)
	if err != nil {
		return nil, err
	}
	return []any{map[string]any{
		"id": fmt.Sprintf("%056x", n.opts.Session), "address": n.opts.NodeIP, "alive": true,
		"resources": res.(map[string]any)["total"],
	}}, nil
}

func (n *Node) controlKill(request json.RawMessage) (any, error) {
	var r struct {
		Actor uint64 `json:"actor"`
	}
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, fmt.Errorf("node: kill: %w", err)
	}
	return map[string]any{}, n.m.Kill(r.Actor)
}

func (n *Node) controlDefinition(request json.RawMessage) (any, error) {
	var r struct {
		FID int `json:"fid"`
	}
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, fmt.Errorf("node: definition.get: %w", err)
	}
	if r.FID <= 0 || r.FID >= len(n.definitions) {
		return nil, fmt.Errorf("node: definition.get: no definition %d", r.FID)
	}
	d := n.definitions[r.FID]
	return map[string]any{"kind": d.kind, "name": d.name, "blob": d.blob}, nil
}

func (n *Node) controlActor(request json.RawMessage) (any, error) {
	var r struct {
		Actor uint64 `json:"actor"`
	}
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, fmt.Errorf("node: actor.info: %w", err)
	}
	info, err := n.m.ActorInfo(r.Actor)
	if err != nil {
		return nil, err
	}
	pid := 0
	if w := n.workerAt(info.Worker); w != nil {
		pid = w.pid
	}
	return map[string]any{
		"state": info.State, "class_name": info.ClassName, "name": info.Name, "pid": pid, "pending_calls": info.Pending,
	}, nil
}

func (n *Node) controlNamed(request json.RawMessage) (any, error) {
	var r struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	}
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, fmt.Errorf("node: actor.named: %w", err)
	}
	h, table := n.m.ActorNamed(r.Namespace, r.Name)
	return map[string]any{"actor": h, "table": table}, nil
}

func (n *Node) controlWorkers(json.RawMessage) (any, error) {
	list := []any{}
	for _, w := range n.workers {
		if w != nil {
			list = append(list, map[string]any{"worker": w.id, "pid": w.pid, "ready": w.ready, "exiting": w.exiting})
		}
	}
	return list, nil
}
