package resources

import "fmt"

// DevicesMax bounds the devices of one kind on a node.
const DevicesMax = 1024

// Share is a part of one device, at most Unit.
type Share struct {
	Device int // index, from 0
	Amount Amount
}

// Devices is the table of who has how much of which device: GPUs are not one sum, half of one and half of another are no
// whole one. It is deterministic: equal calls give equal shares. Not safe for concurrent use.
type Devices struct {
	free []Amount // by device
}

// NewDevices returns n devices that are all free.
func NewDevices(n int) *Devices {
	d := &Devices{free: make([]Amount, n)}
	for i := range d.free {
		d.free[i] = Unit
	}
	return d
}

// Len returns the number of devices.
func (d *Devices) Len() int { return len(d.free) }

// Free returns how much of a device is free.
func (d *Devices) Free(i int) Amount { return d.free[i] }

// possible reports whether an amount can be had of so many devices: a part of one, or several whole ones.
func possible(amount Amount, n int) bool {
	return amount <= Amount(n)*Unit && (amount <= Unit || amount%Unit == 0)
}

// best finds the device with the least room that is enough, the first of equal ones: parts are packed, so that whole
// devices stay whole.
func (d *Devices) best(amount Amount) int {
	best := -1
	for i, f := range d.free {
		if f >= amount && (best < 0 || f < d.free[best]) {
			best = i
		}
	}
	return best
}

// Fits reports whether Claim would succeed now.
func (d *Devices) Fits(amount Amount) bool {
	if amount < Unit {
		return amount == 0 || d.best(amount) >= 0
	}
	if amount%Unit != 0 {
		return false
	}
	for _, f := range d.free {
		if f == Unit {
			amount -= Unit
		}
	}
	return amount <= 0
}

// most returns the largest part of one device that is free, for an amount below Unit, else the whole devices that are.
func (d *Devices) most(amount Amount) Amount {
	most, whole := Amount(0), Amount(0)
	for _, f := range d.free {
		most = max(most, f)
		if f == Unit {
			whole += Unit
		}
	}
	if amount < Unit {
		return most
	}
	return whole
}

// Claim takes a part of one device, or whole ones, the first that are free; false, and nothing is taken, when there are
// none. An amount of 0 needs no device.
func (d *Devices) Claim(amount Amount) ([]Share, bool) {
	if amount == 0 {
		return nil, true
	}
	if !d.Fits(amount) {
		return nil, false
	}
	if amount < Unit {
		i := d.best(amount)
		d.free[i] -= amount
		return []Share{{i, amount}}, true
	}
	shares := make([]Share, 0, amount/Unit)
	for i := range d.free {
		if d.free[i] == Unit && amount > 0 {
			d.free[i] = 0
			amount -= Unit
			shares = append(shares, Share{i, Unit})
		}
	}
	return shares, true
}

// Release gives shares back. It panics when they are not claimed.
func (d *Devices) Release(shares []Share) {
	for _, s := range shares {
		if s.Device < 0 || s.Device >= len(d.free) || s.Amount < 0 || d.free[s.Device]+s.Amount > Unit {
			panic(fmt.Sprintf("resources: release %s of device %d, which has %v free", s.Amount, s.Device, d.free))
		}
		d.free[s.Device] += s.Amount
	}
}

// Sum returns what is free of all devices together.
func (d *Devices) Sum() Amount {
	sum := Amount(0)
	for _, f := range d.free {
		sum += f
	}
	return sum
}
