package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"thornback/core/futex"
	"thornback/core/owner"
	"thornback/core/wire"
)

// Packets between node and zygote: one kind byte, then JSON. See python/thornback/_zygote.py.
const (
	packetBoot  = 'B'
	packetFork  = 'F' // also the zygote's answer
	packetKill  = 'K'
	packetPoke  = 'I' // SIGINT: look for a CANCEL
	packetReady = 'R'
	packetExit  = 'X'
)

// closeWait is how long the zygote may take to end everything before it is killed itself.
const closeWait = 3 * time.Second

// zygote is the node's end of the process that workers are forked from and that knows when they end.
type zygote struct {
	n      *Node
	conn   *net.UnixConn
	cmd    *os.Process
	early  *os.File // what it prints before it is ready
	ready  bool     // of the reader's goroutine
	out    chan packet
	gone   chan struct{} // closed when its process has been waited for
	reader sync.WaitGroup
	once   sync.Once
}

type packet struct {
	data []byte
	fds  []int // closed after sending
}

// startZygote forks and executes the zygote and sends it the boot message.
func startZygote(n *Node) (*zygote, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("node: socketpair: %w", err)
	}
	mine, theirs := os.NewFile(uintptr(fds[0]), "zygote"), os.NewFile(uintptr(fds[1]), "node")
	defer theirs.Close()
	c, err := net.FileConn(mine)
	if err := errors.Join(err, mine.Close()); err != nil {
		return nil, fmt.Errorf("node: zygote socket: %w", err)
	}
	z := &zygote{n: n, conn: c.(*net.UnixConn), out: make(chan packet, 1024), gone: make(chan struct{})}
	if z.cmd, err = z.exec(theirs); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	go func() {
		// The only error is that somebody else has waited for it; it is gone either way.
		_, _ = z.cmd.Wait()
		close(z.gone)
	}()
	z.reader.Add(2)
	go z.write()
	go z.read()
	return z, nil
}

// boot tells the zygote what it needs to know, once the session's folder is there.
func (z *zygote) boot() {
	z.send(packetBoot, []byte(z.n.opts.Zygote.Boot), z.n.boardFD, z.n.store.FD())
}

func (z *zygote) exec(socket *os.File) (*os.Process, error) {
	o := z.n.opts
	// What it prints before it knows the session's folder.
	early, err := unix.MemfdCreate("thornback-zygote", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("node: memfd_create: %w", err)
	}
	z.early = os.NewFile(uintptr(early), "zygote")
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	defer null.Close()
	env := make([]string, 0, len(o.Zygote.Env))
	for k, v := range o.Zygote.Env {
		env = append(env, k+"="+v)
	}
	p, err := os.StartProcess(o.Zygote.Argv[0], o.Zygote.Argv, &os.ProcAttr{
		Env: env, Files: []*os.File{null, z.early, z.early, socket}, Sys: &syscall.SysProcAttr{},
	})
	if err != nil {
		return nil, fmt.Errorf("node: start of the zygote: %w", err)
	}
	return p, nil
}

// send queues a packet. Descriptors are duplicated, so that the caller keeps its own.
func (z *zygote) send(kind byte, body []byte, fds ...int) {
	p := packet{data: append([]byte{kind}, body...)}
	for _, fd := range fds {
		d, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			z.n.logs.note("a descriptor could not be duplicated: " + err.Error())
			p.close()
			return
		}
		p.fds = append(p.fds, d)
	}
	z.enqueue(p)
}

// enqueue hands a packet to the writer. The channel holds more packets than workers are started at a time; should it be
// full all the same, a goroutine waits instead of the caller, who has the lock.
func (z *zygote) enqueue(p packet) {
	select {
	case z.out <- p:
	default:
		go func() {
			select {
			case z.out <- p:
			case <-z.gone:
				p.close()
			}
		}()
	}
}

func (p packet) close() {
	for _, fd := range p.fds {
		_ = unix.Close(fd) // a descriptor that was only passed on
	}
}

// fork asks for a worker process; fd is its channel and is closed.
func (z *zygote) fork(w *worker, fd int) {
	out, errOut := w.logs.paths()
	body := jsonText(map[string]any{
		"worker": w.id, "arena_bytes": len(z.n.store.Memory()), "session": z.n.opts.Session, "out": out, "err": errOut,
	})
	z.enqueue(packet{data: append([]byte{packetFork}, body...), fds: []int{fd}})
}

func (z *zygote) kill(pid int) { z.send(packetKill, jsonText(map[string]any{"pid": pid})) }

func (z *zygote) interrupt(pid int) { z.send(packetPoke, jsonText(map[string]any{"pid": pid})) }

// write sends queued packets until the zygote is gone.
func (z *zygote) write() {
	defer z.reader.Done()
	for {
		select {
		case p := <-z.out:
			var oob []byte
			if len(p.fds) > 0 {
				oob = unix.UnixRights(p.fds...)
			}
			_, _, err := z.conn.WriteMsgUnix(p.data, oob, nil)
			p.close()
			if err != nil {
				return // the reader sees the end, and tells
			}
		case <-z.gone:
			return
		}
	}
}

// read follows what the zygote says. When it ends, so do all workers.
func (z *zygote) read() {
	defer z.reader.Done()
	buf := make([]byte, 64<<10)
	for {
		k, err := z.conn.Read(buf)
		if err != nil || k == 0 {
			break
		}
		var body struct {
			Worker owner.WorkerID `json:"worker"`
			PID    int            `json:"pid"`
			Status int            `json:"status"`
		}
		if err := json.Unmarshal(buf[1:k], &body); err != nil && buf[0] != packetReady {
			z.n.logs.note(fmt.Sprintf("the zygote said nonsense: %q", buf[:k]))
			continue
		}
		switch buf[0] {
		case packetReady:
			z.ready = true
		case packetFork:
			z.n.workerForked(body.Worker, body.PID)
		case packetExit:
			z.n.workerGone(body.Worker, body.PID, syscall.WaitStatus(body.Status))
		}
	}
	if z.n.ending() {
		return
	}
	if !z.ready {
		z.n.logs.note("the process that workers are forked from did not start: " + z.earlyText())
	}
	z.n.zygoteGone(z.ready)
}

// ending reports whether the session is being closed: then the zygote ends because it was told to.
func (n *Node) ending() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.closed
}

// earlyText is what the zygote printed before it was ready.
func (z *zygote) earlyText() string {
	b := make([]byte, stderrBytes)
	k, _ := z.early.ReadAt(b, 0) // shorter than b is no error here
	return tail(strings.ToValidUTF8(string(b[:k]), "\uFFFD"), stderrLines)
}

// close ends the zygote, which ends all workers, and waits for it.
func (z *zygote) close() error {
	var err error
	z.once.Do(func() {
		// Shutting the sending half down is the sign to end; the process is waited for and then killed.
		if raw, rawErr := z.conn.SyscallConn(); rawErr == nil {
			_ = raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_WR) })
		}
		select {
		case <-z.gone:
		case <-time.After(closeWait):
			err = fmt.Errorf("node: the zygote did not end in %s and was killed", closeWait)
			_ = z.cmd.Kill() // it may have ended this very moment
			<-z.gone
		}
		_ = z.conn.Close()
		z.reader.Wait()
		_ = z.early.Close()
		for len(z.out) > 0 {
			p := <-z.out
			p.close()
		}
	})
	return err
}

// workerForked says that the process of a worker exists.
func (n *Node) workerForked(id owner.WorkerID, pid int) {
	n.do(func() {
		if w := n.workerAt(id); w != nil && w.pid == 0 {
			w.pid = pid
			w.logs.setPID(pid)
			w.process.pid, w.process.forked = pid, n.now()
			if w.doomed {
				n.zygote.kill(pid)
			} else if w.poked {
				n.zygote.interrupt(pid)
			}
		}
	})
}

// workerGone says that the process of a worker has ended and was waited for.
func (n *Node) workerGone(id owner.WorkerID, pid int, status syscall.WaitStatus) {
	n.mu.Lock()
	w := n.workerAt(id)
	n.mu.Unlock()
	if w == nil || w.pid != pid && w.pid != 0 {
		return
	}
	c := owner.Cause{Message: "The worker process died unexpectedly.", Fields: map[string]string{
		"pid": fmt.Sprint(pid), "exit": exitText(status), "stderr": w.logs.lastLines(),
	}}
	n.do(func() { n.lose(w, c) })
}

func exitText(s syscall.WaitStatus) string {
	if s.Signaled() {
		return "signal " + unix.SignalName(s.Signal())
	}
	return fmt.Sprintf("exit code %d", s.ExitStatus())
}

// lose takes leave of a worker's process: what it still said counts, then its memory is given back. Preconditions: n.mu
// held.
func (n *Node) lose(w *worker, c owner.Cause) {
	if n.workerAt(w.id) != w {
		return
	}
	now := n.now()
	w.process.wanted = w.doomed || w.exiting
	w.doomed = true // nothing more is sent
	for n.read(w, readMax, now) {
	}
	if w.ready {
		n.m.WorkerLost(w.id, c, now)
	} else {
		n.logs.note(fmt.Sprintf("a worker ended before it was ready: %s\n%s", c.Fields["exit"], c.Fields["stderr"]))
		n.startFailed()
	}
	for off := range w.spans {
		n.FreeExtent(off)
	}
	for _, s := range w.taskSpans {
		n.FreeExtent(s.offset)
	}
	if futex.Word(w.mem, wire.CtlCounted).Swap(0) != 0 {
		futex.Word(n.board, wire.BoardActive).Add(^uint32(0))
	}
	if len(w.replies) > 0 {
		n.unsent--
	}
	n.metrics.Gone(w.incarnation)
	n.processes.end(w.process, now, c.Fields["exit"])
	n.workers[w.id] = nil
	if err := w.unmap(); err != nil {
		n.logs.note(err.Error())
	}
	n.after = append(n.after, w.logs.end)
}

// startFailed counts a worker that could not be started. Its place is asked for again at once the first time, then ever
// later, so that a broken environment is not a storm of processes. Preconditions: n.mu held.
func (n *Node) startFailed() {
	n.failures++
	if n.failures == 1 {
		n.m.WorkerFailed()
		return
	}
	time.AfterFunc(min(startBackoff<<n.failures, startBackoffMax), func() { n.do(n.m.WorkerFailed) })
}

// zygoteGone ends all workers' books when the zygote died by itself, and starts another, later if this one never was ready.
func (n *Node) zygoteGone(wasReady bool) {
	if !wasReady {
		time.Sleep(startBackoffMax / 10)
	}
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return
	}
	workers := append([]*worker(nil), n.workers...)
	n.mu.Unlock()
	z, err := startZygote(n)
	n.do(func() {
		if err != nil {
			n.logs.note("the zygote ended and could not be started again: " + err.Error())
		} else {
			n.zygote = z
			z.boot()
		}
		for _, w := range workers {
			if w != nil {
				n.lose(w, owner.Cause{Message: "The process that workers are forked from ended, and with it all workers.",
					Fields: map[string]string{"pid": fmt.Sprint(w.pid), "exit": "signal SIGKILL", "stderr": w.logs.lastLines()}})
			}
		}
	})
}

// retireLater ends workers that are idle for long beyond one for each CPU. Preconditions: n.mu held.
func (n *Node) retireLater() {
	if n.reaper != nil || n.m.Stats().Pooled <= max(1, int(n.opts.NumCPUs)) {
		return
	}
	n.reaper = time.AfterFunc(idleKeep, func() {
		n.do(func() {
			n.reaper = nil
			n.m.Retire(max(1, int(n.opts.NumCPUs)))
			n.retireLater()
		})
	})
}

// jsonText is for maps that always marshal.
func jsonText(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("node: " + err.Error())
	}
	return b
}

// tail returns the last lines of a text.
func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
