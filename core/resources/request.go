package resources

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// ErrDuplicate says that a request names a resource twice.
var ErrDuplicate = errors.New("resources: resource named twice")

// Item is an amount of one resource.
type Item struct {
	ID     ID
	Amount Amount
}

// Request is an immutable set of amounts, all above zero, in order of their IDs.
// Requests for the same are equal (==) and may be keys of maps. The zero Request
// asks for nothing.
type Request struct {
	// Twelve bytes for each item, big-endian ID and Amount. A string, because it
	// can be compared and has one pointer however many items there are.
	packed string
}

const itemBytes = 4 + 8

// NewRequest makes a Request of items in any order. Zeros are left out. The
// errors are ErrNegative, ErrRange and ErrDuplicate.
func NewRequest(items ...Item) (Request, error) {
	sorted := slices.Clone(items)
	slices.SortFunc(sorted, func(a, b Item) int { return cmp.Compare(a.ID, b.ID) })
	packed := make([]byte, 0, len(sorted)*itemBytes)
	for i, it := range sorted {
		switch {
		case i > 0 && sorted[i-1].ID == it.ID:
			return Request{}, fmt.Errorf("%w: number %d", ErrDuplicate, it.ID)
		case it.Amount < 0:
			return Request{}, fmt.Errorf("%w: %s of number %d", ErrNegative, it.Amount, it.ID)
		case it.Amount > MaxAmount:
			return Request{}, fmt.Errorf("%w: %s of number %d", ErrRange, it.Amount, it.ID)
		case it.Amount > 0:
			packed = binary.BigEndian.AppendUint32(packed, uint32(it.ID))
			packed = binary.BigEndian.AppendUint64(packed, uint64(it.Amount))
		}
	}
	return Request{packed: string(packed)}, nil
}

// Len returns the number of resources.
func (r Request) Len() int { return len(r.packed) / itemBytes }

// Item returns the i-th item, 0 <= i < Len.
func (r Request) Item(i int) Item {
	p := r.packed[i*itemBytes:][:itemBytes]
	return Item{ID: ID(be32(p)), Amount: Amount(uint64(be32(p[4:]))<<32 | uint64(be32(p[8:])))}
}

// be32 is binary.BigEndian.Uint32 without copying the string to a slice.
func be32(s string) uint32 {
	_ = s[3]
	return uint32(s[0])<<24 | uint32(s[1])<<16 | uint32(s[2])<<8 | uint32(s[3])
}

// Items goes through the items in order of their IDs.
func (r Request) Items() iter.Seq[Item] {
	return func(yield func(Item) bool) {
		for i := range r.Len() {
			if !yield(r.Item(i)) {
				return
			}
		}
	}
}

// Of returns the amount of one resource, 0 when the request doesn't name it.
func (r Request) Of(id ID) Amount {
	for i := range r.Len() {
		if it := r.Item(i); it.ID >= id {
			if it.ID == id {
				return it.Amount
			}
			break
		}
	}
	return 0
}

// Only returns the part of the request that is for one resource.
func (r Request) Only(id ID) Request {
	for i := range r.Len() {
		if r.Item(i).ID == id {
			return Request{packed: r.packed[i*itemBytes:][:itemBytes]}
		}
	}
	return Request{}
}

// Without returns the request without one resource.
func (r Request) Without(id ID) Request {
	for i := range r.Len() {
		if r.Item(i).ID == id {
			return Request{packed: r.packed[:i*itemBytes] + r.packed[(i+1)*itemBytes:]}
		}
	}
	return r
}

// Text returns the request for users to read: "CPU: 1, GPU: 0.5", or "nothing".
func (r Request) Text(names *Names) string {
	if r.Len() == 0 {
		return "nothing"
	}
	parts := make([]string, 0, r.Len())
	for it := range r.Items() {
		parts = append(parts, fmt.Sprintf("%s: %s", names.Name(it.ID), it.Amount))
	}
	return strings.Join(parts, ", ")
}
