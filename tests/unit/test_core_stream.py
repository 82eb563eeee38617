"""Generators on the worker's side of the rings, driven by a node in Python (fake_node.py)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from . import fake_node as fn
from .fake_node import FakeNode, parse_refs, parse_yield
from .test_core_worker import call, error_of, node, start, value_of

__all__ = ["node"]

pytestmark = pytest.mark.asan

STREAM, DYNAMIC = 2, 4
STOP = 2**63 - 1


def items(node: FakeNode, n: int) -> Iterator[tuple[int, int, object]]:
    for _ in range(n):
        yield parse_yield(node.expect(fn.YIELD))


def room(node: FakeNode, task: int, taken: int) -> None:
    node.send(fn.ROOM, struct.pack("<QQ", task, taken), reply=True)


def nothing_comes(node: FakeNode) -> bool:
    try:
        node.next(0.1)
    except AssertionError:
        return True
    return False


def test_items_then_the_end(node: FakeNode) -> None:
    start(node, "upto", 3, task=9, flags=STREAM)
    assert list(items(node, 3)) == [(9, 0, 0), (9, 1, 1), (9, 2, 2)]
    done = node.done()
    assert (done.task, done.status) == (9, fn.OK)
    assert value_of(done.values[0][1]) is None


def test_an_error_is_in_the_end(node: FakeNode) -> None:
    start(node, "upto", 100, flags=STREAM)
    assert [value for _, _, value in items(node, 77)] == list(range(77))
    done = node.done()
    assert done.status == fn.ERROR
    assert error_of(done) == "ValueError: seventy-seven"


@pytest.mark.parametrize("flags", [STREAM, DYNAMIC])
def test_what_is_no_generator(node: FakeNode, flags: int) -> None:
    start(node, "add", 1, flags=flags)
    done = node.done()
    assert done.status == fn.ERROR
    assert "must return a generator" in error_of(done)


def test_it_pauses_until_there_is_room(node: FakeNode) -> None:
    start(node, "upto", 5, task=9, flags=STREAM, window=2)
    assert [index for _, index, _ in items(node, 2)] == [0, 1]
    assert nothing_comes(node)
    room(node, 8, 100)  # another's
    room(node, 9, 0)  # says nothing new
    assert nothing_comes(node)
    room(node, 9, 1)
    assert [index for _, index, _ in items(node, 1)] == [2]
    assert nothing_comes(node)
    room(node, 9, STOP - 1)
    assert [index for _, index, _ in items(node, 2)] == [3, 4]
    assert node.done().status == fn.OK


@pytest.mark.parametrize("window", [0, 1])
def test_it_is_closed_when_nobody_wants_more(node: FakeNode, window: int) -> None:
    start(node, "upto", 70, task=9, flags=STREAM, window=window)
    assert parse_yield(node.expect(fn.YIELD))[1] == 0
    room(node, 9, STOP)
    while (record := node.next()).kind == fn.YIELD:
        pass
    assert record.kind == fn.DONE
    assert call(node, "repr_kept") == "['closed']"


def test_told_to_leave_it_is_closed(node: FakeNode) -> None:
    start(node, "upto", 70, task=9, flags=STREAM, window=1)
    node.expect(fn.YIELD)
    node.send(fn.EXIT, b"", reply=True)
    assert node.done().status == fn.OK
    assert node.exit_status() == 0


@pytest.mark.parametrize("payload", [b"", b"x" * 15])
def test_a_malformed_room_ends_the_worker(node: FakeNode, payload: bytes) -> None:
    start(node, "upto", 70, task=9, flags=STREAM, window=1)
    node.expect(fn.YIELD)
    node.send(fn.ROOM, payload, reply=True)
    done = node.done()
    assert done.status == fn.ERROR


# ---- consuming ----


def submitted(node: FakeNode, function: str) -> int:
    """Have a task submit a generator; return the stream's handle."""
    node.grant(50, 51)
    start(node, function)
    payload = node.expect(fn.SUBMIT)
    (returns,) = struct.unpack_from("<I", payload, 20)
    assert returns == 2
    return int(struct.unpack_from("<Q", payload, 64)[0])


def answer(node: FakeNode, *handles: int, ended: int = 0, coming: int = 0) -> None:
    request = node.request(fn.REQ_NEXT)
    head = struct.pack("<IIQ", len(handles), ended, coming)
    node.reply(request.number, head + struct.pack(f"<{len(handles)}Q", *handles))


def test_items_come_in_batches(node: FakeNode) -> None:
    stream = submitted(node, "consume")
    request = node.request(fn.REQ_NEXT)
    handle, most = struct.unpack_from("<QI", request.body)
    assert handle == stream
    assert most > 1
    node.reply(request.number, struct.pack("<IIQQQ", 2, 0, 0, 7, 8))
    answer(node, 9)
    answer(node, coming=60)
    waiting = node.request(fn.REQ_WAIT)
    assert struct.unpack_from("<Q", waiting.body, 16) == (60,)
    node.reply(waiting.number, struct.pack("<II", 1, 0) + b"\1")
    assert parse_refs(node.expect(fn.REFS)) == {60: -1}  # was held until it was there
    answer(node, 60, ended=1)
    changes: dict[int, int] = {}
    while (record := node.next()).kind == fn.REFS:
        for h, delta in parse_refs(record.payload).items():
            changes[h] = changes.get(h, 0) + delta
    assert value_of(fn.parse_done(record.payload).values[0][1]) == "[7, 8, 9, 60]"
    # The items are still held; the generator and its end are not.
    assert {h: d for h, d in changes.items() if d} == {50: -1, 51: -1}


def test_a_stream_that_ends_at_once(node: FakeNode) -> None:
    submitted(node, "consume")
    answer(node, ended=1, coming=60)
    assert value_of(node.done().values[0][1]) == "[]"


def test_none_in_time(node: FakeNode) -> None:
    submitted(node, "consume_late")
    answer(node, coming=60)
    node.request(fn.REQ_WAIT)
    node.expect(fn.REQ_DROP)
    again = node.request(fn.REQ_WAIT)  # what there is by now
    node.reply(again.number, struct.pack("<II", 1, 0) + b"\0")
    assert value_of(node.done().values[0][1]) == "None"


@pytest.mark.parametrize(
    "payload", [b"", b"\0" * 15, struct.pack("<IIQ", 1, 0, 0), struct.pack("<IIQ", 65, 0, 0)]
)
def test_malformed_answers_raise(node: FakeNode, payload: bytes) -> None:
    submitted(node, "consume")
    node.reply(node.request(fn.REQ_NEXT).number, payload)
    done = node.done()
    assert done.status == fn.ERROR
    assert "reply to next" in error_of(done)
