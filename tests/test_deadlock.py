"""Circles of waits end in a DeadlockError that names them; what only looks like one does not."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from support.actors import Holder
from support.engine import ray
from support.gates import Gate
from support.waiting import wait_until

pytestmark = [pytest.mark.usefixtures("balanced"), pytest.mark.only_thornback]

# The promise is 2 s; the rest is for a loaded machine to start processes.
LIMIT_S = 2.0


@ray.remote
class Node:
    """Calls the next one, and that the next, until the path ends."""

    def __init__(self, name: str) -> None:
        self.name = name

    def follow(self, path: list[Any]) -> list[str]:
        if not path:
            return [self.name]
        return [self.name, *ray.get(path[0].follow.remote(path[1:]))]

    def caught(self, path: list[Any]) -> str:
        try:
            ray.get(path[0].follow.remote(path[1:]))
        except ray.exceptions.DeadlockError as error:
            return str(error)
        return "no deadlock"

    def meet(self, folder: Path, n: int, other: Any) -> str:
        """Call the other one when all are busy, so that each call waits behind another's."""
        (folder / self.name).touch()
        wait_until(lambda: len(list(folder.iterdir())) >= n)
        try:
            return f"{self.name} heard {ray.get(other.follow.remote([]))[0]}"
        except ray.exceptions.DeadlockError as error:
            return str(error)


def deadlock(ref: Any) -> str:
    """Return the text of the error that comes in time."""
    begin = time.monotonic()
    with pytest.raises(ray.exceptions.DeadlockError) as error:
        ray.get(ref, timeout=20)
    assert time.monotonic() - begin < LIMIT_S + 1
    assert isinstance(error.value, ray.exceptions.RayError)
    return str(error.value)


def nodes(n: int) -> list[Any]:
    """Return actors that are there."""
    actors = [Node.options(num_cpus=0).remote(f"n{i}") for i in range(n)]
    ray.get([actor.follow.remote([]) for actor in actors])
    return actors


def test_an_actor_calls_itself() -> None:
    (actor,) = nodes(1)
    text = deadlock(actor.follow.remote([actor]))
    circle = "Node.follow (in get) -> Node.follow (for its turn) -> Node.follow (in get)"
    assert f"these wait for each other, and none can go on: {circle}" in text
    assert ray.get(actor.follow.remote([])) == ["n0"]


@pytest.mark.parametrize("length", [2, 3, 6])
def test_actors_in_a_ring(length: int) -> None:
    ring = nodes(length)
    text = deadlock(ring[0].follow.remote([*ring[1:], ring[0]]))
    assert text.count("Node.follow (in get) -> ") >= length
    for actor in ring:
        assert ray.get(actor.follow.remote([]))


def test_the_error_can_be_caught() -> None:
    a, b = nodes(2)
    text = ray.get(a.caught.remote([b, a]))
    assert "none can go on" in text
    assert ray.get(a.follow.remote([b])) == ["n0", "n1"]


def test_the_others_go_on(tmp_path: Path) -> None:
    """One wait is ended, and that is enough for the others to be answered."""
    ring = nodes(3)
    refs = [ring[i].meet.remote(tmp_path, 3, ring[(i + 1) % 3]) for i in range(3)]
    answers = ray.get(refs, timeout=20)
    assert sum("none can go on" in answer for answer in answers) == 1
    assert sum("heard" in answer for answer in answers) == 2


def test_tasks_that_wait_for_each_other() -> None:
    holder = Holder.options(num_cpus=0).remote()

    @ray.remote(num_cpus=0)
    def wait_for(holder: Any, index: int) -> Any:
        while True:
            try:
                boxed = ray.get(holder.nested.remote(index))
                break
            except IndexError:
                time.sleep(0.01)
        return ray.get(boxed[0])

    refs = [wait_for.options(name=f"t{i}").remote(holder, 1 - i) for i in range(2)]
    ray.get(holder.keep.remote(refs))
    errors = []
    for ref in refs:
        with pytest.raises(ray.exceptions.DeadlockError) as error:
            ray.get(ref, timeout=20)
        errors.append(str(error.value))
    assert "t0 (in get) -> t1 (in get) -> t0" in errors[0] + errors[1] or (
        "t1 (in get) -> t0 (in get) -> t1" in errors[0] + errors[1]
    )
    ray.get(holder.drop.remote())


def test_a_task_that_waits_for_itself() -> None:
    holder = Holder.options(num_cpus=0).remote()

    @ray.remote(num_cpus=0)
    def narcissus(holder: Any) -> Any:
        while True:
            try:
                boxed = ray.get(holder.nested.remote(0))
                break
            except IndexError:
                time.sleep(0.01)
        ready, _ = ray.wait(boxed)
        return len(ready)

    ref = narcissus.remote(holder)
    ray.get(holder.keep.remote([ref]))
    assert "narcissus (in wait) -> narcissus (in wait)" in deadlock(ref)
    ray.get(holder.drop.remote())


def test_a_timeout_is_no_deadlock() -> None:
    @ray.remote
    class Patient:
        def ask(self, me: Any) -> str:
            try:
                return str(ray.get(me.answer.remote(), timeout=3))
            except ray.exceptions.GetTimeoutError:
                return "patience is over"

        def answer(self) -> str:
            return "answer"

    actor = Patient.remote()
    assert ray.get(actor.ask.remote(actor)) == "patience is over"


def test_a_wait_that_another_can_fulfil(tmp_path: Path) -> None:
    gate = Gate(tmp_path)

    @ray.remote
    def later(gate: Gate) -> str:
        gate.wait()
        return "later"

    @ray.remote
    class Waits:
        def ask(self, me: Any, gate: Gate) -> int:
            ready, _ = ray.wait([me.answer.remote(), later.remote(gate)], num_returns=1)
            return len(ready)

        def answer(self) -> str:
            return "answer"

    actor = Waits.remote()
    ref = actor.ask.remote(actor, gate)
    # Longer than it takes to find a circle.
    assert ray.wait([ref], timeout=LIMIT_S)[0] == []
    gate.open()
    assert ray.get(ref, timeout=20) == 1


def test_slow_is_no_deadlock(tmp_path: Path) -> None:
    """Tasks and actors that wait for long, for something that runs, are left alone."""
    gate = Gate(tmp_path)

    @ray.remote
    def slow(gate: Gate) -> list[str]:
        gate.wait()
        return ["slow"]

    @ray.remote
    class Link:
        def ask(self, boxed: list[Any]) -> list[str]:
            return ["link", *ray.get(boxed[0])]

    ref = slow.remote(gate)
    for _ in range(4):
        ref = Link.options(num_cpus=0).remote().ask.remote([ref])
    assert ray.wait([ref], timeout=LIMIT_S)[0] == []
    gate.open()
    assert ray.get(ref, timeout=20) == ["link"] * 4 + ["slow"]


def test_threads_that_are_left_can_go_on() -> None:
    """An actor with two threads answers itself; three calls deep it can't any more."""
    actor = Node.options(num_cpus=0, max_concurrency=2).remote("t")
    assert ray.get(actor.follow.remote([actor])) == ["t", "t"]
    text = deadlock(actor.follow.remote([actor, actor]))
    assert "Node.follow (in get) -> Node.follow (for its turn)" in text
    assert ray.get(actor.follow.remote([actor])) == ["t", "t"]


def test_arguments_in_a_circle() -> None:
    """The circle may go through arguments that are not there."""
    (a,) = nodes(1)

    @ray.remote(num_cpus=0)
    def through(value: Any) -> Any:
        return value

    @ray.remote(num_cpus=0)
    class Waits:
        def ask(self, me: Any) -> Any:
            return ray.get(through.remote(me.answer.remote()))

        def answer(self) -> str:
            return "answer"

    waits = Waits.remote()
    text = deadlock(waits.ask.remote(waits))
    assert (
        "Waits.ask (in get) -> through (for its arguments) -> Waits.answer (for its turn)" in text
    )
    assert ray.get(a.follow.remote([])) == ["n0"]
