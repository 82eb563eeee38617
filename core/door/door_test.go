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
	"strings"
	"testing"
	"time"
)

func open(t *testing.T, answer Answer) string {
	t.Helper()
	// Longer than the name of a socket may be.
	folder := filepath.Join(t.TempDir(), strings.Repeat("f", 120))
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	d, err := Open(folder, answer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(folder, Name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket is still there: %v", err)
		}
	})
	return folder
}

func dial(t *testing.T, folder string) net.Conn {
	t.Helper()
	f, err := os.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c, err := net.Dial("unix", fmt.Sprintf("/proc/self/fd/%d/%s", f.Fd(), Name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(text)))
	if _, err := c.Write(append(b, text...)); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, c net.Conn) string {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var head [4]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, binary.LittleEndian.Uint32(head[:]))
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func closed(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the client is still connected: %d bytes, %v", n, err)
	}
}

func echo(op string, request json.RawMessage) (any, error) {
	switch op {
	case "echo":
		return request, nil
	case "big":
		return strings.Repeat("x", 8<<20), nil
	case "long":
		return strings.Repeat("x", answerBytesMax), nil
	}
	return nil, errors.New("no operation " + op)
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	c := dial(t, open(t, echo))
	for _, x := range [][2]string{
		{`{"op": "echo", "request": {"a": [1, 2]}}`, `{"answer":{"a":[1,2]}}`},
		{`{"op": "none"}`, `{"error":"no operation none"}`},
		{`{}`, `{"error":"no operation "}`},
	} {
		send(t, c, x[0])
		if got := receive(t, c); got != x[1] {
			t.Errorf("%s gave %s, not %s", x[0], got, x[1])
		}
	}
}

func TestNonsenseIsAnswered(t *testing.T) {
	t.Parallel()
	c := dial(t, open(t, echo))
	for _, text := range []string{"", "{", "[1]", "\xff\xfe", `{"op": 3}`} {
		send(t, c, text)
		if got := receive(t, c); !strings.HasPrefix(got, `{"error":"door: a request that is no JSON object`) {
			t.Errorf("%q gave %s", text, got)
		}
	}
	send(t, c, `{"op": "long"}`)
	if got := receive(t, c); !strings.Contains(got, "ask for less") {
		t.Errorf("a huge answer gave %.80s", got)
	}
}

func TestHugeLengthCutsOff(t *testing.T) {
	t.Parallel()
	folder := open(t, echo)
	c := dial(t, folder)
	if _, err := c.Write([]byte{0xff, 0xff, 0xff, 0xff, 'x'}); err != nil {
		t.Fatal(err)
	}
	closed(t, c)
	other := dial(t, folder)
	send(t, other, `{"op": "echo", "request": 1}`)
	if got := receive(t, other); got != `{"answer":1}` {
		t.Errorf("after a bad client: %s", got)
	}
}

// A client that stops in the middle of a request, or reads no answers, keeps nobody waiting, Close included.
func TestSlowClientsHoldUpNobody(t *testing.T) {
	t.Parallel()
	folder := open(t, echo)
	half := dial(t, folder)
	if _, err := half.Write([]byte{100, 0, 0, 0, '{'}); err != nil {
		t.Fatal(err)
	}
	deaf := dial(t, folder)
	send(t, deaf, `{"op": "big"}`)
	c := dial(t, folder)
	send(t, c, `{"op": "echo", "request": 2}`)
	if got := receive(t, c); got != `{"answer":2}` {
		t.Errorf("beside slow clients: %s", got)
	}
}

func TestTooManyClients(t *testing.T) {
	t.Parallel()
	folder := open(t, echo)
	for range clientsMax {
		c := dial(t, folder)
		send(t, c, `{"op": "echo", "request": 3}`) // answered: it is in
		receive(t, c)
	}
	closed(t, dial(t, folder))
}

func TestOpenWithoutFolder(t *testing.T) {
	t.Parallel()
	if _, err := Open(filepath.Join(t.TempDir(), "none"), echo); err == nil {
		t.Error("a door in a folder that is not there")
	}
}
