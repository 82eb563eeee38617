package node

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"thornback/core/owner"
	"thornback/core/wire"
)

// cancel cancels for the driver and returns the border's code.
func (n *testNode) cancel(h uint64, more string) int32 {
	n.t.Helper()
	_, code, _ := n.Control("cancel", fmt.Appendf(nil, `{"object":%d%s}`, h, more))
	return code
}

func (n *testNode) running(count int) {
	n.t.Helper()
	n.until("tasks to run", func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		for _, w := range n.workers {
			if w != nil && w.task.Unread() > 0 {
				return false
			}
		}
		return n.m.Stats().Running == count
	})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	n := openNode(t, "1", 1)
	patient, echo := n.task("patient", 0), n.task("echo", 0)
	runs := n.submit(patient, nil)
	n.running(1)
	// What is queued fails, and an argument that is too large for a ring with it.
	queued := n.submit(echo, bytes.Repeat([]byte("x"), 200<<10))
	if code := n.cancel(queued, ""); code != wire.OK {
		t.Fatalf("code %d", code)
	}
	if s, v := n.get(queued); s != owner.Failed || v[4] != wire.ErrTaskCancelled {
		t.Fatalf("state %d, %q", s, v)
	}
	// What runs gets the record, and its process the signal; what it gives counts.
	if code := n.cancel(runs, ""); code != wire.OK {
		t.Fatalf("code %d", code)
	}
	if s, v := n.get(runs); s != owner.Ready || string(v) != "canceled" {
		t.Fatalf("state %d, %q", s, v)
	}
	for _, h := range []uint64{runs, queued, 1 << 40} { // there, or gone
		if code := n.cancel(h, `,"force":true`); code != wire.OK {
			t.Fatalf("code %d", code)
		}
	}
	if code := n.cancel(runs, `,"force":"x"`); code != wire.EInval {
		t.Fatalf("code %d of malformed options", code)
	}
	if used := n.Store().Stats().Used; used != 0 {
		t.Fatalf("%d bytes left in the store", used)
	}
}

func TestCancelByWorker(t *testing.T) {
	t.Parallel()
	n := openNode(t, "1", 2)
	patient, cancels := n.task("patient", 0), n.task("cancels", 0)
	runs := n.submit(patient, nil)
	n.running(1)
	if s, v := n.get(n.submit(cancels, numbers(runs))); s != owner.Ready || string(v) != "{}" {
		t.Fatalf("state %d, %q", s, v)
	}
	if s, v := n.get(runs); s != owner.Ready || string(v) != "canceled" {
		t.Fatalf("state %d, %q", s, v)
	}
}

func TestForcedCancel(t *testing.T) {
	t.Parallel()
	n := openNode(t, "1", 1)
	runs := n.submit(n.task("patient", 5), nil)
	n.running(1)
	if code := n.cancel(runs, `,"force":true`); code != wire.OK {
		t.Fatalf("code %d", code)
	}
	s, v := n.get(runs)
	if s != owner.Failed || v[4] != wire.ErrTaskCancelled || strings.Contains(string(v), "SIGKILL") {
		t.Fatalf("state %d, %q", s, v)
	}
	if s, v := n.get(n.submit(n.task("echo", 0), []byte("after"))); s != owner.Ready || string(v) != "after" {
		t.Fatalf("state %d, %q", s, v)
	}
}
