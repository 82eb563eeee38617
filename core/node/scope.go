package node

import (
	"encoding/json"
	"fmt"

	"thornback/core/owner"
)

// scopeRequest is what Python says of a scope.
type scopeRequest struct {
	Scope  uint64 `json:"scope"`  // its object
	Within uint64 `json:"within"` // the scope around it, or 0
	Alarm  bool   `json:"alarm"`  // the process wants to hold the alarm
	Leave  bool   `json:"leave"`
	Cancel bool   `json:"cancel"`
	Force  bool   `json:"force"`
}

func readScope(request json.RawMessage) (r scopeRequest, err error) {
	if err = json.Unmarshal(request, &r); err != nil {
		err = fmt.Errorf("node: scope: %w", err)
	}
	return r, err
}

// controlScopeOpen begins a scope.
func (n *Node) controlScopeOpen(request json.RawMessage) (any, error) {
	r, err := readScope(request)
	if err != nil {
		return nil, err
	}
	caller := n.askerTask
	if caller == 0 && n.asker != owner.Driver {
		caller = uint64(n.asker) + 1 // as in onSubmit
	}
	h, alarm, err := n.m.OpenScope(n.asker, r.Within, caller, r.Alarm)
	return map[string]any{"scope": h, "alarm": alarm}, err
}

// controlScopeClose says that a block is left, or that all in it is to be cancelled.
func (n *Node) controlScopeClose(request json.RawMessage) (any, error) {
	r, err := readScope(request)
	if err != nil {
		return nil, err
	}
	return map[string]any{}, n.m.CloseScope(n.asker, r.Scope, r.Leave, r.Cancel, r.Force)
}

// controlScopeErrors hands out the objects that hold the errors of a scope.
func (n *Node) controlScopeErrors(request json.RawMessage) (any, error) {
	r, err := readScope(request)
	if err != nil {
		return nil, err
	}
	return map[string]any{"errors": n.m.ScopeErrors(n.asker, r.Scope)}, nil
}
