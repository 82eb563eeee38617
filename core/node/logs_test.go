package node

import (
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// frames collects what logs write to their pipe.
type frames struct {
	mu   sync.Mutex
	text map[byte]string // guarded by mu; by stream
	done chan struct{}
}

func (f *frames) get(stream byte) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.text[stream]
}

func (f *frames) wait(t *testing.T, stream byte, want string) {
	t.Helper()
	limit := time.Now().Add(10 * time.Second)
	for f.get(stream) != want {
		if time.Now().After(limit) {
			t.Fatalf("stream %d is %q, want %q", stream, f.get(stream), want)
		}
		time.Sleep(time.Millisecond)
	}
}

func startLogs(t *testing.T) (*logs, *frames) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	l := newLogs(int(w.Fd()), false)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.watch(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	f := &frames{text: map[byte]string{}, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		head := make([]byte, 5)
		for {
			if _, err := io.ReadFull(r, head); err != nil {
				return // the last writer has gone
			}
			b := make([]byte, binary.LittleEndian.Uint32(head[1:]))
			if _, err := io.ReadFull(r, b); err != nil {
				return
			}
			f.mu.Lock()
			f.text[head[0]] += string(b)
			f.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		l.close()
		l.close()
		<-f.done
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return l, f
}

// appendTo writes to a file as a worker does.
func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	l, f := startLogs(t)
	w := l.add(3)
	w.setPID(42)
	out, errOut := w.paths()
	appendTo(t, out, "before any task\n")
	f.wait(t, streamOut, "(pid=42) before any task\n")
	appendTo(t, out, ":task_name:f\none\ntw")
	f.wait(t, streamOut, "(pid=42) before any task\n(f pid=42) one\n")
	appendTo(t, out, "o\n\n")
	f.wait(t, streamOut, "(pid=42) before any task\n(f pid=42) one\n(f pid=42) two\n(f pid=42) \n")
	appendTo(t, errOut, ":actor_name:A\nwarning\n:task_name:g\noops, and no end")
	f.wait(t, streamErr, "(A pid=42) warning\n")
	appendTo(t, filepath.Join(l.dir, "zygote.log"), "not a worker's\n")
	w.end()
	f.wait(t, streamErr, "(A pid=42) warning\n(g pid=42) oops, and no end\n")
	appendTo(t, out, "after its end\n")
	other := l.add(4)
	other.setPID(43)
	path, _ := other.paths()
	appendTo(t, path, "another")
	l.close() // passes on what has no end
	<-f.done
	want := "(pid=42) before any task\n(f pid=42) one\n(f pid=42) two\n(f pid=42) \n(pid=43) another\n"
	if got := f.get(streamOut); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Lines come through whole, however the file grows.
func TestLongLogs(t *testing.T) {
	t.Parallel()
	l, f := startLogs(t)
	w := l.add(1)
	w.setPID(7)
	out, _ := w.paths()
	line := strings.Repeat("0123456789", 20) + "\n"
	var want strings.Builder
	for i := range 2000 {
		appendTo(t, out, line[:i%len(line)])
		appendTo(t, out, line[i%len(line):])
		want.WriteString("(pid=7) " + line)
	}
	f.wait(t, streamOut, want.String())
}

func TestLastLines(t *testing.T) {
	t.Parallel()
	l, _ := startLogs(t)
	w := l.add(1)
	if got := w.lastLines(); got != "" {
		t.Errorf("%q of a file that is not there", got)
	}
	_, path := w.paths()
	appendTo(t, path, "")
	if got := w.lastLines(); got != "" {
		t.Errorf("%q of an empty file", got)
	}
	appendTo(t, path, strings.Repeat(strings.Repeat("x", 99)+"\n", 1000)+":task_name:f\nlast \xff\n")
	got := strings.Split(w.lastLines(), "\n")
	if len(got) != stderrLines || got[stderrLines-1] != "last \uFFFD" || len(got[0]) != 99 {
		t.Errorf("%d lines, %q ... %q", len(got), got[0], got[len(got)-1])
	}
}

func TestNoPipe(t *testing.T) {
	t.Parallel()
	l := newLogs(-1, false)
	if err := l.watch(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	w := l.add(1)
	out, _ := w.paths()
	appendTo(t, out, "unheard\n")
	w.end()
	l.note("unheard")
	l.close()
	if err := newLogs(-1, false).watch(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a folder that is not there is watched")
	}
}
