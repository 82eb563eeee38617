package owner

import (
	"maps"
	"slices"

	"thornback/core/sched"
	"thornback/core/slab"
	"thornback/core/wire"
)

// Reason says why something is not there yet. The words are what programs see.
type Reason string

// The reasons.
const (
	IsReady            Reason = "READY"               // an object: it is there
	IsFailed           Reason = "FAILED"              // an object: it is there, and an error
	IsUnknown          Reason = "UNKNOWN"             // no such object, or it was freed
	IsPromised         Reason = "PROMISED"            // an object that a worker is about to put
	ArgumentPending    Reason = "ARGUMENT_PENDING"    // a task: arguments are not there
	Infeasible         Reason = "INFEASIBLE"          // the node never has what it asks for
	ResourcesShort     Reason = "RESOURCES_SHORT"     // others have them
	ResourcesKept      Reason = "RESOURCES_KEPT"      // they are free, but for one that has waited for longer
	WorkerStarting     Reason = "WORKER_STARTING"     // its process is not there yet
	WorkersAtLimit     Reason = "WORKERS_AT_LIMIT"    // no more processes may be started
	InQueue            Reason = "IN_QUEUE"            // others come first
	SentAhead          Reason = "SENT_AHEAD"          // in a worker's ring, behind another task
	SentNotBegun       Reason = "SENT_NOT_BEGUN"      // in a worker's ring; the worker has not begun
	Running            Reason = "RUNNING"             // it runs, and waits for nothing that the engine knows of
	BlockedInGet       Reason = "BLOCKED_IN_GET"      // it runs, and waits for objects
	BlockedInWait      Reason = "BLOCKED_IN_WAIT"     // the same
	BelowAnother       Reason = "BELOW_ANOTHER"       // it waited; its process runs another task on top, which has to end first
	Backpressure       Reason = "BACKPRESSURE"        // a generator: its items are to be taken first
	ActorCreating      Reason = "ACTOR_CREATING"      // a call: its actor is not there yet
	ActorRestarting    Reason = "ACTOR_RESTARTING"    // a call: its actor's process died
	ActorDead          Reason = "ACTOR_DEAD"          // an actor: it answers no more
	ActorAlive         Reason = "ACTOR_ALIVE"         // an actor: it takes calls
	ActorBusy          Reason = "ACTOR_BUSY"          // a call: the actor runs others, one at a time
	ConcurrencyReached Reason = "CONCURRENCY_REACHED" // a call: as many run as may at a time
	CallOrder          Reason = "CALL_ORDER"          // a call: an earlier one of the same caller waits for its arguments
	RingFull           Reason = "RING_FULL"           // a call: the actor's process does not read
	CancelAsked        Reason = "CANCEL_ASKED"        // it runs, and was told to end
)

// block is what one task waits for.
type block struct {
	reason  Reason
	objects []uint64      // it waits for
	tasks   []slab.Handle // it waits for
	// of so many of these at least the end is needed; 0: what it waits for is not among them
	need   int
	waiter *waiter    // in which a task that runs waits
	places []string   // by which arguments the objects are meant
	wait   sched.Wait // in a queue
	place  int        // calls before it
}

// listMax bounds the lists in a block that explain shows. Where all are needed to decide, none is cut.
const listMax = 8

// blockOf says what a task that has not ended waits for.
func (m *Machine) blockOf(th slab.Handle, t *task) block {
	tmpl := m.templates[t.template]
	switch {
	case t.missing() > 0:
		return m.argumentsOf(t)
	case tmpl.Type == wire.TaskMethod && t.state != sent:
		return m.callBlock(th, t)
	case t.state == queued:
		return m.queueBlock(th, t, tmpl)
	}
	if tmpl.Type == wire.TaskMethod {
		if b, first := m.behindCalls(th, t); !first {
			return b
		}
	} else if ids := m.sched.Sent(t.worker); t.is&nested == 0 && len(ids) > 0 && ids[0] != sched.TaskID(th) {
		return block{reason: SentAhead, tasks: []slab.Handle{slab.Handle(ids[0])}}
	}
	return m.runningBlock(th, t)
}

func (m *Machine) argumentsOf(t *task) block {
	b := block{reason: ArgumentPending}
	handles, args := m.payloadOf(t)
	names := argumentNames(args, int(t.deps))
	for i := range t.deps {
		if h := handleAt(handles, t.returns+i); m.stateOf(h) == Pending {
			b.objects, b.places = append(b.objects, h), append(b.places, names[i])
		}
	}
	b.need = len(b.objects)
	return b
}

// queueBlock is for a task, or an actor's creation, that waits for a worker.
func (m *Machine) queueBlock(th slab.Handle, t *task, tmpl *Template) block {
	b := block{reason: InQueue, wait: m.sched.Explain(sched.TaskID(th), tmpl.class, m.submitter(t))}
	switch w := &b.wait; {
	case tmpl.Lacks != "":
		b.reason = Infeasible
	case len(w.Short) > 0:
		b.reason = ResourcesShort
	case w.Kept:
		b.reason = ResourcesKept
		if h := slab.Handle(w.KeptFor); h != 0 {
			b.tasks = append(b.tasks, h)
		}
	case w.Idle == 0 && w.Starting > 0:
		b.reason = WorkerStarting
	case w.Idle == 0 && w.AtLimit:
		b.reason = WorkersAtLimit
	}
	return b
}

// runningBlock is for a task that its worker has, before all others.
func (m *Machine) runningBlock(th slab.Handle, t *task) block {
	ws := m.workers[t.worker]
	if ws == nil {
		return block{reason: Running}
	}
	if n := len(ws.nested); n > 0 && ws.nested[n-1].task != th {
		return block{reason: BelowAnother, tasks: []slab.Handle{ws.nested[n-1].task}, need: 1}
	}
	for _, request := range slices.Sorted(maps.Keys(ws.waits)) {
		if w := m.waiter(ws.waits[request]); w != nil && w.task == uint64(th) {
			return m.waiterBlock(w)
		}
	}
	switch st := m.producing[th]; {
	case t.cancel != 0:
		return block{reason: CancelAsked}
	case st != nil && st.window > 0 && st.made >= st.taken+uint64(st.window):
		return block{reason: Backpressure, place: st.items.len() - 1}
	case t.is&nested == 0 && !m.ports.Started(t.worker, t.pos):
		return block{reason: SentNotBegun}
	}
	return block{reason: Running}
}

func (m *Machine) waiterBlock(w *waiter) block {
	b := block{reason: BlockedInGet, waiter: w}
	for _, h := range w.handles {
		if m.stateOf(h) == Pending {
			b.objects = append(b.objects, h)
		}
	}
	switch {
	case w.kind == wire.ReqWait:
		b.reason, b.need = BlockedInWait, w.need-w.have
	case w.failFast:
		b.need = 1 // any of them may be an error
	default:
		b.need = len(b.objects)
	}
	return b
}

// callBlock is for a call that its actor's worker has not got.
func (m *Machine) callBlock(th slab.Handle, t *task) block {
	a := m.actors[t.actor-1]
	if a == nil {
		return block{reason: ActorDead}
	}
	if q := a.callers[t.caller]; t.state == waiting && q != nil {
		b := block{reason: CallOrder, need: 1}
		for _, x := range q.items[q.head:] {
			if x == th {
				break
			}
			if other, ok := m.queuedCall(x); ok && other.missing() > 0 {
				b.tasks = []slab.Handle{x}
				return b
			}
		}
	}
	switch a.state {
	case creating:
		return m.creationBlock(a, ActorCreating)
	case restarting:
		return m.creationBlock(a, ActorRestarting)
	}
	b, _ := m.behindCalls(th, t)
	return b
}

func (m *Machine) creationBlock(a *actor, reason Reason) block {
	b := block{reason: reason}
	if c, ok := m.tasks.Get(a.create); ok && a.create != 0 && c.state != kept {
		b.tasks, b.need = []slab.Handle{a.create}, 1
	}
	return b
}

// behindCalls says which calls keep a call of an actor that lives from running; true when none does.
func (m *Machine) behindCalls(th slab.Handle, t *task) (block, bool) {
	a := m.actors[t.actor-1]
	if a == nil {
		return block{reason: Running}, true
	}
	limits := a.template.Limits
	group := m.templates[t.template].Group
	most := 1
	if len(limits) > 0 {
		most = limits[group]
	}
	b := block{reason: ActorBusy, need: 1}
	if len(limits) > 0 {
		b.reason = ConcurrencyReached
	}
	for _, x := range a.calls.items[a.calls.head:] {
		if x == th {
			break
		}
		other, ok := m.tasks.Get(x)
		if !ok || m.templates[other.template].Group != group {
			continue
		}
		b.place++
		if len(b.tasks) < most {
			b.tasks = append(b.tasks, x)
		}
	}
	if len(b.tasks) >= most {
		return b, false
	}
	if t.state == sent {
		return block{}, true
	}
	b.reason, b.need = RingFull, 0
	return b, false
}
