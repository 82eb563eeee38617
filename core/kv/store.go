// Package kv decides what the session's small key-value table holds: what libraries keep there for one another under names, a
// few bytes each. Not safe for concurrent use: the node's lock guards it. It reads no clock and does no I/O.
package kv

import (
	"errors"
	"fmt"
	"sort"
	"strings"
)

// Limits: large values belong into the object store. A value with its key must fit a worker's record, base64 and all.
const (
	KeyBytesMax   = 4 << 10
	ValueBytesMax = 64 << 10
	TotalBytesMax = 64 << 20
	// PageBytesMax bounds one answer of List, for the same reason.
	PageBytesMax = 32 << 10
)

// ErrLimit is wrapped by the errors of Put.
var ErrLimit = errors.New("kv: limit exceeded")

// Store maps keys of namespaces to values.
type Store struct {
	spaces map[string]map[string][]byte
	bytes  int
}

// New returns an empty store.
func New() *Store { return &Store{spaces: map[string]map[string][]byte{}} }

// Put sets a value, unless the key has one and overwrite is false; it answers whether the key had one.
func (s *Store) Put(namespace, key string, value []byte, overwrite bool) (existed bool, err error) {
	if len(namespace)+len(key) > KeyBytesMax {
		return false, fmt.Errorf("%w: namespace and key have %d bytes, at most %d", ErrLimit, len(namespace)+len(key), KeyBytesMax)
	}
	if len(value) > ValueBytesMax {
		return false, fmt.Errorf("%w: the value has %d bytes, at most %d; use ray.put() for large values", ErrLimit, len(value),
			ValueBytesMax)
	}
	old, existed := s.spaces[namespace][key]
	if existed && !overwrite {
		return true, nil
	}
	grown := s.bytes + len(value) - len(old)
	if !existed {
		grown += len(namespace) + len(key)
	}
	if grown > TotalBytesMax {
		return existed, fmt.Errorf("%w: the table would have %d bytes, at most %d", ErrLimit, grown, TotalBytesMax)
	}
	space := s.spaces[namespace]
	if space == nil {
		space = map[string][]byte{}
		s.spaces[namespace] = space
	}
	space[key] = append([]byte(nil), value...)
	s.bytes = grown
	return existed, nil
}

// Get returns a key's value.
func (s *Store) Get(namespace, key string) ([]byte, bool) {
	value, ok := s.spaces[namespace][key]
	return value, ok
}

// Delete removes a key, or all that begin with it, and returns how many there were.
func (s *Store) Delete(namespace, key string, prefix bool) int {
	space := s.spaces[namespace]
	n := 0
	remove := func(k string) {
		s.bytes -= len(namespace) + len(k) + len(space[k])
		delete(space, k)
		n++
	}
	if !prefix {
		if _, ok := space[key]; ok {
			remove(key)
		}
	} else {
		for k := range space {
			if strings.HasPrefix(k, key) {
				remove(k)
			}
		}
	}
	if len(space) == 0 {
		delete(s.spaces, namespace)
	}
	return n
}

// List returns the keys that begin with prefix and come after `after`, in order, as many as fit one answer, and whether there
// are more.
func (s *Store) List(namespace, prefix, after string) (keys []string, more bool) {
	for k := range s.spaces[namespace] {
		if strings.HasPrefix(k, prefix) && k > after {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	total := 0
	for i, k := range keys {
		// One key always fits.
		if total += len(k) + 16; total > PageBytesMax && i > 0 {
			return keys[:i], true
		}
	}
	return keys, false
}

// Bytes returns how much the table holds, keys included.
func (s *Store) Bytes() int { return s.bytes }
