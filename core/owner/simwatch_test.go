package owner

import "thornback/core/wire"

// simWatches is what the driver of the simulation watches.
type simWatches struct {
	open  map[uint64]bool // ever watched: whether it is to be told
	word  *uint32         // to be woken by, nil: asks again
	woken bool
}

// watch watches something, by the driver.
func (s *sim) watch() {
	if len(s.refs) == 0 {
		return
	}
	h := s.refs[s.rng.IntN(len(s.refs))]
	s.watches.open[h] = true
	s.m.Watch(Driver, h)
	if s.rng.IntN(2) == 0 {
		s.watched()
	}
}

// watched takes what the driver is told, as its thread does: it asks again only when it was woken.
func (s *sim) watched() {
	w := &s.watches
	if w.word != nil && !w.woken {
		return
	}
	w.word, w.woken = nil, false
	for w.word == nil {
		into := make([]uint64, 1+s.rng.IntN(3))
		n, word, err := s.m.Watched(into)
		if err != nil {
			s.fail("watched: %w", err)
			return
		}
		w.word = word
		for _, h := range into[:n] {
			if _, watched := w.open[h]; !watched {
				s.fail("told of %x, which is not watched", h)
			}
			if s.m.stateOf(h) == Pending {
				s.fail("told of %x, which is not ready", h)
			}
			w.open[h] = false
		}
	}
}

// toldOf checks, before a reference goes, that what is ready and was watched was told.
func (s *sim) toldOf(h uint64) {
	s.watched()
	if state := s.m.stateOf(h); s.watches.open[h] && (state == Ready || state == Failed) {
		s.fail("never told of %x, which is ready", h)
	}
	if s.driver[h] == 1 { // nobody's to be told of
		s.watches.open[h] = false
	}
}

// watch watches something that a task has a reference to.
func (w *simWorker) watch(f *frame) {
	if len(f.refs) > 0 {
		h := f.refs[w.s.rng.IntN(len(f.refs))]
		w.say(func() { w.s.m.Watch(w.id, h) })
	}
}

// isReady takes a READYREF.
func (w *simWorker) isReady(r *reply) {
	if w.s.m.stateOf(r.watched) == Pending && !w.s.lost {
		w.s.fail("worker %d: told of %x, which is not ready", w.id, r.watched)
	}
	if r.values[0].Where == wire.WhereStore {
		w.pins = append(w.pins, r.watched)
	}
}
