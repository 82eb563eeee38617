package node

import (
	"encoding/json"
	"fmt"
	"math"

	"thornback/core/resources"
)

// tasksKeptMax bounds what a user may ask for: 100 bytes each.
const tasksKeptMax = 10_000_000

// Options say what a node has and where its things are. They come from Python as JSON.
type Options struct {
	NumCPUs    float64            `json:"num_cpus"`
	NumGPUs    float64            `json:"num_gpus"`
	Resources  map[string]float64 `json:"resources"`
	StoreBytes uint64             `json:"store_bytes"`
	SessionDir string             `json:"session_dir"`
	LogFD      int                `json:"log_fd"` // writing end of a pipe for what workers print; -1: none
	Quiet      bool               `json:"quiet"`  // only what the engine has to say goes there
	Zygote     ZygoteOptions      `json:"zygote"`
	Infeasible string             `json:"infeasible"`  // what becomes of requests that can never be fulfilled: warn (or empty), error
	Prestart   int                `json:"prestart"`    // workers started at once
	WorkersMax int                `json:"workers_max"` // processes in the pool; 0: a default by the CPUs
	TasksKept  int                `json:"tasks_kept"`  // ended tasks that are remembered
	NodeIP     string             `json:"node_ip"`
	Namespace  string             `json:"namespace"`     // the job's; for those who ask about it
	Entrypoint string             `json:"entrypoint"`    // the driver's command line; likewise
	Lineage    *uint64            `json:"lineage_bytes"` // of ended tasks, kept to compute results again; nil: owner.LineageMax
	TestHooks  bool               `json:"test_hooks"`    // allow operations that break things
	Session    uint64             `json:"-"`             // random number of this session
}

// ZygoteOptions say how to start the process that workers are forked from.
type ZygoteOptions struct {
	Argv []string          `json:"argv"`
	Env  map[string]string `json:"env"`
	Boot string            `json:"boot"` // given to it as its first message
}

// ParseOptions reads and checks the options.
func ParseOptions(text []byte) (Options, error) {
	var o Options
	if err := json.Unmarshal(text, &o); err != nil {
		return o, fmt.Errorf("node: options: %w", err)
	}
	switch {
	case o.NumCPUs < 0 || math.IsNaN(o.NumCPUs) || o.NumGPUs < 0 || math.IsNaN(o.NumGPUs):
		return o, fmt.Errorf("node: options: negative CPUs or GPUs")
	case len(o.Zygote.Argv) == 0:
		return o, fmt.Errorf("node: options: no command for the zygote")
	case o.SessionDir == "":
		return o, fmt.Errorf("node: options: no session folder")
	case o.Infeasible != "" && o.Infeasible != infeasibleWarn && o.Infeasible != infeasibleError:
		return o, fmt.Errorf("node: options: infeasible %q", o.Infeasible)
	case o.TasksKept < 0 || o.TasksKept > tasksKeptMax:
		return o, fmt.Errorf("node: options: %d ended tasks to remember, limit %d", o.TasksKept, tasksKeptMax)
	case o.Prestart < 0 || o.Prestart > workersStartMax:
		return o, fmt.Errorf("node: options: prestart %d, limit %d", o.Prestart, workersStartMax)
	}
	if o.WorkersMax == 0 {
		o.WorkersMax = max(16, 4*int(math.Ceil(o.NumCPUs)))
	}
	return o, nil
}

// total makes the node's resources out of the options.
func (o *Options) total(names *resources.Names) (resources.Request, error) {
	units := map[string]float64{"CPU": o.NumCPUs, "GPU": o.NumGPUs, "object_store_memory": float64(o.StoreBytes)}
	for k, v := range o.Resources {
		units[k] = v
	}
	if o.NodeIP != "" {
		units["node:"+o.NodeIP] = 1
		units["node:__internal_head__"] = 1
	}
	return names.Request(units)
}
