package ring

import (
	"encoding/binary"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"thornback/core/wire"
)

func pair(capacity int) (*Producer, *Consumer, []byte, []byte) {
	ctl, data := make([]byte, 128), make([]byte, capacity)
	return NewProducer(ctl, data), NewConsumer(ctl, data), ctl, data
}

// What goes in comes out, in order, through any mix of sizes, fullness and wrap-arounds.
func TestOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p, c, _, _ := pair(4096)
		type msg struct {
			seq  uint32
			size int
		}
		var queue []msg
		seq := uint32(0)
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "write") {
				n := rapid.IntRange(4, 1500).Draw(t, "size")
				b := p.Begin(n)
				if b == nil {
					if len(queue) == 0 {
						t.Fatalf("an empty ring has no room for %d bytes", n)
					}
					continue
				}
				binary.LittleEndian.PutUint32(b, seq)
				p.Commit(wire.MsgTask, uint16(seq))
				queue = append(queue, msg{seq, n})
				seq++
				continue
			}
			r, ok, err := c.Next()
			if err != nil {
				t.Fatal(err)
			}
			if ok != (len(queue) > 0) {
				t.Fatalf("record %v with %d queued", ok, len(queue))
			}
			if ok {
				m := queue[0]
				queue = queue[1:]
				if binary.LittleEndian.Uint32(r.Payload) != m.seq || len(r.Payload) != m.size || r.Flags != uint16(m.seq) {
					t.Fatalf("got %v, want %v", r, m)
				}
				c.Advance()
			}
		}
	})
}

func TestTakeBack(t *testing.T) {
	t.Parallel()
	p, c, _, _ := pair(4096)
	var pos [3]uint64
	for i := range pos {
		p.Begin(8)
		pos[i] = p.Commit(wire.MsgTask, 0)
	}
	if p.claim(pos[0]).CompareAndSwap(wire.ClaimFree, wire.ClaimWorker); p.TakeBack(pos[0]) {
		t.Error("took back what the worker had claimed")
	}
	if !p.Started(pos[0]) || p.Started(pos[1]) {
		t.Error("Started is wrong")
	}
	if !p.TakeBack(pos[2]) || p.TakeBack(pos[2]) {
		t.Error("TakeBack must succeed exactly once")
	}
	if _, ok, _ := c.Next(); !ok {
		t.Fatal("no record")
	}
	c.Advance()
	if !p.Started(pos[0]) || p.TakeBack(pos[0]) {
		t.Error("a consumed record counts as started")
	}
}

// Whatever the other side writes, Next answers with a record inside the ring or with ErrCorrupt.
func FuzzConsumer(f *testing.F) {
	f.Add([]byte{32, 0, 0, 0, 2, 0, 0, 0}, uint64(32), uint64(0))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff}, uint64(16), uint64(1<<40))
	f.Fuzz(func(t *testing.T, data []byte, tail, start uint64) {
		ring := make([]byte, 4096)
		copy(ring, data)
		ctl := make([]byte, 128)
		c := NewConsumer(ctl, ring)
		start &^= align - 1
		c.pos, c.next = start, start
		binary.LittleEndian.PutUint64(ctl, tail)
		for range 600 {
			r, ok, err := c.Next()
			if err != nil {
				if !errors.Is(err, ErrCorrupt) {
					t.Fatal(err)
				}
				return
			}
			if !ok {
				return
			}
			if len(r.Payload) > len(ring) {
				t.Fatalf("payload of %d bytes", len(r.Payload))
			}
			c.Advance()
		}
	})
}

func BenchmarkRoundTrip(b *testing.B) {
	p, c, _, _ := pair(wire.RingBytes)
	for b.Loop() {
		p.Begin(64)
		p.Commit(wire.MsgTask, 0)
		if _, ok, err := c.Next(); !ok || err != nil {
			b.Fatal(err)
		}
		c.Advance()
	}
}
