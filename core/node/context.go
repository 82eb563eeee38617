package node

import (
	"encoding/json"
	"fmt"

	"thornback/core/resources"
)

// needsContext reports whether a worker has to set up its environment for a demand.
func needsContext(r resources.Request) bool {
	return r.Of(resources.GPU) > 0 || r.Of(resources.CPU) >= 2*resources.Unit
}

// controlTaskContext tells a worker what the task that it is about to run has: the devices, by their index on the node, and
// the CPUs.
func (n *Node) controlTaskContext(request json.RawMessage) (any, error) {
	var r struct {
		Task uint64 `json:"task"`
	}
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, fmt.Errorf("node: task.context: %w", err)
	}
	c, err := n.m.TaskContext(r.Task)
	if err != nil {
		return nil, err
	}
	devices := []int{}
	for _, s := range c.Devices {
		devices = append(devices, s.Device)
	}
	return map[string]any{"gpus": devices, "cpus": c.CPUs.Float()}, nil
}
