package node

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"thornback/core/ring"
	"thornback/core/wire"
)

// The tests run this binary as zygote. Its workers are threads of that one process, with numbers that look like pids; what a
// worker does is chosen by the name of the function that it is asked to run.
const zygoteVariable = "THORNBACK_TEST_ZYGOTE"

func TestMain(m *testing.M) {
	if mode := os.Getenv(zygoteVariable); mode != "" {
		if err := (&fakeZygote{workers: map[int]*fakeWorker{}, mode: mode}).run(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

type fakeZygote struct {
	mode    string // "stillborn": no worker lives until it is ready
	mu      sync.Mutex
	board   []byte
	workers map[int]*fakeWorker // guarded by mu; by pid
	arena   []byte
}

func (z *fakeZygote) run() error {
	buf, oob := make([]byte, 1<<20), make([]byte, 256)
	pid := 1_000_000
	for {
		k, oobn, _, _, err := unix.Recvmsg(3, buf, oob, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil || k == 0 {
			return err
		}
		fds, err := rights(oob[:oobn])
		if err != nil {
			return err
		}
		var body struct {
			Worker     int `json:"worker"`
			PID        int `json:"pid"`
			ArenaBytes int `json:"arena_bytes"`
		}
		if k > 1 {
			if err := json.Unmarshal(buf[1:k], &body); err != nil {
				return err
			}
		}
		switch buf[0] {
		case packetBoot:
			var st unix.Stat_t
			if err := unix.Fstat(fds[1], &st); err != nil {
				return err
			}
			if z.board, err = unix.Mmap(fds[0], 0, wire.BoardBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
				return err
			}
			if z.arena, err = unix.Mmap(fds[1], 0, int(st.Size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
				return err
			}
			err = z.send(packetReady, map[string]int{})
		case packetFork:
			pid++
			err = z.fork(body.Worker, pid, fds[0])
		case packetKill, packetPoke:
			z.mu.Lock()
			w := z.workers[body.PID]
			z.mu.Unlock()
			switch {
			case w == nil:
			case buf[0] == packetPoke:
				w.poked.Store(true)
			default:
				w.end(int(unix.SIGKILL))
			}
		}
		if err != nil {
			return err
		}
	}
}

func rights(oob []byte) ([]int, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(msgs) != 1 {
		return nil, fmt.Errorf("%d control messages: %w", len(msgs), err)
	}
	return unix.ParseUnixRights(&msgs[0])
}

func (z *fakeZygote) send(kind byte, body map[string]int) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return unix.Sendmsg(3, append([]byte{kind}, text...), nil, nil, 0)
}

func (z *fakeZygote) fork(id, pid, fd int) error {
	if z.mode == "stillborn" {
		return z.send(packetExit, map[string]int{"worker": id, "pid": pid, "status": 1 << 8})
	}
	mem, err := unix.Mmap(fd, 0, wire.ChannelBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	w := &fakeWorker{
		z: z, id: id, pid: pid, mem: mem, names: map[uint32]string{},
		task:  ring.NewConsumer(mem[wire.CtlTask:], mem[wire.TaskOffset:wire.ReplyOffset]),
		reply: ring.NewConsumer(mem[wire.CtlReply:], mem[wire.ReplyOffset:wire.OutOffset]),
		out:   ring.NewProducer(mem[wire.CtlOut:], mem[wire.OutOffset:wire.ChannelBytes]),
	}
	z.mu.Lock()
	z.workers[pid] = w
	z.mu.Unlock()
	if err := z.send(packetFork, map[string]int{"worker": id, "pid": pid}); err != nil {
		return err
	}
	go w.serve()
	return nil
}

// fakeWorker speaks the worker's side of capi/wire.h.
type fakeWorker struct {
	z        *fakeZygote
	id, pid  int
	mem      []byte
	task     *ring.Consumer
	reply    *ring.Consumer
	out      *ring.Producer
	names    map[uint32]string
	grants   []uint64
	answers  []fakeAnswer
	over     atomic.Bool
	poked    atomic.Bool // has got SIGINT
	canceled uint64      // the task of the last CANCEL
	once     sync.Once
	exiting  bool
}

type fakeAnswer struct {
	request uint32
	status  int32
	payload []byte
}

// end is the death of the process, as the zygote tells it.
func (w *fakeWorker) end(status int) {
	w.once.Do(func() {
		w.over.Store(true)
		if err := w.z.send(packetExit, map[string]int{"worker": w.id, "pid": w.pid, "status": status}); err != nil {
			os.Exit(1)
		}
	})
}

// say writes a record of 32-bit numbers, 64-bit numbers and bytes, and tells the node.
func (w *fakeWorker) say(kind uint16, flags uint16, parts ...any) {
	var b []byte
	for _, p := range parts {
		switch v := p.(type) {
		case int:
			b = binary.LittleEndian.AppendUint32(b, uint32(v))
		case uint32:
			b = binary.LittleEndian.AppendUint32(b, v)
		case uint64:
			b = binary.LittleEndian.AppendUint64(b, v)
		case []byte:
			b = append(b, v...)
			b = append(b, make([]byte, wire.Pad8(len(v))-len(v))...)
		}
	}
	var p []byte
	for p = w.out.Begin(len(b)); p == nil && !w.over.Load(); p = w.out.Begin(len(b)) {
		time.Sleep(50 * time.Microsecond)
	}
	if w.over.Load() {
		return
	}
	copy(p, b)
	w.out.Commit(kind, flags)
	w.ring()
}

func (w *fakeWorker) ring() {
	word := (*atomic.Uint64)(unsafe.Pointer(&w.z.board[wire.BoardBits+8*(w.id/64)]))
	word.Or(1 << (w.id % 64))
}

func (w *fakeWorker) serve() {
	w.say(wire.MsgReady, 0, wire.Version, w.pid)
	for !w.over.Load() {
		if w.read() {
			continue
		}
		rec, ok, err := w.task.Next()
		if err != nil {
			w.end(1 << 8)
			return
		}
		switch {
		case ok:
			w.taskRecord(rec)
		case w.exiting:
			w.end(0)
		default:
			time.Sleep(50 * time.Microsecond)
		}
	}
}

// read takes one record out of the reply ring.
func (w *fakeWorker) read() bool {
	rec, ok, err := w.reply.Next()
	if err != nil || !ok {
		return false
	}
	payload := rec.Payload
	r := wire.NewReader(payload)
	var span uint64
	if rec.Flags&wire.RecordIndirect != 0 {
		span = r.U64()
		payload = w.z.arena[span : span+r.U64()]
		r = wire.NewReader(payload)
	}
	switch rec.Kind {
	case wire.MsgGrant:
		for r.Rest() > 0 {
			w.grants = append(w.grants, r.U64())
		}
	case wire.MsgReply:
		a := fakeAnswer{request: r.U32(), status: int32(r.U32())}
		a.payload = append(a.payload, r.Bytes(r.Rest())...)
		w.answers = append(w.answers, a)
		if span != 0 {
			w.say(wire.MsgFree, 0, span)
		}
	case wire.MsgDefine:
		w.define(&r)
	case wire.MsgExit:
		w.exiting = true
	case wire.MsgCancel:
		w.canceled = r.U64()
	}
	w.reply.Advance()
	return true
}

func (w *fakeWorker) define(r *wire.Reader) {
	fid, _, n, _ := r.U32(), r.U32(), r.U32(), r.U32()
	w.names[fid] = string(r.Bytes(int(n)))
}

func (w *fakeWorker) taskRecord(rec ring.Record) {
	payload := rec.Payload
	if rec.Flags&wire.RecordIndirect != 0 {
		r := wire.NewReader(payload)
		at := r.U64()
		payload = w.z.arena[at : at+r.U64()]
	}
	r := wire.NewReader(payload)
	if rec.Kind == wire.MsgDefine {
		w.define(&r)
		w.task.Advance()
		return
	}
	claim := (*atomic.Uint32)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(rec.Payload)), 8-wire.RecordHead))
	if !claim.CompareAndSwap(wire.ClaimFree, wire.ClaimWorker) {
		w.task.Advance()
		return
	}
	t := fakeTask{task: r.U64(), object: r.U64(), actor: r.U64(), fid: r.U32()}
	r.U32()
	t.returns = r.U32()
	r.U32()
	argsLen, deps := r.U32(), r.U32()
	t.tid = r.U32()
	for range 3 { // flags, group, window
		r.U32()
	}
	t.args = append(t.args, r.Padded(uint64(argsLen))...)
	for range deps {
		v := r.Value()
		r.U64s(nil, v.Refs) // the handle of a stored one
		v.Bytes = append([]byte(nil), v.Bytes...)
		t.deps = append(t.deps, v)
	}
	w.task.Advance()
	if f := fakeFunctions[w.names[t.fid]]; f != nil {
		f(w, &t)
	} else {
		w.done(&t, []byte("no function "+w.names[t.fid]))
	}
}

type fakeTask struct {
	task, object, actor uint64
	fid, returns, tid   uint32
	args                []byte
	deps                []wire.Value
}

// number reads the i-th 64-bit number of the arguments.
func (t *fakeTask) number(i int) uint64 { return binary.LittleEndian.Uint64(t.args[8*i:]) }

func inline(b []byte) []any { return []any{wire.WhereInline, 0, uint64(len(b)), uint64(0), b} }

func (w *fakeWorker) done(t *fakeTask, b []byte) {
	parts := []any{t.task, uint64(1000), uint64(0), wire.DoneOK, t.returns}
	for range t.returns {
		parts = append(parts, inline(b)...)
	}
	w.say(wire.MsgDone, 0, parts...)
}

// ask sends a request and reads until its answer is there; nothing is written meanwhile.
func (w *fakeWorker) wait(request uint32) fakeAnswer {
	for !w.over.Load() {
		for i, a := range w.answers {
			if a.request == request {
				w.answers = append(w.answers[:i], w.answers[i+1:]...)
				return a
			}
		}
		if !w.read() {
			time.Sleep(50 * time.Microsecond)
		}
	}
	return fakeAnswer{}
}

func (w *fakeWorker) grant() uint64 {
	for len(w.grants) == 0 && !w.over.Load() {
		w.read()
	}
	h := w.grants[len(w.grants)-1]
	w.grants = w.grants[:len(w.grants)-1]
	return h
}
