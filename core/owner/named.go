package owner

import "thornback/core/slab"

// actorName is a name within its namespace.
type actorName struct{ namespace, name string }

func nameOf(t *Template) actorName { return actorName{t.Namespace, t.ActorName} }

// enrol makes a new actor found by its name, and keeps a detached one alive. A name that a living actor has stays that
// actor's: who creates asks ActorNamed first.
func (m *Machine) enrol(a *actor) {
	if a.template.Detached {
		m.hold(uint64(a.object))
	}
	if a.template.ActorName == "" {
		return
	}
	if _, taken := m.names[nameOf(a.template)]; !taken {
		m.names[nameOf(a.template)] = a.object
	}
}

// strike undoes enrol when an actor ends. It may be called more than once.
func (m *Machine) strike(a *actor) {
	if m.names[nameOf(a.template)] == a.object {
		delete(m.names, nameOf(a.template))
	}
	if a.template.Detached && !a.struck {
		a.struck = true
		m.unhold(uint64(a.object), 1)
	}
}

// ActorNamed finds a living actor: the handle of its object and the table of its class; 0 when there is none.
func (m *Machine) ActorNamed(namespace, name string) (uint64, string) {
	h, ok := m.names[actorName{namespace, name}]
	if !ok {
		return 0, ""
	}
	return uint64(h), m.actors[slab.Handle(h).Slot()].template.Table
}
