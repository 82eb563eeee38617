package arena

import (
	"encoding/binary"
	"testing"
)

// FuzzArena reads three bytes for each call: what, and a 16 bit argument.
func FuzzArena(f *testing.F) {
	f.Add([]byte("\x00\x40\x00\x00\x20\x00\x01\x00\x00\x00\x40\x00"))
	f.Add([]byte("\x00\x07\x00\x00\x09\x00\x00\x0b\x00\x01\x01\x00\x05\x00\x00\x02\x00\x00\x00\x20\x00\x03\x03\x02"))
	f.Fuzz(func(t *testing.T, program []byte) {
		m := newModel(256)
		program = program[:min(len(program), 3*300)] // long ones find nothing more
		for ; len(program) >= 3; program = program[3:] {
			arg := uint64(binary.LittleEndian.Uint16(program[1:]))
			if err := m.step(program[0]%6, arg); err != nil {
				t.Fatalf("call %d(%d): %v", program[0]%6, arg, err)
			}
		}
		if err := m.end(); err != nil {
			t.Fatal(err)
		}
	})
}

func (m *model) step(what byte, arg uint64) error {
	switch what {
	case 0:
		return m.alloc(arg * (Granularity / 64)) // up to four times the arena
	case 1, 2:
		if all := m.offsets(); len(all) > 0 {
			return m.free(all[arg%uint64(len(all))], what == 2)
		}
		return m.free(arg, what == 2)
	case 3:
		return m.released(arg%256*Granularity, arg/256*Granularity)
	case 4:
		return m.takeAndGiveBack(arg)
	default:
		return m.releaseAll(arg * Granularity / 256)
	}
}
