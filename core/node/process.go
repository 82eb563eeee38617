package node

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// gonePast is how many ended processes are remembered.
const gonePast = 1000

// process is what is remembered of a worker's process, also when it is gone. Times are the node's; 0: not yet.
type process struct {
	serial uint32
	pid    int
	asked  int64
	forked int64
	ready  int64
	ended  int64
	exit   string // how it ended, in words
	wanted bool   // it was asked to end, or killed by the node
}

// processes are those of the session, by serial number: all that live, and the newest that are gone.
type processes struct {
	bySerial map[uint32]*process
	gone     []uint32 // oldest first
}

func (p *processes) add(serial uint32, now int64) *process {
	if p.bySerial == nil {
		p.bySerial = map[uint32]*process{}
	}
	one := &process{serial: serial, asked: now}
	p.bySerial[serial] = one
	return one
}

// end notes that a process is gone, and forgets the one that is gone for the longest.
func (p *processes) end(one *process, now int64, exit string) {
	one.ended, one.exit = now, exit
	p.gone = append(p.gone, one.serial)
	if len(p.gone) > gonePast {
		delete(p.bySerial, p.gone[0])
		p.gone = p.gone[1:]
	}
}

// pidOf returns the pid of a process that is remembered; nil else, and before it has one.
func (p *processes) pidOf(serial uint32) any {
	if one := p.bySerial[serial]; one != nil && one.pid != 0 {
		return one.pid
	}
	return nil
}

// unixMS turns the node's time into milliseconds since 1970; nil for a time that has not come.
func (n *Node) unixMS(ns int64) any {
	if ns == 0 {
		return nil
	}
	return n.started.Add(time.Duration(ns)).UnixMilli()
}

// all returns the processes in the order of their start.
func (p *processes) all() []*process {
	list := slices.Collect(maps.Values(p.bySerial))
	slices.SortFunc(list, func(a, b *process) int { return cmp.Compare(a.serial, b.serial) })
	return list
}
