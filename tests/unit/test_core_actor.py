"""An actor in a worker, driven by a node in Python: made, called, left."""

from __future__ import annotations

import struct

import pytest

from . import fake_node as fn
from .fake_node import FakeNode, arguments, value_of
from .test_core_worker import error_of, node

__all__ = ["node"]

pytestmark = pytest.mark.asan


def create(node: FakeNode, start_value: int) -> fn.Done:
    node.define(40, "Counter", fn.CLASS)
    payload = node.task_payload(1, 40, arguments(start_value), kind=fn.CREATE, actor=6)
    node.send(fn.TASK, payload)
    return node.done()


def method(node: FakeNode, name: str, *args: object, fid: int = 41, flags: int = 0) -> fn.Done:
    node.send(fn.DEFINE, struct.pack("<IIII", fid, 3, len(name), 0) + name.encode())
    payload = node.task_payload(2, fid, arguments(*args), kind=fn.METHOD, actor=6, flags=flags)
    node.send(fn.TASK, payload)
    return node.done()


def test_actor(node: FakeNode) -> None:
    assert value_of(create(node, 5).values[0][1]) is None
    assert value_of(method(node, "add", 2).values[0][1]) == 7
    assert value_of(method(node, "add", 3).values[0][1]) == 10
    assert value_of(method(node, "me", fid=42).values[0][1]) is True
    assert "no_such" in error_of(method(node, "no_such", fid=43))


def test_a_constructor_that_fails(node: FakeNode) -> None:
    done = create(node, -1)
    assert (done.status, error_of(done)) == (fn.ERROR, "ValueError: negative")
    assert "no actor" in error_of(method(node, "add", 1))


@pytest.mark.parametrize(("name", "value"), [("leave", None), ("bye", "bye")])
def test_exit_actor(node: FakeNode, name: str, value: object) -> None:
    create(node, 0)
    done = method(node, name)
    assert (done.status, value_of(done.values[0][1])) == (fn.LEFT, value)
    assert node.exit_status() == 0


@pytest.mark.parametrize("status", [None, 0])
def test_an_actor_that_quits(node: FakeNode, status: int | None) -> None:
    """sys.exit(0) is a way to leave; see test_exit_actor for the other."""
    create(node, 0)
    assert method(node, "quit", status).status == fn.QUIT
    assert node.exit_status() == 0


def test_another_status_ends_the_process_unreported(node: FakeNode) -> None:
    create(node, 0)
    node.send(fn.DEFINE, struct.pack("<IIII", 41, 3, 4, 0) + b"quit")
    node.send(fn.TASK, node.task_payload(2, 41, arguments(3), kind=fn.METHOD, actor=6))
    assert node.exit_status() == 3


@pytest.mark.parametrize(
    ("kind", "flags", "status"),
    [
        ("key", 0, fn.ERROR),
        ("value", 1, fn.ERROR),  # any exception may be tried again
        ("key", 17, fn.ERROR),  # one of the listed classes
        ("value", 17, fn.FINAL),
        ("odd", 17, fn.FINAL),  # the hook fails
    ],
)
def test_exceptions_that_count_as_attempts(
    node: FakeNode, kind: str, flags: int, status: int
) -> None:
    create(node, 0)
    done = method(node, "fail", kind, flags=flags)
    assert done.status == status
    assert "no" in error_of(done)
    assert method(node, "restarts", fid=42).status == fn.OK
