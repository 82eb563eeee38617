package node

import (
	"encoding/json"
	"errors"
	"fmt"
)

// controlFree makes objects unusable by hand; of those that are gone, or not there yet, nothing is said.
func (n *Node) controlFree(request json.RawMessage) (any, error) {
	handles, err := handlesOf(request)
	if err != nil {
		return nil, fmt.Errorf("node: object.free: %w", err)
	}
	for _, h := range handles {
		if err := n.m.FreeByHand(h); err != nil {
			return nil, err
		}
	}
	return map[string]any{}, nil
}

// controlLose has the memory of stored objects be lost, for tests of what then is computed again.
func (n *Node) controlLose(request json.RawMessage) (any, error) {
	if !n.opts.TestHooks {
		return nil, errors.New("node: object.lose is for tests: set THORNBACK_TEST_HOOKS=1 before init")
	}
	handles, err := handlesOf(request)
	if err != nil {
		return nil, fmt.Errorf("node: object.lose: %w", err)
	}
	for _, h := range handles {
		if err := n.m.Lose(h); err != nil {
			return nil, err
		}
	}
	return map[string]any{}, nil
}

func handlesOf(request json.RawMessage) ([]uint64, error) {
	var r struct {
		Objects []uint64 `json:"objects"`
	}
	err := json.Unmarshal(request, &r)
	return r.Objects, err
}
