"""Tasks that are cancelled while a worker runs them, with the node of fake_node.py."""

from __future__ import annotations

import signal
import struct
import zlib
from collections.abc import Iterator

import pytest

from . import fake_node as fn
from .fake_node import FakeNode, arguments, blob, inline, stored, value_of
from .test_core_worker import error_of

pytestmark = pytest.mark.asan

TASK = 100


@pytest.fixture
def node() -> Iterator[FakeNode]:
    with FakeNode() as started:
        started.expect(fn.READY)
        for name in ("meet", "tidy", "get", "add"):
            started.define(number_of(name), name)
        yield started


def number_of(name: str) -> int:
    return 1000 + zlib.crc32(name.encode()) % 60_000


def start(node: FakeNode, name: str, *args: object, task: int = TASK, nested: bool = False) -> None:
    payload = node.task_payload(task, number_of(name), arguments(*args))
    node.send(fn.TASK, payload, reply=nested)


def cancel(node: FakeNode, task: int, interrupt: bool = True, poke: bool = True) -> None:
    node.send(fn.CANCEL, struct.pack("<QII", task, interrupt, 0), reply=True)
    if poke:
        node.process.send_signal(signal.SIGINT)


def met(node: FakeNode) -> fn.Request:
    """Wait until the task is in `meet`; the reply lets it go on."""
    return node.request(fn.REQ_CONTROL)


def assert_interrupted(done: fn.Done, task: int = TASK) -> None:
    assert (done.task, done.status) == (task, fn.ERROR)
    assert error_of(done).startswith("KeyboardInterrupt")


def result(done: fn.Done) -> object:
    assert done.status == fn.OK
    return value_of(done.values[0][1])  # type: ignore[arg-type]


def assert_goes_on(node: FakeNode) -> None:
    assert node.run(number_of("add"), 1) == 11


def test_task_that_sleeps_is_interrupted_by_the_signal(node: FakeNode) -> None:
    start(node, "meet", 1, "sleep")
    node.reply(met(node).number, b"{}")
    cancel(node, TASK)
    assert_interrupted(node.done())
    assert_goes_on(node)


def test_signal_that_names_no_task_is_nothing(node: FakeNode) -> None:
    start(node, "meet", 2)
    node.process.send_signal(signal.SIGINT)
    node.reply(met(node).number, b"{}")
    node.process.send_signal(signal.SIGINT)
    node.reply(met(node).number, b"{}")
    assert result(node.done()) == "canceled False"
    node.process.send_signal(signal.SIGINT)  # between tasks
    assert_goes_on(node)


def test_task_that_has_ended_meanwhile_is_not_mistaken_for_the_next(node: FakeNode) -> None:
    start(node, "meet", 2)
    first = met(node)
    cancel(node, TASK - 1)
    node.reply(first.number, b"{}")
    node.reply(met(node).number, b"{}")
    assert result(node.done()) == "canceled False"


def test_cooperative_cancel_is_only_told(node: FakeNode) -> None:
    start(node, "meet", 1)
    first = met(node)
    cancel(node, TASK, interrupt=False, poke=False)
    node.reply(first.number, b"{}")
    assert result(node.done()) == "canceled True"
    start(node, "meet", 0)
    assert result(node.done()) == "canceled False"


def test_task_that_waits_needs_no_signal(node: FakeNode) -> None:
    start(node, "get", 7)
    request = node.request(fn.REQ_GET)
    cancel(node, TASK, poke=False)
    dropped = struct.unpack_from("<I", node.expect(fn.REQ_DROP))[0]
    assert dropped == request.number
    assert_interrupted(node.done())
    assert_goes_on(node)


def test_interrupt_comes_before_the_reply_behind_it(node: FakeNode) -> None:
    """The reply may be the failure of a child that was cancelled with it."""
    start(node, "get", 7)
    held = 0
    while (record := node.next()).kind != fn.REQ_GET:
        held += fn.parse_refs(record.payload).get(7, 0)
    data = blob("x" * 100)
    node.reply_ring.write(fn.CANCEL, struct.pack("<QII", TASK, 1, 0))
    number = struct.unpack_from("<I", record.payload)[0]
    node.reply_values(number, stored(node.place(data), len(data)))
    node.send(fn.TASK, node.task_payload(TASK + 1, number_of("add"), arguments(1)))
    done = []
    while len(done) < 2:
        record = node.next()
        if record.kind == fn.DONE:
            done.append(fn.parse_done(record.payload))
        elif record.kind == fn.REFS:
            held += fn.parse_refs(record.payload).get(7, 0)
        else:
            assert record.kind == fn.REQ_DROP
    assert_interrupted(done[0])
    # What the reply that nobody waits for holds is let go.
    assert held == -1


def test_only_the_task_named_is_interrupted_where_others_run_on_top(node: FakeNode) -> None:
    """The one below is, as soon as it is on top."""
    start(node, "get", 7)
    node.request(fn.REQ_GET)
    start(node, "meet", 2, task=200, nested=True)
    first = met(node)
    cancel(node, TASK)
    node.reply(first.number, b"{}")
    node.reply(met(node).number, b"{}")
    done = node.done()
    assert (done.task, result(done)) == (200, "canceled False")
    node.expect(fn.REQ_DROP)
    assert_interrupted(node.done())
    assert_goes_on(node)


def test_the_task_on_top_alone(node: FakeNode) -> None:
    start(node, "get", 7)
    request = node.request(fn.REQ_GET)
    start(node, "meet", 1, "sleep", task=200, nested=True)
    node.reply(met(node).number, b"{}")
    cancel(node, 200)
    assert_interrupted(node.done(), 200)
    node.reply_values(request.number, inline(blob(5)))
    assert result(node.done()) == 5


def test_each_cancel_interrupts_once(node: FakeNode) -> None:
    start(node, "tidy", 7)
    node.grant(51, 52)
    node.expect(fn.SUBMIT)
    node.request(fn.REQ_GET)
    cancel(node, TASK)
    cancel(node, TASK + 1)
    node.expect(fn.REQ_DROP)
    node.expect(fn.SUBMIT)
    assert node.done().status == fn.OK


def test_what_is_submitted_after_the_interrupt_says_so(node: FakeNode) -> None:
    node.grant(51, 52)
    start(node, "tidy", 7)
    flags = [struct.unpack_from("<QQ6I", node.expect(fn.SUBMIT))[7]]
    node.request(fn.REQ_GET)
    cancel(node, TASK)
    node.expect(fn.REQ_DROP)
    flags.append(struct.unpack_from("<QQ6I", node.expect(fn.SUBMIT))[7])
    assert [flag & 0xFFFF for flag in flags] == [0, 1]  # above: the place in the program


@pytest.mark.parametrize("payload", [b"", b"\0" * 8, b"\xff" * 15])
def test_record_that_is_too_short_is_passed_over(node: FakeNode, payload: bytes) -> None:
    start(node, "meet", 1)
    first = met(node)
    node.send(fn.CANCEL, payload, reply=True)
    node.process.send_signal(signal.SIGINT)
    node.reply(first.number, b"{}")
    assert result(node.done()) == "canceled False"
