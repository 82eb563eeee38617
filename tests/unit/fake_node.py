"""A node for one worker process, in Python: it speaks capi/wire.h over shared memory.

It shares no code with the real one, so that a test with it checks the specification and not an
agreement of two halves.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import platform
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

RING = 256 * 1024
RECORD_MAX = 112 * 1024
CHANNEL = 4096 + 3 * RING
BOARD = 64 * 5 + 64 * 8 + 64
ARENA = 16 << 20
VERSION = 2
SESSION = 0x5E55
WORKER = 3

DEFINE, TASK, REPLY, GRANT, EXIT, CANCEL, ROOM, READYREF = 1, 2, 3, 4, 5, 6, 7, 8
SITE = 7  # of whatever places there are
READY, DONE, REFS, SUBMIT, PUT, FREE, YIELD, WATCH = 16, 17, 18, 19, 20, 21, 22, 23
REQ_DEFINE, REQ_TEMPLATE, REQ_ALLOC, REQ_GET, REQ_WAIT, REQ_CONTROL, REQ_DROP, REQ_NEXT = range(
    32, 40
)
INLINE, STORE = 1, 2
PLAIN, CREATE, METHOD = 1, 2, 3
FUNCTION, CLASS = 1, 2
OK, ERROR, SYSTEM, LEFT, FINAL, QUIT = 0, 1, 2, 3, 4, 5
POLLED, GETTER, LAZY = 0, 1, 2

_SYS_FUTEX = {"x86_64": 202, "aarch64": 98}[platform.machine()]
_libc = ctypes.CDLL(None, use_errno=True)
LIMIT = 20.0


class Record(NamedTuple):
    """A message of the worker."""

    kind: int
    payload: bytes


class Done(NamedTuple):
    """A DONE message; values are (where, blob or (offset, length), references inside)."""

    task: int
    status: int
    exec_ns: int
    ended_ns: int
    values: list[tuple[int, object, list[int]]]


class Request(NamedTuple):
    """A request; body is what follows its head."""

    kind: int
    number: int
    task: int
    body: bytes


def pad(data: bytes, to: int = 8) -> bytes:
    """Return data with zeros up to a multiple."""
    return data + b"\0" * (-len(data) % to)


def blob(value: object) -> bytes:
    """Return the blob of a simple value, as codec.h says."""
    if value is None:
        return b"\0"
    if value is True:
        return b"\1"
    if value is False:
        return b"\2"
    if isinstance(value, int):
        return b"\3" + struct.pack("<q", value)
    if isinstance(value, float):
        return b"\4" + struct.pack("<d", value)
    if isinstance(value, str):
        return b"\5" + value.encode()
    if isinstance(value, bytes):
        return b"\6" + value
    raise TypeError(type(value))


def value_of(data: bytes) -> object:
    """Return the simple value of a blob."""
    tag, rest = data[0], data[1:]
    if tag < 3:
        return (None, True, False)[tag]
    if tag == 3:
        return struct.unpack("<q", rest[:8])[0]
    if tag == 4:
        return struct.unpack("<d", rest[:8])[0]
    if tag == 5:
        return rest.decode()
    if tag == 6:
        return rest
    raise ValueError(f"tag {tag}")


class Dep(NamedTuple):
    """An argument that is the task's dependency of this index."""

    index: int


def arguments(*args: object, **kwargs: object) -> bytes:
    """Return encoded arguments."""
    out = struct.pack("<II", len(args), len(kwargs))
    for name, value in [*((None, a) for a in args), *kwargs.items()]:
        if name is not None:
            out += struct.pack("<II", len(name.encode()), 0) + pad(name.encode())
        if isinstance(value, Dep):
            out += struct.pack("<II", 1, value.index)
        else:
            data = blob(value)
            out += struct.pack("<II", 0, len(data)) + pad(data)
    return out


def inline(data: bytes) -> bytes:
    """Return a value that stands in the message."""
    return struct.pack("<IIQQ", INLINE, 0, len(data), 0) + pad(data)


def stored(offset: int, length: int, handle: int = 0) -> bytes:
    """Return a value in the arena, with its handle where a task's dependency has one."""
    head = struct.pack("<IIQQ", STORE, 1 if handle else 0, length, offset)
    return head + (struct.pack("<Q", handle) if handle else b"")


class Ring:
    """One ring; the node writes two of them and reads the third."""

    def __init__(self, memory: mmap.mmap, control: int, data: int) -> None:
        self.memory, self.data = memory, data
        self.tail = ctypes.c_uint64.from_buffer(memory, control)
        self.head = ctypes.c_uint64.from_buffer(memory, control + 64)
        self.position = 0

    def write(self, kind: int, payload: bytes, flags: int = 0, claim: int = 0) -> bool:
        """Publish a record; False when the ring is full."""
        size = 16 + len(payload)
        space, rest = -(-size // 16) * 16, RING - self.position % RING
        want = space + (rest if rest < space else 0)
        if self.position + want - self.head.value > RING:
            return False
        if rest < space:
            struct.pack_into("<IHHII", self.memory, self._at(), rest, 0, 0, 0, 0)
            self.position += rest
        at = self._at()
        self.memory[at + 16 : at + size] = payload
        struct.pack_into("<IHHII", self.memory, at, size, kind, flags, claim, 0)
        self.position += space
        self.tail.value = self.position
        return True

    def read(self) -> tuple[int, int, bytes] | None:
        """Consume a record: kind, flags, payload."""
        while self.position != self.tail.value:
            at = self._at()
            size, kind, flags = struct.unpack_from("<IHH", self.memory, at)
            assert 16 <= size <= (RING if kind == 0 else RECORD_MAX)
            assert at - self.data + size <= RING
            payload = self.memory[at + 16 : at + size]
            self.position += -(-size // 16) * 16
            self.head.value = self.position
            if kind != 0:
                return kind, flags, payload
        return None

    def _at(self) -> int:
        return self.data + self.position % RING


class FakeNode:
    """One worker process and the memory shared with it. A context manager: ends the process."""

    def __init__(self, *, mode: int = GETTER) -> None:
        self.mode = mode
        self.fds = [os.memfd_create(name) for name in ("channel", "board", "arena")]
        for fd, size in zip(self.fds, (CHANNEL, BOARD, ARENA), strict=True):
            os.ftruncate(fd, size)
        sizes = (CHANNEL, BOARD, ARENA)
        channel, board, arena = (
            mmap.mmap(fd, size) for fd, size in zip(self.fds, sizes, strict=True)
        )
        self.arena = arena
        struct.pack_into("<II", channel, 0, VERSION, WORKER)
        struct.pack_into("<II", board, 0, VERSION, os.cpu_count() or 1)
        self._bell = ctypes.c_uint32.from_buffer(channel, 64)
        self.counted = ctypes.c_uint32.from_buffer(channel, 128)
        self._mode = ctypes.c_uint32.from_buffer(board, 64)
        self._getter = ctypes.c_uint32.from_buffer(board, 128)
        self.drainer = ctypes.c_uint32.from_buffer(board, 192)
        self.active = ctypes.c_uint32.from_buffer(board, 256)
        self._bits = ctypes.c_uint64.from_buffer(board, 320)
        self.task_ring = Ring(channel, 192, 4096)
        self.reply_ring = Ring(channel, 320, 4096 + RING)
        self.out_ring = Ring(channel, 448, 4096 + 2 * RING)
        self._mode.value = mode
        self._next_offset = 1 << 20
        self.errors = os.memfd_create("stderr")
        command = [sys.executable, str(Path(__file__).with_name("core_worker.py"))]
        command += [str(n) for n in (*self.fds, ARENA, SESSION)]
        self.process = subprocess.Popen(command, pass_fds=self.fds, stderr=self.errors)

    def __enter__(self) -> FakeNode:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for fd in (*self.fds, self.errors):
            os.close(fd)

    # ---- to the worker ----

    def ring_bell(self) -> None:
        """Wake the worker if it sleeps."""
        if self._bell.value:
            self._bell.value = 0
            self._wake(self._bell)

    def send(self, kind: int, payload: bytes, *, reply: bool = False, **head: int) -> None:
        """Write a record to the task ring, or to the reply ring, and wake the worker."""
        ring = self.reply_ring if reply else self.task_ring
        limit = time.monotonic() + LIMIT
        while not ring.write(kind, payload, **head):
            assert time.monotonic() < limit, "the worker does not read"
            self.ring_bell()
            os.sched_yield()
        self.ring_bell()

    def define(self, fid: int, name: str, kind: int = FUNCTION, *, reply: bool = False) -> None:
        """Define a function or class of core_worker.py by its name."""
        data = name.encode()
        head = struct.pack("<IIII", fid, kind, len(data), len(data))
        self.send(DEFINE, head + pad(data) + data, reply=reply)

    def task_payload(
        self,
        task: int,
        fid: int,
        args: bytes,
        *,
        deps: tuple[bytes, ...] = (),
        returns: int = 1,
        kind: int = PLAIN,
        actor: int = 0,
        flags: int = 0,
        group: int = 0,
        window: int = 0,
    ) -> bytes:
        """Return the payload of a TASK record."""
        head = struct.pack(
            "<QQQ10I",
            task, task + 1, actor, fid, kind, returns, 0, len(args), len(deps), 7, flags, group,
            window,
        )  # fmt: skip
        return head + pad(args) + b"".join(deps)

    def reply(self, request: int, payload: bytes = b"", status: int = 0) -> None:
        """Answer a request."""
        self.send(REPLY, struct.pack("<Ii", request, status) + payload, reply=True)

    def reply_values(self, request: int, *values: bytes, first: int = 0) -> None:
        """Answer a GET."""
        self.reply(request, struct.pack("<II", len(values), first) + b"".join(values))

    def grant(self, *handles: int) -> None:
        """Give handles to the worker."""
        self.send(GRANT, struct.pack(f"<{len(handles)}Q", *handles), reply=True)

    def place(self, data: bytes) -> int:
        """Put bytes into the arena and return their offset."""
        offset = self._next_offset
        self._next_offset += -(-len(data) // 64) * 64
        self.arena[offset : offset + len(data)] = data
        return offset

    # ---- from the worker ----

    def next(self, limit: float = LIMIT) -> Record:
        """Return the worker's next message, waiting for it as a thread in get would."""
        end = time.monotonic() + limit
        while True:
            self._bits.value = 0
            found = self.out_ring.read()
            if found is not None:
                kind, flags, payload = found
                if flags & 1:
                    offset, length = struct.unpack("<QQ", payload)
                    payload = self.arena[offset : offset + length]
                if not self._answers_site(kind, payload):
                    return Record(kind, payload)
                continue
            word = self._getter if self.mode == GETTER else self.drainer
            seen = word.value
            self._mode.value = self.mode
            if self._bits.value or self.out_ring.position != self.out_ring.tail.value:
                continue
            left = end - time.monotonic()
            assert left > 0, f"no message of the worker; {self.stderr()}"
            assert self.process.poll() is None or self._bits.value, self.stderr()
            self._sleep(word, seen, min(left, 0.2))

    def _answers_site(self, kind: int, payload: bytes) -> bool:
        """Answer the question for the number of a place in the program, which any call may ask."""
        if kind != REQ_CONTROL or payload[24:28] != b"site":
            return False
        self.reply(struct.unpack_from("<I", payload)[0], str(SITE).encode())
        return True

    def expect(self, kind: int, *, skip: tuple[int, ...] = (REFS,)) -> bytes:
        """Return the payload of the next message but for kinds to skip, which is of this kind."""
        while True:
            record = self.next()
            if record.kind == kind:
                return record.payload
            assert record.kind in skip, f"{record}; {self.stderr()}"

    def done(self) -> Done:
        """Return the next DONE, passing over references."""
        return parse_done(self.expect(DONE))

    def request(self, kind: int) -> Request:
        """Return the next message, which is this request."""
        payload = self.expect(kind)
        number, _, task = struct.unpack_from("<IIQ", payload)
        return Request(kind, number, task, payload[16:])

    def run(self, fid: int, *args: object, **kwargs: object) -> object:
        """Run a task with simple arguments and return its simple result."""
        self.send(TASK, self.task_payload(900, fid, arguments(*args, **kwargs)))
        done = self.done()
        assert done.status == OK, done
        return value_of(done.values[0][1])  # type: ignore[arg-type]

    def stderr(self) -> str:
        """Return what the worker has written there."""
        return os.pread(self.errors, 1 << 16, 0).decode(errors="replace")

    def exit_status(self) -> int:
        """Wait for the worker's end."""
        return self.process.wait(LIMIT)

    # ---- futexes ----

    def _wake(self, word: ctypes.c_uint32) -> None:
        _libc.syscall(_SYS_FUTEX, ctypes.byref(word), 1, 1 << 30, None, None, 0)

    def _sleep(self, word: ctypes.c_uint32, seen: int, seconds: float) -> None:
        time_left = struct.pack("@qq", int(seconds), int(seconds % 1 * 1e9))
        with contextlib.suppress(InterruptedError):
            _libc.syscall(_SYS_FUTEX, ctypes.byref(word), 0, seen, time_left, None, 0)


def parse_done(payload: bytes) -> Done:
    """Take a DONE message apart."""
    task, exec_ns, ended_ns, status, returns = struct.unpack_from("<QQQII", payload)
    at, values = 32, []
    for _ in range(returns):
        where, refs, length, offset = struct.unpack_from("<IIQQ", payload, at)
        at += 24
        what: object = (offset, length)
        if where == INLINE:
            what = payload[at : at + length]
            at += -(-length // 8) * 8
        handles = list(struct.unpack_from(f"<{refs}Q", payload, at))
        at += 8 * refs
        values.append((where, what, handles))
    return Done(task, status, exec_ns, ended_ns, values)


def parse_yield(payload: bytes) -> tuple[int, int, object]:
    """Take a YIELD apart: task, index, simple value."""
    task, index, where, _, length, _ = struct.unpack_from("<QQIIQQ", payload)
    assert where == INLINE
    return task, index, value_of(payload[40 : 40 + length])


def parse_refs(payload: bytes) -> dict[int, int]:
    """Return the sum of changes per handle."""
    out: dict[int, int] = {}
    for handle, delta in struct.iter_unpack("<Qq", payload):
        out[handle] = out.get(handle, 0) + delta
    return out
