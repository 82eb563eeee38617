package node

import (
	"encoding/json"
	"errors"
	"fmt"

	"thornback/core/owner"
	"thornback/core/wire"
)

// opCancel is an operation that the node prepares for, wherever it comes from.
const opCancel = "cancel"

// handler answers one control operation. Preconditions: n.mu held.
type handler func(n *Node, request json.RawMessage) (any, error)

// controls are the operations that need not be fast: JSON in, JSON out. Drivers call them through the border, workers by
// CONTROL requests.
var controls = map[string]handler{
	"begin":          (*Node).controlBegin,
	"task.context":   (*Node).controlTaskContext,
	"site":           (*Node).controlSite,
	"kill":           (*Node).controlKill,
	opCancel:         (*Node).controlCancel,
	"definition.get": (*Node).controlDefinition,
	"template.retry": (*Node).controlRetry,
	"actor.pending":  (*Node).controlPending,
	"actor.info":     (*Node).controlActor,
	"actor.named":    (*Node).controlNamed,
	"concurrency":    (*Node).controlConcurrency,
	"scope.open":     (*Node).controlScopeOpen,
	"scope.close":    (*Node).controlScopeClose,
	"scope.errors":   (*Node).controlScopeErrors,
	"loop.quiet":     (*Node).controlLoopQuiet,
	"actor.names":    (*Node).controlNames,
	"object.where":   (*Node).controlLocations,
	"object.free":    (*Node).controlFree,
	"object.lose":    (*Node).controlLose,
	"kv.put":         (*Node).controlKVPut,
	"kv.get":         (*Node).controlKVGet,
	"kv.delete":      (*Node).controlKVDelete,
	"kv.list":        (*Node).controlKVList,
}

// control runs an operation and words its error for the border. Preconditions: n.mu held.
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
	case errors.As(err, new(*owner.InfeasibleError)):
		return wire.EInfeasible
	case errors.Is(err, owner.ErrForceActor), errors.Is(err, owner.ErrRestartTask), errors.Is(err, owner.ErrRestartNever):
		return wire.ECancel
	case errors.Is(err, owner.ErrScopeOver):
		return wire.EScope
	case errors.Is(err, owner.ErrScopeEnded):
		return wire.EScopeEnded
	case errors.Is(err, errFull):
		return wire.EFull
	}
	return wire.EInval
}

func (n *Node) controlBegin(json.RawMessage) (any, error) { return map[string]any{}, n.begin() }

func (n *Node) controlKill(request json.RawMessage) (any, error) {
	var r struct {
		Actor     uint64 `json:"actor"`
		NoRestart bool   `json:"no_restart"`
	}
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, fmt.Errorf("node: kill: %w", err)
	}
	return map[string]any{}, n.m.Kill(r.Actor, !r.NoRestart)
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

// controlPending tells how many calls of the process that asks wait for an actor.
func (n *Node) controlPending(request json.RawMessage) (any, error) {
	var r struct {
		Actor uint64 `json:"actor"`
	}
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, fmt.Errorf("node: actor.pending: %w", err)
	}
	count, err := n.m.Pending(r.Actor, n.asker)
	return map[string]any{"count": count}, err
}

// controlRetry tells a worker which exceptions of a task count as failed attempts; Python's, base64.
func (n *Node) controlRetry(request json.RawMessage) (any, error) {
	var r struct {
		TID uint32 `json:"tid"`
	}
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, fmt.Errorf("node: template.retry: %w", err)
	}
	t, ok := n.m.Template(r.TID)
	if !ok {
		return nil, fmt.Errorf("node: template.retry: no template %d", r.TID)
	}
	return map[string]any{"classes": t.RetryClasses}, nil
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
	return map[string]any{
		"state": info.State, "class_name": info.ClassName, "name": info.Name, "namespace": info.Namespace, "pid": info.PID,
		"pending_calls": info.Pending, "num_restarts": info.Restarts, "death_cause": info.Death.Message, "detached": info.Detached,
	}, nil
}

// controlConcurrency tells a worker how many calls of its actor run at a time, by the template of the creation.
func (n *Node) controlConcurrency(request json.RawMessage) (any, error) {
	var r struct {
		Template uint32 `json:"template"`
	}
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, fmt.Errorf("node: concurrency: %w", err)
	}
	t, ok := n.m.Template(r.Template)
	if !ok || len(t.Limits) == 0 {
		return nil, fmt.Errorf("node: concurrency: template %d is of no actor that runs several calls at a time", r.Template)
	}
	return json.RawMessage(t.Concurrency), nil
}

func (n *Node) controlNamed(request json.RawMessage) (any, error) {
	var r struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
		Created   uint64 `json:"created"` // who asks has just submitted this one with the name
	}
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, fmt.Errorf("node: actor.named: %w", err)
	}
	h, table := n.m.ActorNamed(r.Namespace, r.Name)
	return map[string]any{"actor": h, "table": table, "refused": n.m.NameRefused(r.Created)}, nil
}

func (n *Node) controlNames(json.RawMessage) (any, error) {
	return map[string]any{"actors": n.m.ActorNames()}, nil
}
