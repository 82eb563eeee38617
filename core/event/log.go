// Package event keeps what became of the tasks of a session, and who waited for what: the newest of both, each in a ring of
// records of fixed size outside the Go heap. Writing one costs some nanoseconds and allocates nothing; the oldest are
// overwritten, and how many were is counted.
//
// Times are nanoseconds on the clock of whoever writes. Not safe for concurrent use: the owner of a Log serialises.
package event

import "unsafe"

// Status is how an attempt of a task ended.
type Status uint8

// The statuses.
const (
	Finished Status = iota
	Failed
)

// Task is one attempt of a task that has ended. ID is what users know it by: the handle of its first result, or, for a task
// without results (Bare), of the task itself.
type Task struct {
	ID        uint64
	Parent    uint64 // ID of the task that submitted it; 0: the driver
	Actor     uint64 // handle of the actor's object; 0: a plain task
	Submitted int64
	Ready     int64 // its arguments were there; 0: never
	Sent      int64 // to the worker; 0: never
	Ended     int64
	Exec      int64 // in the user's function
	Template  uint32
	Worker    uint32 // serial number of the process; 0: none
	Attempt   uint32
	Error     uint32 // 1 + number of its error in Log; 0: it has none, or its error was not kept
	Status    Status
	Code      uint8 // of the engine's error; 0: the user's code raised, or nothing did
	Bare      bool
	BareUp    bool // the parent is a task without results
}

// Wait is one time that somebody waited for objects.
type Wait struct {
	Task   uint64 // ID of the task that waited; 0: none, such as the driver
	Begin  int64
	End    int64
	Worker uint32 // serial number of the process; 0: the driver
	Kind   WaitKind
	Bare   bool
}

// WaitKind is what somebody did while he waited.
type WaitKind uint8

// The kinds.
const (
	Get WaitKind = iota
	WaitAny
)

// Memory gives out memory that stays for good, as offheap.Region does.
type Memory interface {
	Take(bytes int) ([]byte, error)
}

// Log is what is kept.
type Log struct {
	Tasks  Ring[Task]
	Waits  Ring[Wait]
	errors [][]byte // of failed tasks, as they were encoded; the newest errorsMax
	failed uint32   // errors ever taken
}

// Limits of what is kept of errors.
const (
	errorsMax     = 1000
	errorBytesMax = 16 << 10
)

// NewLog returns a log for so many tasks and waits; their memory is taken from mem as they come. 0 tasks: nothing is kept.
func NewLog(mem Memory, tasks, waits int) *Log {
	return &Log{Tasks: Ring[Task]{mem: mem, limit: whole(tasks)}, Waits: Ring[Wait]{mem: mem, limit: whole(waits)}}
}

// TakeError keeps a copy of an encoded error and returns what to write into Task.Error. Large ones are not kept.
func (l *Log) TakeError(blob []byte) uint32 {
	if len(blob) == 0 || len(blob) > errorBytesMax || l.Tasks.limit == 0 {
		return 0
	}
	kept := append([]byte(nil), blob...)
	if len(l.errors) < errorsMax {
		l.errors = append(l.errors, kept)
	} else {
		l.errors[l.failed%errorsMax] = kept
	}
	l.failed++
	return l.failed
}

// ErrorOf returns a task's encoded error; nil when there is none, or no more.
func (l *Log) ErrorOf(t *Task) []byte {
	if t.Error == 0 || l.failed-t.Error >= errorsMax {
		return nil
	}
	return l.errors[(t.Error-1)%errorsMax]
}

// chunkLen is how many records are taken from memory at a time: a session with few tasks needs little.
const chunkLen = 1024

// Ring keeps the newest records of type T, which must contain no pointers.
type Ring[T any] struct {
	mem    Memory
	limit  int // records kept; whole chunks
	chunks [][]T
	next   uint64 // records ever written
	at     int    // where the next one goes
}

// whole rounds a number of records up to whole chunks.
func whole(n int) int { return (n + chunkLen - 1) / chunkLen * chunkLen }

// Add returns the place of a new record, to be filled at once; nil when none are kept. The place holds what the oldest
// record was.
func (r *Ring[T]) Add() *T {
	c := r.at / chunkLen
	if c >= len(r.chunks) && !r.grow() {
		return nil
	}
	place := &r.chunks[c][r.at%chunkLen]
	r.next++
	if r.at++; r.at == r.limit {
		r.at = 0
	}
	return place
}

func (r *Ring[T]) grow() bool {
	if r.limit == 0 {
		return false
	}
	b, err := r.mem.Take(chunkLen * int(unsafe.Sizeof(*new(T))))
	if err != nil {
		return false // no memory: the log ends here, the session does not
	}
	r.chunks = append(r.chunks, unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), chunkLen))
	return true
}

// Last returns the newest record; nil when there is none.
func (r *Ring[T]) Last() *T {
	if r.next == 0 {
		return nil
	}
	at := (r.at + r.limit - 1) % r.limit
	return &r.chunks[at/chunkLen][at%chunkLen]
}

// Len returns how many records are kept, Dropped how many were overwritten.
func (r *Ring[T]) Len() int { return int(min(r.next, uint64(r.limit))) }

// Dropped returns how many records were overwritten by newer ones.
func (r *Ring[T]) Dropped() uint64 { return r.next - uint64(r.Len()) }

// Next returns the number that the next record will have.
func (r *Ring[T]) Next() uint64 { return r.next }

// Back calls f for up to limit records from the one before number on to older ones, until f returns false, and returns the
// number to go on from; 0 when that was the oldest.
func (r *Ring[T]) Back(before uint64, limit int, f func(*T) bool) uint64 {
	oldest := r.Dropped()
	before = min(before, r.next)
	for ; before > oldest && limit > 0; limit-- {
		before--
		at := int(before % uint64(r.limit))
		if !f(&r.chunks[at/chunkLen][at%chunkLen]) {
			return before
		}
	}
	if before <= oldest {
		return 0
	}
	return before
}
