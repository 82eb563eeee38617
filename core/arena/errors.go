package arena

import (
	"errors"
	"fmt"
)

var (
	// ErrFull says that no free extent is long enough. The error that Alloc
	// returns is a *FullError, which has the figures.
	ErrFull = errors.New("arena: full")
	// ErrNotAllocated says that no allocated extent starts at the offset: it was
	// never handed out, was freed before, or points into an extent.
	ErrNotAllocated = errors.New("arena: offset not allocated")
	// ErrNotFree says that a range is not wholly free, not aligned to
	// Granularity, or not inside the arena.
	ErrNotFree = errors.New("arena: range not free")
)

// FullError tells what was wanted and what there was, all in bytes.
// errors.Is(err, ErrFull) holds for it.
type FullError struct {
	Wanted  uint64 // as asked for, not rounded up
	Free    uint64 // in all free extents together
	Largest uint64 // in the largest one
}

// Error implements error.
func (e *FullError) Error() string {
	return fmt.Sprintf("arena: full: %d bytes wanted, %d free, largest free extent %d",
		e.Wanted, e.Free, e.Largest)
}

// Unwrap makes errors.Is(err, ErrFull) true.
func (e *FullError) Unwrap() error { return ErrFull }
