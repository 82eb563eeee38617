// Package futex wakes threads that sleep on words of shared memory. Sleeping is done in C, never in a goroutine: one
// that sleeps in a system call keeps its processor until the runtime looks.
package futex

import (
	"math"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

const futexWake = 1 // FUTEX_WAKE; not private, the words are shared between processes

// Word returns the word at an offset of memory, for atomic access. The offset is a multiple of 4 by the layout.
func Word(mem []byte, off int) *atomic.Uint32 {
	_ = mem[off+3]
	return (*atomic.Uint32)(unsafe.Pointer(&mem[off]))
}

// WakeAll wakes every thread that sleeps on the word. The call doesn't block.
func WakeAll(w *atomic.Uint32) {
	// The result counts who was woken; the only errors are for addresses that are no memory.
	_, _, _ = unix.RawSyscall(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), futexWake, math.MaxInt32)
}
