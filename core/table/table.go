// Package table filters rows of any kind by their columns and turns them into what goes out as JSON.
package table

import (
	"fmt"
	"strconv"
	"strings"
)

// Column is a named value of a row: a string, a number, a bool, something that marshals, or nil.
type Column[R any] struct {
	Name   string
	Value  func(*R) any
	Detail bool // only shown when asked for
}

// Filter keeps the rows whose column is, or is not, a value. Texts are compared without regard to case; what is nil is
// equal to nothing.
type Filter struct {
	Column string `json:"column"`
	Equal  bool   `json:"equal"`
	Value  string `json:"value"`
}

// Table knows the columns of rows of one kind.
type Table[R any] struct {
	columns []Column[R]
	byName  map[string]func(*R) any
}

// New makes a table.
func New[R any](columns ...Column[R]) *Table[R] {
	t := &Table[R]{columns: columns, byName: map[string]func(*R) any{}}
	for _, c := range columns {
		t.byName[c.Name] = c.Value
	}
	return t
}

// Matcher returns what tells whether a row passes all filters.
func (t *Table[R]) Matcher(filters []Filter) (func(*R) bool, error) {
	type test struct {
		value func(*R) any
		Filter
	}
	tests := make([]test, 0, len(filters))
	for _, f := range filters {
		value, ok := t.byName[f.Column]
		if !ok {
			return nil, fmt.Errorf("table: no column %q", f.Column)
		}
		tests = append(tests, test{value, f})
	}
	return func(r *R) bool {
		for i := range tests {
			text, ok := Text(tests[i].value(r))
			if (ok && strings.EqualFold(text, tests[i].Value)) != tests[i].Equal {
				return false
			}
		}
		return true
	}, nil
}

// Row returns a row's values by name.
func (t *Table[R]) Row(r *R, detail bool) map[string]any {
	row := make(map[string]any, len(t.columns))
	for _, c := range t.columns {
		if detail || !c.Detail {
			row[c.Name] = c.Value(r)
		}
	}
	return row
}

// Text writes a value as filters do; false for nil.
func Text(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "", false
	case string:
		return v, true
	case uint64:
		return strconv.FormatUint(v, 10), true
	case int:
		return strconv.Itoa(v), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return fmt.Sprint(v), true
}
