package owner

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"thornback/core/slab"
	"thornback/core/wire"
)

// ---- values ----

// value makes a value that contains some of the references.
func (s *sim) value(refs []uint64, restricted bool) (wire.Value, []uint64) {
	s.lastValue++
	text := fmt.Sprintf("value %d", s.lastValue)
	var in []uint64
	for _, h := range refs {
		if s.rng.IntN(4) == 0 && (!restricted || s.pure[h]) {
			in = append(in, h)
		}
	}
	s.inner[text] = in
	if s.rng.IntN(3) == 0 {
		off := s.lastValue << 12
		s.extents[off] = text
		return wire.Value{Where: wire.WhereStore, Length: uint64(len(text)), Offset: off}, in
	}
	return wire.Value{Where: wire.WhereInline, Length: uint64(len(text)), Bytes: []byte(text)}, in
}

func (s *sim) errorValue() wire.Value {
	s.lastValue++
	b := append([]byte{wire.TagError}, fmt.Sprintf("error %d", s.lastValue)...)
	return wire.Value{Where: wire.WhereInline, Length: uint64(len(b)), Bytes: b}
}

// content reads a value.
func (s *sim) content(v wire.Value) string {
	if v.Where == wire.WhereStore {
		text, ok := s.extents[v.Offset]
		if !ok {
			s.fail("a value lies at %x, which is free", v.Offset)
		}
		return text
	}
	return string(v.Bytes)
}

// ---- jobs ----

// newJob makes up a submission by somebody who has refs.
func (s *sim) newJob(refs []uint64, depth int, restricted bool, caller uint64) *job {
	s.lastJob++
	j := &job{id: s.lastJob, depth: depth, pure: restricted || s.rng.IntN(2) == 0, caller: caller}
	j.tmpl = s.templates[[]int{0, 1, 2, 3, 4, callsTemplate}[s.rng.IntN(6)]]
	if k := s.rng.IntN(8); k == 0 {
		j.tmpl = s.generator("s")
	} else if k == 1 && caller == 0 { // a task that keeps one with a window waiting may wait for what that keeps from running
		j.tmpl = s.generator("t")
	}
	if s.crews && caller == 0 && s.rng.IntN(4) > 0 {
		s.crewJob(j, refs)
	} else if !j.pure {
		switch s.rng.IntN(4) {
		case 0:
			j.tmpl = s.templates[[]int{5, 6, restartTemplate, threadsTemplate, groupsTemplate}[s.rng.IntN(5)]]
			j.last = map[[2]uint64]int{}
		case 1, 2:
			s.chooseActor(j, refs)
		}
	}
	for _, h := range refs {
		if j.pure && !s.pure[h] {
			continue
		}
		switch k := s.rng.IntN(8); {
		case k == 0 && !s.isActor(h):
			j.deps = append(j.deps, h)
		case k == 1:
			j.holds = append(j.holds, h)
		}
	}
	if s.rng.IntN(6) == 0 {
		j.until = s.now + 1 + s.rng.Int64N(3e6)
	}
	s.jobs[j.id] = j
	return j
}

func (s *sim) chooseActor(j *job, refs []uint64) {
	for _, h := range refs {
		if s.isActor(h) && s.rng.IntN(2) == 0 {
			j.tmpl = s.templates[[]int{7, 8, restartTemplate + 1, restartTemplate + 2}[s.rng.IntN(4)]]
			if s.rng.IntN(4) == 0 {
				j.tmpl = s.generator("A.s")
			}
			j.actor = s.creations[h]
			s.called(j)
			return
		}
	}
}

// called: a job that is a call of an actor has its place among those of its caller.
func (s *sim) called(j *job) {
	if len(j.actor.tmpl.Limits) > 1 && s.rng.IntN(3) > 0 {
		j.tmpl = s.templates[groupsTemplate+1+s.rng.IntN(groupMethods)]
	}
	key := [2]uint64{j.caller, j.actor.id}
	s.seq[key]++
	j.seq = s.seq[key]
}

// crewJob makes a job a call of an actor that takes several at a time, or makes such an actor.
func (s *sim) crewJob(j *job, refs []uint64) {
	j.pure = false
	var crews []uint64
	for _, h := range refs {
		if s.isActor(h) && len(s.creations[h].tmpl.Limits) > 0 {
			crews = append(crews, h)
		}
	}
	if len(crews) == 0 || s.rng.IntN(20) == 0 {
		j.tmpl, j.last = s.templates[threadsTemplate+s.rng.IntN(2)], map[[2]uint64]int{}
		return
	}
	j.actor = s.creations[crews[s.rng.IntN(len(crews))]]
	j.tmpl = s.templates[[]int{7, 8, restartTemplate + 1, restartTemplate + 2}[s.rng.IntN(4)]]
	s.called(j)
}

func (s *sim) forget(j *job) {
	delete(s.jobs, j.id)
	if j.actor != nil {
		s.seq[[2]uint64{j.caller, j.actor.id}]--
	}
}

// register notes what the returns of a job are.
func (s *sim) register(j *job) {
	for _, h := range j.rets {
		s.made(h, j)
	}
	if j.tmpl.Type == wire.TaskCreate {
		s.creations[j.rets[0]] = j
	}
}

// made notes that an object is a result, or an item, of a job.
func (s *sim) made(h uint64, j *job) {
	s.pure[h] = j.pure && j.tmpl.Type == wire.TaskPlain
	s.ofCall[h] = j.tmpl.Type == wire.TaskMethod
	delete(s.creations, h)
}

func (s *sim) accepted(j *job) { s.open = append(s.open, j) }

func (s *sim) isActor(h uint64) bool { return s.creations[h] != nil }

func (s *sim) submission(j *job, caller uint64, from WorkerID) *Submission {
	sub := &Submission{
		Template: j.tmpl, Deps: slices.Clone(j.deps), Holds: slices.Clone(j.holds), Returns: j.tmpl.Returns, Caller: caller,
		Rets: j.rets, From: from, Deadline: j.until, Args: binary.LittleEndian.AppendUint64(nil, j.id),
	}
	if j.actor != nil {
		sub.Actor = j.actor.rets[0]
	}
	return sub
}

// checkJobs finds the jobs that have ended and looks at what became of them.
func (s *sim) checkJobs() {
	there := map[uint64]bool{}
	s.m.tasks.Each(func(_ slab.Handle, t *task) bool {
		if t.state == kept {
			return true
		}
		_, args := s.m.payloadOf(t)
		there[binary.LittleEndian.Uint64(args)] = true
		return true
	})
	s.open = slices.DeleteFunc(s.open, func(j *job) bool {
		if there[j.id] {
			if j.ended {
				s.fail("job %d ended and is there again", j.id)
			}
			return false
		}
		j.ended = true
		for i, h := range j.rets {
			if state, v := s.m.Look(h); state == Pending {
				s.fail("job %d ended without return %d", j.id, i)
			} else if state != Unknown {
				s.judge(j, i, v)
			}
		}
		return true
	})
}

// judge says whether a job may have ended with this value.
func (s *sim) judge(j *job, i int, v wire.Value) {
	text := s.content(v)
	if i < len(j.accepted) && j.accepted[i] == text || (j.canceledByAny() || j.late(s.now) || s.scopes.used) && slices.Contains(j.ends, text) {
		return
	}
	a := j
	if j.actor != nil {
		a = j.actor
	}
	if len(text) < 8 || text[0] != wire.TagSysErr {
		if j.actor == nil || a.raised != text {
			s.fail("job %d: return %d is %q, which nobody gave", j.id, i, text)
		}
		return
	}
	var fields map[string]string
	code := binary.LittleEndian.Uint32([]byte(text[4:]))
	if err := json.Unmarshal([]byte(text[8:]), &fields); err != nil || fields["message"] == "" && code != wire.ErrTaskCancelled && code != wire.ErrDeadlineExceeded {
		s.fail("job %d: error %q: %v", j.id, text, err)
	}
	switch {
	case code == wire.ErrWorkerCrashed && j.tmpl.Type == wire.TaskPlain && j.tmpl.MaxRetries >= 0 && j.failures > j.tmpl.MaxRetries:
	case code == wire.ErrActorDied && j.tmpl.Type != wire.TaskPlain && (a.doomed || a.late(s.now) || s.scopes.used):
	case code == wire.ErrActorUnavailable && j.tmpl.Type == wire.TaskMethod && a.interrupted &&
		(j.tmpl.MaxRetries >= 0 && j.starts > j.tmpl.MaxRetries || j.tmpl.MaxRetries == 0):
	case code == wire.ErrStoreFull && j.refused:
	case code == wire.ErrDeadlineExceeded && j.tmpl.Type != wire.TaskCreate && j.late(s.now):
	case code == wire.ErrTaskCancelled && j.tmpl.Type != wire.TaskCreate && (j.canceledByAny() || s.lost || s.scopes.used): // by a task that ran again
	default:
		s.fail("job %d (%s, %d starts, %d failures): error %s", j.id, j.tmpl.Name, j.starts, j.failures, text[8:])
	}
}
