"""Circles through resources that tasks have while they wait, and what only looks like one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.engine import ray
from support.gates import Gate
from test_deadlock import LIMIT_S, deadlock

pytestmark = [pytest.mark.usefixtures("balanced"), pytest.mark.only_thornback]

# The session has one slot, and two shares.


@ray.remote(num_cpus=0, resources={"slot": 1})
def with_slot(depth: int) -> int:
    if depth == 0:
        return 0
    return 1 + ray.get(with_slot.remote(depth - 1))


@ray.remote(num_cpus=0, resources={"share": 1})
def with_share(gate: Gate | None, other: bool) -> str:
    if gate is not None:
        gate.wait()
    return ray.get(with_share.remote(None, False)) if other else "share"


def test_a_task_needs_what_the_one_that_waits_for_it_has() -> None:
    text = deadlock(with_slot.remote(1))
    assert "with_slot (in get) -> with_slot (for resources) -> with_slot (in get)" in text
    assert ray.get(with_slot.remote(0)) == 0


def test_an_actor_that_is_never_made() -> None:
    @ray.remote(num_cpus=0, resources={"slot": 0.5})
    class Actor:
        def answer(self) -> int:
            return 1

    @ray.remote(num_cpus=0, resources={"slot": 0.6})
    def task() -> Any:
        return ray.get(Actor.remote().answer.remote())

    text = deadlock(task.remote())
    assert "task (in get) -> " in text
    assert "Actor.__init__ (for resources)" in text


def test_two_that_have_half_each(tmp_path: Path) -> None:
    @ray.remote(num_cpus=0, resources={"share": 2})
    def both() -> str:
        return "both"

    @ray.remote(num_cpus=0, resources={"share": 1})
    def half() -> str:
        try:
            return ray.get(both.remote())
        except ray.exceptions.DeadlockError:
            return "deadlock"

    # One wait is ended; the other has what it needs when that task has ended, or is ended too.
    answers = ray.get([half.remote() for _ in range(2)], timeout=20)
    assert "deadlock" in answers


def test_what_others_will_give_back_is_waited_for(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    runs = with_share.remote(gate, False)
    waits = with_share.remote(None, True)
    assert ray.wait([waits], timeout=LIMIT_S)[0] == []
    gate.open()
    assert ray.get([runs, waits], timeout=20) == ["share", "share"]


def test_an_actor_waits_for_a_task_that_needs_its_cpu() -> None:
    """The commonest of all: an actor keeps its CPUs while it waits, unlike a task."""

    @ray.remote
    def needs_one() -> int:
        return 1

    @ray.remote(num_cpus=2)
    class Keeper:
        def run(self) -> int:
            return ray.get(needs_one.remote())

        def answer(self) -> int:
            return 2

    keeper = Keeper.remote()
    text = deadlock(keeper.run.remote())
    assert "Keeper.run (in get) -> needs_one (for resources) -> Keeper.run (in get)" in text
    assert ray.get(keeper.answer.remote(), timeout=20) == 2
    ray.kill(keeper)  # the error's traceback holds its handle for a while


def test_two_actors_that_have_one_each_and_want_one_more() -> None:
    @ray.remote(num_cpus=0, resources={"share": 1})
    class Half:
        def half(self) -> str:
            try:
                return ray.get(with_share.remote(None, False))
            except ray.exceptions.DeadlockError:
                return "deadlock"

    halves = [Half.remote() for _ in range(2)]
    first, second = (half.half.remote() for half in halves)
    # One wait is ended; its actor keeps its share until it is killed.
    ended, waits = ray.wait([first, second], timeout=LIMIT_S)
    assert ray.get(ended) == ["deadlock"]
    ray.kill(halves[ended[0] is second])
    assert ray.get(waits, timeout=20) == ["share"]


def test_an_actor_with_a_free_place_does_not_end_before_what_it_runs() -> None:
    @ray.remote(num_cpus=2, max_concurrency=2)
    class Keeper:
        def run(self, tasks: int) -> int:
            return len(ray.get([with_cpu.remote() for _ in range(tasks)]))

    @ray.remote(num_cpus=1)
    def with_cpu() -> int:
        return 1

    keeper = Keeper.remote()
    text = deadlock(keeper.run.remote(1))
    assert "Keeper.run (in get) -> with_cpu (for resources) -> Keeper.run (in get)" in text
    assert ray.get(keeper.run.remote(0), timeout=20) == 0
    ray.kill(keeper)


def test_what_an_actor_has_may_come_back(tmp_path: Path) -> None:
    """Nobody knows when an actor without calls ends, so that is no circle."""

    @ray.remote(num_cpus=0, resources={"slot": 1})
    class Keeper:
        def ready(self) -> int:
            return 1

    keeper = Keeper.remote()
    ray.get(keeper.ready.remote())

    @ray.remote(num_cpus=0)
    def task() -> int:
        return ray.get(with_slot.remote(0))

    ref = task.remote()
    assert ray.wait([ref], timeout=LIMIT_S)[0] == []
    ray.kill(keeper)
    assert ray.get(ref, timeout=20) == 0


def test_cpus_are_lent() -> None:
    @ray.remote(num_cpus=2)
    def whole(depth: int) -> int:
        return 1 + ray.get(whole.remote(depth - 1)) if depth else 0

    assert ray.get(whole.remote(5), timeout=30) == 5
