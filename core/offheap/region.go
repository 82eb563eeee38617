package offheap

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

const (
	regionFirst = 1 << 20
	regionMax   = 32 << 20
	regionHuge  = 4 << 20 // mappings of this size and more ask for huge pages
)

// Region gives out memory that stays until Close: chunks of slabs and of heaps. Its mappings double in size; the large ones
// ask for huge pages, since a fault for each 4 KiB costs a growing queue more than the work itself.
type Region struct {
	maps [][]byte
	rest []byte
	next int // size of the next mapping
}

// Take returns n zeroed bytes, 64-aligned.
func (r *Region) Take(n int) ([]byte, error) {
	n = (n + 63) &^ 63
	if n > len(r.rest) {
		size := max(r.next, regionFirst)
		for size < n {
			size *= 2
		}
		m, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		if err != nil {
			return nil, fmt.Errorf("offheap: mmap of %d bytes: %w", size, err)
		}
		if size >= regionHuge {
			_ = unix.Madvise(m, unix.MADV_HUGEPAGE) // an advice: kernels without huge pages refuse it
		}
		r.maps, r.rest = append(r.maps, m), m
		r.next = min(2*size, regionMax)
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b, nil
}

// Mapped returns the bytes mapped from the system.
func (r *Region) Mapped() uint64 {
	var n uint64
	for _, m := range r.maps {
		n += uint64(len(m))
	}
	return n
}

// Close unmaps everything that was taken.
func (r *Region) Close() error {
	var errs []error
	for _, m := range r.maps {
		if err := unix.Munmap(m); err != nil {
			errs = append(errs, fmt.Errorf("offheap: munmap: %w", err))
		}
	}
	*r = Region{}
	return errors.Join(errs...)
}
