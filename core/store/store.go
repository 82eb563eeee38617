// Package store is the shared memory that objects lie in: one sparse memfd, mapped here read-write, and by workers
// through the descriptor. Which extent is whose is package arena's book-keeping.
//
// Memory is reserved (fallocate) before anybody may write to it, so that a machine without memory gives an error here and
// not a SIGBUS there. Reserving new memory takes a millisecond for 5 MB and is done by Reserve, which may be called without
// the lock that guards the rest.
package store

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"

	"thornback/core/arena"
)

const (
	madvPopulateWrite = 23      // MADV_POPULATE_WRITE
	sharePart         = 4 << 20 // bytes that are worth a goroutine
	shareMax          = 4       // goroutines
)

// Store is one node's object store. Alloc, Free and Stats want the owner's lock; Reserve and Bytes don't.
type Store struct {
	fd    int
	mem   []byte
	arena *arena.Arena
}

// Open makes a store of the given capacity in bytes; nothing of it is backed by memory yet.
func Open(capacity uint64) (*Store, error) {
	capacity &^= arena.Granularity - 1
	if capacity < 1<<20 || capacity > 1<<40 {
		return nil, fmt.Errorf("store: capacity of %d bytes, limits 1 MiB and 1 TiB", capacity)
	}
	fd, err := unix.MemfdCreate("thornback-arena", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("store: memfd_create: %w", err)
	}
	if err := unix.Ftruncate(fd, int64(capacity)); err != nil {
		return nil, errors.Join(fmt.Errorf("store: ftruncate to %d bytes: %w", capacity, err), unix.Close(fd))
	}
	mem, err := unix.Mmap(fd, 0, int(capacity), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_NORESERVE)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("store: mmap of %d bytes: %w", capacity, err), unix.Close(fd))
	}
	return &Store{fd: fd, mem: mem, arena: arena.New(capacity)}, nil
}

// FD returns the descriptor, which stays the store's.
func (s *Store) FD() int { return s.fd }

// Memory returns the whole mapping.
func (s *Store) Memory() []byte { return s.mem }

// Alloc takes an extent for n bytes. Its Fresh tail must be given to Reserve before it is written.
func (s *Store) Alloc(n uint64) (arena.Extent, error) { return s.arena.Alloc(n) }

// Reserve puts memory behind the fresh tail of an extent. When that fails the extent must go back by FreeCold. The kernel
// clears new pages at a gigabyte a second on one core, so a large tail is shared out; by touching pages, since fallocate
// would hold the file's lock all the while.
func (s *Store) Reserve(e arena.Extent) error {
	if e.Fresh == 0 {
		return nil
	}
	start := e.Offset + e.Length - e.Fresh
	parts := min(e.Fresh/sharePart, uint64(runtime.GOMAXPROCS(0)), shareMax)
	if parts < 2 {
		return s.touch(start, e.Fresh)
	}
	part := (e.Fresh / parts) &^ (arena.Granularity - 1)
	errs := make(chan error, parts)
	for i := range parts - 1 {
		go func() { errs <- s.touch(start+i*part, part) }()
	}
	errs <- s.touch(start+(parts-1)*part, e.Fresh-(parts-1)*part)
	var err error
	for range parts {
		err = errors.Join(err, <-errs)
	}
	return err
}

// touch puts memory behind a range.
func (s *Store) touch(start, n uint64) error {
	for {
		err := unix.Madvise(s.mem[start:start+n], madvPopulateWrite)
		if errors.Is(err, unix.EINVAL) { // Linux before 5.14
			err = unix.Fallocate(s.fd, 0, int64(start), int64(n))
		}
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) {
			continue
		}
		if err != nil {
			return fmt.Errorf("store: no memory for %d new bytes: %w", n, err)
		}
		return nil
	}
}

// Free gives an extent back; an offset that is none is an error, since it may come from another process.
func (s *Store) Free(offset uint64) error { return s.arena.Free(offset) }

// FreeCold gives back an extent that Reserve failed for.
func (s *Store) FreeCold(offset uint64) error { return s.arena.FreeCold(offset) }

// Extent finds the extent that begins at an offset.
func (s *Store) Extent(offset uint64) (arena.Extent, error) { return s.arena.Lookup(offset) }

// Stats returns the arena's counts.
func (s *Store) Stats() arena.Stats { return s.arena.Stats() }

// Slice returns n bytes at an offset; false when they are not inside the store.
func (s *Store) Slice(offset, n uint64) ([]byte, bool) {
	if offset > uint64(len(s.mem)) || n > uint64(len(s.mem))-offset {
		return nil, false
	}
	return s.mem[offset : offset+n : offset+n], true
}

// GiveBack returns free memory to the system, in pieces of at least minBytes (but the last) from the ends of free extents,
// most bytes at the most, and reports how much it was.
func (s *Store) GiveBack(minBytes, most uint64) (uint64, error) {
	var done uint64
	for done < most {
		n, err := s.giveBackOne(minBytes, most-done)
		done += n
		if n == 0 || err != nil {
			return done, err
		}
	}
	return done, nil
}

// giveBackOne gives back one piece.
func (s *Store) giveBackOne(minBytes, most uint64) (uint64, error) {
	for e := range s.arena.FreeExtents(minBytes) {
		n := min(e.Length, (most+arena.Granularity-1)&^(arena.Granularity-1))
		at := e.Offset + e.Length - n
		err := unix.Fallocate(s.fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, int64(at), int64(n))
		if err == nil {
			err = s.arena.Released(at, n)
		}
		if err != nil {
			return 0, fmt.Errorf("store: give back %d bytes: %w", n, err)
		}
		return n, nil
	}
	return 0, nil
}

// Detach gives up the store but leaves its memory mapped, for views that may outlive it: who has them unmaps it.
func (s *Store) Detach() error { return unix.Close(s.fd) }

// Close unmaps the store. Views of it must be gone.
func (s *Store) Close() error {
	return errors.Join(unix.Munmap(s.mem), unix.Close(s.fd))
}
