package node

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"thornback/core/owner"
)

// Streams, as numbered in frames.
const (
	streamOut  = 1
	streamErr  = 2
	streamBlob = 3 // an error that nobody has asked for
)

const (
	readChunk   = 64 << 10
	lineMax     = 64 << 10 // a line that is longer is passed on in pieces
	stderrLines = 20       // of a dead worker's stderr, in the error that users see
	stderrBytes = 16 << 10 // looked at for them
)

// Markers that workers write, before the first line of another task or actor than before.
var (
	taskMarker  = []byte(":task_name:")
	actorMarker = []byte(":actor_name:")
)

// logs follows the files that workers write to and passes whole lines on, with a prefix that says whose they are, as
// frames into a pipe: one byte stream, four bytes length (little-endian), text. Python prints them.
type logs struct {
	dir     string
	pipe    *os.File    // nil: nobody wants lines
	quiet   bool        // nobody wants the workers'
	blobs   chan []byte // errors on their way to the pipe
	inotify *os.File
	done    sync.WaitGroup

	mu      sync.Mutex
	writing sync.Mutex         // one frame at a time
	files   map[string]*stream // guarded by mu; by file name
	closed  bool               // guarded by mu
}

// workerLogs are the two files of one worker.
type workerLogs struct {
	l        *logs
	out, err *stream
}

// stream is one file that grows.
type stream struct {
	path   string
	number byte

	hintMu sync.Mutex // guards hint alone: it is written under the node's lock, and mu is held while files are read
	hint   string     // of what the worker was given last: for output that doesn't go through Python and has no marker

	mu      sync.Mutex // guards all below
	pid     int
	offset  int64
	partial []byte // the line that has no end yet
	name    string // of the task or actor whose output follows, by the file's last marker
}

// newLogs makes logs that can take notes and follow nothing yet. Without a pipe, or descriptors for one, nothing is passed
// on.
func newLogs(pipeFD int, quiet bool) *logs {
	l := &logs{files: map[string]*stream{}, quiet: quiet, blobs: make(chan []byte, blobsMax)}
	if pipeFD >= 0 {
		if fd, err := unix.FcntlInt(uintptr(pipeFD), unix.F_DUPFD_CLOEXEC, 3); err == nil {
			l.pipe = os.NewFile(uintptr(fd), "logs")
			l.done.Add(1)
			go l.tell()
		}
	}
	return l
}

// blobsMax is how many errors may wait for the driver to print them; more are not told.
const blobsMax = 256

// tell writes errors to the pipe.
func (l *logs) tell() {
	defer l.done.Done()
	for b := range l.blobs {
		l.frame(streamBlob, b)
	}
}

// unhandled has an error told that nobody has asked for. Preconditions: the node's lock held, and the node open.
func (l *logs) unhandled(blob []byte) {
	if l.pipe == nil {
		return
	}
	select {
	case l.blobs <- blob:
	default: // a flood: those in front say what happens
	}
}

// watch begins to follow the files of a folder.
func (l *logs) watch(dir string) error {
	l.dir = dir
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return fmt.Errorf("node: inotify: %w", err)
	}
	l.inotify = os.NewFile(uintptr(fd), "inotify")
	if _, err := unix.InotifyAddWatch(fd, l.dir, unix.IN_MODIFY); err != nil {
		return errors.Join(fmt.Errorf("node: watch %s: %w", l.dir, err), l.inotify.Close())
	}
	l.done.Add(1)
	go l.follow()
	return nil
}

// add names the files of a new worker.
func (l *logs) add(incarnation uint64) *workerLogs {
	base := filepath.Join(l.dir, fmt.Sprintf("worker-%d", incarnation))
	w := &workerLogs{l, &stream{path: base + ".out", number: streamOut}, &stream{path: base + ".err", number: streamErr}}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.files[filepath.Base(w.out.path)] = w.out
	l.files[filepath.Base(w.err.path)] = w.err
	return w
}

func (w *workerLogs) paths() (string, string) { return w.out.path, w.err.path }

func (w *workerLogs) setPID(pid int) {
	for _, s := range []*stream{w.out, w.err} {
		s.mu.Lock()
		s.pid = pid
		s.mu.Unlock()
	}
}

// hint tells what the worker was given last.
func (w *workerLogs) hint(t *owner.Template) {
	name := t.Name
	if t.ClassName != "" {
		name = t.ClassName
	}
	for _, s := range []*stream{w.out, w.err} {
		s.hintMu.Lock()
		s.hint = name
		s.hintMu.Unlock()
	}
}

// end passes on what is left and forgets the files.
func (w *workerLogs) end() {
	for _, s := range []*stream{w.out, w.err} {
		w.l.pass(s, true)
	}
	w.l.mu.Lock()
	defer w.l.mu.Unlock()
	delete(w.l.files, filepath.Base(w.out.path))
	delete(w.l.files, filepath.Base(w.err.path))
}

// lastLines returns the end of the worker's stderr, without markers.
func (w *workerLogs) lastLines() string {
	f, err := os.Open(w.err.path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.Size() > stderrBytes {
		if _, err := f.Seek(-stderrBytes, 2); err != nil {
			return ""
		}
	}
	b := make([]byte, stderrBytes)
	k, _ := f.Read(b) // an empty file gives io.EOF and no bytes
	var keep []string
	for _, line := range strings.Split(strings.TrimRight(string(b[:k]), "\n"), "\n") {
		if !strings.HasPrefix(line, string(taskMarker)) && !strings.HasPrefix(line, string(actorMarker)) {
			keep = append(keep, line)
		}
	}
	return tail(strings.ToValidUTF8(strings.Join(keep, "\n"), "\uFFFD"), stderrLines)
}

// follow waits for files to grow.
func (l *logs) follow() {
	defer l.done.Done()
	buf := make([]byte, 16<<10)
	for {
		k, err := l.inotify.Read(buf)
		if err != nil {
			return // closed
		}
		grown := map[string]struct{}{}
		for off := 0; off+unix.SizeofInotifyEvent <= k; {
			nameLen := int(binary.LittleEndian.Uint32(buf[off+12:]))
			name := buf[off+unix.SizeofInotifyEvent : off+unix.SizeofInotifyEvent+nameLen]
			grown[string(bytes.TrimRight(name, "\x00"))] = struct{}{}
			off += unix.SizeofInotifyEvent + nameLen
		}
		for name := range grown {
			l.mu.Lock()
			s := l.files[name]
			l.mu.Unlock()
			if s != nil {
				l.pass(s, false)
			}
		}
	}
}

// pass reads what a file has more than before and writes its whole lines, or with all set everything, to the pipe.
func (l *logs) pass(s *stream, all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := os.Open(s.path)
	if err != nil {
		return // the worker has not got so far, or the folder was removed
	}
	defer f.Close()
	buf := make([]byte, readChunk)
	for {
		k, _ := f.ReadAt(buf, s.offset) // the end of the file is what stops us
		if k == 0 {
			break
		}
		s.offset += int64(k)
		if lines := s.lines(buf[:k]); !l.quiet {
			l.frame(s.number, lines)
		}
	}
	if all && len(s.partial) > 0 && !l.quiet {
		l.frame(s.number, s.lines([]byte("\n")))
	}
}

// lines takes markers out and puts the prefix before each line. Preconditions: s.mu held.
func (s *stream) lines(b []byte) []byte {
	s.partial = append(s.partial, b...)
	var out []byte
	for {
		i := bytes.IndexByte(s.partial, '\n')
		if i < 0 && len(s.partial) > lineMax {
			s.partial = append(s.partial, '\n')
			i = len(s.partial) - 1
		}
		if i < 0 {
			if len(s.partial) == 0 {
				s.partial = nil
			}
			return out
		}
		line := s.partial[:i+1]
		s.partial = s.partial[i+1:]
		if name, ok := bytes.CutPrefix(line, taskMarker); ok {
			s.name = string(bytes.TrimRight(name, "\n"))
			continue
		}
		if name, ok := bytes.CutPrefix(line, actorMarker); ok {
			s.name = string(bytes.TrimRight(name, "\n"))
			continue
		}
		name := s.name
		if name == "" {
			name = s.hinted()
		}
		if name == "" {
			out = fmt.Appendf(out, "(pid=%d) %s", s.pid, line)
		} else {
			out = fmt.Appendf(out, "(%s pid=%d) %s", name, s.pid, line)
		}
	}
}

func (s *stream) hinted() string {
	s.hintMu.Lock()
	defer s.hintMu.Unlock()
	return s.hint
}

// lost tells the user that what workers print cannot be written to their files.
func (l *logs) lost(reason unix.Errno) {
	l.note(fmt.Sprintf("what workers print can't be written to %s: %v. It is lost; work goes on.", l.dir, reason))
}

// note tells the user something on stderr, in the engine's own name.
func (l *logs) note(text string) {
	go l.frame(streamErr, []byte("thornback: "+strings.TrimRight(text, "\n")+"\n"))
}

// frame writes to the pipe. It may block, when the driver doesn't read; so callers hold no lock but a stream's.
func (l *logs) frame(number byte, text []byte) {
	if l.pipe == nil || len(text) == 0 {
		return
	}
	b := make([]byte, 5, 5+len(text))
	b[0] = number
	binary.LittleEndian.PutUint32(b[1:], uint32(len(text)))
	l.writing.Lock()
	defer l.writing.Unlock()
	_, _ = l.pipe.Write(append(b, text...)) // the reader may have gone: then nobody wants lines
}

// close passes on everything that is in the files and stops following.
func (l *logs) close() {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	l.closed = true
	files := l.files
	l.files = map[string]*stream{}
	l.mu.Unlock()
	if l.inotify != nil {
		_ = l.inotify.Close() // ends follow
	}
	close(l.blobs) // ends tell
	l.done.Wait()
	for _, s := range files {
		l.pass(s, true)
	}
	if l.pipe != nil {
		_ = l.pipe.Close()
	}
}
