package owner

import (
	"slices"

	"thornback/core/wire"
)

// job is one submission, as the simulation sees it.
type job struct {
	id       uint64
	tmpl     *Template
	rets     []uint64
	deps     []uint64
	holds    []uint64
	depth    int  // how deep it may submit others
	pure     bool // waits for nothing that an actor makes, and neither do those it submits
	actor    *job // methods: the creation
	caller   uint64
	seq      int
	starts   int
	failures int      // attempts that ended in a death or in an error that is retried
	refused  bool     // could not be sent: the store was full
	accepted []string // what the DONE that counted brought
	ended    bool
	canceled bool  // and had not ended then
	until    int64 // its own deadline, 0: none
	parent   *job
	doomed   bool              // creation: something happened that may end the actor
	last     map[[2]uint64]int // creation: number of the last call that ran, by caller and group
	stream   uint64            // generator: the stream's handle
	ends     []string          // generator: the errors it ended with

	// creation: deaths of its processes, and whether calls may have been interrupted by one
	deaths      int
	interrupted bool
	orphans     bool   // its process was ended by a recursive cancel: what its calls had submitted and came late was too
	raised      string // what its constructor raised
}

// died counts a death of an actor's process.
func (j *job) died() {
	j.interrupted = true
	if j.deaths++; j.tmpl.MaxRestarts >= 0 && j.deaths > j.tmpl.MaxRestarts {
		j.doomed = true
	}
}

// canceledByAny reports whether the job or what submitted it, at any distance, was cancelled.
func (j *job) canceledByAny() bool {
	for ; j != nil; j = j.parent {
		if j.canceled || j.actor != nil && j.actor.orphans {
			return true
		}
	}
	return false
}

// record is a task in a ring.
type record struct {
	claim  uint32
	job    *job
	task   uint64
	deps   []wire.Value
	nested bool
}

// reply is a record in the reply ring.
type reply struct {
	request uint32
	values  []wire.Value // GET
	first   int
	granted []uint64
	nested  *record
	watched uint64 // READYREF: the object
	room    uint64 // ROOM: the task
	taken   uint64
	items   []uint64 // NEXT, for the task
	task    uint64
	exit    bool
	cancel  uint64 // task that is cancelled
	raise   bool
}

// frame is a task that runs.
type frame struct {
	job     *job
	task    uint64
	refs    []uint64 // each counts once
	steps   int
	request uint32 // that it waits for
	handles []uint64
	starved bool // waits for a grant
	raised  bool // knows that it is cancelled
	made    int  // generator: items yielded
	taken   int  // of those, as far as it was told
	window  int
	stopped bool
	streams []*consumer
}

// simWorker is a process that runs made-up programs.
type simWorker struct {
	s        *sim
	id       WorkerID
	tasks    []record
	base     uint64 // position of the first in tasks
	replies  []reply
	out      []func() // said, not yet read by the node
	frames   []*frame
	grants   []uint64
	globals  []uint64 // references kept when a task ends
	pins     []uint64 // views of stored objects
	requests uint32
	dropped  map[uint32][]uint64
	calls    int // of the function with MaxCalls
	crew     *simCrew
	exiting  bool
	killed   bool
}

func (w *simWorker) say(f func()) { w.out = append(w.out, f) }

func (w *simWorker) refs(h uint64, delta int64) {
	w.say(func() { w.s.m.Refs(w.id, h, delta) })
}

func (w *simWorker) top() *frame {
	if len(w.frames) == 0 {
		return nil
	}
	return w.frames[len(w.frames)-1]
}

// canStep reports whether step would do something.
func (w *simWorker) canStep() bool {
	f := w.top()
	switch {
	case len(w.replies) > 0:
		return true
	case w.crew != nil:
		return len(w.crewOptions()) > 0
	case f != nil && f.paused():
		return false
	case f == nil:
		return w.exiting || len(w.tasks) > 0 || len(w.globals)+len(w.pins) > 0
	}
	return f.request == 0 && !f.starved
}

func (w *simWorker) step() {
	if w.crew != nil {
		w.crewStep()
		return
	}
	f := w.top()
	if len(w.replies) > 0 && (f == nil || f.request != 0 || f.starved || w.s.rng.IntN(4) == 0) {
		w.read()
		return
	}
	switch {
	case f != nil:
		w.run(f)
	case w.exiting:
		w.s.end(w)
	case len(w.tasks) > 0:
		r := w.tasks[0]
		w.tasks = w.tasks[1:]
		w.base++
		if r.claim == wire.ClaimFree {
			w.start(&r)
		}
	case len(w.pins) > 0:
		w.refs(w.pins[0], -1)
		w.pins = w.pins[1:]
	case len(w.globals) > 0:
		w.refs(w.globals[0], -1)
		w.globals = w.globals[1:]
	}
}

// read takes one record out of the reply ring.
func (w *simWorker) read() {
	r := w.replies[0]
	w.replies = w.replies[1:]
	switch {
	case r.exit:
		w.exiting = true
	case r.cancel != 0:
		w.canceled(&r)
	case r.nested != nil:
		w.start(r.nested)
	case r.items != nil:
		w.gotItems(&r)
	case r.watched != 0:
		w.isReady(&r)
	case r.room != 0:
		w.told(&r)
	case r.request == 0:
		w.grants = append(w.grants, r.granted...)
		for _, f := range w.frames {
			f.starved = false
		}
	default:
		w.answered(&r)
	}
}

// canceled tells a running task that it is cancelled. One that an exception is raised in stops to wait, and mostly ends soon.
func (w *simWorker) canceled(r *reply) {
	if w.crew != nil && w.cancelQueued(r.cancel) {
		return
	}
	for i, f := range w.frames {
		if f.task != r.cancel || !r.raise {
			continue
		}
		f.raised = true
		if w.s.rng.IntN(4) > 0 {
			f.steps = 0
		}
		if (i == len(w.frames)-1 || w.crew != nil) && f.request != 0 {
			w.giveUp(f)
		}
	}
}

// answered takes a reply, also to a request that was dropped.
func (w *simWorker) answered(r *reply) {
	var f *frame
	for _, x := range w.frames {
		if x.request == r.request {
			f = x
		}
	}
	handles := w.dropped[r.request]
	delete(w.dropped, r.request)
	if f != nil {
		handles = f.handles
		f.request, f.handles = 0, nil
	}
	for i, v := range r.values {
		if v.Where == 0 {
			w.s.fail("worker %d: no value for %x in the reply to request %d", w.id, handles[r.first+i], r.request)
		}
		if v.Where == wire.WhereStore {
			w.pins = append(w.pins, handles[r.first+i])
		}
		if f != nil {
			w.adopt(f, v)
		}
	}
}

// adopt makes references of some that are in a value.
func (w *simWorker) adopt(f *frame, v wire.Value) {
	for _, h := range w.s.inner[w.s.content(v)] {
		if w.s.rng.IntN(2) == 0 && (!f.restricted() || w.s.pure[h]) {
			w.refs(h, 1)
			f.refs = append(f.refs, h)
		}
	}
}

// restricted: an actor's method, and all that it waits for, must not wait for actors, or they could wait for each other.
func (f *frame) restricted() bool { return f.job.pure || f.job.tmpl.Type != wire.TaskPlain }

func (w *simWorker) start(r *record) {
	w.claimed(r)
	w.begin(r)
}

// claimed: the worker has taken a task out of its ring. From now on it counts as begun.
func (w *simWorker) claimed(r *record) {
	j := r.job
	j.starts++
	w.s.starts++
	if j.canceled && !r.nested {
		w.s.fail("job %d runs after it was cancelled", j.id)
	}
	if j.ended && j.tmpl.Type == wire.TaskPlain && !w.s.lost {
		w.s.fail("job %d runs after its end", j.id)
	}
	if most := j.tmpl.MaxRetries + j.tmpl.MaxRestarts; j.tmpl.MaxRetries >= 0 && j.starts > most+1 {
		w.s.fail("job %d: %d starts, %d more allowed", j.id, j.starts, most)
	}
	if j.tmpl.MaxCalls > 0 {
		if w.calls++; w.calls > j.tmpl.MaxCalls {
			w.s.fail("worker %d: %d calls, %d allowed", w.id, w.calls, j.tmpl.MaxCalls)
		}
	}
	if j.actor != nil && j.starts == 1 && !j.actor.tmpl.Unordered { // what is tried again may come behind others
		key := [2]uint64{j.caller, uint64(j.tmpl.Group)}
		if last := j.actor.last[key]; last >= j.seq {
			w.s.fail("actor %d: call %d of caller %d after call %d", j.actor.id, j.seq, j.caller, last)
		}
		j.actor.last[key] = j.seq
	}
}

// begin runs a task that was taken out of the ring.
func (w *simWorker) begin(r *record) {
	j := r.job
	if j.tmpl.Type == wire.TaskCreate && len(j.tmpl.Limits) > 0 {
		w.crew = &simCrew{limits: j.tmpl.Limits, queues: make([][]record, len(j.tmpl.Limits))}
	}
	f := &frame{job: j, task: r.task, steps: w.s.rng.IntN(8), window: int(j.tmpl.Window)}
	if r.nested {
		f.window = 0
	}
	if w.crew != nil && len(w.frames) > 0 {
		w.s.together++
	}
	w.frames = append(w.frames, f)
	for _, h := range j.holds {
		w.refs(h, 1)
		f.refs = append(f.refs, h)
	}
	if w.killed { // its calls have failed, and their arguments may be gone
		return
	}
	for _, v := range r.deps {
		w.adopt(f, v)
	}
}

// run does one thing of a task's program.
func (w *simWorker) run(f *frame) {
	s := w.s
	if s.program != nil {
		s.program(w, f)
		return
	}
	if f.steps--; f.steps < 0 || f.stopped {
		w.done(f)
		return
	}
	if f.job.tmpl.Stream && s.rng.IntN(2) == 0 {
		w.yield(f)
		return
	}
	if len(f.streams) > 0 && s.rng.IntN(3) == 0 {
		w.take(f)
		return
	}
	switch k := s.rng.IntN(10); {
	case k < 3 && f.job.depth > 0:
		w.submit(f)
	case k < 4:
		if h, ok := w.grant(f); ok {
			v, in := s.value(f.refs, f.restricted())
			s.pure[h] = true
			f.refs = append(f.refs, h)
			w.say(func() {
				if !s.m.PutFrom(w.id, h, v, in) {
					s.fail("worker %d: put to %x refused", w.id, h)
				}
				s.regrant(w)
			})
		}
	case k < 5 && len(f.refs) > 0:
		i := s.rng.IntN(len(f.refs))
		w.refs(f.refs[i], -1)
		f.refs = slices.Delete(f.refs, i, i+1)
	case k < 9:
		w.ask(f)
	default:
		w.watch(f)
	}
}

func (w *simWorker) grant(f *frame) (uint64, bool) {
	n := len(w.grants)
	if n == 0 {
		f.starved = true
		f.steps++
		return 0, false
	}
	h := w.grants[n-1]
	w.grants = w.grants[:n-1]
	return h, true
}

func (w *simWorker) submit(f *frame) {
	s := w.s
	w.submitJob(f, s.newJob(f.refs, f.job.depth-1, f.restricted(), f.job.id))
}

func (w *simWorker) submitJob(f *frame, j *job) {
	s := w.s
	for range j.tmpl.Returns {
		h, ok := w.grant(f)
		if !ok {
			w.grants = append(w.grants, j.rets...)
			s.forget(j)
			return
		}
		j.rets = append(j.rets, h)
	}
	sub := s.submission(j, f.task, w.id)
	if c := s.split(j); c != nil {
		f.streams = append(f.streams, c)
	}
	s.register(j)
	f.refs = append(f.refs, j.rets...)
	j.parent = f.job
	knows := f.raised
	w.say(func() {
		s.accepted(j)
		if err := s.m.Submit(sub); err != nil {
			s.fail("worker %d: submission refused: %v", w.id, err)
		}
		if !knows {
			s.m.CancelLate(sub)
		}
		s.regrant(w)
	})
}

// ask sends a GET or WAIT for some of the task's references.
func (w *simWorker) ask(f *frame) {
	s := w.s
	var hs []uint64
	for _, h := range f.refs {
		if !s.isActor(h) && (!f.restricted() || s.pure[h]) && s.rng.IntN(3) > 0 {
			hs = append(hs, h)
		}
	}
	if len(hs) == 0 {
		return
	}
	w.requests++
	a := Ask{Kind: wire.ReqGet, Request: w.requests, Task: f.task, Handles: hs, Need: len(hs), FailFast: s.rng.IntN(2) == 0}
	if s.rng.IntN(3) == 0 {
		a.Kind, a.Need, a.FailFast = wire.ReqWait, 1+s.rng.IntN(len(hs)), false
	}
	a.Now = s.rng.IntN(8) == 0
	f.request, f.handles = a.Request, hs
	w.say(func() { s.m.Ask(w.id, a) })
}

// giveUp drops the request that the running task waits for, as a timeout does.
func (w *simWorker) giveUp(f *frame) {
	request := f.request
	w.dropped[request] = f.handles
	f.request, f.handles = 0, nil
	w.say(func() { w.s.m.Dropped(w.id, request) })
}

// done ends the running task.
func (w *simWorker) done(f *frame) {
	s := w.s
	j := f.job
	w.frames = slices.DeleteFunc(w.frames, func(x *frame) bool { return x == f })
	o := &Outcome{ExecNS: uint64(s.rng.IntN(20_000))}
	if s.rng.IntN(30) == 0 {
		o.ExecNS = 20e6
	}
	switch s.rng.IntN(12) {
	case 0:
		o.Status = wire.DoneError
	case 2:
		if f.raised {
			o.Status = wire.DoneError
		}
	case 1:
		if j.actor != nil {
			o.Status = wire.DoneExit
			w.exiting = true
		}
	}
	var contents []string
	for range j.rets {
		v, in := s.errorValue(), []uint64(nil)
		if o.Status != wire.DoneError {
			v, in = s.value(f.refs, f.restricted())
		}
		contents = append(contents, s.content(v))
		o.Values, o.Inner = append(o.Values, v), append(o.Inner, in)
	}
	w.say(func() { s.doneRead(w, f, o, contents) })
	for _, c := range f.streams {
		w.refs(c.job.stream, -1)
	}
	for _, h := range f.refs {
		if s.rng.IntN(10) == 0 {
			w.globals = append(w.globals, h)
		} else {
			w.refs(h, -1)
		}
	}
}
