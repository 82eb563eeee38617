package node

import (
	"sync/atomic"

	"golang.org/x/sys/unix"

	"thornback/core/futex"
	"thornback/core/owner"
	"thornback/core/ring"
	"thornback/core/wire"
)

// worker is the node's side of one worker process.
type worker struct {
	id          owner.WorkerID
	incarnation uint64
	pid         int
	mem         []byte
	task        *ring.Producer
	reply       *ring.Producer
	out         *ring.Consumer
	bell        *atomic.Uint32
	lost        *atomic.Uint32 // why what it prints can't be written
	rung        bool           // its bell is in Node.bells
	ready       bool           // has said READY
	doomed      bool           // to be killed as soon as its pid is known, or being killed
	exiting     bool
	poked       bool                // to be interrupted as soon as its pid is known
	known       []uint64            // bit set of definitions sent
	spans       map[uint64]struct{} // extents it has allocated and not yet put, or got as replies
	taskSpans   map[uint64]taskSpan // INDIRECT tasks, by handle
	watches     int                 // objects that it waits to be told of
	quiet       said                // when it has said that nothing goes on in it
	seen        said                // when it was looked at last
	readyRefs   []byte              // payload of a READYREF, not sent yet
	replies     []pendingReply      // that found no room in the ring
	logs        *workerLogs
	process     *process
	lastFID     uint32 // definition of the task sent last, whose name stands before output without a marker
}

// taskSpan is where the payload of an INDIRECT task lies, and its record.
type taskSpan struct {
	offset, pos uint64
	nested      bool // the record is in the reply ring
}

// newWorker maps the channel of a new worker and returns the descriptor for the process, which the caller closes.
func newWorker(id owner.WorkerID, incarnation uint64) (*worker, int, error) {
	fd, mem, err := newMemory("thornback-channel", wire.ChannelBytes)
	if err != nil {
		return nil, -1, err
	}
	futex.Word(mem, wire.CtlVersion).Store(wire.Version)
	futex.Word(mem, wire.CtlWorker).Store(uint32(id))
	return &worker{
		id: id, incarnation: incarnation, mem: mem,
		task:      ring.NewProducer(mem[wire.CtlTask:], mem[wire.TaskOffset:wire.ReplyOffset]),
		reply:     ring.NewProducer(mem[wire.CtlReply:], mem[wire.ReplyOffset:wire.OutOffset]),
		out:       ring.NewConsumer(mem[wire.CtlOut:], mem[wire.OutOffset:wire.ChannelBytes]),
		bell:      futex.Word(mem, wire.CtlBell),
		lost:      futex.Word(mem, wire.CtlOutput),
		spans:     map[uint64]struct{}{},
		taskSpans: map[uint64]taskSpan{},
	}, fd, nil
}

func (w *worker) unmap() error { return unix.Munmap(w.mem) }

// knows reports whether a definition was sent, and notes that it is.
func (w *worker) knows(fid uint32) bool {
	i := int(fid / 64)
	return i < len(w.known) && w.known[i]&(1<<(fid%64)) != 0
}

func (w *worker) learns(fid uint32) {
	i := int(fid / 64)
	for len(w.known) <= i {
		w.known = append(w.known, 0)
	}
	w.known[i] |= 1 << (fid % 64)
}

// workerAt returns the live worker with a number, nil when there is none. Preconditions: n.mu held.
func (n *Node) workerAt(id owner.WorkerID) *worker {
	if int(id) >= len(n.workers) {
		return nil
	}
	return n.workers[id]
}

// ring notes that the worker must be woken if it sleeps. The look at the bell comes after the ring's tail was stored; both
// are sequentially consistent, as are the worker's store of the bell and its look at the tail.
func (n *Node) ring(w *worker) {
	if !w.rung && w.bell.Load() != 0 {
		w.rung = true
		n.bells = append(n.bells, w.bell)
		n.rung = append(n.rung, w)
	}
}
