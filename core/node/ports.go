package node

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"thornback/core/arena"
	"thornback/core/futex"
	"thornback/core/owner"
	"thornback/core/ring"
	"thornback/core/wire"
)

// payloadMax is the largest payload that goes through a ring; others go INDIRECT, through the arena.
const payloadMax = wire.RecordMax - wire.RecordHead

// Values of a waiter's word that the node knows, see capi/thornback.h.
const (
	waiterDone   = 1
	waiterAsleep = 3
)

// Send implements owner.Ports. Preconditions (of all methods in this file): n.mu held.
func (n *Node) Send(id owner.WorkerID, t *owner.TaskMessage) (uint64, error) {
	w := n.workerAt(id)
	if w == nil || w.doomed {
		return 0, owner.ErrNoRoom
	}
	p := w.task
	if t.Nested {
		p = w.reply
		if len(w.replies) > 0 {
			return 0, owner.ErrNoRoom
		}
	}
	if !w.knows(t.Template.FID) {
		if err := n.sendDefinition(w, p, t.Template.FID); err != nil {
			return 0, err
		}
	}
	size := wire.TaskBytes + wire.Pad8(len(t.Args))
	for _, d := range t.Deps {
		size += d.Size()
		if d.Where == wire.WhereStore {
			size += 8
		}
	}
	var pos uint64
	if size <= payloadMax {
		b := p.Begin(size)
		if b == nil {
			return 0, owner.ErrNoRoom
		}
		writeTask(b, t)
		pos = p.Commit(wire.MsgTask, 0)
	} else {
		span, b, err := n.indirect(size)
		if err != nil {
			return 0, err
		}
		writeTask(b, t)
		var ok bool
		if pos, ok = sendSpan(p, wire.MsgTask, span); !ok {
			n.FreeExtent(span.offset)
			return 0, owner.ErrNoRoom
		}
		w.taskSpans[t.Task] = taskSpan{span.offset, pos, t.Nested}
	}
	if w.lastFID != t.Template.FID {
		w.lastFID = t.Template.FID
		w.logs.hint(t.Template)
	}
	n.ring(w)
	return pos, nil
}

func writeTask(b []byte, t *owner.TaskMessage) {
	w := wire.NewWriter(b)
	w.U64(t.Task)
	w.U64(t.Object)
	w.U64(t.Actor)
	w.U32(t.Template.FID)
	w.U32(t.Template.Type)
	w.U32(uint32(t.Returns))
	w.U32(uint32(t.Attempt))
	w.U32(uint32(len(t.Args)))
	w.U32(uint32(len(t.Deps)))
	w.U32(t.Template.ID)
	w.U32(taskFlags(t.Template))
	w.U32(t.Template.Group)
	window := t.Template.Window
	if t.Nested { // whoever takes its items waits below it
		window = 0
	}
	w.U32(window)
	w.Padded(t.Args)
	for i, d := range t.Deps {
		if d.Where == wire.WhereStore { // its handle goes along, so that the worker can hold what it has views of
			d.Refs = 1
		}
		w.Value(d)
		if d.Where == wire.WhereStore {
			w.U64(t.DepIDs[i])
		}
	}
}

func taskFlags(t *owner.Template) uint32 {
	flags := uint32(0)
	if t.RetryExceptions {
		flags |= wire.TaskRetryExceptions
	}
	if t.RetryClasses != "" {
		flags |= wire.TaskRetryList
	}
	if t.Stream {
		flags |= wire.TaskStream
	}
	if t.Dynamic {
		flags |= wire.TaskDynamic
	}
	if t.Context {
		flags |= wire.TaskContext
	}
	if len(t.Limits) > 0 {
		flags |= wire.TaskConcurrent
	}
	return flags
}

// sendDefinition tells a worker what a number stands for, once.
func (n *Node) sendDefinition(w *worker, p *ring.Producer, fid uint32) error {
	d := n.definitions[fid]
	size := wire.DefineBytes + wire.Pad8(len(d.name)) + wire.Pad8(len(d.blob))
	write := func(b []byte) {
		out := wire.NewWriter(b)
		out.U32(fid)
		out.U32(d.kind)
		out.U32(uint32(len(d.name)))
		out.U32(uint32(len(d.blob)))
		out.Padded([]byte(d.name))
		out.Padded(d.blob)
	}
	if size <= payloadMax {
		b := p.Begin(size)
		if b == nil {
			return owner.ErrNoRoom
		}
		write(b)
		p.Commit(wire.MsgDefine, 0)
	} else {
		if d.span == nil {
			s, b, err := n.indirect(size)
			if err != nil {
				return fmt.Errorf("node: the definition of %s: %w", d.name, err)
			}
			write(b)
			d.span = &s
		}
		if _, ok := sendSpan(p, wire.MsgDefine, *d.span); !ok {
			return owner.ErrNoRoom
		}
	}
	w.learns(fid)
	return nil
}

// span is a piece of the arena.
type span struct{ offset, length uint64 }

// indirect takes a piece of the arena for a payload that is too large for a ring. It is reserved here, under the lock: such
// payloads are rare and mostly below a megabyte.
func (n *Node) indirect(size int) (span, []byte, error) {
	n.allocs++
	e, err := n.store.Alloc(uint64(size))
	if err != nil {
		return span{}, nil, n.fullError(err)
	}
	if err := n.store.Reserve(e); err != nil {
		return span{}, nil, errors.Join(err, n.store.FreeCold(e.Offset))
	}
	b, _ := n.store.Slice(e.Offset, uint64(size))
	return span{e.Offset, uint64(size)}, b, nil
}

// sendSpan writes an INDIRECT record.
func sendSpan(p *ring.Producer, kind uint16, s span) (uint64, bool) {
	b := p.Begin(wire.SpanBytes)
	if b == nil {
		return 0, false
	}
	binary.LittleEndian.PutUint64(b, s.offset)
	binary.LittleEndian.PutUint64(b[8:], s.length)
	return p.Commit(kind, wire.RecordIndirect), true
}

// TakeBack implements owner.Ports.
func (n *Node) TakeBack(id owner.WorkerID, pos uint64) bool {
	w := n.workerAt(id)
	if w == nil || !w.task.TakeBack(pos) {
		return false
	}
	for task, s := range w.taskSpans { // few tasks have one
		if s.pos == pos && !s.nested {
			delete(w.taskSpans, task)
			n.FreeExtent(s.offset)
		}
	}
	return true
}

// Started implements owner.Ports.
func (n *Node) Started(id owner.WorkerID, pos uint64) bool {
	w := n.workerAt(id)
	return w == nil || w.task.Started(pos)
}

// Exit implements owner.Ports: a worker that does not leave in time is killed.
func (n *Node) Exit(id owner.WorkerID) {
	w := n.workerAt(id)
	if w == nil || w.exiting {
		return
	}
	w.exiting = true
	n.sendReply(w, pendingReply{wire.MsgExit, 0, nil})
	inc := w.incarnation
	time.AfterFunc(exitWait, func() {
		n.do(func() {
			if w := n.workerAt(id); w != nil && w.incarnation == inc {
				n.Kill(id)
			}
		})
	})
}

// Kill implements owner.Ports. The zygote does it, since it alone knows whether the process is still that one.
func (n *Node) Kill(id owner.WorkerID) {
	w := n.workerAt(id)
	if w == nil || w.doomed {
		return
	}
	w.doomed = true
	if w.pid != 0 {
		n.zygote.kill(w.pid)
	}
}

// Spawn implements owner.Ports.
func (n *Node) Spawn(count int) {
	for range count {
		if err := n.spawn(); err != nil {
			n.logs.note("a worker could not be started: " + err.Error())
			n.after = append(n.after, func() { n.do(n.startFailed) })
		}
	}
}

// spawn asks the zygote for one worker.
func (n *Node) spawn() error {
	i := slices.Index(n.workers, nil)
	if i < 0 {
		i = len(n.workers)
		if i == wire.WorkersMax {
			return fmt.Errorf("node: %d workers, that is the limit", i)
		}
		n.workers = append(n.workers, nil)
	}
	n.incarnation++
	w, fd, err := newWorker(owner.WorkerID(i), n.incarnation)
	if err != nil {
		return err
	}
	w.logs = n.logs.add(n.incarnation)
	w.process = n.processes.add(uint32(n.incarnation), n.now())
	n.m.Serial(w.id, w.process.serial)
	n.workers[i] = w
	n.zygote.fork(w, fd)
	return nil
}

// FreeExtent implements owner.Ports.
func (n *Node) FreeExtent(offset uint64) {
	if err := n.store.Free(offset); err != nil {
		panic("node: an object's extent is not allocated: " + err.Error())
	}
	n.coolLater()
}

// Alarm implements owner.Ports.
func (n *Node) Alarm(token uint64, ns int64) {
	time.AfterFunc(time.Duration(ns), func() { n.do(func() { n.m.Alarmed(token) }) })
}

// Renamed implements owner.Ports: what was found by name is to be looked up again.
func (n *Node) Renamed() { futex.Word(n.board, wire.BoardNames).Add(1) }

// Wake implements owner.Ports. The word is waiterAsleep while its thread sleeps on it.
func (n *Node) Wake(word *uint32) {
	w := atomicWord(word)
	if w.Swap(waiterDone) == waiterAsleep {
		n.after = append(n.after, func() { futex.WakeAll(w) })
	}
	// The thread may be the one that reads for all, asleep until a worker writes; it is not what called us then.
	if mode := futex.Word(n.board, wire.BoardMode); mode.CompareAndSwap(wire.ModeGetter, wire.ModePolled) {
		getter := futex.Word(n.board, wire.BoardGetter)
		getter.Add(1)
		n.after = append(n.after, func() { futex.WakeAll(getter) })
	}
}

// fullError words a full store so that the user sees how full it is and by what.
func (n *Node) fullError(err error) error {
	var full *arena.FullError
	if !errors.As(err, &full) {
		return err
	}
	s := n.store.Stats()
	return fmt.Errorf("%w: the object store has no room for %s: %s of %s are used by %d objects, the largest free piece has %s. %s",
		errFull, size(full.Wanted), size(s.Used), size(s.Capacity), s.Allocations, size(full.Largest), n.m.Largest(5))
}

var errFull = errors.New("node: store full")

func size(n uint64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
}
