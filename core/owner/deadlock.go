package owner

import (
	"cmp"
	"slices"
	"strings"

	"thornback/core/slab"
	"thornback/core/wire"
)

// deadlockNodes bounds the tasks that are looked at for a cycle at a time.
const deadlockNodes = 50_000

// Blocked returns how many tasks wait in a get or wait that has no end of its own. While there are none, Deadlocks has
// nothing to find.
func (m *Machine) Blocked() int { return m.endless }

// Deadlocks finds tasks that wait for each other in a circle, and breaks each circle by an error in one of their waits, the
// youngest. Only what is certain counts: a wait with a timeout ends by itself, one for some of several objects may be
// fulfilled by others, and what is queued will have its turn, unless it is short of resources, CPUs excepted, that tasks in the
// circle have. It returns how many waits it has ended.
//
// What can never go on is what remains when everything is taken away that may: the greatest set of tasks of which each needs
// the end of others in the set.
func (m *Machine) Deadlocks() int {
	ended := 0
	for m.endless > 0 || len(m.quiet) > 0 {
		g := m.waitGraph()
		g.prune()
		n, cycle := g.youngest()
		if n == nil {
			break
		}
		if n.waiter != nil {
			m.breakWait(n.waiter, cycle)
		} else {
			m.breakAwait(n.process, cycle)
		}
		ended++
	}
	return ended
}

// waitNode is a task in the graph of waits.
type waitNode struct {
	task    slab.Handle
	waiter  *waiter  // of a blocked task: what it waits in
	process WorkerID // of a call that awaits: where
	on      []int    // nodes
	need    int      // of those, so many have to end
	free    int      // things besides that may come by themselves
	moves   bool
}

// breakable reports whether it waits in what can be ended by an error.
func (n *waitNode) breakable() bool { return n.waiter != nil || n.process != Driver }

// began is when its wait began, in the order of waits; 0 for what awaits.
func (n *waitNode) began() uint64 {
	if n.waiter == nil {
		return 0
	}
	return n.waiter.began
}

type waitGraph struct {
	m     *Machine
	nodes []waitNode
	index map[slab.Handle]int
}

// waitGraph collects the tasks that wait in get or wait, what they wait for, and so on.
func (m *Machine) waitGraph() *waitGraph {
	g := &waitGraph{m: m, index: map[slab.Handle]int{}}
	for _, w := range m.waiters {
		if w != nil && w.endless() {
			g.add(slab.Handle(w.task))
		}
	}
	g.addAwaiting()
	for i := 0; i < len(g.nodes); i++ {
		g.expand(i)
	}
	return g
}

// add finds or makes the node of a task; -1 when there are too many: it counts as one that goes on then.
func (g *waitGraph) add(th slab.Handle) int {
	if i, ok := g.index[th]; ok {
		return i
	}
	if len(g.nodes) >= deadlockNodes {
		return -1
	}
	g.index[th] = len(g.nodes)
	g.nodes = append(g.nodes, waitNode{task: th, process: Driver})
	return len(g.nodes) - 1
}

// expand finds out what a task waits for.
func (g *waitGraph) expand(i int) {
	m, th := g.m, g.nodes[i].task
	t, ok := m.tasks.Get(th)
	if !ok || t.cancel != 0 {
		g.nodes[i].moves = true
		return
	}
	b := m.blockOf(th, t)
	n := waitNode{task: th, need: b.need, waiter: b.waiter, process: Driver}
	if b.reason == ResourcesShort {
		sh := m.shortOf(b.wait.Short)
		b.tasks, n.free, n.need = sh.tasks, sh.open, sh.need
	}
	if b.reason == Running && g.awaited(&n, t) {
		g.nodes[i] = n
		return
	}
	if n.need == 0 || b.waiter != nil && !b.waiter.endless() {
		g.nodes[i].moves = true
		return
	}
	for _, h := range b.objects {
		g.onObject(&n, h)
	}
	for _, th := range b.tasks {
		g.onTask(&n, th)
	}
	g.nodes[i] = n
}

// onTask notes that a node waits for a task.
func (g *waitGraph) onTask(n *waitNode, th slab.Handle) {
	if k := g.add(th); k >= 0 {
		n.on = append(n.on, k)
	} else {
		n.free++
	}
}

// onObject notes that a node waits for an object.
func (g *waitGraph) onObject(n *waitNode, h uint64) {
	if o, ok := g.m.objects.Get(slab.Handle(h)); ok && o.state == Pending && o.task != 0 {
		g.onTask(n, g.m.tasks.HandleOf(o.task-1))
	} else {
		n.free++
	}
}

// prune marks all that may go on.
func (g *waitGraph) prune() {
	for changed := true; changed; {
		changed = false
		for i := len(g.nodes) - 1; i >= 0; i-- { // what is waited for mostly stands behind
			n := &g.nodes[i]
			if n.moves {
				continue
			}
			may := n.free
			for _, k := range n.on {
				if g.nodes[k].moves {
					may++
				}
			}
			if may >= n.need {
				n.moves, changed = true, true
			}
		}
	}
}

// youngest returns, of all waits that are part of a circle, the one that began last, and the circle's tasks from it on.
func (g *waitGraph) youngest() (*waitNode, []slab.Handle) {
	var best *waitNode
	var cycle []slab.Handle
	for i := range g.nodes {
		n := &g.nodes[i]
		if n.moves || !n.breakable() || best != nil && n.began() <= best.began() {
			continue
		}
		if c := g.circle(i); c != nil {
			best, cycle = n, c
		}
	}
	return best, cycle
}

// circle returns the shortest way from a node that can't go on back to it, nil when there is none.
func (g *waitGraph) circle(start int) []slab.Handle {
	from := map[int]int{}
	queue := []int{start}
	for len(queue) > 0 {
		i := queue[0]
		queue = queue[1:]
		for _, k := range g.nodes[i].on {
			if g.nodes[k].moves {
				continue
			}
			if k == start {
				var way []slab.Handle
				for ; i != start; i = from[i] {
					way = append(way, g.nodes[i].task)
				}
				way = append(way, g.nodes[start].task)
				slices.Reverse(way)
				return way
			}
			if _, seen := from[k]; !seen {
				from[k] = i
				queue = append(queue, k)
			}
		}
	}
	return nil
}

// breakWait answers a wait by the error that names the circle.
func (m *Machine) breakWait(w *waiter, cycle []slab.Handle) {
	m.ports.ReplyError(w.worker, w.request, wire.EDeadlock, m.circleText(cycle))
	if ws := m.workers[w.worker]; ws != nil {
		delete(ws.waits, w.request)
	}
	m.forget(w)
}

// circleText words a circle.
func (m *Machine) circleText(cycle []slab.Handle) string {
	var names []string
	for _, th := range cycle {
		t, ok := m.tasks.Get(th)
		if !ok {
			continue
		}
		names = append(names, m.waitName(th, t))
	}
	names = append(names, names[0])
	return "these wait for each other, and none can go on: " + strings.Join(names, " -> ")
}

// waitName names a task in a circle, with what it does.
func (m *Machine) waitName(th slab.Handle, t *task) string {
	tmpl := m.templates[t.template]
	what := map[Reason]string{
		BlockedInGet: "in get", BlockedInWait: "in wait", Running: "in await", ArgumentPending: "for its arguments", ActorBusy: "for its turn",
		ConcurrencyReached: "for its turn", CallOrder: "for an earlier call", BelowAnother: "for what runs on top of it",
		ActorCreating: "for its actor", ActorRestarting: "for its actor", ResourcesShort: "for resources",
	}[m.blockOf(th, t).reason]
	return cmp.Or(tmpl.Name, "?") + " (" + what + ")"
}
