package node

import (
	"cmp"
	"fmt"
	"strings"

	"thornback/core/owner"
	"thornback/core/resources"
)

// What becomes of a request that this node can never fulfil.
const (
	infeasibleWarn  = "warn"  // it waits, and the user is told
	infeasibleError = "error" // it is refused
)

// infeasibleWarnings bounds the warnings of one session.
const infeasibleWarnings = 100

// judgeFeasible notes in a template what the node will never have of its demand.
func (n *Node) judgeFeasible(t *owner.Template, infeasible string) error {
	infeasible = cmp.Or(infeasible, n.opts.Infeasible, infeasibleWarn)
	if infeasible != infeasibleWarn && infeasible != infeasibleError {
		return fmt.Errorf("node: template: infeasible %q", infeasible)
	}
	if n.pool.Feasible(t.Demand) {
		return nil
	}
	var lacks []string
	for _, s := range n.pool.Missing(t.Demand) {
		if s.Infeasible() {
			lacks = append(lacks, s.Text(n.names))
		}
	}
	t.Lacks = fmt.Sprintf("No available node types can fulfill resource request %s. %s", n.asked(t.Demand), strings.Join(lacks, "; "))
	t.Refused = infeasible == infeasibleError
	return nil
}

// asked words a demand as Ray does: {'CPU': 100.0}.
func (n *Node) asked(r resources.Request) string {
	var parts []string
	for it := range r.Items() {
		amount := it.Amount.String()
		if !strings.Contains(amount, ".") {
			amount += ".0"
		}
		parts = append(parts, fmt.Sprintf("'%s': %s", n.names.Name(it.ID), amount))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// warnInfeasible tells the user, once for each kind of task and request, of one that waits for ever.
func (n *Node) warnInfeasible(t *owner.Template) {
	name := cmp.Or(t.ClassName, t.Name)
	key := name + t.Lacks
	if t.Refused || n.warned[key] || len(n.warned) >= infeasibleWarnings {
		return
	}
	n.warned[key] = true
	n.logs.note(fmt.Sprintf("Warning: %s. %s waits for ever, unless it is cancelled; with infeasible=\"error\" it is an exception.",
		t.Lacks, name))
}
