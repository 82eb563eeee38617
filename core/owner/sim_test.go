package owner

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"thornback/core/resources"
	"thornback/core/wire"
)

// Without flags so many seeds are run, in so much time at the most.
const (
	simDefault = 300
	simTime    = 7 * time.Second
)

var (
	simSeed  = flag.Uint64("sim.seed", 0, "run only this seed of the simulation, checking after every step")
	simSeeds = flag.Uint64("sim.seeds", simDefault, "how many seeds of the simulation to run")
	simFirst = flag.Uint64("sim.first", 1, "the first of them")
)

// TestSimulation runs a driver and workers that submit, wait, put, pass references around and die, in an order made from
// a seed, and checks the machine after each step and when all has come to rest.
func TestSimulation(t *testing.T) {
	t.Parallel()
	first, n := *simFirst, *simSeeds
	if *simSeed != 0 {
		first, n = *simSeed, 1
	}
	if testing.Short() {
		n = min(n, 50)
	}
	total, over, together := 0, 0, 0
	start, ran := time.Now(), 0
	for seed := first; seed < first+n; seed++ {
		if n == simDefault && time.Since(start) > simTime {
			break // a slow machine, or the race detector
		}
		ran++
		s := newSim(seed)
		if err := s.run(); err != nil {
			t.Fatalf("seed %d, step %d: %v\nreplay: go test ./core/owner -run TestSimulation -sim.seed %d", seed, s.steps, err, seed)
		}
		total += s.starts
		together += s.together
		over = max(over, s.mostPool-s.poolMax)
		if s.mostPool > s.poolMax+overMax {
			t.Fatalf("seed %d: %d processes, limit %d", seed, s.mostPool, s.poolMax)
		}
	}
	if total < ran || *simSeed == 0 && together < ran {
		t.Fatalf("%d tasks ran in %d simulations, %d calls beside others of their actor", total, ran, together)
	}
	t.Logf("%d seeds, %d tasks ran, %d calls beside others of their actor, at most %d processes beyond the limit", ran, total, together, over)
}

// overMax is how many processes beyond the pool's limit are still a bounded number: they are only started when nothing else
// goes on, and tasks nest at most a few deep here.
const overMax = 8

// sim is one simulated node. It implements Ports.
type sim struct {
	rng       *rand.Rand
	m         *Machine
	pool      *resources.Pool
	total     resources.Request
	templates []*Template
	now       int64
	steps     int
	err       error
	workers   []*simWorker // by id; nil where free
	asked     int          // processes asked for and not there
	jobs      map[uint64]*job
	open      []*job // accepted and not ended
	lastJob   uint64
	creations map[uint64]*job // by the actor's handle
	pure      map[uint64]bool
	ofCall    map[uint64]bool
	inner     map[string][]uint64 // references in a value, by its content
	extents   map[uint64]string   // content by offset
	lastValue uint64
	driver    map[uint64]int64 // what it holds
	scopes    simScopes
	refs      []uint64 // the same, each as often as held
	waits     []*driverWait
	streams   []*consumer // that the driver holds
	budget    int         // things that the driver will still do
	kills     int         // processes that will still be killed
	starts    int
	crews     bool // mostly calls of actors that take several at a time
	together  int  // calls that began while others of their actor ran
	seq       map[[2]uint64]int
	program   func(*simWorker, *frame) // what tasks do; nil: anything
	watches   simWatches
	alarms    []uint64 // asked for
	lost      bool     // memory was: tasks that have ended may run again
	poolMax   int      // the limit of the pool
	mostPool  int      // the most that there were
}

type driverWait struct {
	id      uint64
	word    *uint32
	handles []uint64
	need    int
	woken   bool
	fail    bool
}

func newSim(seed uint64) *sim {
	s := &sim{
		watches: simWatches{open: map[uint64]bool{}}, scopes: simScopes{used: seed%4 == 3},
		rng: rand.New(rand.NewPCG(seed, 0x7468)), jobs: map[uint64]*job{}, creations: map[uint64]*job{}, pure: map[uint64]bool{}, ofCall: map[uint64]bool{},
		inner: map[string][]uint64{}, extents: map[uint64]string{}, driver: map[uint64]int64{}, seq: map[[2]uint64]int{},
	}
	s.crews = s.rng.IntN(3) == 0
	s.budget, s.kills = 10+s.rng.IntN(60), s.rng.IntN(8)
	if s.crews {
		s.budget *= 2
	}
	names := resources.NewNames()
	s.total = request(names, map[string]float64{"CPU": float64(1 + s.rng.IntN(4)), "slot": 100})
	s.pool = resources.NewPool(s.total)
	s.poolMax = 1 + s.rng.IntN(5)
	s.m = New(s, s.pool, s.poolMax)
	s.m.windowMore = s.rng.IntN(3)
	one, two := request(names, map[string]float64{"CPU": 1}), request(names, map[string]float64{"CPU": 0.5, "slot": 1})
	all := request(names, map[string]float64{"CPU": s.total.Of(resources.CPU).Float(), "slot": 1}) // nothing that needs a CPU fits beside it
	slot := request(names, map[string]float64{"slot": 1})
	for _, t := range []*Template{
		{Type: wire.TaskPlain, Name: "f", Returns: 1, MaxRetries: 3, Demand: one},
		{Type: wire.TaskPlain, Name: "g", Returns: 2, MaxRetries: -1, Demand: two, RetryExceptions: true},
		{Type: wire.TaskPlain, Name: "h", Returns: 1, MaxRetries: 0},
		{Type: wire.TaskPlain, Name: "i", Returns: 0, MaxRetries: 1, Demand: one, RetryExceptions: true},
		{Type: wire.TaskPlain, Name: "j", Returns: 1, MaxRetries: 2, Demand: all},
		{Type: wire.TaskCreate, Name: "A", ClassName: "A", Returns: 1, Demand: one},
		{Type: wire.TaskCreate, Name: "B", ClassName: "B", Returns: 1, Demand: two, Running: slot},
		{Type: wire.TaskMethod, Name: "A.m", ClassName: "A", Returns: 1},
		{Type: wire.TaskMethod, Name: "A.n", ClassName: "A", Returns: 0},
		{Type: wire.TaskCreate, Name: "D", ClassName: "D", Returns: 1, Demand: one, ActorName: "d", Detached: true},
		{Type: wire.TaskCreate, Name: "R", ClassName: "R", Returns: 1, Demand: one, MaxRestarts: 2},
		{Type: wire.TaskMethod, Name: "R.m", ClassName: "R", Returns: 1, MaxRetries: 1, RetryExceptions: true},
		{Type: wire.TaskMethod, Name: "R.n", ClassName: "R", Returns: 1, MaxRetries: -1},
		{Type: wire.TaskPlain, Name: "k", Returns: 1, MaxRetries: 2, Demand: one, MaxCalls: 2},
		{Type: wire.TaskPlain, Name: "s", Returns: streamReturns, MaxRetries: 2, Demand: one, Stream: true, RetryExceptions: true},
		{Type: wire.TaskMethod, Name: "A.s", ClassName: "A", Returns: streamReturns, Stream: true},
		{Type: wire.TaskPlain, Name: "t", Returns: streamReturns, MaxRetries: 1, Demand: one, Stream: true, Window: 2},
		{Type: wire.TaskCreate, Name: "T", ClassName: "T", Returns: 1, Demand: one, Limits: []int{3}, MaxRestarts: 1},
		{Type: wire.TaskCreate, Name: "G", ClassName: "G", Returns: 1, Demand: two, Running: slot, Limits: []int{1, 2}, Unordered: true, MaxRestarts: 2},
		{Type: wire.TaskMethod, Name: "G.m", ClassName: "G", Returns: 1, Group: 1, MaxRetries: 1, RetryExceptions: true},
		{Type: wire.TaskMethod, Name: "G.n", ClassName: "G", Returns: 0, Group: 1, MaxRetries: -1},
		{Type: wire.TaskMethod, Name: "G.s", ClassName: "G", Returns: streamReturns, Group: 1, Stream: true},
	} {
		if err := s.m.AddTemplate(t, t.Type == wire.TaskCreate, t.Type == wire.TaskMethod); err != nil {
			panic(err)
		}
		s.templates = append(s.templates, t)
	}
	return s
}

func request(names *resources.Names, units map[string]float64) resources.Request {
	r, err := names.Request(units)
	if err != nil {
		panic(err)
	}
	return r
}

func (s *sim) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
}

// run goes on until nothing can happen any more. A panic of the machine is an error, so that its seed is told.
func (s *sim) run() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		err = errors.Join(err, s.m.Close())
	}()
	every := 5
	if *simSeed != 0 {
		every = 1
	}
	s.m.Prestart(s.rng.IntN(3))
	for s.err == nil {
		options := s.options()
		if len(options) == 0 {
			break
		}
		if s.steps++; s.steps > 200_000 {
			return errors.New("no end")
		}
		s.now += int64(s.rng.IntN(30_000))
		s.m.At(s.now)
		options[s.rng.IntN(len(options))]()
		s.mostPool = max(s.mostPool, s.m.Stats().Pooled)
		s.checkJobs()
		if s.steps%every == 0 {
			s.check()
		}
		if s.steps%5 == 0 { // as often whatever is checked: it takes random numbers
			s.explain()
		}
	}
	s.check()
	if s.err == nil {
		s.rest()
	}
	return s.err
}

func (s *sim) check() {
	if err := s.m.sanityCheck(s.driver); err != nil {
		s.fail("%w", err)
	}
}

// explain looks for circles of waits, which these programs never make, and has something explained.
func (s *sim) explain() {
	if n := s.m.Deadlocks(); n > 0 {
		s.fail("%d waits ended as a circle", n)
	}
	if n := len(s.refs); n > 0 {
		s.m.Explain(s.refs[s.rng.IntN(n)])
	}
}

// options lists what can happen next.
func (s *sim) options() []func() {
	var list []func()
	add := func(f func()) { list = append(list, f) }
	if s.budget > 0 {
		add(func() { s.budget--; s.drive() })
	}
	for range min(s.asked, 2) {
		add(s.arrive)
	}
	for _, w := range s.workers {
		if w == nil {
			continue
		}
		if w.killed {
			add(func() { s.end(w) })
		}
		if w.canStep() {
			add(w.step)
			add(w.step)
		}
		for i, f := range w.frames {
			if (w.crew != nil || i == len(w.frames)-1) && f.request != 0 && s.rng.IntN(50) == 0 {
				add(func() { w.giveUp(f) })
			}
		}
		if len(w.out) > 0 {
			add(func() { s.drain(w) })
		}
		if s.kills > 0 && s.rng.IntN(100) == 0 {
			add(func() { s.kills--; s.kill(w) })
		}
	}
	for _, w := range s.waits {
		if w.woken || s.rng.IntN(50) == 0 {
			add(func() { s.endWait(w) })
		}
	}
	if s.watches.woken {
		add(s.watched)
	}
	for i, token := range s.alarms {
		if s.rng.IntN(20) == 0 || len(list) == 0 {
			add(func() {
				s.alarms = slices.Delete(s.alarms, i, i+1)
				s.m.Alarmed(token)
				s.m.Schedule(s.now)
			})
		}
	}
	if at := s.m.NextDeadline(); at != 0 && (len(list) == 0 || s.rng.IntN(20) == 0) {
		add(func() { s.now = max(s.now, at); s.m.Schedule(s.now) })
	}
	if s.m.Ahead() {
		add(func() { s.now += 1e6; s.m.Tick(s.now); s.m.Schedule(s.now) })
	}
	if len(list) == 0 && len(s.streams) > 0 {
		add(s.take)
	}
	if len(list) == 0 && s.scopes.open != 0 {
		add(s.scope)
	}
	if len(list) == 0 && len(s.open) == 0 && len(s.scopes.left) > 0 {
		add(s.dropScope)
	}
	if len(list) == 0 && len(s.open) == 0 {
		if len(s.refs) > 0 {
			add(s.dropOne)
		} else if h, _ := s.m.ActorNamed("", "d"); h != 0 {
			add(func() { s.killOne(h) }) // it would stay for ever
		}
	}
	return list
}

// rest checks that nothing is left when nothing can happen.
func (s *sim) rest() {
	for _, j := range s.open {
		s.fail("deadlock: job %d (%s) has not ended, %d starts\n%s", j.id, j.tmpl.Name, j.starts, s.dump())
	}
	for _, w := range s.waits {
		s.fail("deadlock: the driver waits for %x", w.handles)
	}
	st := s.m.Stats()
	if s.m.watches.word != nil {
		st.HeapBytes -= wordBytes
	}
	if st.Objects != 0 || st.Tasks != 0 || st.Queued != 0 || st.Running != 0 || st.Actors != 0 || st.Waiters != 0 || st.HeapBytes != 0 {
		s.fail("left at the end: %+v", st)
	}
	if l := s.m.lineage; l.count != 0 || l.empty != 0 || l.bytes != 0 || len(s.m.ghosts) != 0 {
		s.fail("kept at the end: %d tasks, %d objects, %d bytes, %d freed values", l.count, l.empty, l.bytes, len(s.m.ghosts))
	}
	if n := s.m.links.Len(); n != 0 {
		s.fail("%d links left at the end", n)
	}
	if len(s.extents) != 0 {
		s.fail("%d extents left at the end", len(s.extents))
	}
	for it := range s.total.Items() {
		if free := s.pool.Free(it.ID); free != it.Amount {
			s.fail("resource %d: %s of %s free at the end", it.ID, free, it.Amount)
		}
	}
}

// dump tells who waits for what.
func (s *sim) dump() string {
	out := fmt.Sprintf("%+v, CPU free %s\n", s.m.Stats(), s.pool.Free(resources.CPU))
	for _, w := range s.workers {
		if w == nil {
			continue
		}
		out += fmt.Sprintf("worker %d: %d in the ring, %d replies, %d grants\n", w.id, len(w.tasks), len(w.replies), len(w.grants))
		for _, f := range w.frames {
			out += fmt.Sprintf("  job %d (%s), waits as %d for %x, starved %v\n", f.job.id, f.job.tmpl.Name, f.request, f.handles, f.starved)
		}
	}
	for _, j := range s.open {
		out += fmt.Sprintf("job %d (%s): makes %x of %x\n", j.id, j.tmpl.Name, j.rets, j.deps)
	}
	return out
}

// ---- processes ----

// arrive: a process that was asked for is there, or could not be started.
func (s *sim) arrive() {
	s.asked--
	if s.kills > 0 && s.rng.IntN(10) == 0 {
		s.kills--
		s.m.WorkerFailed()
		s.m.Schedule(s.now)
		return
	}
	id := slices.Index(s.workers, nil)
	if id < 0 {
		id = len(s.workers)
		s.workers = append(s.workers, nil)
	}
	w := &simWorker{s: s, id: WorkerID(id), dropped: map[uint32][]uint64{}}
	s.workers[id] = w
	s.m.WorkerReady(w.id)
	s.regrant(w)
	s.m.Schedule(s.now)
}

// regrant keeps a worker in handles.
func (s *sim) regrant(w *simWorker) {
	if s.m.Granted(w.id) < 4 {
		w.replies = append(w.replies, reply{granted: slices.Clone(s.m.Grant(w.id, 4))})
	}
}

// drain reads some of what a worker has said.
func (s *sim) drain(w *simWorker) {
	for range 1 + s.rng.IntN(6) {
		if len(w.out) == 0 {
			break
		}
		f := w.out[0]
		w.out = w.out[1:]
		f()
	}
	s.m.Tick(s.now)
	s.m.Schedule(s.now)
}

// end: a process is gone, and all it has said is read before its death is told.
func (s *sim) end(w *simWorker) {
	w.killed = true
	for len(w.out) > 0 {
		f := w.out[0]
		w.out = w.out[1:]
		f()
	}
	for _, f := range w.frames {
		f.job.failures++
	}
	for _, r := range w.replies {
		if r.nested != nil {
			r.nested.job.failures++
		}
	}
	if w.crew != nil {
		w.crew.each(func(r *record) { r.job.failures++ })
	}
	if ws := s.m.workers[w.id]; ws != nil && ws.actor != nil {
		s.creations[uint64(ws.actor.object)].died()
	}
	for _, f := range w.frames {
		if f.job.tmpl.Type == wire.TaskCreate {
			f.job.died()
		}
	}
	s.m.WorkerLost(w.id, Cause{Message: "gone"}, s.now)
	s.workers[w.id] = nil
	s.m.Schedule(s.now)
}

// kill ends a process at a moment that nobody chose.
func (s *sim) kill(w *simWorker) { s.end(w) }

// doneRead acts on a DONE as the node does.
func (s *sim) doneRead(w *simWorker, f *frame, o *Outcome, contents []string) {
	j := f.job
	if j.tmpl.Type == wire.TaskCreate && o.Status == wire.DoneError || o.Status == wire.DoneExit {
		a := j
		if j.actor != nil {
			a = j.actor
		}
		a.doomed = true
	}
	if o.Status == wire.DoneError && j.tmpl.RetryExceptions {
		j.failures++
	}
	was := j.accepted
	if j.tmpl.Type != wire.TaskCreate {
		j.accepted = contents
	} else if state, _ := s.m.Look(j.rets[0]); state == Pending { // not made again
		j.accepted = contents
	}
	if j.tmpl.Type == wire.TaskCreate && o.Status == wire.DoneError {
		j.raised = contents[0]
	}
	if j.tmpl.Stream && o.Status == wire.DoneError {
		j.ends = append(j.ends, contents[0])
		j.accepted = []string{string([]byte{wire.TagNone})}
	}
	if s.m.Done(w.id, f.task, o, s.now) {
		return
	}
	j.accepted = was
	if !j.ended && (j.actor == nil || !j.actor.doomed && !j.actor.interrupted) {
		s.fail("job %d: DONE of worker %d is not accepted", j.id, w.id)
	}
	for _, v := range o.Values {
		if v.Where == wire.WhereStore {
			s.FreeExtent(v.Offset)
		}
	}
}
