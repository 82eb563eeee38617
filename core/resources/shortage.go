package resources

import "fmt"

// Shortage says why a request does not fit: one resource of which more is wanted
// than there is.
type Shortage struct {
	ID     ID
	Wanted Amount
	Free   Amount // negative while CPUs are taken back, see Pool.TakeBackCPU
	Total  Amount
}

// short returns what is short of one resource. Of devices, what counts as free is the most that can be had.
func (p *Pool) short(it Item) Shortage {
	a := p.at(it.ID)
	s := Shortage{ID: it.ID, Wanted: it.Amount, Free: a.free, Total: a.total}
	if it.ID == GPU && p.gpus != nil && s.Free >= s.Wanted {
		s.Free = p.gpus.most(it.Amount)
	}
	if it.ID == GPU && p.gpus != nil && !possible(it.Amount, p.gpus.Len()) {
		s.Total = min(s.Total, it.Amount-1) // one and a half can't be had of any number
		s.Free = min(s.Free, s.Total)
	}
	return s
}

// Missing returns the resources of the request that are short now, in order of
// their IDs; none when the request fits.
func (p *Pool) Missing(r Request) []Shortage {
	var short []Shortage
	for it := range r.Items() {
		if !p.FitsItem(it) {
			short = append(short, p.short(it))
		}
	}
	return short
}

// By returns how much more of the resource would have to be free.
func (s Shortage) By() Amount { return s.Wanted - s.Free }

// Infeasible reports whether waiting can't help: the node never has that much.
func (s Shortage) Infeasible() bool { return s.Wanted > s.Total }

// Text returns the shortage for users to read: "GPU: 1 wanted, 0.5 free of 2" or
// "GPU: 4 wanted, the node has 2".
func (s Shortage) Text(names *Names) string {
	if s.Infeasible() {
		return fmt.Sprintf("%s: %s wanted, the node has %s", names.Name(s.ID), s.Wanted, s.Total)
	}
	return fmt.Sprintf("%s: %s wanted, %s free of %s", names.Name(s.ID), s.Wanted, s.Free, s.Total)
}
