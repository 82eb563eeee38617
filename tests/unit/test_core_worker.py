"""The worker's side of the rings, driven by a node in Python (fake_node.py)."""

from __future__ import annotations

import pickle
import struct
import zlib
from collections.abc import Iterator

import pytest

from support.waiting import wait_until
from thornback import _core

from . import fake_node as fn
from .fake_node import Dep, FakeNode, arguments, blob, inline, stored, value_of

pytestmark = pytest.mark.asan


@pytest.fixture
def node() -> Iterator[FakeNode]:
    with FakeNode() as started:
        version, pid = struct.unpack("<II", started.expect(fn.READY))
        assert (version, pid) == (fn.VERSION, started.process.pid)
        yield started


def number_of(name: str) -> int:
    """Return the definition number of a function."""
    return 1000 + zlib.crc32(name.encode()) % 60_000


def start(node: FakeNode, name: str, *args: object, task: int = 100, **options: object) -> None:
    """Define a function of core_worker.py and send one task for it."""
    fid = number_of(name)
    node.define(fid, name)
    node.send(fn.TASK, node.task_payload(task, fid, arguments(*args), **options))


def call(node: FakeNode, name: str, *args: object, **kwargs: object) -> object:
    """Run a function of core_worker.py and return its simple result."""
    fid = number_of(name)
    node.define(fid, name)
    return node.run(fid, *args, **kwargs)


def error_of(done: fn.Done, index: int = 0) -> str:
    """Return the text of an ERROR blob as the hooks write it."""
    data = done.values[index][1]
    assert data[0] == 10
    return pickle.loads(data[1:])


# ---- tasks ----


def test_arguments_and_results_arrive_as_they_are(node: FakeNode) -> None:
    node.define(1, "echo")
    for value in (None, True, False, 0, -1, 2**63 - 1, -(2**63), 1.5, "", "tör", b"", b"\0x"):
        got = node.run(1, value)
        assert (got, type(got)) == (value, type(value))


def test_keywords(node: FakeNode) -> None:
    assert call(node, "add", 1, b=2) == 3
    assert call(node, "kinds", 1, "a", x=None, yy=b"2") == repr(((1, "a"), {"x": None, "yy": b"2"}))


def test_execution_time_is_that_of_the_function(node: FakeNode) -> None:
    start(node, "spin", 0.05)
    done = node.done()
    assert 50_000_000 <= done.exec_ns < 5_000_000_000


def test_an_exception_is_the_result(node: FakeNode) -> None:
    start(node, "fail", "no", task=5, returns=2)
    done = node.done()
    assert (done.task, done.status) == (5, fn.ERROR)
    assert [error_of(done, i) for i in (0, 1)] == ["ValueError: no"] * 2


def test_a_function_that_does_not_load_is_a_system_failure(node: FakeNode) -> None:
    start(node, "missing")
    done = node.done()
    assert (done.status, error_of(done)) == (fn.SYSTEM, "KeyError: 'missing'")
    assert call(node, "add", 1) == 11  # the worker goes on


def test_a_task_before_its_definition_is_a_system_failure(node: FakeNode) -> None:
    node.send(fn.TASK, node.task_payload(1, 55, arguments()))
    done = node.done()
    assert done.status == fn.SYSTEM
    assert "before its definition" in error_of(done)


@pytest.mark.parametrize("args", [b"", b"\xff" * 8, arguments(1, 2)[:-8], arguments(Dep(0))])
def test_malformed_arguments_are_a_system_failure(node: FakeNode, args: bytes) -> None:
    node.define(1, "kinds")
    node.send(fn.TASK, node.task_payload(1, 1, args))
    done = node.done()
    assert done.status == fn.SYSTEM
    assert "malformed" in error_of(done)


@pytest.mark.parametrize(
    ("n", "returns", "expected"),
    [
        (3, 2, "ValueError: Task returned 3 objects, but num_returns=2."),
        (1, 2, "ValueError: Task returned 1 objects, but num_returns=2."),
    ],
)
def test_wrong_number_of_results(node: FakeNode, n: int, returns: int, expected: str) -> None:
    start(node, "several", n, returns=returns)
    done = node.done()
    assert done.status == fn.ERROR
    assert [error_of(done, i) for i in range(returns)] == [expected] * returns


def test_several_results(node: FakeNode) -> None:
    start(node, "several", 3, returns=3)
    assert [value_of(v[1]) for v in node.done().values] == [0, 1, 2]
    start(node, "several", 3, returns=0)
    assert node.done().values == []


def test_results_beyond_a_record_go_through_the_arena(node: FakeNode) -> None:
    start(node, "several", 5000, returns=5000)
    serve_alloc(node)
    done = node.done()
    assert [value_of(v[1]) for v in done.values] == list(range(5000))


def test_an_unpicklable_result_names_itself(node: FakeNode) -> None:
    start(node, "lock")
    done = node.done()
    assert done.status == fn.ERROR
    assert error_of(done).startswith("TypeError: cannot pickle result: ")


def test_what_the_node_took_back_is_not_run(node: FakeNode) -> None:
    node.define(1, "echo")
    node.send(fn.TASK, node.task_payload(1, 1, arguments("first")), claim=2)
    node.send(fn.TASK, node.task_payload(2, 1, arguments("second")))
    done = node.done()
    assert (done.task, value_of(done.values[0][1])) == (2, "second")


def test_thousands_of_tasks_keep_their_order(node: FakeNode) -> None:
    node.define(1, "echo")
    sent = got = 0
    while got < 3000:
        while sent < 3000 and sent - got < 200:
            args = arguments(sent, "p" * (sent % 700))
            node.define(2, "kinds") if sent == 0 else None
            node.send(fn.TASK, node.task_payload(sent, 2, args))
            sent += 1
        done = node.done()
        assert done.task == got
        assert value_of(done.values[0][1]) == repr(((got, "p" * (got % 700)), {}))
        got += 1


def test_context(node: FakeNode) -> None:
    assert call(node, "context") == repr((900, "context", 0, 0, 7))


# ---- through the arena ----


def serve_alloc(node: FakeNode, kind: int = fn.REQ_ALLOC) -> tuple[int, int]:
    """Answer an ALLOC and return the space: offset, bytes."""
    request = node.request(kind)
    size = struct.unpack("<Q", request.body)[0]
    offset = node.place(bytes(size))
    node.reply(request.number, struct.pack("<QQ", offset, size))
    return offset, size


def test_large_results_are_stored(node: FakeNode) -> None:
    start(node, "big", 300_000)
    offset, size = serve_alloc(node)
    assert size == 300_001
    where, place, _ = node.done().values[0]
    assert (where, place) == (fn.STORE, (offset, size))
    assert node.arena[offset : offset + size] == b"\6" + b"x" * 300_000


def test_a_full_store_is_the_result(node: FakeNode) -> None:
    start(node, "big", 300_000)
    request = node.request(fn.REQ_ALLOC)
    node.reply(request.number, b'{"message": "no room", "used": "7"}', status=-3)
    done = node.done()
    assert done.status == fn.ERROR
    assert error_of(done) == """EngineError: (7, '{"message": "no room", "used": "7"}')"""


def test_indirect_task_and_definition(node: FakeNode) -> None:
    name = b"kinds"
    define = struct.pack("<IIII", 4, fn.FUNCTION, 5, 5) + fn.pad(name) + name
    for kind, payload in (
        (fn.DEFINE, define),
        (fn.TASK, node.task_payload(1, 4, arguments("z" * 150_000))),
    ):
        node.send(kind, struct.pack("<QQ", node.place(payload), len(payload)), flags=1)
    serve_alloc(node)
    where, (offset, size), _ = node.done().values[0]
    assert where == fn.STORE
    assert node.arena[offset : offset + 4] == b"\5(('"
    assert size == 150_000 + len("(('',), {})") + 1


@pytest.mark.parametrize("span", [(fn.ARENA, 1), (8, fn.ARENA), (2**64 - 8, 16)])
def test_spans_outside_of_the_arena_end_the_worker(node: FakeNode, span: tuple[int, int]) -> None:
    node.send(fn.TASK, struct.pack("<QQ", *span), flags=1)
    assert node.exit_status() != 0
    assert "outside of the store" in node.stderr()


@pytest.mark.parametrize(
    ("size", "kind"), [(8, fn.TASK), (fn.RING, fn.TASK), (0, fn.TASK), (16, 99)]
)
def test_malformed_records_end_the_worker(node: FakeNode, size: int, kind: int) -> None:
    at = node.task_ring._at()
    node.task_ring.write(kind, b"")
    struct.pack_into("<I", node.task_ring.memory, at, size)
    node.ring_bell()
    assert node.exit_status() != 0


def test_a_pinned_argument_is_held_until_its_last_view_goes(node: FakeNode) -> None:
    data = _core.encode(pickle.PickleBuffer(bytearray(b"abcd" * 5000)))
    place = stored(node.place(data), len(data), handle=77)
    start(node, "keep", Dep(0), deps=(place,))
    refs = fn.parse_refs(node.expect(fn.REFS))
    assert refs == {77: 1}  # before the end of the task lets go of its arguments
    assert value_of(node.done().values[0][1]) == "memoryview"
    assert call(node, "peek") == repr((b"abcd", True, 20000))
    node.define(30, "drop")
    node.send(fn.TASK, node.task_payload(1, 30, arguments()))
    assert fn.parse_refs(node.expect(fn.REFS)) == {77: -1}
    assert node.done().status == fn.OK


def test_an_argument_that_nobody_keeps_changes_no_references(node: FakeNode) -> None:
    data = _core.encode(pickle.PickleBuffer(bytearray(b"abcd" * 5000)))
    start(node, "kinds", Dep(0), deps=(stored(node.place(data), len(data), handle=77),))
    assert node.next().kind == fn.DONE
    # A value whose handle is unknown is copied.
    start(node, "keep", Dep(0), deps=(stored(node.place(data), len(data)),))
    assert node.next().kind == fn.DONE


def test_inline_dependencies(node: FakeNode) -> None:
    start(node, "kinds", Dep(1), Dep(0), Dep(1), deps=(inline(blob("a")), inline(blob(2))))
    assert value_of(node.done().values[0][1]) == repr(((2, "a", 2), {}))


# ---- what tasks do ----


def test_submit(node: FakeNode) -> None:
    node.grant(501, 502)
    start(node, "submit", 44, task=6)
    payload = node.expect(fn.SUBMIT)
    actor, parent, tid, returns, deps, holds, size, _ = struct.unpack_from("<QQIIIIII", payload)
    assert (actor, parent, tid, returns, deps, holds) == (0, 6, 5, 1, 1, 1)
    ret, dep, hold = struct.unpack_from("<QQQ", payload, 56)
    assert (ret, dep, hold) == (502, 44, 44)
    args = payload[80 : 80 + size]
    assert args.startswith(struct.pack("<II", 3, 1) + struct.pack("<II", 0, 9) + blob(1))
    assert args.endswith(struct.pack("<II", 1, 0) + fn.pad(b"k") + struct.pack("<II", 0, 2)
                         + fn.pad(blob(b"v")))  # fmt: skip
    done = node.done()
    assert done.values[0][2] == [502]


def test_references_are_counted(node: FakeNode) -> None:
    node.grant(501)
    start(node, "submit", 44)
    seen: dict[int, int] = {}
    for _ in range(2):
        record = node.next()
        while record.kind == fn.REFS:
            for handle, delta in fn.parse_refs(record.payload).items():
                seen[handle] = seen.get(handle, 0) + delta
            record = node.next()
    assert record.kind == fn.DONE
    assert 501 not in seen  # the result mentions it, so it may not be let go before
    for handle, delta in fn.parse_refs(node.expect(fn.REFS)).items():
        seen[handle] = seen.get(handle, 0) + delta
    assert {h: d for h, d in seen.items() if d} == {501: -1}


def test_references_in_results_are_let_go_after_the_result(node: FakeNode) -> None:
    start(node, "return_refs", 44)
    first = node.next()
    assert (first.kind, fn.parse_refs(first.payload)) == (fn.REFS, {44: 1})
    assert fn.parse_done(node.next().payload).values[0][2] == [44]
    assert fn.parse_refs(node.expect(fn.REFS)) == {44: -1}


def test_large_arguments_become_objects(node: FakeNode) -> None:
    node.grant(1, 2, 3)
    start(node, "submit_large", 70_000)
    handle, site, _, where, refs, length = struct.unpack_from("<QIIIIQ", node.expect(fn.PUT))
    assert (handle, site, where, refs, length) == (3, 2, fn.INLINE, 0, 70_001)
    payload = node.expect(fn.SUBMIT)
    assert struct.unpack_from("<QQQ", payload, 56) == (1, 2, 3)
    assert fn.parse_refs(node.expect(fn.REFS)) == {3: -1, 1: -1, 2: -1}


def test_handles_that_run_out_are_asked_for(node: FakeNode) -> None:
    node.grant(1)
    start(node, "submit_many", 3)
    node.expect(fn.SUBMIT)
    for handle in (2, 3):
        request = node.request(fn.REQ_CONTROL)
        assert b"grant" in request.body
        assert request.body.endswith(b'{"count": 1}')
        node.grant(handle)
        node.reply(request.number, b"{}")
        assert struct.unpack_from("<Q", node.expect(fn.SUBMIT), 56) == (handle,)
    assert value_of(node.done().values[0][1]) == 3


def test_get(node: FakeNode) -> None:
    start(node, "get", 44, task=8)
    request = node.request(fn.REQ_GET)
    assert request.task == 8
    assert request.body == struct.pack("<IIQ", 1, 1, 44)
    node.reply_values(request.number, inline(blob("value")))
    assert value_of(node.done().values[0][1]) == "value"


def test_get_of_many(node: FakeNode) -> None:
    start(node, "get_all", 1, 2, 1)
    request = node.request(fn.REQ_GET)
    data = _core.encode(pickle.PickleBuffer(bytearray(10)))
    values = [inline(blob(i)) for i in range(2)]
    node.reply_values(request.number, *values, stored(node.place(data), len(data)))
    # Those of the three references, and the hold that came with the value.
    assert fn.parse_refs(node.expect(fn.REFS)) == {1: -3, 2: -1}
    assert str(value_of(node.done().values[0][1])).startswith("[0, 1, <memory")


def test_get_of_a_failed_object(node: FakeNode) -> None:
    error = b"\x0a" + pickle.dumps("ValueError: x")
    start(node, "get_failing", 44)
    node.reply_values(node.request(fn.REQ_GET).number, inline(error))
    assert value_of(node.done().values[0][1]) == "TaskFailedError ValueError: x"
    start(node, "get_failing", 44)
    system = b"\x0b\0\0\0" + struct.pack("<I", 2) + b'{"message": "dead"}'
    node.reply_values(node.request(fn.REQ_GET).number, inline(system))
    assert value_of(node.done().values[0][1]) == """EngineError (2, '{"message": "dead"}')"""


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        struct.pack("<II", 2, 0) + inline(blob(1)),
        struct.pack("<II", 1, 1) + inline(blob(1)),
        struct.pack("<II", 1, 0) + inline(blob(1))[:-8],
        struct.pack("<II", 1, 0) + stored(fn.ARENA - 8, 16),
        struct.pack("<II", 1, 0) + inline(b""),
        struct.pack("<II", 1, 0) + inline(b"\x63"),
        struct.pack("<II", 1, 0) + inline(b"\x08" + b"\xff" * 40),
    ],
)
def test_malformed_replies_raise(node: FakeNode, payload: bytes) -> None:
    start(node, "get_failing", 44)
    node.reply(node.request(fn.REQ_GET).number, payload)
    assert str(value_of(node.done().values[0][1])).startswith("EngineError (12, ")


def test_indirect_reply(node: FakeNode) -> None:
    start(node, "get", 44)
    request = node.request(fn.REQ_GET)
    payload = struct.pack("<IiII", request.number, 0, 1, 0) + inline(blob("w" * 90_000))
    offset = node.place(payload)
    node.send(fn.REPLY, struct.pack("<QQ", offset, len(payload)), reply=True, flags=1)
    assert struct.unpack("<Q", node.expect(fn.FREE)) == (offset,)
    assert value_of(node.done().values[0][1]) == "w" * 90_000


def test_a_pinned_value_of_get_keeps_its_hold(node: FakeNode) -> None:
    data = _core.encode(pickle.PickleBuffer(bytearray(b"wxyz" * 2000)))
    node.define(31, "get")
    node.define(32, "keep")
    # The result of get is a view of the arena, which is pickled into the result and dropped.
    start(node, "get", 44)
    request = node.request(fn.REQ_GET)
    node.reply_values(request.number, stored(node.place(data), len(data)))
    node.expect(fn.DONE)
    assert fn.parse_refs(node.expect(fn.REFS)) == {44: -1}


def test_a_get_that_times_out_is_dropped_and_its_late_reply_let_go(node: FakeNode) -> None:
    start(node, "get_or_late", 44)
    request = node.request(fn.REQ_GET)
    dropped = node.request(fn.REQ_DROP)
    assert dropped.number == request.number
    assert value_of(node.done().values[0][1]) == "late 13"
    data = blob(b"s" * 200)
    node.reply_values(request.number, stored(node.place(data), len(data)))
    assert fn.parse_refs(node.expect(fn.REFS)) == {44: -1}


def test_get_now(node: FakeNode) -> None:
    start(node, "get_or_late", 44)
    node.reply_values(node.request(fn.REQ_GET).number, inline(blob(3)))
    assert value_of(node.done().values[0][1]) == 3
    start(node, "get", 44, 0)
    request = node.request(fn.REQ_GET)
    assert request.body == struct.pack("<IIQ", 1, 3, 44)
    node.reply(request.number, b'{"message": "not ready"}', status=-5)
    assert error_of(node.done()).startswith("EngineError: (13, ")


def test_wait(node: FakeNode) -> None:
    start(node, "wait", 4, 5, 6)
    request = node.request(fn.REQ_WAIT)
    assert request.body == struct.pack("<IIIIQQQ", 3, 1, 0, 0, 4, 5, 6)
    node.reply(request.number, struct.pack("<II", 3, 0) + b"\0\1\1")
    assert value_of(node.done().values[0][1]) == "([5], [4, 6])"


def test_wait_that_times_out_looks_once_more(node: FakeNode) -> None:
    node.define(1, "wait")
    node.send(fn.TASK, node.task_payload(1, 1, arguments(4, 5, timeout=0.02)))
    first = node.request(fn.REQ_WAIT)
    assert node.request(fn.REQ_DROP).number == first.number
    second = node.request(fn.REQ_WAIT)
    assert struct.unpack_from("<III", second.body) == (2, 1, 2)
    node.reply(second.number, struct.pack("<II", 2, 0) + b"\0\0")
    assert value_of(node.done().values[0][1]) == "([], [4, 5])"


def test_put(node: FakeNode) -> None:
    node.grant(501, 502)
    start(node, "put_refs", 44)
    payload = node.expect(fn.PUT)
    handle, site, _, where, refs, length = struct.unpack_from("<QIIIIQ", payload)
    assert (handle, site, where, refs) == (502, 1, fn.INLINE, 1)
    assert payload[-8:] == struct.pack("<Q", 44)
    assert 40 + length <= len(payload) - 8


def test_control(node: FakeNode) -> None:
    start(node, "control", '{"a": 1}')
    request = node.request(fn.REQ_CONTROL)
    assert request.body == struct.pack("<II", 4, 0) + b"echo\0\0\0\0" + b'{"a": 1}'
    node.reply(request.number, b"[2]")
    assert value_of(node.done().values[0][1]) == "[2]"
    start(node, "control", "{}")
    node.reply(node.request(fn.REQ_CONTROL).number, b'{"message": "bad"}', status=-4)
    assert value_of(node.done().values[0][1]) == "-4 bad"


def test_define_and_template(node: FakeNode) -> None:
    start(node, "define")
    request = node.request(fn.REQ_DEFINE)
    expected = struct.pack("<IIII", 1, 4, 4, 0) + b"0123456789abcdef" + b"name\0\0\0\0" + b"blob"
    assert request.body == expected
    node.reply(request.number, struct.pack("<I", 3))
    request = node.request(fn.REQ_TEMPLATE)
    assert request.body == b"{}"
    node.reply(request.number, struct.pack("<I", 4))
    assert value_of(node.done().values[0][1]) == 304


# ---- waiting inside of tasks ----


def test_a_waiting_worker_runs_tasks_of_the_reply_ring(node: FakeNode) -> None:
    start(node, "get", 44, task=1)
    outer = node.request(fn.REQ_GET)
    node.define(20, "get", reply=True)
    node.send(fn.TASK, node.task_payload(2, 20, arguments(45)), reply=True)
    inner = node.request(fn.REQ_GET)
    assert inner.task == 2
    node.reply_values(outer.number, inline(blob("outer")))
    node.reply_values(inner.number, inline(blob("inner")))
    done = [node.done(), node.done()]
    assert [(d.task, value_of(d.values[0][1])) for d in done] == [(2, "inner"), (1, "outer")]


def test_a_nested_task_finds_a_definition_that_waits_in_the_task_ring(node: FakeNode) -> None:
    start(node, "get", 44, task=1)
    outer = node.request(fn.REQ_GET)
    node.send(fn.TASK, node.task_payload(3, number_of("get"), arguments(46)), claim=2)
    node.define(21, "add")
    node.send(fn.TASK, node.task_payload(2, 21, arguments(1)), reply=True)
    assert value_of(node.done().values[0][1]) == 11
    node.reply_values(outer.number, inline(blob(0)))
    assert node.done().task == 1


def test_threads_of_a_task_wait_side_by_side(node: FakeNode) -> None:
    start(node, "get_in_threads", 1, 2, 3)
    requests = [node.request(fn.REQ_GET) for _ in range(3)]
    for request in reversed(requests):
        assert request.task == 0
        handle = struct.unpack_from("<Q", request.body, 8)[0]
        node.reply_values(request.number, inline(blob(handle * 10)))
    assert value_of(node.done().values[0][1]) == repr([(1, 10), (2, 20), (3, 30)])


# ---- life ----


def test_exit(node: FakeNode) -> None:
    node.send(fn.EXIT, b"", reply=True)
    assert node.exit_status() == 0


@pytest.mark.parametrize(("status", "expected"), [(None, 0), (7, 7), ("words", 1)])
def test_system_exit_ends_the_process(node: FakeNode, status: object, expected: int) -> None:
    start(node, "leave", status)
    assert node.exit_status() == expected
    assert ("words" in node.stderr()) == (status == "words")


def test_a_forked_child_is_told_and_disturbs_nothing(node: FakeNode) -> None:
    text = call(node, "in_child")
    assert isinstance(text, str)
    assert text.startswith("0 this process was forked")
    assert call(node, "fork_and_return") == 0
    assert call(node, "add", 1) == 11


def test_an_idle_worker_sleeps_and_is_not_counted(node: FakeNode) -> None:
    assert call(node, "add", 1) == 11
    wait_until(lambda: not node.counted.value, fn.LIMIT, "the worker's sleep")
    assert node.active.value == 0
    assert call(node, "add", 2) == 12


def test_results_reach_a_node_that_only_the_drainer_reads() -> None:
    with FakeNode(mode=fn.LAZY) as node:
        node.expect(fn.READY)
        node.define(1, "echo")
        for i in range(500):
            node.send(fn.TASK, node.task_payload(i, 1, arguments(i)))
        assert [node.done().task for _ in range(500)] == list(range(500))
        assert node.run(1, "again") == "again"
