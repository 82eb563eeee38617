package resources

import "fmt"

// account is what a Pool knows about one resource. Always
// free = total - claimed + lent, 0 <= lent <= claimed.
type account struct {
	total, free, claimed, lent Amount
}

// Pool has the resources of one node.
type Pool struct {
	accounts []account // by ID; resources behind its end are not there
	gpus     *Devices  // nil: the node has none
}

// NewPool returns a pool that has all of the total free.
func NewPool(total Request) *Pool {
	p := &Pool{}
	if n := total.Len(); n > 0 {
		p.accounts = make([]account, total.Item(n-1).ID+1)
	}
	for it := range total.Items() {
		p.accounts[it.ID] = account{total: it.Amount, free: it.Amount}
	}
	if gpus := total.Of(GPU); gpus > 0 && gpus%Unit == 0 && gpus/Unit <= DevicesMax {
		p.gpus = NewDevices(int(gpus / Unit))
	}
	return p
}

// Total returns how much of a resource the node has.
func (p *Pool) Total(id ID) Amount { return p.at(id).total }

// Free returns how much of a resource can be claimed now. For the CPU it is
// negative while more workers run than there are CPUs, see TakeBackCPU.
func (p *Pool) Free(id ID) Amount { return p.at(id).free }

// Len returns a number above the IDs of all resources that the pool has.
func (p *Pool) Len() int { return len(p.accounts) }

func (p *Pool) at(id ID) account {
	if int(id) < len(p.accounts) {
		return p.accounts[id]
	}
	return account{}
}

// Fits reports whether Claim would succeed now.
func (p *Pool) Fits(r Request) bool {
	for i := range r.Len() {
		if !p.FitsItem(r.Item(i)) {
			return false
		}
	}
	return true
}

// FitsItem is Fits for one resource.
func (p *Pool) FitsItem(it Item) bool {
	return p.at(it.ID).free >= it.Amount && (it.ID != GPU || p.gpus == nil || p.gpus.Fits(it.Amount))
}

// ClaimDevices takes the devices for the GPUs of a request that was claimed just now; ReleaseDevices gives them back, before
// the request is released.
func (p *Pool) ClaimDevices(r Request) []Share {
	amount := r.Of(GPU)
	if amount == 0 || p.gpus == nil {
		return nil
	}
	shares, ok := p.gpus.Claim(amount)
	if !ok {
		panic(fmt.Sprintf("resources: %s GPUs are claimed, and no devices for them", amount))
	}
	return shares
}

// ReleaseDevices ends what ClaimDevices began.
func (p *Pool) ReleaseDevices(shares []Share) {
	if len(shares) > 0 {
		p.gpus.Release(shares)
	}
}

// Feasible reports whether the request fits the node when nothing is claimed.
func (p *Pool) Feasible(r Request) bool {
	for i := range r.Len() {
		if it := r.Item(i); p.at(it.ID).total < it.Amount || it.ID == GPU && p.gpus != nil && !possible(it.Amount, p.gpus.Len()) {
			return false
		}
	}
	return true
}

// Claim takes all of the request, or nothing and reports false. What was claimed
// may be released in parts.
func (p *Pool) Claim(r Request) bool {
	if !p.Fits(r) {
		return false
	}
	for i := range r.Len() {
		it := r.Item(i)
		a := &p.accounts[it.ID]
		a.free -= it.Amount
		a.claimed += it.Amount
	}
	return true
}

// Release gives back what was claimed. A worker that ended while it lent its CPU
// calls TakeBackCPU first. It panics when more is released than is claimed and
// not lent.
func (p *Pool) Release(r Request) {
	for i := range r.Len() {
		it := r.Item(i)
		if a := p.at(it.ID); a.claimed-a.lent < it.Amount {
			panic(fmt.Sprintf("resources: release %s of number %d: %s claimed, %s of it lent, total %s, free %s",
				it.Amount, it.ID, a.claimed, a.lent, a.total, a.free))
		}
	}
	for i := range r.Len() {
		it := r.Item(i)
		a := &p.accounts[it.ID]
		a.free += it.Amount
		a.claimed -= it.Amount
	}
}

// LendCPU makes the CPU part of a claimed request free for others, because the
// worker that has it waits for their results. Only the CPU: a waiting worker
// keeps its GPU and memory. It panics when more is lent than is claimed.
func (p *Pool) LendCPU(r Request) {
	cpu := r.Of(CPU)
	if cpu == 0 {
		return
	}
	a := p.at(CPU)
	if a.claimed-a.lent < cpu {
		panic(fmt.Sprintf("resources: lend %s CPU: %s claimed, %s of it lent, total %s, free %s",
			cpu, a.claimed, a.lent, a.total, a.free))
	}
	p.accounts[CPU].free += cpu
	p.accounts[CPU].lent += cpu
}

// TakeBackCPU ends LendCPU at once, also when others have claimed the CPU
// meanwhile: a worker that has what it waited for goes on running. Free is
// negative then, so nothing that needs a CPU is claimed until enough others have
// ended. It panics when more is taken back than is lent.
func (p *Pool) TakeBackCPU(r Request) {
	cpu := r.Of(CPU)
	if cpu == 0 {
		return
	}
	a := p.at(CPU)
	if a.lent < cpu {
		panic(fmt.Sprintf("resources: take back %s CPU: %s lent, %s claimed, total %s, free %s",
			cpu, a.lent, a.claimed, a.total, a.free))
	}
	p.accounts[CPU].free -= cpu
	p.accounts[CPU].lent -= cpu
}

// Check reports a broken invariant. It is for tests.
func (p *Pool) Check() error {
	for id, a := range p.accounts {
		if a.free != a.total-a.claimed+a.lent || a.lent < 0 || a.lent > a.claimed ||
			ID(id) != CPU && (a.lent != 0 || a.free < 0) {
			return fmt.Errorf("resources: check: number %d: total %s, free %s, claimed %s, lent %s",
				id, a.total, a.free, a.claimed, a.lent)
		}
	}
	if p.gpus != nil && p.gpus.Sum() < p.at(GPU).free {
		return fmt.Errorf("resources: check: %s GPUs free, of devices %s", p.at(GPU).free, p.gpus.Sum())
	}
	return nil
}
