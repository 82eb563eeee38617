"""Several calls at a time, and watched objects, on the worker's side of the rings."""

from __future__ import annotations

import json
import struct

import pytest

from . import fake_node as fn
from .fake_node import FakeNode, arguments, blob, inline, parse_refs, stored
from .test_core_worker import call, error_of, node, start, value_of

__all__ = ["node"]

pytestmark = pytest.mark.asan

CONCURRENT = 32
METHODS = ("hold", "open", "echo", "thread", "fails", "leave", "later", "afail", "get", "none")


def make(node: FakeNode, *limits: int, asyncio: bool = False) -> None:
    """Make the worker an actor with these concurrency groups."""
    node.define(40, "Several", fn.CLASS)
    for i, name in enumerate(METHODS):
        head = struct.pack("<IIII", 50 + i, 3, len(name), 0)
        node.send(fn.DEFINE, head + name.encode())
    payload = node.task_payload(1, 40, arguments(), kind=fn.CREATE, actor=6, flags=CONCURRENT)
    node.send(fn.TASK, payload)
    request = node.request(fn.REQ_CONTROL)
    assert b"concurrency" in request.body
    assert json.loads(request.body[request.body.index(b"{") :]) == {"template": 7}
    names = ["default", "io", "one"][: len(limits)]
    answer = {"asyncio": asyncio, "limits": limits, "names": names}
    node.reply(request.number, json.dumps(answer).encode())
    done = node.done()
    assert (done.task, done.status) == (1, fn.OK), done


def send(
    node: FakeNode, task: int, name: str, *args: object, group: int = 0, claim: int = 0
) -> None:
    payload = node.task_payload(
        task, 50 + METHODS.index(name), arguments(*args), kind=fn.METHOD, actor=6, group=group
    )
    node.send(fn.TASK, payload, claim=claim)


def result(node: FakeNode) -> tuple[int, object]:
    """Return the next call that has ended, and its value."""
    done = node.done()
    assert done.status == fn.OK, done
    return done.task, value_of(done.values[0][1])


@pytest.fixture(params=["hold", "later"])
def wait(request: pytest.FixtureRequest) -> str:
    """The method that waits: on a thread, or in an event loop."""
    name: str = request.param
    return name


def test_calls_end_in_any_order(node: FakeNode, wait: str) -> None:
    make(node, 3, asyncio=wait == "later")
    send(node, 10, wait, "a")
    send(node, 11, wait, "b")
    send(node, 12, "open", "b")
    assert sorted([result(node), result(node)]) == [(11, "b"), (12, None)]
    send(node, 13, "open", "a")
    assert sorted([result(node), result(node)]) == [(10, "a"), (13, None)]


def test_a_full_group_holds_back_no_other(node: FakeNode, wait: str) -> None:
    make(node, 2, 1, asyncio=wait == "later")
    for i in range(2000):  # more than the ring holds
        send(node, 100 + i, wait, "a", group=1)
    send(node, 10, "echo", "default")
    assert result(node) == (10, "default")
    send(node, 11, "open", "a")
    ended = [result(node) for _ in range(2001)]
    assert sorted(ended) == [(11, None), *[(100 + i, "a") for i in range(2000)]]
    assert [task for task, _ in ended if task >= 100] == [100 + i for i in range(2000)]


def test_a_group_of_one_has_one_thread(node: FakeNode) -> None:
    make(node, 2, 1)
    for i in range(300):
        send(node, 100 + i, "thread", group=1)
        send(node, 1000 + i, "echo", i)
    ended = dict(result(node) for _ in range(600))
    assert len({ended[100 + i] for i in range(300)}) == 1


def test_errors_are_their_calls_alone(node: FakeNode) -> None:
    make(node, 10, asyncio=True)
    send(node, 10, "later", "a")
    for task, name in ((11, "fails"), (12, "afail"), (13, "none")):
        send(node, task, name)
        done = node.done()
        assert (done.task, done.status) == (task, fn.ERROR)
        assert ("no" in error_of(done)) or "none" in error_of(done)
    send(node, 14, "echo", 1, 2)
    done = node.done()
    assert (done.task, done.status, error_of(done)[:9]) == (14, fn.ERROR, "TypeError")
    send(node, 15, "open", "a")
    assert sorted([result(node), result(node)]) == [(10, "a"), (15, None)]


def test_what_does_not_decode_is_not_run(node: FakeNode, wait: str) -> None:
    make(node, 2, asyncio=wait == "later")
    payload = node.task_payload(9, 52, b"\xff" * 8, kind=fn.METHOD, actor=6)
    node.send(fn.TASK, payload)
    done = node.done()
    assert (done.task, done.status) == (9, fn.SYSTEM)
    assert "malformed" in error_of(done)
    send(node, 10, "echo", 1)
    assert result(node) == (10, 1)


def test_what_the_node_took_back_is_not_run(node: FakeNode, wait: str) -> None:
    make(node, 2, asyncio=wait == "later")
    send(node, 10, "echo", "first", claim=2)
    send(node, 11, "echo", "second")
    assert result(node) == (11, "second")


def test_a_group_that_there_is_not_is_the_default_one(node: FakeNode) -> None:
    make(node, 2)
    send(node, 10, "echo", 1, group=9)
    assert result(node) == (10, 1)


def test_leaving_waits_for_what_runs(node: FakeNode, wait: str) -> None:
    make(node, 2, 1, asyncio=wait == "later")
    send(node, 10, wait, "a")
    send(node, 11, wait, "b")
    send(node, 9, "echo", "both begun", group=1)
    assert result(node) == (9, "both begun")
    node.send(fn.EXIT, b"", reply=True)
    # No call is begun that would open the gates; the node would end the process by and by.
    with pytest.raises(AssertionError, match="no message"):
        node.next(0.3)
    assert node.process.poll() is None
    node.process.kill()


def test_leaving(node: FakeNode, wait: str) -> None:
    make(node, 2, asyncio=wait == "later")
    send(node, 10, "leave")
    send(node, 11, "echo", 1)
    done = node.done()
    assert (done.task, done.status) == (10, fn.LEFT)
    assert node.exit_status() == 0


def test_exit_of_an_idle_crew(node: FakeNode, wait: str) -> None:
    make(node, 2, 1, asyncio=wait == "later")
    send(node, 10, "echo", 1)
    assert result(node) == (10, 1)
    node.send(fn.EXIT, b"", reply=True)
    assert node.exit_status() == 0


def test_cancelling(node: FakeNode) -> None:
    make(node, 2, 1, asyncio=True)
    for task in (10, 11, 12, 13):
        send(node, task, "later", "a")
    send(node, 9, "echo", "all taken", group=1)
    assert result(node) == (9, "all taken")
    for task in (13, 10):  # one that waits for its turn, one that runs
        node.send(fn.CANCEL, struct.pack("<QII", task, 0, 0), reply=True)
        done = node.done()
        assert (done.task, done.status) == (task, fn.ERROR)
    send(node, 14, "open", "a")
    node.send(fn.CANCEL, struct.pack("<QII", 11, 0, 0), reply=True)
    assert node.done().task == 11
    assert sorted([result(node), result(node)]) == [(12, "a"), (14, None)]


@pytest.mark.parametrize("limits", [(), (0,), (1, 0)])
def test_wrong_limits_end_the_worker(node: FakeNode, limits: tuple[int, ...]) -> None:
    node.define(40, "Several", fn.CLASS)
    payload = node.task_payload(1, 40, arguments(), kind=fn.CREATE, actor=6, flags=CONCURRENT)
    node.send(fn.TASK, payload)
    request = node.request(fn.REQ_CONTROL)
    names = ["default", "io"][: max(1, len(limits))]
    answer = {"asyncio": False, "limits": limits, "names": names}
    node.reply(request.number, json.dumps(answer).encode())
    assert node.exit_status() != 0


# ---- watched objects ----


def ready(handle: int, value: bytes) -> bytes:
    return struct.pack("<Q", handle) + value


def watched(node: FakeNode, n: int) -> list[int]:
    return [struct.unpack("<Q", node.expect(fn.WATCH))[0] for _ in range(n)]


def test_watched_objects(node: FakeNode) -> None:
    start(node, "watch", 71, 72, 73, 74)
    assert watched(node, 4) == [71, 72, 73, 74]
    large = blob(b"x" * 5000)
    offset = node.place(large)
    value = stored(offset, len(large))
    node.send(fn.READYREF, ready(73, inline(blob(3))) + ready(71, value), reply=True)
    node.send(fn.READYREF, ready(99, inline(blob(9))), reply=True)  # not watched
    gone = struct.pack("<IIQQ", 0, 0, 0, 0)
    node.send(fn.READYREF, ready(72, inline(blob("two"))) + ready(74, gone), reply=True)
    request = node.request(fn.REQ_GET)  # what is gone is the node's to tell
    assert struct.unpack_from("<IIQ", request.body) == (1, 3, 74)
    node.reply(request.number, b"", status=-5)
    seen = value_of(node.done().values[0][1])
    assert isinstance(seen, str)
    assert seen.startswith("[(73, 3), (71, \"b'xxx")
    assert "(72, 'two')" in seen
    assert call(node, "add", 1) == 11


def test_what_nobody_asks_for_is_let_go(node: FakeNode) -> None:
    held = {}
    large = blob(b"x" * 5000)
    node.send(fn.READYREF, ready(71, stored(node.place(large), len(large))), reply=True)
    assert call(node, "watch_late") == "[71]"
    assert call(node, "watch_late") == "[]"
    start(node, "add", 1)
    while True:
        record = node.next()
        if record.kind == fn.REFS:
            held.update(parse_refs(record.payload))
        elif record.kind == fn.DONE:
            break
    assert call(node, "add", 1) == 11
    assert held.get(71, -1) == -1


@pytest.mark.parametrize(
    "payload",
    [
        b"x",
        ready(71, b"")[:12],
        ready(71, inline(blob("long" * 9))[:-8]),
        ready(71, stored(1 << 50, 9)),
    ],
)
def test_malformed_readyref_ends_the_worker(node: FakeNode, payload: bytes) -> None:
    node.send(fn.READYREF, payload, reply=True)
    assert node.exit_status() != 0


def test_await_in_a_loop(node: FakeNode) -> None:
    make(node, 10, asyncio=True)
    for i in range(3):
        send(node, 10 + i, "get", 71)
    assert watched(node, 1) == [71]  # once for all three
    send(node, 13, "echo", "meanwhile")
    assert result(node) == (13, "meanwhile")
    node.send(fn.READYREF, ready(71, inline(blob(7))), reply=True)
    ended = []
    while len(ended) < 3:
        record = node.next()
        if record.kind == fn.REQ_GET:  # only the first had the value that came along
            number = struct.unpack_from("<I", record.payload)[0]
            node.reply_values(number, inline(blob(7)))
        elif record.kind == fn.DONE:
            done = fn.parse_done(record.payload)
            ended.append((done.task, value_of(done.values[0][1])))
    assert sorted(ended) == [(10, 7), (11, 7), (12, 7)]
