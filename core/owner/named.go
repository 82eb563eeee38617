package owner

import (
	"slices"
	"strings"

	"thornback/core/slab"
)

// actorName is a name within its namespace.
type actorName struct{ namespace, name string }

func nameOf(t *Template) actorName { return actorName{t.Namespace, t.ActorName} }

// enrol makes a new actor found by its name, and keeps a detached one alive. A name that a living actor has stays that
// actor's, and the new one is not to be created: who creates asks ActorNamed first, and NameRefused afterwards, as another
// process may have been faster.
func (m *Machine) enrol(a *actor) {
	if a.template.Detached {
		m.hold(uint64(a.object))
	}
	if a.template.ActorName == "" {
		return
	}
	if _, a.nameTaken = m.names[nameOf(a.template)]; !a.nameTaken {
		m.names[nameOf(a.template)] = a.object
		m.ports.Renamed()
	}
}

// refuseName ends the creation of an actor whose name another one has; nothing of it runs.
func (m *Machine) refuseName(th slab.Handle, t *task, a *actor) {
	m.failCreation(th, t, a, Cause{Message: deathName})
}

// NameRefused tells whether an actor was not created because another one had its name.
func (m *Machine) NameRefused(h uint64) bool {
	a := m.actors[slab.Handle(h).Slot()]
	return a != nil && uint64(a.object) == h && a.nameTaken
}

// strike undoes enrol when an actor ends. It may be called more than once.
func (m *Machine) strike(a *actor) {
	if m.names[nameOf(a.template)] == a.object {
		delete(m.names, nameOf(a.template))
		m.ports.Renamed()
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

// ActorNames lists namespace and name of every living actor that has a name, in that order.
func (m *Machine) ActorNames() [][2]string {
	list := make([][2]string, 0, len(m.names))
	for n := range m.names {
		list = append(list, [2]string{n.namespace, n.name})
	}
	slices.SortFunc(list, func(a, b [2]string) int {
		if c := strings.Compare(a[0], b[0]); c != 0 {
			return c
		}
		return strings.Compare(a[1], b[1])
	})
	return list
}
