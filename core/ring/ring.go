// Package ring is the single-producer, single-consumer ring of records between a node and one worker (capi/wire.h).
//
// A record is contiguous: a header of 16 bytes and the payload, rounded up to 16. Where the rest of the ring is too
// short a PAD record fills it. The producer publishes by a release store of tail, the consumer gives space back by one of
// head. Each side trusts only the counters it writes itself: what it reads from the other is checked, and a violation is
// ErrCorrupt, never a wild access.
package ring

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"thornback/core/wire"
)

// ErrCorrupt says that the other side wrote nonsense; the only answer is to end that process.
var ErrCorrupt = errors.New("ring: corrupt")

const align = 16

// word returns the atomic counter at an offset of shared memory. The offset is 8-aligned by the layout.
func word(mem []byte, off int) *atomic.Uint64 {
	_ = mem[off+7]
	return (*atomic.Uint64)(unsafe.Pointer(&mem[off]))
}

// Producer is the writing end.
type Producer struct {
	data []byte
	tail *atomic.Uint64
	head *atomic.Uint64
	pos  uint64 // our tail
	room uint64 // our last knowledge of head, so that the line is not read each time
}

// NewProducer makes the writing end of a ring. ctl is its control (tail at 0, head at wire.CtlHead), data its bytes, a
// power of two. Both start zeroed.
func NewProducer(ctl, data []byte) *Producer {
	return &Producer{data: data, tail: word(ctl, 0), head: word(ctl, wire.CtlHead)}
}

// Begin reserves a record for a payload of n bytes and returns the payload's memory, or nil when there is no room now.
// Nothing is visible to the consumer before Commit; another Begin instead of Commit forgets the first.
func (p *Producer) Begin(n int) []byte {
	size := wire.RecordHead + n
	if size > wire.RecordMax {
		panic(fmt.Sprintf("ring: record of %d bytes, limit %d", size, wire.RecordMax))
	}
	need := uint64(size+align-1) &^ (align - 1)
	start, ok := p.place(need)
	if !ok {
		return nil
	}
	i := start & uint64(len(p.data)-1)
	rec := p.data[i : i+uint64(size)]
	binary.LittleEndian.PutUint32(rec, uint32(size))
	return rec[wire.RecordHead:]
}

// place finds the position for need bytes, writing a PAD when the ring's rest is too short.
func (p *Producer) place(need uint64) (uint64, bool) {
	capacity := uint64(len(p.data))
	rest := capacity - p.pos&(capacity-1)
	want := need
	if rest < need {
		want += rest
	}
	if p.pos+want-p.room > capacity {
		h := p.head.Load()
		if h > p.pos || h < p.room {
			return 0, false // corrupt head: looks full for ever, and the consumer's own ring will tell
		}
		p.room = h
		if p.pos+want-p.room > capacity {
			return 0, false
		}
	}
	if rest < need {
		i := p.pos & (capacity - 1)
		pad := p.data[i : i+wire.RecordHead]
		binary.LittleEndian.PutUint32(pad, uint32(rest))
		binary.LittleEndian.PutUint32(pad[4:], wire.MsgPad)
		p.pos += rest
	}
	return p.pos, true
}

// Commit publishes the record begun last and returns its position.
func (p *Producer) Commit(kind uint16, flags uint16) uint64 {
	i := p.pos & uint64(len(p.data)-1)
	rec := p.data[i : i+wire.RecordHead]
	size := binary.LittleEndian.Uint32(rec)
	binary.LittleEndian.PutUint16(rec[4:], kind)
	binary.LittleEndian.PutUint16(rec[6:], flags)
	binary.LittleEndian.PutUint32(rec[8:], wire.ClaimFree)
	at := p.pos
	p.pos += uint64(size+align-1) &^ (align - 1)
	p.tail.Store(p.pos)
	return at
}

// TakeBack claims the record at pos before the consumer does; true when it was still unread, which the consumer then
// skips. pos came from Commit of this ring.
func (p *Producer) TakeBack(pos uint64) bool {
	if pos < p.head.Load() {
		return false
	}
	return p.claim(pos).CompareAndSwap(wire.ClaimFree, wire.ClaimNode)
}

// Started reports whether the consumer has claimed the record at pos, which must not have been taken back.
func (p *Producer) Started(pos uint64) bool {
	if pos < p.head.Load() {
		return true
	}
	return p.claim(pos).Load() == wire.ClaimWorker
}

func (p *Producer) claim(pos uint64) *atomic.Uint32 {
	i := pos&uint64(len(p.data)-1) + 8
	return (*atomic.Uint32)(unsafe.Pointer(&p.data[i]))
}

// Unread returns the bytes published and not yet given back by the consumer.
func (p *Producer) Unread() uint64 { return p.pos - min(p.head.Load(), p.pos) }

// Consumer is the reading end.
type Consumer struct {
	data []byte
	tail *atomic.Uint64
	head *atomic.Uint64
	pos  uint64 // our head
	next uint64 // position after the record given last
}

// NewConsumer makes the reading end of a ring; see NewProducer.
func NewConsumer(ctl, data []byte) *Consumer {
	return &Consumer{data: data, tail: word(ctl, 0), head: word(ctl, wire.CtlHead)}
}

// Record is one message in the ring; its payload aliases shared memory and may change under a malicious writer, so each
// field is read once.
type Record struct {
	Kind    uint16
	Flags   uint16
	Payload []byte
}

// Next returns the oldest unread record; false when there is none. Advance gives its space back.
func (c *Consumer) Next() (Record, bool, error) {
	capacity := uint64(len(c.data))
	for {
		t := c.tail.Load()
		if t == c.pos {
			return Record{}, false, nil
		}
		avail := t - c.pos
		i := c.pos & (capacity - 1)
		if avail > capacity || avail < wire.RecordHead {
			return Record{}, false, fmt.Errorf("%w: %d bytes unread in a ring of %d", ErrCorrupt, avail, capacity)
		}
		head := c.data[i : i+wire.RecordHead]
		size := uint64(binary.LittleEndian.Uint32(head))
		whole := (size + align - 1) &^ (align - 1)
		if size < wire.RecordHead || whole > avail || i+whole > capacity {
			return Record{}, false, fmt.Errorf("%w: record of %d bytes at %d, %d unread", ErrCorrupt, size, i, avail)
		}
		kind := binary.LittleEndian.Uint16(head[4:])
		c.next = c.pos + whole
		if kind == wire.MsgPad {
			c.Advance()
			continue
		}
		return Record{kind, binary.LittleEndian.Uint16(head[6:]), c.data[i+wire.RecordHead : i+size : i+size]}, true, nil
	}
}

// After is the position behind the record that Next gave last.
func (c *Consumer) After() uint64 { return c.next }

// Read is how far the ring was read, in bytes.
func (c *Consumer) Read() uint64 { return c.pos }

// Unread is how much was written and not read.
func (c *Consumer) Unread() uint64 { return c.tail.Load() - c.pos }

// Written is how much was written, in bytes.
func (p *Producer) Written() uint64 { return p.pos }

// Advance gives back the space of the record that Next returned.
func (c *Consumer) Advance() {
	c.pos = c.next
	c.head.Store(c.pos)
}
