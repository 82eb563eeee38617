package event

import (
	"bytes"
	"fmt"
	"testing"

	"thornback/core/offheap"
)

func numbers(l *Log, before uint64, limit int) (ids []uint64, rest uint64) {
	rest = l.Tasks.Back(before, limit, func(t *Task) bool {
		ids = append(ids, t.ID)
		return true
	})
	return ids, rest
}

func fill(l *Log, from, to uint64) {
	for id := from; id <= to; id++ {
		*l.Tasks.Add() = Task{ID: id}
	}
}

func newLog(t *testing.T, tasks int) *Log {
	t.Helper()
	region := &offheap.Region{}
	t.Cleanup(func() {
		if err := region.Close(); err != nil {
			t.Error(err)
		}
	})
	return NewLog(region, tasks, 10)
}

func TestTheNewestAreKept(t *testing.T) {
	t.Parallel()
	l := newLog(t, 2*chunkLen)
	if l.Tasks.Last() != nil {
		t.Error("a last record of none")
	}
	fill(l, 1, 5)
	if last := l.Tasks.Last(); last.ID != 5 {
		t.Errorf("the last is %d", last.ID)
	}
	if ids, rest := numbers(l, l.Tasks.Next(), 100); fmt.Sprint(ids) != "[5 4 3 2 1]" || rest != 0 {
		t.Errorf("%v, %d", ids, rest)
	}
	fill(l, 6, 2*chunkLen+7)
	if l.Tasks.Len() != 2*chunkLen || l.Tasks.Dropped() != 7 {
		t.Errorf("%d kept, %d dropped", l.Tasks.Len(), l.Tasks.Dropped())
	}
	if last := l.Tasks.Last(); last.ID != 2*chunkLen+7 {
		t.Errorf("the last is %d", last.ID)
	}
	ids, rest := numbers(l, l.Tasks.Next(), 1<<20)
	if len(ids) != 2*chunkLen || ids[0] != 2*chunkLen+7 || ids[len(ids)-1] != 8 || rest != 0 {
		t.Errorf("%d from %d to %d, %d", len(ids), ids[0], ids[len(ids)-1], rest)
	}
}

// Between two pages records may be added; what they overwrite is not told as something that it is not.
func TestPages(t *testing.T) {
	t.Parallel()
	l := newLog(t, chunkLen)
	fill(l, 1, chunkLen)
	ids, rest := numbers(l, l.Tasks.Next(), chunkLen-2)
	if ids[len(ids)-1] != 3 || rest != 2 {
		t.Fatalf("to %d, %d left", ids[len(ids)-1], rest)
	}
	fill(l, 5001, 5001)
	if ids, rest = numbers(l, rest, 100); fmt.Sprint(ids) != "[2]" || rest != 0 {
		t.Errorf("%v, %d", ids, rest)
	}
	fill(l, 5002, 5010)
	if ids, rest = numbers(l, 2, 100); ids != nil || rest != 0 {
		t.Errorf("%v, %d", ids, rest)
	}
}

func TestNothingIsKept(t *testing.T) {
	t.Parallel()
	l := newLog(t, 0)
	if l.Tasks.Add() != nil || l.Tasks.Len() != 0 || l.TakeError([]byte("x")) != 0 {
		t.Error("something is kept")
	}
	if ids, rest := numbers(l, l.Tasks.Next(), 10); ids != nil || rest != 0 {
		t.Errorf("%v, %d", ids, rest)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	l := newLog(t, chunkLen)
	if l.TakeError(nil) != 0 || l.TakeError(make([]byte, errorBytesMax+1)) != 0 {
		t.Error("an error that is none, or too large, is kept")
	}
	blob := []byte("first")
	first := Task{Error: l.TakeError(blob)}
	blob[0] = 'X'
	if got := l.ErrorOf(&first); !bytes.Equal(got, []byte("first")) {
		t.Errorf("%q", got)
	}
	var last Task
	for i := range errorsMax {
		last.Error = l.TakeError(fmt.Append(nil, i))
	}
	if got := l.ErrorOf(&last); string(got) != fmt.Sprint(errorsMax-1) {
		t.Errorf("%q", got)
	}
	if got := l.ErrorOf(&first); got != nil {
		t.Errorf("a forgotten error is %q", got)
	}
	if l.ErrorOf(&Task{}) != nil {
		t.Error("an error of a task without")
	}
}

func BenchmarkAdd(b *testing.B) {
	region := &offheap.Region{}
	l := NewLog(region, 100_000, 10)
	for i := 0; b.Loop(); i++ {
		*l.Tasks.Add() = Task{ID: uint64(i), Submitted: 1, Ended: int64(i)}
	}
	if err := region.Close(); err != nil {
		b.Fatal(err)
	}
}
