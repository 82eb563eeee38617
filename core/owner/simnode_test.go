package owner

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"thornback/core/slab"
	"thornback/core/wire"
)

// errFullStore is what the simulated node says when arguments that are too large for a ring find no room.
var errFullStore = errors.New("full")

const (
	simRing          = 5 // records in a simulated task ring
	detachedTemplate = 9
	restartTemplate  = 10 // and two methods
	callsTemplate    = 13
	threadsTemplate  = 17
	groupsTemplate   = 18 // and its methods
	groupMethods     = 3
)

// Send implements Ports, with rings that are full at times.
func (s *sim) Send(id WorkerID, tm *TaskMessage) (uint64, error) {
	w := s.workers[id]
	j := s.jobs[binary.LittleEndian.Uint64(tm.Args)]
	switch {
	case w == nil:
		s.fail("job %d sent to worker %d, which is gone", j.id, id)
		return 0, ErrNoRoom
	case w.killed || s.rng.IntN(16) == 0 || tm.Nested && len(w.replies) > 3 || !tm.Nested && len(w.tasks) == simRing:
		return 0, ErrNoRoom
	case s.rng.IntN(80) == 0 && !tm.Nested && s.program == nil:
		j.refused = true
		if j.tmpl.Type == wire.TaskCreate {
			j.doomed = true
		}
		return 0, errFullStore
	}
	if j.ended && j.tmpl.Type != wire.TaskCreate && !s.lost || tm.Returns != j.filled() || tm.Template != j.tmpl || !slices.Equal(tm.DepIDs, j.deps) || len(tm.Deps) != len(j.deps) {
		s.fail("job %d sent wrongly: %+v", j.id, tm)
	}
	if j.tmpl.Type == wire.TaskPlain && !j.ended && j.until != 0 && j.until <= s.now {
		s.fail("job %d is sent after its deadline", j.id)
	}
	if g := j.tmpl.Group; w.crew != nil && j.actor != nil && w.countGroup(g) >= 2*w.crew.limits[g]+s.m.windowMore {
		s.fail("job %d: the window of group %d is full", j.id, g)
	}
	r := record{job: j, task: tm.Task, nested: tm.Nested}
	for i, v := range tm.Deps {
		if state, now := s.m.Look(j.deps[i]); state == Pending || state == Unknown || s.content(now) != s.content(v) {
			s.fail("job %d: argument %d (%x) is in state %d", j.id, i, j.deps[i], state)
		}
		v.Bytes = slices.Clone(v.Bytes)
		r.deps = append(r.deps, v)
	}
	r.nested = tm.Nested
	if tm.Nested {
		w.replies = append(w.replies, reply{nested: &r})
		return 0, nil
	}
	w.tasks = append(w.tasks, r)
	return w.base + uint64(len(w.tasks)) - 1, nil
}

// TakeBack implements Ports.
func (s *sim) TakeBack(id WorkerID, pos uint64) bool {
	w := s.workers[id]
	if w == nil || pos < w.base || w.tasks[pos-w.base].claim != wire.ClaimFree {
		return false
	}
	w.tasks[pos-w.base].claim = wire.ClaimNode
	return true
}

// Started implements Ports.
func (s *sim) Started(id WorkerID, pos uint64) bool {
	w := s.workers[id]
	return w == nil || pos < w.base
}

// ReplyValues implements Ports.
func (s *sim) ReplyValues(id WorkerID, request uint32, first int, values []wire.Value) {
	values = slices.Clone(values)
	for i := range values {
		values[i].Bytes = slices.Clone(values[i].Bytes)
	}
	s.reply(id, reply{request: request, first: first, values: values})
}

// ReplyReady implements Ports.
func (s *sim) ReplyReady(id WorkerID, request uint32, _ []byte) { s.reply(id, reply{request: request}) }

// ReplyError implements Ports.
func (s *sim) ReplyError(id WorkerID, request uint32, status int32, text string) {
	if w := s.workers[id]; status != wire.ETimeout && !(w != nil && w.killed) { // what a killed one holds may be gone
		s.fail("worker %d: request %d: error %d, %s", id, request, status, text)
	}
	s.reply(id, reply{request: request})
}

func (s *sim) reply(id WorkerID, r reply) {
	if w := s.workers[id]; w != nil {
		w.replies = append(w.replies, r)
	} else {
		s.fail("a reply to worker %d, which is gone", id)
	}
}

// Room implements Ports.
func (s *sim) FailAwaited(id WorkerID, h uint64, _ []byte) {
	s.fail("worker %d: what it awaits (%x) is failed", id, h)
}
func (s *sim) Quiet(WorkerID) bool { return false }

func (s *sim) ReadyRef(id WorkerID, h uint64) {
	s.reply(id, reply{watched: h, values: []wire.Value{s.m.ValueFor(id, h)}})
}
func (s *sim) Room(id WorkerID, task, taken uint64) { s.reply(id, reply{room: task, taken: taken}) }

// Exit implements Ports.
func (s *sim) Exit(id WorkerID) {
	w := s.workers[id]
	w.replies = append(w.replies, reply{exit: true})
	if ws := s.m.workers[id]; ws != nil && ws.actor != nil {
		s.creations[uint64(ws.actor.object)].doomed = true
	}
}

// Kill implements Ports.
func (s *sim) Kill(id WorkerID) { s.workers[id].killed = true }

// Cancel implements Ports.
func (s *sim) Cancel(id WorkerID, task uint64, interrupt bool) {
	if w := s.workers[id]; w != nil {
		w.replies = append(w.replies, reply{cancel: task, raise: interrupt})
	} else {
		s.fail("task %x cancelled at worker %d, which is gone", task, id)
	}
}

// Spawn implements Ports.
func (s *sim) Spawn(n int) { s.asked += n }

// FreeExtent implements Ports.
func (s *sim) Renamed() {}

func (s *sim) FreeExtent(offset uint64) {
	if _, ok := s.extents[offset]; !ok {
		s.fail("extent %x freed twice", offset)
	}
	delete(s.extents, offset)
}

// Alarm implements Ports.
func (s *sim) Alarm(token uint64, _ int64) { s.alarms = append(s.alarms, token) }

// Wake implements Ports.
func (s *sim) Wake(word *uint32) {
	for _, w := range s.waits {
		if w.word == word {
			w.woken = true
		}
	}
	if word == s.watches.word {
		s.watches.woken = true
	}
}

// ---- the driver ----

// drive does one thing that a driver does.
func (s *sim) drive() {
	if s.scopes.used && s.rng.IntN(5) == 0 {
		s.scope()
		return
	}
	k := s.rng.IntN(16)
	if s.crews && k < 6 && s.rng.IntN(4) > 0 { // calls come in numbers, and handles are kept
		k = 8
	}
	switch k {
	case 13:
		s.lose()
	case 14:
		s.freeOne()
	case 12:
		s.cancel()
	case 15:
		s.watch()
	case 0, 1:
		v, in := s.value(s.refs, false)
		h, err := s.m.Put(v, in)
		if err != nil {
			s.fail("put: %w", err)
		}
		s.pure[h] = true
		delete(s.creations, h)
		s.keep(h)
	case 2:
		s.dropOne()
	case 3:
		s.wait()
	case 4:
		s.look()
	case 5:
		s.killActor()
	case 6, 7:
		s.take()
	default:
		s.submit()
	}
}

func (s *sim) submit() {
	j := s.newJob(s.refs, s.rng.IntN(4), false, 0)
	if h, _ := s.m.ActorNamed("", "d"); j.last != nil && s.rng.IntN(2) == 0 {
		if h == 0 {
			j.tmpl = s.templates[detachedTemplate]
		} else {
			s.m.Refs(Driver, h, 1) // who finds an actor has a handle to it
			s.keep(h)
		}
	}
	j.rets = make([]uint64, j.tmpl.Returns)
	s.accepted(j)
	sub := s.submission(j, 0, Driver)
	sub.Scope = s.scopes.open
	if err := s.m.Submit(sub); err != nil {
		s.fail("submission refused: %w", err)
		return
	}
	if c := s.split(j); c != nil {
		s.driver[j.stream]++
		s.streams = append(s.streams, c)
	}
	s.register(j)
	for _, h := range j.rets {
		s.keep(h)
	}
	s.m.Schedule(s.now)
}

func (s *sim) keep(h uint64) {
	s.driver[h]++
	s.refs = append(s.refs, h)
}

func (s *sim) dropOne() {
	if len(s.refs) == 0 {
		return
	}
	i := s.rng.IntN(len(s.refs))
	h := s.refs[i]
	s.toldOf(h)
	s.refs = slices.Delete(s.refs, i, i+1)
	if s.driver[h]--; s.driver[h] == 0 {
		delete(s.driver, h)
	}
	if c := s.creations[h]; c != nil {
		c.doomed = true // perhaps the last handle
	}
	s.m.Refs(Driver, h, -1)
}

// look reads a value and makes references of those in it.
func (s *sim) look() {
	if len(s.refs) == 0 {
		return
	}
	h := s.refs[s.rng.IntN(len(s.refs))]
	state, v := s.m.Look(h)
	if state == Unknown {
		s.fail("the driver holds %x, which is gone", h)
	}
	if state == Ready {
		for _, in := range s.inner[s.content(v)] {
			s.m.Refs(Driver, in, 1)
			s.keep(in)
		}
	}
}

// wait begins to wait for some objects, which are held as long.
func (s *sim) wait() {
	w := &driverWait{fail: s.rng.IntN(2) == 0}
	for _, h := range s.refs {
		if s.rng.IntN(3) == 0 {
			w.handles = append(w.handles, h)
		}
	}
	if len(w.handles) == 0 {
		return
	}
	w.need = 1 + s.rng.IntN(len(w.handles))
	var err error
	if w.id, w.word, err = s.m.WaitBegin(w.handles, w.need, w.fail, 0); err != nil {
		s.fail("wait: %w", err)
	}
	if w.word == nil {
		s.checkWait(w)
		return
	}
	for _, h := range w.handles {
		s.m.Refs(Driver, h, 1)
		s.driver[h]++
	}
	s.waits = append(s.waits, w)
}

func (s *sim) checkWait(w *driverWait) {
	have := 0
	for _, h := range w.handles {
		state, _ := s.m.Look(h)
		if state != Pending {
			have++
		}
		if state == Failed && w.fail {
			have = w.need
		}
	}
	if have < w.need {
		s.fail("a wait ended with %d of %d", have, w.need)
	}
}

func (s *sim) endWait(w *driverWait) {
	if w.woken && !s.lost {
		s.checkWait(w)
	}
	s.m.WaitEnd(w.id)
	s.waits = slices.DeleteFunc(s.waits, func(x *driverWait) bool { return x == w })
	for _, h := range w.handles {
		if s.driver[h]--; s.driver[h] == 0 {
			delete(s.driver, h)
		}
		s.m.Refs(Driver, h, -1)
	}
	s.m.Schedule(s.now)
}

// cancel cancels what makes some object that the driver has, which may be there.
func (s *sim) cancel() {
	if len(s.refs) == 0 {
		return
	}
	h := s.refs[s.rng.IntN(len(s.refs))]
	c := Cancellation{Force: s.rng.IntN(3) == 0, Recursive: s.rng.IntN(3) > 0, Interrupt: s.rng.IntN(2) == 0}
	c.Restart = s.rng.IntN(4) == 0
	i := slices.IndexFunc(s.open, func(j *job) bool { return slices.Contains(j.rets, h) || j.tmpl.Stream && j.id == s.maker(h) })
	state, _ := s.m.Look(h)
	never := false
	if c.Restart && i >= 0 && s.open[i].actor != nil {
		never = !s.m.mayRestart(s.m.actors[slab.Handle(s.open[i].actor.rets[0]).Slot()])
		s.open[i].actor.interrupted = true
		s.open[i].actor.orphans = s.open[i].actor.orphans || c.Recursive
	}
	err := s.m.Cancel(h, c)
	switch {
	case c.Force && s.ofCall[h]:
		if !errors.Is(err, ErrForceActor) {
			s.fail("forced cancel of an actor's call: %v", err)
		}
	case state == Pending && i < 0: // it is being computed again
	case state != Pending:
		if err != nil {
			s.fail("cancel of an object that is there: %w", err)
		}
	case never:
		if !errors.Is(err, ErrRestartNever) {
			s.fail("restart of an actor that has none left: %v", err)
		}
	case c.Restart && s.open[i].tmpl.Type == wire.TaskPlain:
		if !errors.Is(err, ErrRestartTask) {
			s.fail("restart for a task: %v", err)
		}
	case err != nil:
		s.fail("cancel: %w", err)
	case s.open[i].tmpl.Type != wire.TaskCreate:
		s.open[i].canceled = true
	}
	s.m.Schedule(s.now)
}

// lose has the memory of stored objects that no worker has a view of be lost.
func (s *sim) lose() {
	for _, h := range s.refs {
		if s.rng.IntN(3) > 0 || !s.isPlainValue(h) || slices.ContainsFunc(s.workers, func(w *simWorker) bool {
			return w != nil && s.m.workers[w.id] != nil && s.m.workers[w.id].holds[h] > 0
		}) {
			continue
		}
		if s.m.Lose(h) == nil {
			s.lost = true
		}
	}
	s.m.Schedule(s.now)
}

// isPlainValue reports whether a value is there that is no item of a stream: their order is checked by what is in them.
func (s *sim) isPlainValue(h uint64) bool {
	state, v := s.m.Look(h)
	return state == Ready && strings.HasPrefix(s.content(v), "value")
}

// freeOne frees a value by hand.
func (s *sim) freeOne() {
	for _, h := range s.refs {
		if s.rng.IntN(4) > 0 || !s.isPlainValue(h) {
			continue
		}
		if err := s.m.FreeByHand(h); err != nil {
			s.fail("free: %w", err)
		}
		return
	}
}

func (s *sim) killActor() {
	for _, h := range s.refs {
		if s.isActor(h) && s.rng.IntN(2) == 0 {
			s.killOne(h)
			return
		}
	}
}

func (s *sim) killOne(h uint64) {
	c := s.creations[h]
	again := c.tmpl.MaxRestarts > 0 && s.rng.IntN(2) == 0 && s.m.mayRestart(s.m.actors[slab.Handle(h).Slot()])
	c.interrupted = true
	c.doomed = c.doomed || !again
	if err := s.m.Kill(h, again); err != nil {
		s.fail("kill: %w", err)
	}
	s.m.Schedule(s.now)
}
