package table

import (
	"fmt"
	"testing"
)

type row struct {
	name string
	n    uint64
	on   bool
}

var rows = New(
	Column[row]{Name: "name", Value: func(r *row) any {
		if r.name == "" {
			return nil
		}
		return r.name
	}},
	Column[row]{Name: "n", Value: func(r *row) any { return r.n }},
	Column[row]{Name: "on", Value: func(r *row) any { return r.on }},
	Column[row]{Name: "more", Value: func(r *row) any { return int(r.n) + 1 }, Detail: true},
)

func TestFilters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		filters []Filter
		r       row
		want    bool
	}{
		{nil, row{}, true},
		{[]Filter{{"name", true, "ABC"}}, row{name: "abc"}, true},
		{[]Filter{{"name", false, "ABC"}}, row{name: "abc"}, false},
		{[]Filter{{"name", true, ""}}, row{}, false},
		{[]Filter{{"name", false, ""}}, row{}, true},
		{[]Filter{{"n", true, "18446744073709551615"}}, row{n: 1<<64 - 1}, true},
		{[]Filter{{"n", true, "01"}}, row{n: 1}, false},
		{[]Filter{{"on", true, "true"}, {"n", true, "2"}}, row{n: 2, on: true}, true},
		{[]Filter{{"on", true, "true"}, {"n", true, "3"}}, row{n: 2, on: true}, false},
		{[]Filter{{"more", true, "3"}}, row{n: 2}, true},
	} {
		match, err := rows.Matcher(c.filters)
		if err != nil {
			t.Fatal(err)
		}
		if got := match(&c.r); got != c.want {
			t.Errorf("%v on %v: %v", c.filters, c.r, got)
		}
	}
	if _, err := rows.Matcher([]Filter{{"none", true, "x"}}); err == nil {
		t.Error("a column that is not there")
	}
}

func TestRow(t *testing.T) {
	t.Parallel()
	r := row{name: "a", n: 2}
	if got := fmt.Sprint(rows.Row(&r, false)); got != "map[n:2 name:a on:false]" {
		t.Error(got)
	}
	if got := fmt.Sprint(rows.Row(&r, true)); got != "map[more:3 n:2 name:a on:false]" {
		t.Error(got)
	}
}
