package owner

import (
	"encoding/json"

	"thornback/core/slab"
	"thornback/core/wire"
)

// InfeasibleError says that the node never has what a submission asks for.
type InfeasibleError struct{ fields map[string]string }

// Error returns what the border passes on: JSON, with the text as "message".
func (e *InfeasibleError) Error() string {
	text, err := json.Marshal(e.fields)
	if err != nil { // strings always marshal
		panic("owner: " + err.Error())
	}
	return string(text)
}

// messageMax keeps the error in the border's buffer.
const messageMax = 600

func infeasible(t *Template) *InfeasibleError {
	f := map[string]string{"task": t.Name, "message": t.Lacks[:min(len(t.Lacks), messageMax)]}
	if t.Type == wire.TaskCreate {
		f["actor_class"] = t.ClassName
	}
	return &InfeasibleError{f}
}

// refuse ends a worker's submission that could never run; the reference tells why.
func (m *Machine) refuse(th slab.Handle, t *task) {
	tmpl := m.templates[t.template]
	blob := wire.SysErr(wire.ErrUnschedulable, infeasible(tmpl).fields)
	if tmpl.Type != wire.TaskCreate {
		m.failBlob(th, t, blob)
		return
	}
	a := m.actors[t.actor-1]
	a.errBlob = blob
	m.failCreation(th, t, a, Cause{Message: tmpl.Lacks})
}
