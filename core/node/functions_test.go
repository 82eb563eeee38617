package node

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"thornback/core/wire"
)

// fakeFunctions are what fake workers can run. Those that do wrong say a DONE afterwards, which must not count.
var fakeFunctions = map[string]func(*fakeWorker, *fakeTask){
	"echo": func(w *fakeWorker, t *fakeTask) {
		b := t.args
		for _, d := range t.deps {
			if d.Where == wire.WhereStore {
				d.Bytes = w.z.arena[d.Offset : d.Offset+d.Length]
			}
			b = append(b, d.Bytes...)
		}
		w.done(t, b)
	},
	"die": func(w *fakeWorker, _ *fakeTask) { w.end(int(unix.SIGSEGV)) },
	// stored allocates, writes and returns a value in the arena.
	"stored": func(w *fakeWorker, t *fakeTask) {
		w.say(wire.ReqAlloc, 0, 1, 0, t.task, t.number(0))
		a := w.wait(1)
		if a.status != wire.OK {
			w.done(t, a.payload)
			return
		}
		off := binary.LittleEndian.Uint64(a.payload)
		copy(w.z.arena[off:], bytes.Repeat([]byte{7}, int(t.number(0))))
		w.say(wire.MsgDone, 0, t.task, uint64(1), uint64(0), wire.DoneOK, 1, wire.WhereStore, 0, t.number(0), off)
	},
	// gets asks for the same object many times at once, and only then reads.
	"gets": func(w *fakeWorker, t *fakeTask) {
		const n = 12
		for i := range n {
			w.say(wire.ReqGet, 0, 100+i, 0, uint64(0), 1, 0, t.number(0))
		}
		sum := 0
		for i := range n {
			sum += len(w.wait(uint32(100 + i)).payload)
		}
		w.done(t, []byte{byte(sum / n >> 10)})
	},
	// order lets a container go and takes what is in it, in one record.
	"order": func(w *fakeWorker, t *fakeTask) {
		inner, outer := w.grant(), w.grant()
		w.say(wire.MsgPut, 0, append([]any{inner, uint64(0)}, inline([]byte("inside"))...)...)
		w.say(wire.MsgPut, 0, outer, uint64(0), wire.WhereInline, 1, uint64(8), uint64(0), []byte("a list.."), inner)
		w.say(wire.MsgRefs, 0, inner, ^uint64(0)) // only the container holds it now
		w.say(wire.MsgRefs, 0, outer, ^uint64(0), inner, uint64(1))
		w.say(wire.ReqGet, 0, 5, 0, t.task, 1, 0, inner)
		a := w.wait(5)
		if a.status == wire.OK {
			a.payload = []byte("kept")
		}
		w.done(t, a.payload)
	},
	// nested submits one like the function of the template given, and waits for it.
	"nested": func(w *fakeWorker, t *fakeTask) {
		h := w.grant()
		w.say(wire.MsgSubmit, 0, uint64(0), t.task, uint32(t.number(0)), 1, 0, 0, 5, 0, uint64(0), uint64(0), h, []byte("child"))
		w.say(wire.ReqGet, 0, 9, 0, t.task, 1, 0, h)
		a := w.wait(9)
		w.done(t, a.payload[8+wire.ValueBytes:][:5])
	},
	"control": func(w *fakeWorker, t *fakeTask) {
		w.say(wire.ReqControl, 0, 3, 0, t.task, 5, 0, []byte("stats"), []byte("{}"))
		w.done(t, w.wait(3).payload)
	},

	// patient ends when it is cancelled and has been poked.
	"patient": func(w *fakeWorker, t *fakeTask) {
		for w.canceled != t.task || !w.poked.Load() {
			if w.over.Load() {
				return
			}
			if !w.read() {
				time.Sleep(50 * time.Microsecond)
			}
		}
		w.done(t, []byte("canceled"))
	},
	// cancels has the object of the handle given cancelled.
	"cancels": func(w *fakeWorker, t *fakeTask) {
		text := fmt.Appendf(nil, `{"object":%20d,"recursive":true}`, t.number(0)) // a multiple of 8 bytes
		w.say(wire.ReqControl, 0, 3, 0, t.task, 6, 0, []byte("cancel"), text)
		w.done(t, w.wait(3).payload)
	},

	"kind": wrong(func(w *fakeWorker, _ *fakeTask) { w.say(99, 0, uint64(1), uint64(1)) }),
	"zero request": wrong(func(w *fakeWorker, t *fakeTask) {
		w.say(wire.ReqAlloc, 0, 0, 0, t.task, uint64(8))
	}),
	"cut done": wrong(func(w *fakeWorker, t *fakeTask) { w.say(wire.MsgDone, 0, t.task, uint64(0), uint64(0), wire.DoneOK) }),
	"many values": wrong(func(w *fakeWorker, t *fakeTask) {
		w.say(wire.MsgDone, 0, t.task, uint64(0), uint64(0), wire.DoneOK, ^uint32(0))
	}),
	"no values": wrong(func(w *fakeWorker, t *fakeTask) { w.say(wire.MsgDone, 0, t.task, uint64(0), uint64(0), wire.DoneOK, 0) }),
	"where": wrong(func(w *fakeWorker, t *fakeTask) {
		w.say(wire.MsgDone, 0, t.task, uint64(0), uint64(0), wire.DoneOK, 1, 77, 0, uint64(0), uint64(0))
	}),
	"foreign span": wrong(func(w *fakeWorker, t *fakeTask) {
		w.say(wire.MsgDone, 0, t.task, uint64(0), uint64(0), wire.DoneOK, 1, wire.WhereStore, 0, uint64(1), t.number(0))
	}),
	"indirect": wrong(func(w *fakeWorker, t *fakeTask) { w.say(wire.MsgDone, wire.RecordIndirect, t.number(0), uint64(64)) }),
	"put": wrong(func(w *fakeWorker, t *fakeTask) {
		w.say(wire.MsgPut, 0, append([]any{t.object, uint64(0)}, inline([]byte("x"))...)...)
	}),
	"submit": wrong(func(w *fakeWorker, _ *fakeTask) {
		w.say(wire.MsgSubmit, 0, uint64(0), uint64(0), 1<<20, 0, 0, 0, 0, 0, uint64(0), uint64(0))
	}),
	"submit rets": wrong(func(w *fakeWorker, t *fakeTask) {
		w.say(wire.MsgSubmit, 0, uint64(0), uint64(0), t.tid, ^uint32(0), 0, 0, 0, 0, uint64(0), uint64(0))
	}),
	"cut yield": wrong(func(w *fakeWorker, t *fakeTask) { w.say(wire.MsgYield, 0, t.task, uint64(0), wire.WhereInline, 0) }),
	"yield": wrong(func(w *fakeWorker, t *fakeTask) {
		w.say(wire.MsgYield, 0, append([]any{t.task, uint64(0)}, inline([]byte("x"))...)...)
	}),
	"yield span": wrong(func(w *fakeWorker, t *fakeTask) {
		w.say(wire.MsgYield, 0, t.task, uint64(0), wire.WhereStore, 0, uint64(1), t.number(0))
	}),
	"yield refs": wrong(func(w *fakeWorker, t *fakeTask) {
		w.say(wire.MsgYield, 0, t.task, uint64(0), wire.WhereInline, ^uint32(0), uint64(0), uint64(0))
	}),
	"cut next": wrong(func(w *fakeWorker, t *fakeTask) { w.say(wire.ReqNext, 0, 7, 0, t.task, t.object) }),
	"ready":    wrong(func(w *fakeWorker, _ *fakeTask) { w.say(wire.MsgReady, 0, wire.Version, 5) }),
	"request":  wrong(func(w *fakeWorker, t *fakeTask) { w.say(60, 0, 7, 0, t.task) }),
	"get":      wrong(func(w *fakeWorker, t *fakeTask) { w.say(wire.ReqGet, 0, 7, 0, t.task, ^uint32(0), 0) }),
	"define": wrong(func(w *fakeWorker, t *fakeTask) {
		w.say(wire.ReqDefine, 0, 7, 0, t.task, 1, ^uint32(0), 0, 0, make([]byte, 16))
	}),
	"tail": wrong(func(w *fakeWorker, _ *fakeTask) {
		binary.LittleEndian.PutUint64(w.mem[wire.CtlOut:], 1<<40)
		w.ring()
	}),
	"size": wrong(func(w *fakeWorker, _ *fakeTask) {
		for i := wire.OutOffset; i < wire.ChannelBytes; i += 16 {
			binary.LittleEndian.PutUint32(w.mem[i:], ^uint32(0))
		}
		tail := binary.LittleEndian.Uint64(w.mem[wire.CtlOut:])
		binary.LittleEndian.PutUint64(w.mem[wire.CtlOut:], tail+32)
		w.ring()
	}),
}

// wrong ends a function that broke the rules the way that it hoped to get through with.
func wrong(f func(*fakeWorker, *fakeTask)) func(*fakeWorker, *fakeTask) {
	return func(w *fakeWorker, t *fakeTask) {
		f(w, t)
		for !w.over.Load() { // its end is certain
			if !w.read() {
				time.Sleep(50 * time.Microsecond)
			}
		}
	}
}
