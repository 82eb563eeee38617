package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"thornback/core/owner"
	"thornback/core/ring"
	"thornback/core/wire"
)

// readMax is how many records of one worker are read at a time, so that none keeps the others waiting.
const readMax = 256

// handlesKept is for how many handles scratch is kept.
const handlesKept = 4096

// errMessage says that a worker wrote something that makes no sense; it is ended.
var errMessage = errors.New("node: malformed message")

// Drain reads what workers wrote, and acts on it. It reports whether there was something, and whether tasks are queued
// behind others, so that it should be called again soon.
func (n *Node) Drain() (some, flight bool) {
	if !n.enter() {
		return false, false
	}
	defer n.rescue()
	now := n.now()
	some = n.drain(now)
	n.m.Tick(now)
	n.m.Schedule(now)
	flight = n.m.Ahead() || n.unsent > 0
	n.unlock()
	return some, flight
}

// drain reads the rings of all workers whose bit is set. Preconditions: n.mu held.
func (n *Node) drain(now int64) bool {
	n.m.At(now)
	some := false
	if n.unsent > 0 {
		for _, w := range n.workers {
			if w != nil && len(w.replies) > 0 {
				n.flushReplies(w)
			}
		}
	}
	for i := 0; i*64 < len(n.workers); i++ {
		word := n.bits(i)
		if word.Load() == 0 {
			continue
		}
		for set := word.Swap(0); set != 0; set &= set - 1 {
			b := bits.TrailingZeros64(set)
			if id := i*64 + b; id < len(n.workers) && n.workers[id] != nil {
				some = true
				if n.read(n.workers[id], readMax, now) {
					word.Or(1 << b) // more is there; others first
				}
			}
		}
	}
	return some
}

// bits returns the i-th word of the board's bit set.
func (n *Node) bits(i int) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer(&n.board[wire.BoardBits+8*i]))
}

// Pending reports, without the lock, whether workers have written something.
func (n *Node) pending() bool {
	return n.bits(0).Load() != 0
}

// read handles up to limit records of one worker and reports whether there may be more. A worker that writes nonsense is
// ended.
func (n *Node) read(w *worker, limit int, now int64) bool {
	if reason := w.lost.Load(); reason != 0 && !n.outputLost {
		n.outputLost = true
		n.logs.lost(unix.Errno(reason))
	}
	for range limit {
		rec, ok, err := w.out.Next()
		if err == nil && ok {
			err = n.handle(w, rec, now)
		}
		if err != nil {
			n.logs.note(fmt.Sprintf("worker %d (pid %d) is ended: %v", w.id, w.pid, err))
			n.Kill(w.id)
			return false
		}
		if !ok {
			return false
		}
		w.out.Advance()
	}
	return true
}

// handle acts on one record.
func (n *Node) handle(w *worker, rec ring.Record, now int64) error {
	payload := rec.Payload
	if rec.Flags&wire.RecordIndirect != 0 {
		r := wire.NewReader(payload)
		offset, length := r.U64(), r.U64()
		if _, mine := w.spans[offset]; !mine || r.Failed() {
			return fmt.Errorf("%w: indirect payload at %d", errMessage, offset)
		}
		e, err := n.store.Extent(offset)
		if err != nil || length > e.Length {
			return fmt.Errorf("%w: indirect payload of %d bytes at %d", errMessage, length, offset)
		}
		payload, _ = n.store.Slice(offset, length)
		defer n.freeSpan(w, offset)
	}
	r := wire.NewReader(payload)
	switch rec.Kind {
	case wire.MsgDone:
		return n.onDone(w, &r, now)
	case wire.MsgRefs:
		return n.onRefs(w, &r)
	case wire.MsgSubmit:
		return n.onSubmit(w, &r)
	case wire.MsgPut:
		return n.onPut(w, &r)
	case wire.MsgYield:
		return n.onYield(w, &r)
	case wire.MsgFree:
		for r.Rest() >= 8 {
			n.freeSpan(w, r.U64())
		}
		return nil
	case wire.MsgWatch:
		return n.onWatch(w, &r)
	case wire.MsgReady:
		return n.onReady(w, &r)
	}
	return n.onRequest(w, rec.Kind, &r)
}

func (n *Node) onReady(w *worker, r *wire.Reader) error {
	version, pid := r.U32(), r.U32()
	if r.Failed() || version != wire.Version || w.ready {
		return fmt.Errorf("%w: READY of version %d", errMessage, version)
	}
	w.ready = true
	w.process.ready = n.now()
	n.failures = 0
	n.m.WorkerReady(w.id)
	n.m.WorkerPID(w.id, int(pid))
	n.grant(w)
	n.retireLater()
	return nil
}

// freeSpan gives back an extent that belongs to a worker and to no object.
func (n *Node) freeSpan(w *worker, offset uint64) {
	if _, mine := w.spans[offset]; mine {
		delete(w.spans, offset)
		n.FreeExtent(offset)
	}
}

// takeSpan makes the extent of a stored value the owner's. Where the value is inline there is nothing to do.
func (n *Node) takeSpan(w *worker, v *wire.Value) error {
	if v.Where != wire.WhereStore {
		return nil
	}
	e, err := n.store.Extent(v.Offset)
	if _, mine := w.spans[v.Offset]; !mine || err != nil || v.Length > e.Length {
		return fmt.Errorf("%w: stored value of %d bytes at %d", errMessage, v.Length, v.Offset)
	}
	delete(w.spans, v.Offset)
	return nil
}

func (n *Node) onDone(w *worker, r *wire.Reader, now int64) error {
	task := r.U64()
	o := &n.outcome
	o.ExecNS, o.Ended, o.Status = r.U64(), n.clock(r.U64()), r.U32()
	count := r.Count(r.U32(), wire.ValueBytes)
	o.Values, o.Inner = o.Values[:0], o.Inner[:0]
	for range count {
		v := r.Value()
		var inner []uint64
		if v.Refs > 0 {
			inner = r.U64s(nil, v.Refs)
		}
		if r.Failed() {
			break
		}
		if err := n.takeSpan(w, &v); err != nil {
			n.freeValues(o.Values)
			return err
		}
		o.Values = append(o.Values, v)
		o.Inner = append(o.Inner, inner)
	}
	if r.Failed() {
		n.freeValues(o.Values)
		return fmt.Errorf("%w: DONE", errMessage)
	}
	if s, ok := w.taskSpans[task]; ok {
		delete(w.taskSpans, task)
		n.FreeExtent(s.offset)
	}
	if !n.m.Done(w.id, task, o, now) {
		n.freeValues(o.Values)
	}
	return nil
}

// freeValues gives back what values that nobody wants have in the store.
func (n *Node) freeValues(values []wire.Value) {
	for _, v := range values {
		if v.Where == wire.WhereStore {
			n.FreeExtent(v.Offset)
		}
	}
}

func (n *Node) onRefs(w *worker, r *wire.Reader) error {
	n.deltas = n.deltas[:0]
	for r.Rest() >= wire.RefDeltaBytes {
		n.deltas = append(n.deltas, Delta{r.U64(), int64(r.U64())})
	}
	n.applyDeltas(w.id, n.deltas)
	return nil
}

// applyDeltas applies what was gained before what was lost: within a batch the order is lost, and a container may be let go
// in the same one that its content was taken from it.
func (n *Node) applyDeltas(id owner.WorkerID, deltas []Delta) {
	for _, d := range deltas {
		if d.Delta > 0 {
			n.m.Refs(id, d.Handle, min(d.Delta, 1<<30))
		}
	}
	for _, d := range deltas {
		if d.Delta < 0 {
			n.m.Refs(id, d.Handle, max(d.Delta, -1<<30))
		}
	}
}

// emptied returns scratch to be filled again, unless it is so large that it had better be given back.
func emptied(handles []uint64) []uint64 {
	if cap(handles) > handlesKept {
		return nil
	}
	return handles[:0]
}

func (n *Node) onSubmit(w *worker, r *wire.Reader) error {
	s := &n.submission
	*s = owner.Submission{From: w.id, Actor: r.U64(), Caller: r.U64(), Rets: emptied(s.Rets), Deps: emptied(s.Deps), Holds: emptied(s.Holds)}
	tid, returns, deps, holds, args := r.U32(), r.U32(), r.U32(), r.U32(), r.U32()
	flags := r.U32()
	s.Site = uint16(flags >> wire.SubmitSite)
	if at := r.U64(); at != 0 {
		s.Deadline = max(1, n.clock(at))
	}
	s.Scope = r.U64()
	if returns > returnsMax {
		return fmt.Errorf("%w: SUBMIT with %d returns", errMessage, returns)
	}
	s.Rets = r.U64s(s.Rets, returns)
	s.Deps = r.U64s(s.Deps, deps)
	s.Holds = r.U64s(s.Holds, holds)
	s.Args = r.Bytes(int(args))
	t, ok := n.m.Template(tid)
	if r.Failed() || !ok {
		return fmt.Errorf("%w: SUBMIT with template %d", errMessage, tid)
	}
	if s.Caller == 0 {
		s.Caller = uint64(w.id) + 1 // a thread outside any task; no handle is this small
	}
	s.Template, s.Returns = t, int(returns)
	if t.Lacks != "" {
		n.warnInfeasible(t)
	}
	if err := n.m.Submit(s); err != nil {
		n.m.RefuseFrom(w.id, s.Rets, err)
	} else if flags&wire.SubmitInterrupted == 0 {
		n.m.CancelLate(s)
	}
	n.regrant(w)
	return nil
}

// regrant keeps a worker in handles: one grant is always ahead of the one in use.
func (n *Node) regrant(w *worker) {
	if n.m.Granted(w.id) < grantSize/2 {
		n.grant(w)
	}
}

func (n *Node) onPut(w *worker, r *wire.Reader) error {
	h, site := r.U64(), uint16(r.U32())
	r.U32()
	v := r.Value()
	inner := r.U64s(nil, v.Refs)
	if r.Failed() {
		return fmt.Errorf("%w: PUT", errMessage)
	}
	if err := n.takeSpan(w, &v); err != nil {
		return err
	}
	if !n.m.PutFrom(w.id, h, v, inner) {
		return fmt.Errorf("%w: PUT to handle %x, which was not granted", errMessage, h)
	}
	n.m.SetSite(h, site)
	n.regrant(w)
	return nil
}

func (n *Node) onRequest(w *worker, kind uint16, r *wire.Reader) error {
	request := r.U32()
	r.U32()
	task := r.U64()
	if r.Failed() || request == 0 {
		return fmt.Errorf("%w: kind %d", errMessage, kind)
	}
	switch kind {
	case wire.ReqGet, wire.ReqWait:
		return n.onAsk(w, kind, request, task, r)
	case wire.ReqNext:
		return n.onNext(w, request, r)
	case wire.ReqDrop:
		n.m.Dropped(w.id, request)
	case wire.ReqAlloc:
		n.onAlloc(w, request, r.U64())
	case wire.ReqDefine:
		defKind, nameLen, blobLen := r.U32(), r.U32(), r.U32()
		r.U32()
		var digest [16]byte
		copy(digest[:], r.Bytes(16))
		name, blob := r.Padded(uint64(nameLen)), r.Padded(uint64(blobLen))
		if r.Failed() {
			break
		}
		fid, err := n.define(defKind, string(name), blob, digest)
		n.replyNumber(w, request, fid, err)
	case wire.ReqTemplate:
		tid, err := n.template(r.Bytes(r.Rest()))
		n.replyNumber(w, request, tid, err)
	case wire.ReqControl:
		opLen := r.U32()
		r.U32()
		op := r.Padded(uint64(opLen))
		if r.Failed() {
			break
		}
		switch string(op) {
		case "grant":
			return n.onGrant(w, request, r.Bytes(r.Rest()))
		case opCancel:
			n.onCancel(w, request, r.Bytes(r.Rest()))
			return nil
		case opMetrics:
			n.askLater(w, request, opMetrics, r.Bytes(r.Rest()), func(_ string, report json.RawMessage) (any, error) {
				return n.report(w, report)
			})
			return nil
		}
		if _, ok := queries[string(op)]; ok {
			n.askLater(w, request, string(op), r.Bytes(r.Rest()), n.answer)
			break
		}
		n.asker, n.askerTask = w.id, task
		answer, code, err := n.control(string(op), r.Bytes(r.Rest()))
		n.asker, n.askerTask = owner.Driver, 0
		n.replyControl(w, request, answer, code, err)
		if string(op) == opQuiet && err == nil {
			w.quiet = w.said(w.out.After())
		}
	default:
		return fmt.Errorf("%w: kind %d", errMessage, kind)
	}
	if r.Failed() {
		return fmt.Errorf("%w: request of kind %d", errMessage, kind)
	}
	return nil
}

// onGrant gives a worker handles beyond the usual, for a submission with many returns.
func (n *Node) onGrant(w *worker, request uint32, text []byte) error {
	var q struct {
		Count int `json:"count"`
	}
	if err := json.Unmarshal(text, &q); err != nil || q.Count < 0 || q.Count > returnsMax {
		return fmt.Errorf("%w: grant %q", errMessage, text)
	}
	for given := 0; given < q.Count; given += grantSize {
		n.grant(w)
	}
	n.reply(w, request, wire.OK, []byte("{}"))
	return nil
}

func (n *Node) onAsk(w *worker, kind uint16, request uint32, task uint64, r *wire.Reader) error {
	count := r.U32()
	a := owner.Ask{Kind: uint32(kind), Request: request, Task: task, Need: int(count)}
	if kind == wire.ReqWait {
		a.Need = int(r.U32())
	}
	flags := r.U32()
	if kind == wire.ReqWait {
		r.U32()
	}
	n.handles = r.U64s(emptied(n.handles), count)
	a.Handles = n.handles
	if r.Failed() {
		return fmt.Errorf("%w: GET or WAIT", errMessage)
	}
	a.FailFast, a.Now, a.Timed = flags&wire.GetFailFast != 0, flags&wire.GetNow != 0, flags&wire.GetTimed != 0
	n.m.Ask(w.id, a)
	n.watchDeadlocks()
	return nil
}

// onAlloc takes an extent for a worker; new memory is reserved after the lock is released, then the answer goes out.
func (n *Node) onAlloc(w *worker, request uint32, bytes uint64) {
	n.allocs++
	e, err := n.store.Alloc(bytes)
	if err != nil {
		n.replyError(w, request, wire.EFull, n.fullError(err).Error())
		return
	}
	inc, id := w.incarnation, w.id
	answer := func() {
		w := n.workerAt(id)
		if w == nil || w.incarnation != inc {
			n.FreeExtent(e.Offset)
			return
		}
		w.spans[e.Offset] = struct{}{}
		b := n.newReply(wire.SpanBytes)
		out := wire.NewWriter(b[wire.ReplyBytes:])
		out.U64(e.Offset)
		out.U64(e.Length)
		n.finishReply(w, request, wire.OK, b)
	}
	if e.Fresh == 0 {
		answer()
		return
	}
	n.after = append(n.after, func() {
		err := n.store.Reserve(e)
		n.do(func() {
			if err == nil {
				answer()
				return
			}
			if cold := n.store.FreeCold(e.Offset); cold != nil {
				panic("node: " + cold.Error())
			}
			if w := n.workerAt(id); w != nil && w.incarnation == inc {
				n.replyError(w, request, wire.EFull, err.Error())
			}
		})
	})
}
