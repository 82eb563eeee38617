// Package door is the one named socket of a node: a Unix socket in the session's folder, through which other processes of the
// same user ask how the node does. It moves bytes; what may be asked, and what the answers are, is the caller's.
//
// A message is its length, four bytes, little-endian, then JSON: {"op": text, "request": anything} in, {"answer": anything}
// or {"error": text} out. Nothing that a client does can hold up another client or the node: each has a goroutine of its
// own, their number, the sizes and the times are limited, and who exceeds a limit is cut off.
package door

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Name is the socket's name in the folder.
const Name = "socket"

// Limits.
const (
	clientsMax      = 32
	requestBytesMax = 64 << 10
	answerBytesMax  = 64 << 20
	idleMax         = time.Minute      // between two requests of a client
	readMax         = 5 * time.Second  // for a request, once its length is there
	writeMax        = 10 * time.Second // for an answer
)

// Answer answers an operation. It is called from any number of goroutines at once.
type Answer func(op string, request json.RawMessage) (any, error)

// Door is an open socket.
type Door struct {
	listener *net.UnixListener
	path     string
	answer   Answer
	done     sync.WaitGroup

	mu      sync.Mutex
	clients map[*net.UnixConn]struct{} // guarded by mu; nil once closed
}

// Open makes the socket in a folder that exists, and answers from then on.
func Open(folder string, answer Answer) (*Door, error) {
	path := filepath.Join(folder, Name)
	l, err := listen(folder)
	if err != nil {
		return nil, fmt.Errorf("door: %s: %w", path, err)
	}
	l.SetUnlinkOnClose(false) // its name is only right while the folder is open
	d := &Door{listener: l, path: path, answer: answer, clients: map[*net.UnixConn]struct{}{}}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("door: %w", err), l.Close())
	}
	d.done.Add(1)
	go d.accept()
	return d, nil
}

// listen goes through the folder's descriptor: the name of a socket is limited to 107 bytes, that of a folder is not.
func listen(folder string) (*net.UnixListener, error) {
	f, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	name := fmt.Sprintf("/proc/self/fd/%d/%s", f.Fd(), Name)
	return net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
}

// Close removes the socket, cuts off all clients and waits until the last answer is done. Idempotent.
func (d *Door) Close() error {
	d.mu.Lock()
	clients := d.clients
	d.clients = nil
	d.mu.Unlock()
	if clients == nil {
		return nil
	}
	err := d.listener.Close()
	for c := range clients {
		_ = c.Close() // it may have gone by itself
	}
	d.done.Wait()
	if gone := os.Remove(d.path); gone != nil && !errors.Is(gone, os.ErrNotExist) {
		err = errors.Join(err, fmt.Errorf("door: %w", gone))
	}
	return err
}

// accept lets clients in. Those of other users, for whom the folder should have been closed, are shut out.
func (d *Door) accept() {
	defer d.done.Done()
	for {
		c, err := d.listener.AcceptUnix()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(readMax / 100) // out of descriptors, say: not a busy loop
			continue
		}
		if !allowed(c) || !d.enter(c) {
			_ = c.Close()
		}
	}
}

// allowed reports whether the process at the other end is this user's, or root's.
func allowed(c *net.UnixConn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	ok := false
	err = raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			ok = cred.Uid == uint32(os.Geteuid()) || cred.Uid == 0
		}
	})
	return err == nil && ok
}

// enter takes a client in; false when there are too many, or the door is closed.
func (d *Door) enter(c *net.UnixConn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.clients == nil || len(d.clients) >= clientsMax {
		return false
	}
	d.clients[c] = struct{}{}
	d.done.Add(1)
	go d.serve(c)
	return true
}

func (d *Door) serve(c *net.UnixConn) {
	defer d.done.Done()
	defer func() {
		_ = c.Close()
		d.mu.Lock()
		delete(d.clients, c)
		d.mu.Unlock()
	}()
	for {
		text, err := read(c)
		if err != nil {
			return
		}
		if err := write(c, d.reply(text)); err != nil {
			return
		}
	}
}

// read returns the next request.
func read(c *net.UnixConn) ([]byte, error) {
	var head [4]byte
	if err := c.SetReadDeadline(time.Now().Add(idleMax)); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n > requestBytesMax {
		return nil, fmt.Errorf("door: a request of %d bytes, limit %d", n, requestBytesMax)
	}
	if err := c.SetReadDeadline(time.Now().Add(readMax)); err != nil {
		return nil, err
	}
	text := make([]byte, n)
	_, err := io.ReadFull(c, text)
	return text, err
}

func write(c *net.UnixConn, text []byte) error {
	if err := c.SetWriteDeadline(time.Now().Add(writeMax)); err != nil {
		return err
	}
	b := make([]byte, 4, 4+len(text))
	binary.LittleEndian.PutUint32(b, uint32(len(text)))
	_, err := c.Write(append(b, text...))
	return err
}

// reply answers one request; what is wrong with it is an answer too.
func (d *Door) reply(text []byte) []byte {
	var r struct {
		Op      string          `json:"op"`
		Request json.RawMessage `json:"request"`
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return failed(fmt.Errorf("door: a request that is no JSON object: %w", err))
	}
	answer, err := d.answer(r.Op, r.Request)
	if err != nil {
		return failed(err)
	}
	b, err := json.Marshal(map[string]any{"answer": answer})
	if err != nil {
		return failed(fmt.Errorf("door: %s: %w", r.Op, err))
	}
	if len(b) > answerBytesMax {
		return failed(fmt.Errorf("door: the answer has %d bytes, limit %d: ask for less", len(b), answerBytesMax))
	}
	return b
}

func failed(err error) []byte {
	b, _ := json.Marshal(map[string]string{"error": err.Error()}) // a map of strings always marshals
	return b
}
