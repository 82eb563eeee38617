package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"thornback/core/door"
	"thornback/core/futex"
	"thornback/core/kv"
	"thornback/core/metrics"
	"thornback/core/owner"
	"thornback/core/resources"
	"thornback/core/store"
	"thornback/core/wire"
)

// Limits.
const (
	workersStartMax = 64              // processes started at once at the beginning
	returnsMax      = 1 << 20         // results of one task
	exitWait        = 5 * time.Second // how long a worker may take to leave when asked to
	idleKeep        = 10 * time.Second
	grantSize       = 256 // handles granted to a worker at a time
	waitsKept       = 50_000
	startBackoff    = 50 * time.Millisecond
	startBackoffMax = 5 * time.Second
)

// ErrClosed says that the session has ended.
var ErrClosed = errors.New("node: closed")

// Node is one machine's part of the engine.
type Node struct {
	opts     Options
	started  time.Time
	origin   int64 // of the node's clock, on CLOCK_MONOTONIC
	pid      int
	board    []byte
	boardFD  int
	store    *store.Store
	zygote   *zygote
	coolKeep uint64 // bytes of free memory that the store keeps
	logs     *logs
	door     *door.Door     // nil before begin, and where sockets can't be made
	asking   sync.WaitGroup // queries of workers that are being answered
	names    *resources.Names

	mu          sync.Mutex
	inside      bool                     // a call has entered and not yet unlocked
	closed      bool                     // guarded by mu, as is all below
	broken      bool                     // a call has panicked under the lock
	m           *owner.Machine           //
	pool        *resources.Pool          //
	workers     []*worker                // by index on the board; nil where free
	kv          *kv.Store                // what libraries keep for one another
	metrics     *metrics.Registry        // what processes record
	definitions []*definition            //
	defined     map[definitionKey]uint32 //
	templates   map[string]uint32        // by their JSON
	bells       []*atomic.Uint32         // to be rung after unlock
	rung        []*worker                // whose bells these are
	after       []func()                 // to be done after unlock
	watchers    []*worker                // with readyRefs to be sent before unlock
	deltas      []Delta                  // scratch of the reader
	asker       owner.WorkerID           // whose control operation runs
	askerTask   uint64                   // the task that asks, 0: the driver, or a thread outside any
	unsent      int                      // workers whose replies wait for room
	outcome     owner.Outcome            // scratch of the reader
	submission  owner.Submission         // the same
	handles     []uint64                 // the same
	payload     []byte                   // scratch of what is sent
	outputLost  bool                     // it was said that what workers print can't be written
	begun       bool
	submits     uint64
	failures    int                  // workers in a row that ended before they were ready
	incarnation uint64               // counts workers ever started
	watching    bool                 // for circles of waits
	awaiting    map[*worker]struct{} // that have watched something
	warned      map[string]bool      // infeasible requests that the user was told of
	processes   processes            // of all workers, past ones too
	sites       *sites               // places in the program where objects are created
	driverSpans map[uint64]struct{}  // extents that the driver has allocated and not yet put
	cooler      *time.Timer          // gives free memory back
	allocs      uint64               // extents ever taken
	reaper      *time.Timer          // ends workers that are idle for long
	clockwork   *time.Timer          // cancels tasks whose deadline comes
	alarm       int64                // when that is; 0: nothing is to come
}

// Open starts a node: memory and zygote. Work starts with the control operation "begin".
func Open(opts Options) (*Node, error) {
	n := &Node{
		opts: opts, started: time.Now(), origin: monotonic(), pid: os.Getpid(), names: resources.NewNames(), defined: map[definitionKey]uint32{},
		templates: map[string]uint32{}, driverSpans: map[uint64]struct{}{}, warned: map[string]bool{}, awaiting: map[*worker]struct{}{}, boardFD: -1,
		sites: newSites(), coolKeep: coolKeep, asker: owner.Driver,
		kv: kv.New(), metrics: metrics.New(),
		definitions: []*definition{nil}, // 0 is no definition
	}
	total, err := opts.total(n.names)
	if err != nil {
		return nil, err
	}
	n.pool = resources.NewPool(total)
	n.m = owner.New(n, n.pool, opts.WorkersMax)
	if opts.Lineage != nil {
		n.m.LimitLineage(*opts.Lineage)
	}
	n.m.Keep(opts.TasksKept, waitsKept)
	if err := n.openMemory(); err != nil {
		return nil, errors.Join(err, n.closeMemory())
	}
	n.logs = newLogs(opts.LogFD, opts.Quiet)
	if n.zygote, err = startZygote(n); err != nil {
		n.logs.close()
		return nil, errors.Join(err, n.closeMemory())
	}
	return n, nil
}

// begin starts work, as soon as the session's folder is there. The folder is made after the zygote was started, which removes
// it when the driver dies: so no moment is left in which a driver that is killed leaves it behind. Preconditions: n.mu held.
func (n *Node) begin() error {
	if n.begun {
		return errors.New("node: begun twice")
	}
	if err := n.logs.watch(filepath.Join(n.opts.SessionDir, "logs")); err != nil {
		return err
	}
	var err error
	if n.door, err = door.Open(n.opts.SessionDir, guarded(n.answer)); err != nil {
		n.logs.note("the command line can't reach this session: " + err.Error())
	}
	n.begun = true
	n.zygote.boot()
	n.m.Prestart(n.opts.Prestart)
	return nil
}

func (n *Node) openMemory() error {
	var err error
	if n.store, err = store.Open(n.opts.StoreBytes); err != nil {
		return err
	}
	n.boardFD, n.board, err = newMemory("thornback-board", wire.BoardBytes)
	if err != nil {
		return err
	}
	futex.Word(n.board, wire.BoardVersion).Store(wire.Version)
	futex.Word(n.board, wire.BoardCPUs).Store(uint32(cpus()))
	return nil
}

// newMemory makes and maps a memfd of n bytes.
func newMemory(name string, size int) (int, []byte, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return -1, nil, fmt.Errorf("node: memfd_create: %w", err)
	}
	if err := unix.Ftruncate(fd, int64(size)); err != nil {
		return -1, nil, errors.Join(fmt.Errorf("node: ftruncate: %w", err), unix.Close(fd))
	}
	mem, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return -1, nil, errors.Join(fmt.Errorf("node: mmap: %w", err), unix.Close(fd))
	}
	return fd, mem, nil
}

// cpus returns the number of cores that this process may use.
func cpus() int {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return 1
	}
	return max(1, set.Count())
}

// now is nanoseconds on the node's own clock.
func (n *Node) now() int64 { return int64(time.Since(n.started)) }

// clock turns a worker's time, CLOCK_MONOTONIC, into the node's.
func (n *Node) clock(monotonic uint64) int64 { return int64(monotonic) - n.origin }

// monotonic reads CLOCK_MONOTONIC, which is what the node's clock counts too.
func monotonic() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic("node: clock_gettime: " + err.Error())
	}
	return t.Nano()
}

// enter takes the lock; false, and no lock, when the node is closed. Each call that enters defers rescue, and ends by unlock.
func (n *Node) enter() bool {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return false
	}
	n.inside = true
	return true
}

// rescue releases the lock of a call that panics, so that no other thread waits for it for ever, and lets the panic go on
// to the border's guard. The node's state is not to be trusted any more: it counts as closed.
func (n *Node) rescue() {
	p := recover()
	if p == nil {
		return
	}
	if n.inside {
		n.inside = false
		n.closed, n.broken = true, true
		n.mu.Unlock()
	}
	panic(p)
}

// do runs f under the lock, lets the machine act on what f told it, and does afterwards what must not be done under the
// lock. It does nothing once the node is closed.
func (n *Node) do(f func()) bool {
	if !n.enter() {
		return false
	}
	defer n.rescue()
	now := n.now()
	n.m.At(now)
	f()
	n.m.Schedule(now)
	n.unlock()
	return true
}

// unlock releases the lock and does what was put off. Preconditions: n.mu held.
func (n *Node) unlock() {
	if len(n.watchers) > 0 {
		n.flushWatched()
	}
	n.inside = false
	if at := n.m.NextDeadline(); at != n.alarm {
		n.setAlarm(at)
	}
	for _, blob := range n.m.Unhandled() {
		n.logs.unhandled(blob)
	}
	if len(n.bells) == 0 && len(n.after) == 0 {
		n.mu.Unlock()
		return
	}
	var few [8]*atomic.Uint32
	bells := append(few[:0], n.bells...)
	n.bells = n.bells[:0]
	for _, w := range n.rung {
		w.rung = false
	}
	n.rung = n.rung[:0]
	after := n.after
	n.after = nil
	n.mu.Unlock()
	for _, b := range bells {
		if b.Swap(0) != 0 {
			futex.WakeAll(b)
		}
	}
	for _, f := range after {
		f()
	}
}

// Board, Store and Session give the border what it maps.
func (n *Node) Board() []byte { return n.board }

// Store returns the object store; its memory may be used without the lock.
func (n *Node) Store() *store.Store { return n.store }

// Session returns the session's number.
func (n *Node) Session() uint64 { return n.opts.Session }

// Close ends all processes and gives everything back but the arena's mapping: Python may have views of it, so the caller
// unmaps it when they are gone. Idempotent.
func (n *Node) Close() error {
	n.mu.Lock()
	if n.broken {
		n.mu.Unlock()
		return n.Abandon()
	}
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	n.closed = true
	for _, t := range []*time.Timer{n.reaper, n.cooler, n.clockwork} {
		if t != nil {
			t.Stop()
		}
	}
	n.mu.Unlock()
	err := errors.Join(n.closeDoor(), n.zygote.close())
	n.asking.Wait()
	n.logs.close()
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, w := range n.workers {
		if w != nil {
			n.workers[i] = nil
			err = errors.Join(err, w.unmap())
		}
	}
	return errors.Join(err, n.m.Close(), n.store.Detach(), n.closeBoard())
}

// Abandon ends the processes of a node that has panicked, whose state is not to be touched; its memory stays mapped.
func (n *Node) Abandon() error {
	err := errors.Join(n.closeDoor(), n.zygote.close())
	n.logs.close()
	return err
}

func (n *Node) closeDoor() error {
	if n.door == nil {
		return nil
	}
	return n.door.Close()
}

func (n *Node) closeMemory() error {
	var err error
	if n.store != nil {
		err = n.store.Close()
	}
	return errors.Join(err, n.closeBoard())
}

func (n *Node) closeBoard() error {
	if n.boardFD < 0 {
		return nil
	}
	fd := n.boardFD
	n.boardFD = -1
	return errors.Join(unix.Munmap(n.board), unix.Close(fd))
}
