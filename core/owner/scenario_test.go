package owner

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"thornback/core/resources"
	"thornback/core/wire"
)

// TestScenarios replays testdata/*.txt: what happens goes in, what the machine makes happen comes out. Handles have the names
// that the scenario gives them; a task and its first return share one, further returns are t.1, t.2.
func TestScenarios(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			s := &scenario{
				t: t, names: resources.NewNames(), templates: map[string]*Template{}, handles: map[string]uint64{},
				tasks: map[string]uint64{}, began: map[uint64]bool{}, driver: map[uint64]int64{}, words: map[*uint32]string{},
				waits: map[string]uint64{}, pos: map[WorkerID][]string{}, quiet: map[WorkerID]bool{},
			}
			datadriven.RunTest(t, path, s.command)
			if err := s.m.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

type scenario struct {
	t         *testing.T
	d         *datadriven.TestData
	names     *resources.Names
	pool      *resources.Pool
	m         *Machine
	now       int64
	asked     int // processes that were asked for and are not there
	out       strings.Builder
	templates map[string]*Template
	handles   map[string]uint64
	tasks     map[string]uint64
	began     map[uint64]bool // tasks that their worker has claimed
	driver    map[uint64]int64
	words     map[*uint32]string
	waits     map[string]uint64
	quiet     map[WorkerID]bool
	pos       map[WorkerID][]string // tasks sent to each worker, in order
}

func (s *scenario) command(t *testing.T, d *datadriven.TestData) string {
	s.d = d
	s.out.Reset()
	if f, ok := scenarioCommands[d.Cmd]; ok {
		f(s)
	} else {
		t.Fatalf("%s: unknown command %s", d.Pos, d.Cmd)
	}
	s.m.At(s.now)
	s.m.Schedule(s.now)
	if err := s.m.sanityCheck(s.driver); err != nil {
		t.Fatalf("%s: %v", d.Pos, err)
	}
	st := s.m.Stats()
	fmt.Fprintf(&s.out, "objects %d, tasks %d, queued %d, running %d, actors %d, CPU free %s\n", st.Objects, st.Tasks, st.Queued,
		st.Running, st.Actors, s.pool.Free(resources.CPU))
	return s.out.String()
}

func (s *scenario) arg(key string) string {
	var v string
	s.d.MaybeScanArgs(s.t, key, &v)
	return v
}

func (s *scenario) num(key string) int {
	var v int
	s.d.MaybeScanArgs(s.t, key, &v)
	return v
}

func (s *scenario) list(key string) []uint64 {
	var hs []uint64
	for _, arg := range s.d.CmdArgs {
		if arg.Key == key {
			for _, name := range arg.Vals {
				hs = append(hs, s.handle(name))
			}
		}
	}
	return hs
}

func (s *scenario) handle(name string) uint64 {
	h, ok := s.handles[name]
	if !ok {
		s.t.Fatalf("%s: nothing is called %s", s.d.Pos, name)
	}
	return h
}

func (s *scenario) name(h uint64) string {
	for name, x := range s.handles {
		if x == h {
			return name
		}
	}
	return "nothing"
}

func (s *scenario) log(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }

// text words a value.
func text(v wire.Value) string {
	switch {
	case v.Where == wire.WhereStore:
		return fmt.Sprintf("stored at %d", v.Offset)
	case len(v.Bytes) > 8 && v.Bytes[0] == wire.TagSysErr:
		return fmt.Sprintf("error %d %s", v.Bytes[4], v.Bytes[8:])
	case wire.IsError(v.Bytes):
		return fmt.Sprintf("error %s", v.Bytes[1:])
	}
	return fmt.Sprintf("%q", v.Bytes)
}

var scenarioCommands = map[string]func(*scenario){
	"node": func(s *scenario) {
		total := request(s.names, map[string]float64{"CPU": float64(s.num("cpu")), "slot": float64(s.num("slot"))})
		s.pool = resources.NewPool(total)
		s.m = New(s, s.pool, s.num("most"))
	},
	"template": func(s *scenario) {
		t := &Template{
			Name: s.arg("name"), ClassName: s.arg("class"), Returns: 1, MaxRetries: s.num("retries"),
			Demand: request(s.names, map[string]float64{"CPU": float64(s.num("cpu")), "slot": float64(s.num("slot"))}),
		}
		t.Running = request(s.names, map[string]float64{"CPU": float64(s.num("keeps"))})
		t.Type = map[string]uint32{"": wire.TaskPlain, "create": wire.TaskCreate, "method": wire.TaskMethod}[s.arg("kind")]
		t.RetryExceptions = s.arg("retry-exceptions") != ""
		t.MaxRestarts, t.Lacks = s.num("restarts"), s.arg("lacks")
		if s.arg("stream") != "" {
			t.Stream, t.Returns, t.Window = true, streamReturns, uint32(s.num("window"))
		}
		t.Group, t.Unordered = uint32(s.num("group")), s.arg("unordered") != ""
		if n := s.num("limit"); n > 0 {
			t.Limits = []int{n, n}
			if s.arg("alone") != "" { // one group
				t.Limits = t.Limits[:1]
			}
		}
		if err := s.m.AddTemplate(t, t.Type == wire.TaskCreate, t.Type == wire.TaskMethod); err != nil {
			s.t.Fatal(err)
		}
		s.templates[t.Name] = t
	},
	"ready": func(s *scenario) {
		s.arrive()
		s.m.WorkerReady(WorkerID(s.num("w")))
	},
	"failed": func(s *scenario) {
		s.arrive()
		s.m.WorkerFailed()
	},
	"submit": (*scenario).submit,
	"put": func(s *scenario) {
		h, err := s.m.Put(s.value(), s.list("inner"))
		if err != nil {
			s.t.Fatal(err)
		}
		s.handles[s.arg("name")] = h
		s.driver[h]++
	},
	"begin": func(s *scenario) { s.began[s.tasks[s.arg("task")]] = true },
	"done": func(s *scenario) {
		o := &Outcome{ExecNS: uint64(max(1, s.num("us"))) * 1000, Values: []wire.Value{s.value()}, Inner: [][]uint64{s.list("inner")}}
		if s.arg("error") != "" {
			o.Status = wire.DoneError
			o.Values[0] = wire.Value{Where: wire.WhereInline, Bytes: append([]byte{wire.TagError}, s.arg("error")...)}
		}
		if s.arg("status") != "" {
			o.Status = map[string]uint32{"exit": wire.DoneExit, "quit": wire.DoneQuit, "final": wire.DoneFinal}[s.arg("status")]
		}
		s.now += int64(o.ExecNS)
		if !s.m.Done(WorkerID(s.num("w")), s.tasks[s.arg("task")], o, s.now) {
			s.log("not accepted")
		}
	},
	"yield": (*scenario).yield,
	"next":  (*scenario).next,
	"drop": func(s *scenario) {
		for _, h := range s.list("refs") {
			if s.driver[h]--; s.driver[h] == 0 {
				delete(s.driver, h)
			}
			s.m.Refs(Driver, h, -1)
		}
	},
	"refs": func(s *scenario) {
		for _, h := range s.list("refs") {
			s.m.Refs(WorkerID(s.num("w")), h, int64(s.num("delta")))
		}
	},
	"ask": func(s *scenario) {
		a := Ask{
			Kind: wire.ReqGet, Request: uint32(s.num("request")), Task: s.tasks[s.arg("task")], Handles: s.list("refs"),
			FailFast: s.arg("fail-fast") != "", Timed: s.arg("timed") != "",
		}
		if a.Need = len(a.Handles); s.num("need") > 0 {
			a.Kind, a.Need = wire.ReqWait, s.num("need")
		}
		s.m.Ask(WorkerID(s.num("w")), a)
	},
	"dropped": func(s *scenario) { s.m.Dropped(WorkerID(s.num("w")), uint32(s.num("request"))) },
	"lost": func(s *scenario) {
		s.m.WorkerLost(WorkerID(s.num("w")), Cause{Message: "gone", Fields: map[string]string{"exit": "signal SIGKILL"}}, s.now)
	},
	"kill": func(s *scenario) {
		if err := s.m.Kill(s.handle(s.arg("actor")), s.arg("again") != ""); err != nil {
			s.log("%v", err)
		}
	},
	"cancel": func(s *scenario) {
		c := Cancellation{Force: s.arg("force") != "", Recursive: s.arg("alone") == "", Interrupt: s.arg("interrupt") != ""}
		c.Restart = s.arg("restart") != ""
		if err := s.m.Cancel(s.handle(s.arg("of")), c); err != nil {
			s.log("%v", err)
		}
	},
	"wait": func(s *scenario) {
		hs := s.list("refs")
		id, word, err := s.m.WaitBegin(hs, max(1, s.num("need")), true, s.given("scope"))
		switch {
		case err != nil:
			s.log("%v", err)
			return
		case word == nil:
			s.log("nothing to wait for")
		}
		s.words[word], s.waits[s.arg("name")] = s.arg("name"), id
	},
	"lose": func(s *scenario) {
		if err := s.m.Lose(s.handle(s.arg("of"))); err != nil {
			s.log("%v", err)
		}
	},
	"free": func(s *scenario) {
		if err := s.m.FreeByHand(s.handle(s.arg("of"))); err != nil {
			s.log("%v", err)
		}
	},
	"limit": func(s *scenario) { s.m.LimitLineage(uint64(s.num("bytes"))) },
	"alarm": func(s *scenario) { s.m.Alarmed(s.handle(s.arg("of"))) },
	"actor": func(s *scenario) {
		info, err := s.m.ActorInfo(s.handle(s.arg("of")))
		s.log("%s, %d restarts, %d pending, %q %v", info.State, info.Restarts, info.Pending, info.Death.Message, err)
	},
	"watch": func(s *scenario) {
		for _, h := range s.list("refs") {
			if s.arg("by") != "" {
				s.m.Watch(WorkerID(s.num("w")), h)
			} else {
				s.m.Watch(Driver, h)
			}
		}
	},
	"watched": func(s *scenario) {
		into := make([]uint64, 2)
		n, word, err := s.m.Watched(into)
		if err != nil {
			s.t.Fatal(err)
		}
		if n == 0 {
			s.words[word] = "watcher"
		}
		for _, h := range into[:n] {
			s.log("driver: %s is ready", s.name(h))
		}
	},
	"wait-end": func(s *scenario) { s.m.WaitEnd(s.waits[s.arg("name")]) },
	"look": func(s *scenario) {
		for _, h := range s.list("refs") {
			state, v := s.m.Look(h)
			s.log("%s: %s %s", s.name(h), [...]string{"pending", "ready", "failed", "unknown"}[state], text(v))
		}
	},
	"scope":       (*scenario).openScope,
	"scope-close": (*scenario).closeScope,
	"scope-errors": func(s *scenario) {
		for _, h := range s.m.ScopeErrors(s.process(), s.given("of")) {
			_, v := s.m.Look(h)
			s.log("%s: %s", s.name(h), text(v))
			s.m.Refs(s.process(), h, -1)
		}
	},
	"quiet": func(s *scenario) {
		w := WorkerID(s.num("w"))
		s.quiet[w] = s.arg("not") == ""
		if s.quiet[w] {
			s.m.Quiet(w, s.list("refs"))
		}
	},
	"explain":   func(s *scenario) { s.tree(s.m.Explain(s.handle(s.arg("ref"))), "") },
	"deadlocks": func(s *scenario) { s.log("%d waits ended", s.m.Deadlocks()) },
	"tick": func(s *scenario) {
		s.now += int64(s.num("us")) * 1000
		s.m.Tick(s.now)
	},
}

// given is the handle that an argument names, 0 without.
func (s *scenario) given(key string) uint64 {
	if name := s.arg(key); name != "" {
		return s.handle(name)
	}
	return 0
}

// process is who does what a command says: the driver, or the worker of the task named by "by".
func (s *scenario) process() WorkerID {
	if s.arg("w") == "" {
		return Driver
	}
	return WorkerID(s.num("w"))
}

func (s *scenario) openScope() {
	h, alarm, err := s.m.OpenScope(s.process(), s.given("within"), s.tasks[s.arg("by")], s.arg("alarm") != "")
	if err != nil {
		s.log("%v", err)
		return
	}
	name := s.arg("name")
	s.handles[name], s.handles[name+".alarm"] = h, alarm
	if s.process() == Driver {
		s.driver[h]++
		if s.arg("alarm") != "" {
			s.driver[alarm]++
		}
	}
}

func (s *scenario) closeScope() {
	if err := s.m.CloseScope(s.process(), s.given("of"), s.arg("stay") == "", s.arg("cancel") != "", s.arg("force") != ""); err != nil {
		s.log("%v", err)
	}
}

// arrive counts a process that was asked for; if none was, one is.
func (s *scenario) arrive() {
	if s.asked == 0 {
		s.m.Prestart(1)
	}
	s.asked--
}

func (s *scenario) value() wire.Value {
	if at := s.num("stored"); at > 0 {
		return wire.Value{Where: wire.WhereStore, Offset: uint64(at), Length: 1}
	}
	return wire.Value{Where: wire.WhereInline, Bytes: []byte(s.arg("value"))}
}

func (s *scenario) submit() {
	t := s.templates[s.arg("of")]
	sub := &Submission{
		Template: t, Deps: s.list("deps"), Holds: s.list("holds"), Returns: t.Returns, Rets: make([]uint64, t.Returns), From: Driver,
	}
	if a := s.arg("actor"); a != "" {
		sub.Actor = s.handle(a)
	}
	name := s.arg("name")
	if by := s.arg("by"); by != "" { // from a worker, by the task that it runs
		sub.Caller, sub.From = s.tasks[by], WorkerID(s.num("w"))
		sub.Rets = s.m.Grant(sub.From, t.Returns)
	}
	sub.Scope = s.given("scope")
	sub.Args, sub.Deadline = []byte(name), int64(s.num("deadline"))*1000
	if err := s.m.Submit(sub); err != nil {
		s.log("%v", err)
		return
	}
	s.handles[name] = sub.Rets[0]
	if sub.From != Driver && s.arg("knows") == "" {
		s.m.CancelLate(sub)
	}
	if t.Stream {
		s.handles[name+".stream"] = sub.Rets[1]
	}
	if sub.From == Driver {
		for _, h := range sub.Rets {
			s.driver[h]++
		}
	}
}

// yield: a generator gives an item.
func (s *scenario) yield() {
	v, inner := s.value(), s.list("inner")
	if !s.m.Yield(WorkerID(s.num("w")), s.tasks[s.arg("task")], uint64(s.num("index")), v, inner) {
		s.log("not wanted")
	}
}

// next takes items of a stream and names them, in order; what comes next gets a name too.
func (s *scenario) next() {
	id, stream := Driver, s.handle(s.arg("of"))
	if s.arg("w") != "" {
		id = WorkerID(s.num("w"))
	}
	var names []string
	for _, arg := range s.d.CmdArgs {
		if arg.Key == "names" {
			names = arg.Vals
		}
	}
	items := make([]uint64, s.num("most"))
	n, next, ended, err := s.m.Next(id, stream, items)
	if err != nil {
		s.log("%v", err)
		return
	}
	take := func(h uint64, name string) {
		if was := s.name(h); was != name { // what was coming
			delete(s.handles, was)
		}
		s.handles[name] = h
		if id == Driver {
			s.driver[h]++
		}
	}
	for i, h := range items[:n] {
		take(h, names[i])
	}
	if n == 0 {
		take(next, s.arg("coming"))
	}
	s.log("%d taken, ended %v", n, ended)
}

// ---- Ports: what the machine does is printed ----

func (s *scenario) Send(w WorkerID, m *TaskMessage) (uint64, error) {
	name := string(m.Args)
	s.tasks[name] = m.Task
	how := ""
	if m.Nested {
		how = ", on top of what waits"
	}
	if m.Attempt > 0 {
		how += fmt.Sprintf(", attempt %d", m.Attempt)
	}
	var deps []string
	for _, v := range m.Deps {
		deps = append(deps, text(v))
	}
	s.log("worker %d: runs %s(%s)%s", w, name, strings.Join(deps, ", "), how)
	s.pos[w] = append(s.pos[w], name)
	return uint64(len(s.pos[w]) - 1), nil
}

func (s *scenario) TakeBack(w WorkerID, pos uint64) bool {
	name := s.pos[w][pos]
	if s.began[s.tasks[name]] {
		return false
	}
	s.log("worker %d: %s taken back", w, name)
	return true
}

func (s *scenario) Started(w WorkerID, pos uint64) bool { return s.began[s.tasks[s.pos[w][pos]]] }

func (s *scenario) ReplyValues(w WorkerID, request uint32, first int, values []wire.Value) {
	var all []string
	for _, v := range values {
		all = append(all, text(v))
	}
	s.log("worker %d: reply to %d from %d: %s", w, request, first, strings.Join(all, ", "))
}

func (s *scenario) ReplyReady(w WorkerID, request uint32, ready []byte) {
	s.log("worker %d: reply to %d: ready %v", w, request, ready)
}

func (s *scenario) ReplyError(w WorkerID, request uint32, status int32, text string) {
	s.log("worker %d: reply to %d: error %d, %s", w, request, status, text)
}

func (s *scenario) FailAwaited(w WorkerID, h uint64, blob []byte) {
	s.log("worker %d: %s is for it %s", w, s.name(h), text(wire.Value{Where: wire.WhereInline, Bytes: blob}))
}

func (s *scenario) Quiet(w WorkerID) bool { return s.quiet[w] }

func (s *scenario) ReadyRef(w WorkerID, h uint64) {
	s.log("worker %d: %s is ready: %s", w, s.name(h), text(s.m.ValueFor(w, h)))
}

func (s *scenario) Room(w WorkerID, task, taken uint64) {
	for name, h := range s.tasks {
		if h == task {
			if taken == wire.RoomStop {
				s.log("worker %d: %s is to stop", w, name)
			} else {
				s.log("worker %d: %d items of %s are taken", w, taken, name)
			}
		}
	}
}

func (s *scenario) Exit(w WorkerID) { s.log("worker %d: asked to exit", w) }
func (s *scenario) Kill(w WorkerID) { s.log("worker %d: killed", w) }
func (s *scenario) Cancel(w WorkerID, task uint64, interrupt bool) {
	for name, x := range s.tasks {
		if x == task {
			s.log("worker %d: %s is cancelled, interrupt %v", w, name, interrupt)
		}
	}
}
func (s *scenario) Spawn(n int) {
	s.asked += n
	s.log("%d processes started", n)
}

func (s *scenario) Renamed()                     {}
func (s *scenario) FreeExtent(off uint64)        { s.log("extent %d freed", off) }
func (s *scenario) Alarm(token uint64, ns int64) { s.log("alarm for %s in %d ns", s.name(token), ns) }
func (s *scenario) Wake(word *uint32)            { s.log("driver: %s woken", s.words[word]) }

// tree prints an explanation.
func (s *scenario) tree(x Explanation, indent string) {
	line := indent + string(x.Reason)
	if x.Argument != "" {
		line = indent + "argument " + x.Argument + ": " + string(x.Reason)
	}
	if x.Name != "" {
		line += " " + x.Name
	}
	if x.Place > 0 {
		line += fmt.Sprintf(", %d before it", x.Place)
	}
	for _, short := range x.Short {
		line += ", " + short.Text(s.names)
	}
	for _, h := range x.Holders {
		line += fmt.Sprintf(", %s has %s", h.Name, h.Amount)
	}
	if x.Message != "" {
		line += ", " + x.Message
	}
	if x.Seen {
		line += ", see above"
	}
	if x.Left > 0 {
		line += fmt.Sprintf(", %d more", x.Left)
	}
	s.log("%s", line)
	for _, b := range x.Because {
		s.tree(b, indent+"  ")
	}
}
