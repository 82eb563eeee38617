package node

import (
	"encoding/json"
	"fmt"

	"thornback/core/owner"
	"thornback/core/wire"
)

// locationsMax bounds how many objects one request may name, so that the answer stays small.
const locationsMax = 1 << 16

// controlLocations tells of each object whether it is ready, its size, and whether it is in shared memory. Objects that are
// gone are not ready.
func (n *Node) controlLocations(request json.RawMessage) (any, error) {
	var r struct {
		Objects []uint64 `json:"objects"`
	}
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, fmt.Errorf("node: object.where: %w", err)
	}
	if len(r.Objects) > locationsMax {
		return nil, fmt.Errorf("node: object.where: %d objects, at most %d", len(r.Objects), locationsMax)
	}
	list := make([]any, len(r.Objects))
	for i, h := range r.Objects {
		state, value := n.m.Look(h)
		ready := state == owner.Ready || state == owner.Failed
		list[i] = map[string]any{"ready": ready, "bytes": value.Length, "stored": ready && value.Where == wire.WhereStore}
	}
	return map[string]any{"objects": list}, nil
}
