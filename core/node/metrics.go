package node

import (
	"encoding/json"
	"fmt"

	"thornback/core/metrics"
)

// opMetrics brings what a process recorded since its last report. It is neither a query, since it changes something, nor a
// control operation, since a report is read without the lock.
const opMetrics = "metrics.report"

// report adds what a worker, or the driver where w is nil, has recorded, and answers what was refused. Called without the lock.
func (n *Node) report(w *worker, text json.RawMessage) (any, error) {
	report, err := metrics.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("node: %s: %w", opMetrics, err)
	}
	refused := []metrics.Refusal{}
	err = n.view(func() {
		if w == nil {
			refused = append(refused, n.metrics.Add(report, 0, n.pid)...)
			return
		}
		refused = append(refused, n.metrics.Add(report, w.incarnation, w.pid)...)
		if n.workerAt(w.id) != w { // it has ended meanwhile: what it counted stays
			n.metrics.Gone(w.incarnation)
		}
	})
	return map[string]any{"refused": refused}, err
}

// queryMetrics tells all metrics, in the order of their names, and how many values were refused.
func (n *Node) queryMetrics(json.RawMessage) (any, error) {
	var all []metrics.Family
	var dropped uint64
	if err := n.view(func() { all, dropped = n.metrics.Snapshot() }); err != nil {
		return nil, err
	}
	metrics.Sort(all)
	return map[string]any{"families": all, "dropped": dropped}, nil
}
