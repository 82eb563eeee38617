package resources

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// ID is the small number of a resource's name.
type ID uint32

// The names that every table begins with.
const (
	CPU ID = iota
	GPU
	Memory
	ObjectStoreMemory
	firstCustom
)

// NamesMax bounds the names in one table. Names are never forgotten, and Pools
// have an entry for each, so a program that makes up names without end is
// refused.
const NamesMax = 100_000

// ErrTooManyNames says that a table has NamesMax names already.
var ErrTooManyNames = errors.New("resources: too many resource names")

// Names numbers the names of resources. Numbers mean nothing outside the process
// that gave them.
type Names struct {
	ids   map[string]ID
	names []string
}

// NewNames returns a table with the four names that are always there.
func NewNames() *Names {
	n := &Names{ids: map[string]ID{}}
	n.names = []string{CPU: "CPU", GPU: "GPU", Memory: "memory", ObjectStoreMemory: "object_store_memory"}
	for id, name := range n.names {
		n.ids[name] = ID(id)
	}
	return n
}

// ID returns the number of a name and gives it one if it has none yet. The only
// error is ErrTooManyNames.
func (n *Names) ID(name string) (ID, error) {
	if id, ok := n.ids[name]; ok {
		return id, nil
	}
	if len(n.names) >= NamesMax {
		return 0, fmt.Errorf("%w: %d, and %q", ErrTooManyNames, len(n.names), name)
	}
	id := ID(len(n.names))
	n.names = append(n.names, name)
	n.ids[name] = id
	return id, nil
}

// Lookup returns the number of a name if it has one.
func (n *Names) Lookup(name string) (ID, bool) {
	id, ok := n.ids[name]
	return id, ok
}

// Name returns the name of a number, and a text with the number for one that this
// table did not give.
func (n *Names) Name(id ID) string {
	if int(id) < len(n.names) {
		return n.names[id]
	}
	return fmt.Sprintf("resource#%d", id)
}

// Len returns how many names there are; their numbers are 0..Len-1.
func (n *Names) Len() int { return len(n.names) }

// Request converts what a user asked for, in units by name. Zeros are left out.
// The errors are those of FromFloat, with the name, and ErrTooManyNames; names
// that it has met before the error keep their numbers.
func (n *Names) Request(units map[string]float64) (Request, error) {
	items := make([]Item, 0, len(units))
	// In sorted order, so that numbers don't depend on the order of the map.
	for _, name := range slices.Sorted(maps.Keys(units)) {
		amount, err := FromFloat(units[name])
		if err != nil {
			return Request{}, fmt.Errorf("resource %q: %w", name, err)
		}
		if amount == 0 {
			continue
		}
		id, err := n.ID(name)
		if err != nil {
			return Request{}, err
		}
		items = append(items, Item{ID: id, Amount: amount})
	}
	return NewRequest(items...)
}
