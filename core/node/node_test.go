package node

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"thornback/core/owner"
	"thornback/core/wire"
)

// testNode is a node with fake workers.
type testNode struct {
	*Node
	t *testing.T
}

func openNode(t *testing.T, mode string, cpus float64) *testNode {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "logs"), 0o700); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	n, err := Open(Options{
		NumCPUs: cpus, StoreBytes: 16 << 20, SessionDir: dir, LogFD: -1, WorkersMax: 4, Session: 1,
		Zygote: ZygoteOptions{Argv: []string{exe, "-test.run=^$"}, Env: map[string]string{zygoteVariable: mode}, Boot: "{}"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		if err := n.Close(); err != nil {
			t.Errorf("closed again: %v", err)
		}
	})
	return &testNode{n, t}
}

// until reads what workers say until a condition holds.
func (n *testNode) until(what string, cond func() bool) {
	n.t.Helper()
	limit := time.Now().Add(20 * time.Second)
	for !cond() {
		if time.Now().After(limit) {
			stats, _, err := n.Control("stats", nil)
			n.t.Fatalf("waited in vain for %s: %s %v", what, stats, err)
		}
		if some, _ := n.Drain(); !some {
			runtime.Gosched()
			time.Sleep(100 * time.Microsecond)
		}
	}
}

func (n *testNode) define(name string) uint32 {
	n.t.Helper()
	fid, err := n.Define(wire.DefFunction, name, []byte("blob of "+name), [16]byte{1})
	if err != nil {
		n.t.Fatal(err)
	}
	return fid
}

func (n *testNode) task(name string, retries int) uint32 {
	n.t.Helper()
	tid, err := n.Template(fmt.Appendf(nil, `{"kind":"task","fid":%d,"name":%q,"num_returns":1,"max_retries":%d,"resources":{"CPU":10000}}`,
		n.define(name), name, retries))
	if err != nil {
		n.t.Fatal(err)
	}
	return tid
}

func (n *testNode) submit(tid uint32, args []byte, deps ...uint64) uint64 {
	n.t.Helper()
	s := owner.Submission{Args: args, Deps: deps, Returns: 1, Rets: make([]uint64, 1)}
	if _, err := n.Submit(tid, &s, 0); err != nil {
		n.t.Fatal(err)
	}
	return s.Rets[0]
}

// get waits for an object and returns its state and bytes.
func (n *testNode) get(h uint64) (owner.State, []byte) {
	n.t.Helper()
	n.until("an object", func() bool {
		ready, err := n.Look([]uint64{h}, 1, make([]byte, 1), nil)
		return err != nil || ready == 1
	})
	n.mu.Lock()
	defer n.mu.Unlock()
	s, v := n.m.Look(h)
	if v.Where == wire.WhereStore {
		b, _ := n.store.Slice(v.Offset, v.Length)
		return s, bytes.Clone(b)
	}
	return s, bytes.Clone(v.Bytes)
}

func numbers(ns ...uint64) []byte {
	var b []byte
	for _, x := range ns {
		b = binary.LittleEndian.AppendUint64(b, x)
	}
	return b
}

func TestTasks(t *testing.T) {
	t.Parallel()
	n := openNode(t, "1", 2)
	echo := n.task("echo", 0)
	a := n.submit(echo, []byte("hello"))
	b := n.submit(echo, []byte(" world"), a, a)
	if s, v := n.get(b); s != owner.Ready || string(v) != " worldhellohello" {
		t.Fatalf("state %d, %q", s, v)
	}
	var all []uint64
	for i := range 500 {
		all = append(all, n.submit(echo, fmt.Append(nil, i)))
	}
	for i, h := range all {
		if s, v := n.get(h); s != owner.Ready || string(v) != fmt.Sprint(i) {
			t.Fatalf("task %d: state %d, %q", i, s, v)
		}
	}
	// Arguments that are too large for a ring go through the arena, which is free again afterwards.
	big := bytes.Repeat([]byte("x"), 300<<10)
	if s, v := n.get(n.submit(echo, big[:wire.InlineMax])); s != owner.Ready || !bytes.Equal(v, big[:wire.InlineMax]) {
		t.Fatalf("state %d, %d bytes", s, len(v))
	}
	stored := n.submit(n.task("stored", 0), numbers(1<<20))
	if s, v := n.get(stored); s != owner.Ready || len(v) != 1<<20 || v[1<<20-1] != 7 {
		t.Fatalf("state %d, %d bytes", s, len(v))
	}
	if s, v := n.get(n.submit(n.task("nested", 0), numbers(uint64(echo)))); s != owner.Ready || string(v) != "child" {
		t.Fatalf("state %d, %q", s, v)
	}
	if s, v := n.get(n.submit(n.task("control", 0), nil)); s != owner.Ready || !strings.Contains(string(v), "store_capacity") {
		t.Fatalf("state %d, %q", s, v)
	}
	small := n.submit(n.task("stored", 0), numbers(1000))
	if s, v := n.get(n.submit(echo, []byte("!"), small, a)); s != owner.Ready || len(v) != 1006 || string(v[1001:]) != "hello" {
		t.Fatalf("state %d, %d bytes", s, len(v))
	}
	n.Refs([]Delta{{stored, -1}, {small, -1}})
	if n.Store().Stats().Used != 0 {
		t.Fatalf("left in the store: %+v", n.Store().Stats())
	}
}

func TestWorkerDeath(t *testing.T) {
	t.Parallel()
	n := openNode(t, "1", 1)
	s, v := n.get(n.submit(n.task("die", 2), nil))
	if s != owner.Failed || v[4] != wire.ErrWorkerCrashed || !strings.Contains(string(v), "signal SIGSEGV") {
		t.Fatalf("state %d, %q", s, v)
	}
	if s, v := n.get(n.submit(n.task("echo", 0), []byte("after"))); s != owner.Ready || string(v) != "after" {
		t.Fatalf("state %d, %q", s, v)
	}
	n.mu.Lock()
	started := n.incarnation
	n.mu.Unlock()
	if started < 4 {
		t.Fatalf("%d processes for three attempts and a task", started)
	}
}

// When the zygote dies so do all workers; another takes its place, and what ran is tried again.
func TestZygoteDeath(t *testing.T) {
	t.Parallel()
	n := openNode(t, "1", 1)
	echo := n.task("echo", 1)
	n.get(n.submit(echo, []byte("before")))
	n.mu.Lock()
	old := n.zygote
	n.mu.Unlock()
	if err := old.cmd.Kill(); err != nil {
		t.Fatal(err)
	}
	if s, v := n.get(n.submit(echo, []byte("after"))); s != owner.Ready || string(v) != "after" {
		t.Fatalf("state %d, %q", s, v)
	}
	n.until("another zygote", func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.zygote != old
	})
	if s, v := n.get(n.submit(echo, []byte("still"))); s != owner.Ready || string(v) != "still" {
		t.Fatalf("state %d, %q", s, v)
	}
}

// A worker that says what makes no sense is ended, with its task, and nobody else notices.
func TestMalformedMessages(t *testing.T) {
	t.Parallel()
	n := openNode(t, "1", 2)
	echo := n.task("echo", 0)
	off, err := n.Alloc(4096) // the driver's, not the worker's
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range fakeFunctions {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		switch name {
		case "echo", "die", "stored", "gets", "order", "nested", "control", "patient", "cancels":
			continue
		}
		t.Run(name, func(t *testing.T) {
			n := &testNode{n.Node, t}
			bad := n.submit(n.task(name, 0), numbers(off))
			if s, v := n.get(bad); s != owner.Failed || v[4] != wire.ErrWorkerCrashed {
				t.Errorf("state %d, %q", s, v)
			}
			if s, v := n.get(n.submit(echo, []byte("fine"))); s != owner.Ready || string(v) != "fine" {
				t.Errorf("afterwards: state %d, %q", s, v)
			}
		})
	}
	if err := n.Abort(off); err != nil {
		t.Error(err)
	}
	if used := n.Store().Stats().Used; used != 0 {
		t.Errorf("%d bytes left in the store", used)
	}
}

// Replies that find no room in the ring come later, also when their worker only reads.
func TestManyReplies(t *testing.T) {
	t.Parallel()
	n := openNode(t, "1", 2)
	h, err := n.Put(wire.Value{Where: wire.WhereInline, Length: 100 << 10, Bytes: make([]byte, 100<<10)}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if s, v := n.get(n.submit(n.task("gets", 0), numbers(h))); s != owner.Ready || len(v) != 1 || v[0] != 100 {
		t.Fatalf("state %d, %v", s, v)
	}
}

// The order within a REFS record has no meaning: what is taken is held before anything is let go.
func TestRefsOrder(t *testing.T) {
	t.Parallel()
	n := openNode(t, "1", 1)
	if s, v := n.get(n.submit(n.task("order", 0), nil)); s != owner.Ready || string(v) != "kept" {
		t.Fatalf("state %d, %q", s, v)
	}
}

func TestDefinitions(t *testing.T) {
	t.Parallel()
	n := openNode(t, "1", 1)
	a := n.define("f")
	if again := n.define("f"); again != a || a == 0 {
		t.Fatalf("the same function is %d and %d", a, again)
	}
	for _, c := range []struct {
		kind   uint32
		name   string
		digest byte
	}{{wire.DefClass, "f", 1}, {wire.DefFunction, "g", 1}, {wire.DefFunction, "f", 2}} {
		if id, err := n.Define(c.kind, c.name, nil, [16]byte{c.digest}); err != nil || id == a {
			t.Errorf("%+v: %d, %v", c, id, err)
		}
	}
	for _, kind := range []uint32{0, 4} {
		if _, err := n.Define(kind, "f", nil, [16]byte{}); err == nil {
			t.Errorf("kind %d is defined", kind)
		}
	}
	text := fmt.Appendf(nil, `{"kind":"create","fid":%d,"name":"A","num_returns":1,"resources":{"CPU":5000},"placement":{"CPU":10000}}`, a)
	tid, err := n.Template(text)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := n.Template(text); err != nil || again != tid {
		t.Fatalf("the same options are %d and %d, %v", tid, again, err)
	}
	for _, bad := range []string{
		``, `{`, `[]`, `{"kind":"task","fid":99}`, `{"kind":"none","fid":1}`, `{"kind":"task","fid":1,"num_returns":-1}`,
		`{"kind":"task","fid":1,"num_returns":1048577}`, `{"kind":"task","fid":1,"resources":{"CPU":-1}}`,
		`{"kind":"task","fid":1,"resources":{"CPU":1e300}}`,
		`{"kind":"create","fid":1,"num_returns":1,"resources":{"CPU":2},"placement":{"CPU":1}}`,
	} {
		if id, err := n.Template([]byte(bad)); err == nil {
			t.Errorf("%s: template %d", bad, id)
		}
	}
}

func TestStoreOfDriver(t *testing.T) {
	t.Parallel()
	n := openNode(t, "1", 1)
	off, err := n.Alloc(10 << 20)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Alloc(10 << 20); CodeOf(err) != wire.EFull || !strings.Contains(err.Error(), "10.0 MiB of 16.0 MiB") {
		t.Errorf("a full store: %v", err)
	}
	if _, err := n.Put(wire.Value{Where: wire.WhereStore, Length: 1, Offset: off + 4096}, nil, 0); err == nil {
		t.Error("an extent of nobody is put")
	}
	if err := n.Abort(off + 4096); err == nil {
		t.Error("an extent of nobody is given back")
	}
	h, err := n.Put(wire.Value{Where: wire.WhereStore, Length: 10 << 20, Offset: off}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Abort(off); err == nil {
		t.Error("an object's extent is given back")
	}
	n.Refs([]Delta{{h, -1}, {h, -1}, {77, 5}})
	if s := n.Store().Stats(); s.Used != 0 {
		t.Errorf("left: %+v", s)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	n := openNode(t, "1", 1)
	echo := n.task("echo", 0)
	for range 50 {
		n.submit(echo, []byte("x"))
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Submit(echo, &owner.Submission{Returns: 1, Rets: make([]uint64, 1)}, 0); CodeOf(err) != wire.EClosed {
		t.Error(err)
	}
	if _, err := n.Alloc(1); CodeOf(err) != wire.EClosed {
		t.Error(err)
	}
	if _, code, _ := n.Control("stats", nil); code != wire.EClosed {
		t.Error(code)
	}
	if some, flight := n.Drain(); some || flight {
		t.Error("a closed node has something to read")
	}
}

func TestCool(t *testing.T) {
	n := openNode(t, "1", 1)
	n.coolKeep = 2 << 20
	const big = 12 << 20
	off, err := n.Alloc(big)
	if err != nil {
		t.Fatal(err)
	}
	touched := func() uint64 { return n.Store().Stats().Touched }
	n.cool(n.allocs)
	if touched() != big {
		t.Errorf("%d bytes touched while they are used", touched())
	}
	if err := n.Abort(off); err != nil {
		t.Fatal(err)
	}
	n.cool(n.allocs - 1) // somebody has allocated meanwhile
	if touched() != big {
		t.Errorf("%d bytes left although the store is in use", touched())
	}
	n.cool(n.allocs)
	if touched() != n.coolKeep {
		t.Errorf("%d bytes left, %d are to be kept", touched(), n.coolKeep)
	}
	if again, err := n.Alloc(big); err != nil || n.Abort(again) != nil {
		t.Errorf("the store can't be used again: %v", err)
	}
}
