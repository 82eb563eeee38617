package node

import (
	"bytes"
	"encoding/json"
	"fmt"

	"thornback/core/owner"
	"thornback/core/resources"
	"thornback/core/wire"
)

// templateJSON is what Python sends: the options of a task, an actor or a method. Amounts are in 1/10,000.
type templateJSON struct {
	Kind            string                      `json:"kind"` // task, create, method
	FID             uint32                      `json:"fid"`
	Name            string                      `json:"name"`
	Function        string                      `json:"function"`
	ClassName       string                      `json:"class_name"`
	ActorName       string                      `json:"actor_name"`
	Namespace       string                      `json:"namespace"`
	Table           string                      `json:"table"`
	Lifetime        string                      `json:"lifetime"`
	Untracked       bool                        `json:"untracked"`
	Returns         int                         `json:"num_returns"`
	MaxRetries      int                         `json:"max_retries"`
	RetryExceptions bool                        `json:"retry_exceptions"`
	RetryClasses    string                      `json:"retry_classes"` // base64; "": any
	MaxRestarts     int                         `json:"max_restarts"`
	MaxPending      int                         `json:"max_pending_calls"`
	MaxCalls        int                         `json:"max_calls"`
	Group           uint32                      `json:"concurrency_group"`
	Window          uint32                      `json:"backpressure"`
	Unordered       bool                        `json:"out_of_order"`
	Concurrency     json.RawMessage             `json:"concurrency"` // concurrencyJSON; absent: one call at a time
	Generator       string                      `json:"generator"`   // streaming, dynamic, or neither
	Resources       map[string]resources.Amount `json:"resources"`
	Placement       map[string]resources.Amount `json:"placement"`
	Infeasible      string                      `json:"infeasible"` // warn, error; empty: the session's default
}

// concurrencyJSON says how many calls of an actor run at a time. The worker gets it as it is.
type concurrencyJSON struct {
	Limits  []int `json:"limits"` // by concurrency group, the default one first
	Asyncio bool  `json:"asyncio"`
}

// Limits of concurrency.
const (
	groupsMax      = 1 << 10
	concurrencyMax = 1 << 20 // calls of one group at a time
)

// concurrency reads and checks what templateJSON.Concurrency says.
func concurrency(text []byte) (j concurrencyJSON, err error) {
	if err := json.Unmarshal(text, &j); err != nil {
		return j, fmt.Errorf("node: template: concurrency: %w", err)
	}
	if len(j.Limits) == 0 || len(j.Limits) > groupsMax {
		return j, fmt.Errorf("node: template: %d concurrency groups, limit %d", len(j.Limits), groupsMax)
	}
	for _, n := range j.Limits {
		if n < 1 || n > concurrencyMax {
			return j, fmt.Errorf("node: template: %d calls at a time, limit %d", n, concurrencyMax)
		}
	}
	return j, nil
}

// template registers options; equal ones get the same number. Preconditions: n.mu held.
func (n *Node) template(text []byte) (uint32, error) {
	if id, ok := n.templates[string(text)]; ok {
		return id, nil
	}
	var j templateJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return 0, fmt.Errorf("node: template: %w", err)
	}
	if int(j.FID) >= len(n.definitions) {
		return 0, fmt.Errorf("node: template: no definition %d", j.FID)
	}
	if j.Returns < 0 || j.Returns > returnsMax {
		return 0, fmt.Errorf("node: template: %d returns, limit %d", j.Returns, returnsMax)
	}
	running, err := n.request(j.Resources)
	if err != nil {
		return 0, err
	}
	t := &owner.Template{
		FID: j.FID, Name: j.Name, Function: j.Function, ClassName: j.ClassName, Returns: j.Returns,
		ActorName: j.ActorName, Namespace: j.Namespace, Table: j.Table, Detached: j.Lifetime == "detached",
		Untracked:  j.Untracked,
		MaxRetries: j.MaxRetries, RetryExceptions: j.RetryExceptions, RetryClasses: j.RetryClasses,
		MaxRestarts: j.MaxRestarts, MaxPending: j.MaxPending, MaxCalls: j.MaxCalls,
		Group: j.Group, Window: j.Window, Demand: running,
		Stream: j.Generator == "streaming", Dynamic: j.Generator == "dynamic",
	}
	switch j.Kind {
	case "task":
		t.Type = wire.TaskPlain
	case "create":
		t.Type = wire.TaskCreate
		t.Running, t.Unordered = running, j.Unordered
		if len(j.Concurrency) > 0 && string(j.Concurrency) != "null" {
			c, err := concurrency(j.Concurrency)
			if err != nil {
				return 0, err
			}
			t.Limits, t.Asyncio, t.Concurrency = c.Limits, c.Asyncio, j.Concurrency
		}
		if t.Demand, err = n.request(j.Placement); err != nil {
			return 0, err
		}
	case "method":
		t.Type = wire.TaskMethod
	default:
		return 0, fmt.Errorf("node: template: kind %q", j.Kind)
	}
	t.Context = t.Type != wire.TaskMethod && needsContext(running)
	if err := n.judgeFeasible(t, j.Infeasible); err != nil {
		return 0, err
	}
	if err := n.m.AddTemplate(t, t.Type == wire.TaskCreate, t.Type == wire.TaskMethod); err != nil {
		return 0, err
	}
	n.templates[string(text)] = t.ID
	return t.ID, nil
}

func (n *Node) request(amounts map[string]resources.Amount) (resources.Request, error) {
	var items []resources.Item
	for name, a := range amounts {
		id, err := n.names.ID(name)
		if err != nil {
			return resources.Request{}, err
		}
		items = append(items, resources.Item{ID: id, Amount: a})
	}
	return resources.NewRequest(items...)
}

// definition is a function, a class or a method that workers can be asked to run.
type definition struct {
	kind uint32
	name string
	blob []byte
	span *span // of the DEFINE payload in the arena, when the blob is too large for a ring
}

// definitionKey tells definitions apart.
type definitionKey struct {
	kind   uint32
	name   string
	digest [16]byte
}

// define registers a definition; an equal digest gets the same number. Preconditions: n.mu held.
func (n *Node) define(kind uint32, name string, blob []byte, digest [16]byte) (uint32, error) {
	if kind < wire.DefFunction || kind > wire.DefMethod {
		return 0, fmt.Errorf("node: definition of kind %d", kind)
	}
	key := definitionKey{kind, name, digest}
	if id, ok := n.defined[key]; ok {
		return id, nil
	}
	id := uint32(len(n.definitions))
	n.definitions = append(n.definitions, &definition{kind: kind, name: name, blob: bytes.Clone(blob)})
	n.defined[key] = id
	return id, nil
}
