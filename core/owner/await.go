package owner

import (
	"maps"
	"slices"

	"thornback/core/slab"
	"thornback/core/wire"
)

// Quiet says that nothing goes on in the process of an async actor until one of these objects is ready, or it is told
// something: its event loop has nothing to do, no timer, no descriptor and no other thread. It holds as long as Ports.Quiet
// says so.
func (m *Machine) Quiet(id WorkerID, awaits []uint64) {
	if ws := m.workers[id]; ws != nil && ws.actor != nil && len(awaits) > 0 {
		ws.awaits = awaits
		m.quiet[id] = struct{}{}
	}
}

// awaiting returns the calls that run in an async actor of which it is certain that each needs one of ws.awaits: it is quiet,
// no other call can begin, since as many run as may, and none waits for its items to be taken. nil: that is not certain.
func (m *Machine) awaiting(id WorkerID) []slab.Handle {
	ws := m.workers[id]
	if ws == nil || ws.awaits == nil {
		return nil
	}
	if !m.ports.Quiet(id) {
		ws.awaits = nil
		delete(m.quiet, id)
		return nil
	}
	a := ws.actor
	if a.state != alive || len(a.template.Limits) != 1 || a.calls.len() < a.template.Limits[0] {
		return nil
	}
	run := a.calls.items[a.calls.head:][:a.template.Limits[0]]
	if slices.ContainsFunc(run, func(th slab.Handle) bool { return m.producing[th] != nil }) {
		return nil
	}
	return run
}

// awaited makes a node of a call that awaits. False: it may go on.
func (g *waitGraph) awaited(n *waitNode, t *task) bool {
	if !slices.Contains(g.m.awaiting(t.worker), n.task) {
		return false
	}
	n.need, n.process = 1, t.worker
	for _, h := range g.m.workers[t.worker].awaits {
		g.onObject(n, h)
	}
	return true
}

// addAwaiting begins the graph with the calls that await.
func (g *waitGraph) addAwaiting() {
	for _, id := range slices.Sorted(maps.Keys(g.m.quiet)) {
		for _, th := range g.m.awaiting(id) {
			g.add(th)
		}
	}
}

// breakAwait fails, in the process of an async actor only, the object that it awaits and that the next task in the circle
// makes.
func (m *Machine) breakAwait(id WorkerID, cycle []slab.Handle) {
	ws := m.workers[id]
	blob := wire.SysErr(wire.ErrDeadlock, map[string]string{"message": m.circleText(cycle)})
	next := cycle[1%len(cycle)]
	for _, h := range ws.awaits {
		o, ok := m.objects.Get(slab.Handle(h))
		if ok && o.state == Pending && o.task == next.Slot()+1 {
			m.unlink(o, linkWatch, uint64(id))
			m.ports.FailAwaited(id, h, blob)
		}
	}
	ws.awaits = nil
	delete(m.quiet, id)
}
