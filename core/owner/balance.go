package owner

import "thornback/core/resources"

// CheckBalance reports a broken invariant of the resources: what is free and what workers, actors and nested tasks have must
// make up all there is. It is for tests and for those who look for a leak.
func (m *Machine) CheckBalance() error { return m.sched.Check(m.nestedClaims()) }

// nestedClaims sums up what tasks that run on top of others have claimed and not lent.
func (m *Machine) nestedClaims() map[resources.ID]resources.Amount {
	claims := map[resources.ID]resources.Amount{}
	for _, ws := range m.workers {
		for _, n := range ws.nested {
			for it := range m.sched.Request(n.class).Items() {
				if !n.lent || it.ID != resources.CPU {
					claims[it.ID] += it.Amount
				}
			}
		}
	}
	return claims
}
