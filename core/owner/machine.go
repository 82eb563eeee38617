package owner

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"thornback/core/event"
	"thornback/core/offheap"
	"thornback/core/resources"
	"thornback/core/sched"
	"thornback/core/slab"
	"thornback/core/wire"
)

// Errors that a caller can tell apart.
var (
	ErrStale   = errors.New("owner: stale or unknown handle")
	ErrNoActor = errors.New("owner: not an actor")
	ErrNoRoom  = errors.New("owner: no room in the worker's ring")
)

// Machine is the state of one owner.
type Machine struct {
	ports     Ports
	pool      *resources.Pool
	sched     *sched.Scheduler
	region    *offheap.Region // memory of all that follows
	heap      *offheap.Heap
	objects   *slab.Slab[object]
	tasks     *slab.Slab[task]
	links     *slab.Slab[link]
	actors    map[uint32]*actor // by slot of the actor's object
	names     map[actorName]slab.Handle
	streams   map[uint32]*stream      // by slot of the stream's object
	producing map[slab.Handle]*stream // by the task that yields
	forsaken  []slab.Handle           // generators to be stopped
	limits    deadlines
	scopes    scopes
	workers   map[WorkerID]*workerState
	watches   watches
	quiet     map[WorkerID]struct{} // with workerState.awaits
	waiters   []*waiter             // nil where free
	spare     []uint32              // free places in waiters
	rested    []*waiter             // of the driver, to be used again
	templates []*Template
	classes   map[classKey]sched.ClassID
	dying     []slab.Handle // objects without holder, not yet let go
	letting   bool          // dying is being worked off
	stalled   []slab.Handle // actors with calls waiting for room in the ring, and none in it
	scratch   TaskMessage
	endless   int    // waits of tasks that have no end of their own
	waited    uint64 // counts waits of tasks
	moved     bool   // something happened that may let a task run
	running   int    // tasks sent to workers, actors' calls included
	counted   int    // calls of actors that limit their number
	lineage   lineage
	ghosts    map[slab.Handle]ghost // values of objects that were freed by hand

	cancelling int // tasks that are being interrupted together with what they submit
	now        int64
	log        *event.Log
	buried     []ActorRow // dead actors that nobody holds any more, the newest buriedMax
	serials    []uint32   // of processes, by worker
	unseen     unseen
	windowMore int          // calls of a group that are sent beyond twice those that run at a time
	values     []wire.Value // scratch of answer
	grants     []uint64     // scratch of Grant
	sites      []uint16     // places in the program that objects were created at, by their slots
}

// New returns a machine over the node's resources; pool workers are limited to workersMax.
func New(ports Ports, pool *resources.Pool, workersMax int) *Machine {
	region := &offheap.Region{}
	return &Machine{
		log:        event.NewLog(region, 0, 0),
		ports:      ports,
		pool:       pool,
		sched:      sched.New(sched.Config{WorkersMax: workersMax}, pool),
		region:     region,
		heap:       offheap.NewHeap(region),
		windowMore: windowSpare,
		objects:    slab.New[object](region),
		tasks:      slab.New[task](region),
		links:      slab.New[link](region),
		actors:     map[uint32]*actor{},
		names:      map[actorName]slab.Handle{},
		streams:    map[uint32]*stream{}, producing: map[slab.Handle]*stream{},
		workers: map[WorkerID]*workerState{}, quiet: map[WorkerID]struct{}{},
		classes: map[classKey]sched.ClassID{},
		lineage: lineage{most: LineageMax}, ghosts: map[slab.Handle]ghost{},
	}
}

// Close gives back the memory outside the Go heap. The machine must not be used afterwards.
func (m *Machine) Close() error { return errors.Join(m.heap.Close(), m.region.Close()) }

// Stats are counts for people and tests.
type Stats struct {
	Objects, Tasks, Queued, Running, Actors, Workers, Pooled, Waiters int
	HeapBytes, HeapMapped                                             uint64
}

// Stats returns the present counts. Objects that are only granted to workers are not counted.
func (m *Machine) Stats() Stats {
	granted := 0
	for _, w := range m.workers {
		granted += w.granted
	}
	return Stats{
		Objects: m.objects.Len() - granted - m.lineage.empty, Tasks: m.tasks.Len() - m.lineage.count, Queued: m.sched.Queued(), Running: m.running,
		Actors: len(m.actors), Workers: len(m.workers), Pooled: m.sched.Pooled(), Waiters: len(m.waiters) - len(m.spare),
		HeapBytes: m.heap.Used(), HeapMapped: m.heap.Mapped(),
	}
}

// Demands tells what the tasks that wait for a worker ask for, by class.
func (m *Machine) Demands(f func(request resources.Request, tasks int)) { m.sched.Demands(f) }

// Ahead reports whether Tick should be called soon: tasks were sent ahead behind others, or wait for room in the ring of a
// worker that has nothing else to do, and so will not say when there is some, or no process was started for them yet.
func (m *Machine) Ahead() bool {
	return m.sched.Ahead() > 0 || m.sched.Refusing() > 0 || len(m.stalled) > 0 || m.sched.Deferred()
}

// Tick lets the machine look at what depends on time: tasks that were sent ahead behind one that runs long, and rings that
// may have room again.
func (m *Machine) Tick(now int64) {
	if m.sched.Refusing() > 0 {
		m.sched.Retry()
		m.moved = true
	}
	if m.sched.Deferred() {
		m.moved = true
	}
	stalled := m.stalled
	m.stalled = nil
	for _, h := range stalled {
		if a := m.actors[h.Slot()]; a != nil && a.object == h {
			a.stalled = false
			m.flush(a)
		}
	}
	for {
		w, ok := m.sched.Clogged(now)
		if !ok || m.takeBack(w, 1, now) == 0 {
			return
		}
	}
}

// Prestart asks for n workers before there is work for them.
func (m *Machine) Prestart(n int) {
	if n > 0 {
		m.sched.Starting(n)
		m.ports.Spawn(n)
	}
}

// Largest describes the n largest stored objects, for the message of a full store.
func (m *Machine) Largest(n int) string {
	type big struct {
		h    slab.Handle
		size uint64
		refs int64
	}
	var top []big
	m.objects.Each(func(h slab.Handle, o *object) bool {
		if o.state != Pending && o.where == wire.WhereStore {
			i, _ := slices.BinarySearchFunc(top, o.length, func(b big, l uint64) int { return cmp.Compare(l, b.size) })
			if i < n {
				top = slices.Insert(top, i, big{h, o.length, o.refs})
				top = top[:min(len(top), n)]
			}
		}
		return true
	})
	if len(top) == 0 {
		return "No object is in it; extents are being written or read."
	}
	s := "Largest objects:"
	for _, b := range top {
		s += fmt.Sprintf(" %016x (%d bytes, %d holders)", uint64(b.h), b.size, b.refs)
	}
	return s + "."
}
