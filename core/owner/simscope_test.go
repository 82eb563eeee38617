package owner

import "testing"

// simScopes are the scopes of a simulation: in every fourth one, by its seed.
type simScopes struct {
	used bool
	open uint64   // in which the driver is, or 0
	left []uint64 // that it still holds
}

// scope opens or leaves a scope, or lets one go, whether it has ended or not.
func (s *sim) scope() {
	switch {
	case s.scopes.open == 0:
		h, _, err := s.m.OpenScope(Driver, 0, 0, false)
		if err != nil {
			s.fail("scope: %w", err)
			return
		}
		s.scopes.open = h
		s.driver[h]++
	case s.rng.IntN(3) == 0:
		if err := s.m.CloseScope(Driver, s.scopes.open, false, true, false); err != nil {
			s.fail("scope: %w", err)
		}
	default:
		if err := s.m.CloseScope(Driver, s.scopes.open, true, s.rng.IntN(2) == 0, false); err != nil {
			s.fail("scope: %w", err)
		}
		s.scopes.left = append(s.scopes.left, s.scopes.open)
		s.scopes.open = 0
	}
	if s.rng.IntN(2) == 0 {
		s.dropScope()
	}
	s.m.Schedule(s.now)
}

func (s *sim) dropScope() {
	if n := len(s.scopes.left); n > 0 {
		h := s.scopes.left[n-1]
		s.scopes.left = s.scopes.left[:n-1]
		delete(s.driver, h)
		s.m.Refs(Driver, h, -1)
		s.m.Schedule(s.now)
	}
}

// TestSimulatedScopes runs simulations with scopes only.
func TestSimulatedScopes(t *testing.T) {
	t.Parallel()
	for seed := uint64(3); seed < 1200; seed += 4 {
		s := newSim(seed)
		if !s.scopes.used {
			t.Fatal("no scopes")
		}
		if err := s.run(); err != nil {
			t.Fatalf("seed %d, step %d: %v", seed, s.steps, err)
		}
		if n := s.m.scopes.live; n != 0 {
			t.Fatalf("seed %d: %d scopes are left", seed, n)
		}
	}
}
