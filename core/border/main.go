// Command border is libthornback: the functions of capi/thornback.h, which is their specification. It converts, looks up,
// calls and converts back; all logic is in package node and below.
package main

/*
#cgo CFLAGS: -I${SRCDIR}/../../capi
#define XR_TYPES_ONLY
#include <stdlib.h>
#include <string.h>
#include "thornback.h"
*/
import "C"

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"unsafe"

	"thornback/core/node"
	"thornback/core/owner"
	"thornback/core/wire"
)

func main() {}

// One session at a time in a process.
var (
	current  atomic.Pointer[node.Node]
	opening  sync.Mutex
	poisoned atomic.Bool
	atClose  = func() {} // see profile.go
)

// guard turns a panic into XR_EPOISONED. The first prints its stack; the session can only be closed then.
func guard(rc *C.int32_t) {
	if p := recover(); p != nil {
		if !poisoned.Swap(true) {
			os.Stderr.WriteString("thornback: internal error, please report it\n")
			printPanic(p)
		}
		*rc = C.XR_EPOISONED
	}
}

func printPanic(p any) {
	switch v := p.(type) {
	case error:
		os.Stderr.WriteString(v.Error() + "\n")
	case string:
		os.Stderr.WriteString(v + "\n")
	}
	os.Stderr.Write(debug.Stack())
}

// open returns the running node, or the code that says why there is none.
func open() (*node.Node, C.int32_t) {
	if poisoned.Load() {
		return nil, C.XR_EPOISONED
	}
	if n := current.Load(); n != nil {
		return n, C.XR_OK
	}
	return nil, C.XR_ECLOSED
}

// tell writes an error where the caller wants it and returns its code.
func tell(code C.int32_t, err error, out *C.xr_error) C.int32_t {
	if out != nil {
		out.code = code
		text := err.Error()
		max := len(out.text) - 1
		if len(text) > max {
			text = text[:max]
		}
		dst := unsafe.Slice((*byte)(unsafe.Pointer(&out.text[0])), len(out.text))
		dst[copy(dst, text)] = 0
	}
	return code
}

func fail(err error, out *C.xr_error) C.int32_t { return tell(C.int32_t(node.CodeOf(err)), err, out) }

func handles(p *C.uint64_t, n C.size_t) []uint64 {
	return unsafe.Slice((*uint64)(unsafe.Pointer(p)), int(n))
}

func bytesOf(p unsafe.Pointer, n C.size_t) []byte { return unsafe.Slice((*byte)(p), int(n)) }

//export xr_open
func xr_open(options *C.char, length C.size_t, out *C.xr_session, e *C.xr_error) (rc C.int32_t) {
	defer guard(&rc)
	opening.Lock()
	defer opening.Unlock()
	if poisoned.Load() {
		return tell(C.XR_EPOISONED, errors.New("thornback: an internal error happened before; start a new process"), e)
	}
	if current.Load() != nil {
		return tell(C.XR_EINVAL, errors.New("thornback: a session is open already"), e)
	}
	o, err := node.ParseOptions(bytesOf(unsafe.Pointer(options), length))
	if err != nil {
		return fail(err, e)
	}
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return tell(C.XR_ESYSTEM, err, e)
	}
	o.Session = binary.LittleEndian.Uint64(b[:])>>1 | 1
	n, err := node.Open(o)
	if err != nil {
		return tell(C.XR_ESYSTEM, err, e)
	}
	mem := n.Store().Memory()
	*out = C.xr_session{
		arena: (*C.uint8_t)(unsafe.Pointer(&mem[0])), arena_bytes: C.uint64_t(len(mem)),
		board: (*C.xr_board)(unsafe.Pointer(&n.Board()[0])), session: C.uint64_t(n.Session()), arena_fd: C.int32_t(n.Store().FD()),
		version: C.XR_ABI_VERSION,
	}
	current.Store(n)
	return C.XR_OK
}

//export xr_close
func xr_close() (rc C.int32_t) {
	defer guard(&rc)
	opening.Lock()
	defer opening.Unlock()
	n := current.Swap(nil)
	if n == nil {
		return C.XR_OK
	}
	defer atClose()
	if poisoned.Load() {
		if err := n.Abandon(); err != nil {
			os.Stderr.WriteString("thornback: " + err.Error() + "\n")
		}
		return C.XR_EPOISONED
	}
	if err := n.Close(); err != nil {
		os.Stderr.WriteString("thornback: " + err.Error() + "\n")
		return C.XR_ESYSTEM
	}
	return C.XR_OK
}

//export xr_define
func xr_define(kind C.uint32_t, name *C.char, nameLen C.size_t, blob unsafe.Pointer, blobLen C.size_t, digest *C.uint8_t,
	fid *C.uint32_t, e *C.xr_error) (rc C.int32_t) {
	defer guard(&rc)
	n, rc := open()
	if n == nil {
		return rc
	}
	id, err := n.Define(uint32(kind), C.GoStringN(name, C.int(nameLen)), bytesOf(blob, blobLen),
		*(*[16]byte)(unsafe.Pointer(digest)))
	if err != nil {
		return fail(err, e)
	}
	*fid = C.uint32_t(id)
	return C.XR_OK
}

//export xr_template
func xr_template(json *C.char, length C.size_t, tid *C.uint32_t, e *C.xr_error) (rc C.int32_t) {
	defer guard(&rc)
	n, rc := open()
	if n == nil {
		return rc
	}
	id, err := n.Template(bytesOf(unsafe.Pointer(json), length))
	if err != nil {
		return fail(err, e)
	}
	*tid = C.uint32_t(id)
	return C.XR_OK
}

//export xr_submit
func xr_submit(tid, site C.uint32_t, actor C.uint64_t, args unsafe.Pointer, argsLen C.size_t, deps *C.uint64_t, ndeps C.size_t,
	holds *C.uint64_t, nholds C.size_t, deadline, scope C.uint64_t, returns C.size_t, rets *C.uint64_t, e *C.xr_error) (rc C.int32_t) {
	defer guard(&rc)
	n, rc := open()
	if n == nil {
		return rc
	}
	s := owner.Submission{
		Site:  uint16(site),
		Actor: uint64(actor), Args: bytesOf(args, argsLen), Deps: handles(deps, ndeps), Holds: handles(holds, nholds),
		Returns: int(returns), Rets: handles(rets, returns), Scope: uint64(scope),
	}
	flight, err := n.Submit(uint32(tid), &s, uint64(deadline))
	if err != nil {
		return fail(err, e)
	}
	if flight {
		return C.XR_DRAIN_FLIGHT
	}
	return C.XR_OK
}

//export xr_alloc
func xr_alloc(bytes C.uint64_t, offset *C.uint64_t, e *C.xr_error) (rc C.int32_t) {
	defer guard(&rc)
	n, rc := open()
	if n == nil {
		return rc
	}
	off, err := n.Alloc(uint64(bytes))
	if err != nil {
		return fail(err, e)
	}
	*offset = C.uint64_t(off)
	return C.XR_OK
}

//export xr_abort
func xr_abort(offset C.uint64_t) (rc C.int32_t) {
	defer guard(&rc)
	n, rc := open()
	if n == nil {
		return rc
	}
	if err := n.Abort(uint64(offset)); err != nil {
		return fail(err, nil)
	}
	return C.XR_OK
}

//export xr_put
func xr_put(v *C.xr_value, bytes unsafe.Pointer, refs *C.uint64_t, site C.uint32_t, handle *C.uint64_t,
	e *C.xr_error) (rc C.int32_t) {
	defer guard(&rc)
	n, rc := open()
	if n == nil {
		return rc
	}
	val := wire.Value{Where: uint32(v.where), Length: uint64(v.length), Offset: uint64(v.offset)}
	if val.Where == wire.WhereInline {
		val.Offset, val.Bytes = 0, bytesOf(bytes, C.size_t(v.length))
	}
	h, err := n.Put(val, handles(refs, C.size_t(v.refs)), uint16(site))
	if err != nil {
		return fail(err, e)
	}
	*handle = C.uint64_t(h)
	return C.XR_OK
}

//export xr_refs
func xr_refs(d *C.xr_ref_delta, count C.size_t) (rc C.int32_t) {
	defer guard(&rc)
	n, rc := open()
	if n == nil {
		return rc
	}
	n.Refs(unsafe.Slice((*node.Delta)(unsafe.Pointer(d)), int(count)))
	return C.XR_OK
}

//export xr_look
func xr_look(hs *C.uint64_t, count, most C.size_t, states *C.uint8_t, values *C.xr_value) (rc C.int32_t) {
	defer guard(&rc)
	n, rc := open()
	if n == nil {
		return rc
	}
	var placed []node.Placed
	if values != nil {
		placed = unsafe.Slice((*node.Placed)(unsafe.Pointer(values)), int(count))
	}
	ready, err := n.Look(handles(hs, count), int(most), bytesOf(unsafe.Pointer(states), count), placed)
	if err != nil {
		return fail(err, nil)
	}
	return C.int32_t(ready)
}

//export xr_wait_begin
func xr_wait_begin(hs *C.uint64_t, count, need C.size_t, failFast C.int32_t, scope C.uint64_t, waiter *C.uint64_t, word **C.uint32_t,
	e *C.xr_error) (rc C.int32_t) {
	defer guard(&rc)
	n, rc := open()
	if n == nil {
		return rc
	}
	id, w, err := n.WaitBegin(handles(hs, count), int(need), failFast != 0, uint64(scope))
	if err != nil {
		return fail(err, e)
	}
	*waiter, *word = C.uint64_t(id), (*C.uint32_t)(unsafe.Pointer(w)) // outside the Go heap
	return C.XR_OK
}

//export xr_wait_end
func xr_wait_end(waiter C.uint64_t) (rc C.int32_t) {
	defer guard(&rc)
	n, rc := open()
	if n == nil {
		return rc
	}
	n.WaitEnd(uint64(waiter))
	return C.XR_OK
}

//export xr_watch
func xr_watch(hs *C.uint64_t, count C.size_t) (rc C.int32_t) {
	defer guard(&rc)
	n, rc := open()
	if n == nil {
		return rc
	}
	if err := n.Watch(handles(hs, count)); err != nil {
		return fail(err, nil)
	}
	return C.XR_OK
}

//export xr_watched
func xr_watched(hs *C.uint64_t, most C.size_t, word **C.uint32_t) (rc C.int32_t) {
	defer guard(&rc)
	n, rc := open()
	if n == nil {
		return rc
	}
	count, w, err := n.Watched(handles(hs, most))
	if err != nil {
		return fail(err, nil)
	}
	*word = (*C.uint32_t)(unsafe.Pointer(w)) // outside the Go heap
	return C.int32_t(count)
}

//export xr_stream_next
func xr_stream_next(stream C.uint64_t, most C.size_t, items *C.uint64_t, next *C.uint64_t, ended *C.int32_t, e *C.xr_error) (rc C.int32_t) {
	defer guard(&rc)
	n, rc := open()
	if n == nil {
		return rc
	}
	count, h, end, err := n.Next(uint64(stream), handles(items, most))
	if err != nil {
		return fail(err, e)
	}
	*next, *ended = C.uint64_t(h), 0
	if end {
		*ended = 1
	}
	return C.int32_t(count)
}

//export xr_drain
func xr_drain() (rc C.int32_t) {
	defer guard(&rc)
	n, rc := open()
	if n == nil {
		return rc
	}
	some, flight := n.Drain()
	if some {
		rc |= C.XR_DRAIN_SOME
	}
	if flight {
		rc |= C.XR_DRAIN_FLIGHT
	}
	return rc
}

//export xr_control
func xr_control(op *C.char, opLen C.size_t, json *C.char, length C.size_t, out **C.char, outLen *C.size_t,
	e *C.xr_error) (rc C.int32_t) {
	defer guard(&rc)
	n, rc := open()
	if n == nil {
		return rc
	}
	answer, code, err := n.Control(C.GoStringN(op, C.int(opLen)), bytesOf(unsafe.Pointer(json), length))
	if err != nil {
		return tell(C.int32_t(code), err, e)
	}
	*out, *outLen = (*C.char)(C.CBytes(answer)), C.size_t(len(answer))
	return C.XR_OK
}

//export xr_free
func xr_free(p unsafe.Pointer) { C.free(p) }
