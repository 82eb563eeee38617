"""Who runs next: submitters share, and large requests are not passed over for ever."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from support.engine import ray
from support.gates import Gate, count, counted
from support.waiting import wait_until

pytestmark = [pytest.mark.usefixtures("balanced"), pytest.mark.only_thornback]


@ray.remote(num_cpus=1)
def nap(seconds: float) -> None:
    time.sleep(seconds)


@ray.remote(num_cpus=1)
def note(folder: Path, name: str, seconds: float) -> int:
    time.sleep(seconds)
    return count(folder, name)


@ray.remote(num_cpus=0)
def submit_many(folder: Path, name: str, n: int, seconds: float) -> list[ray.ObjectRef]:
    return [note.remote(folder, name, seconds) for _ in range(n)]


def test_few_beside_many(tmp_path: Path) -> None:
    """Ten tasks of one submitter don't wait for the hundreds that another has queued before."""
    many = ray.get(submit_many.remote(tmp_path, "many", 400, 0.005))
    wait_until(lambda: counted(tmp_path, "many") > 4)
    before = counted(tmp_path, "many")
    few = ray.get(submit_many.remote(tmp_path, "few", 10, 0.005))
    ray.get(few)
    others = counted(tmp_path, "many") - before
    assert others < 200, f"{others} of the other submitter's tasks ran before 10 of this one"
    ray.get(many)


def test_driver_beside_tasks(tmp_path: Path) -> None:
    """The driver is one submitter beside a task that has queued many of another function."""
    many = ray.get(submit_many.remote(tmp_path, "many", 300, 0.005))
    ray.get([nap.remote(0.005) for _ in range(5)])
    assert counted(tmp_path, "many") < 200
    ray.get(many)


def test_large_request_among_small(tmp_path: Path) -> None:
    """A task that needs both CPUs runs although tasks of one CPU keep coming."""
    refs = [nap.remote(0.02) for _ in range(8)]
    large = nap.options(num_cpus=2).remote(0)
    deadline = time.monotonic() + 20
    while not ray.wait([large], timeout=0)[0]:
        assert time.monotonic() < deadline, "the large task still waits"
        _, refs = ray.wait(refs, num_returns=1)
        refs.append(nap.remote(0.02))
        refs += [nap.remote(0.02) for _ in range(8 - len(refs))]
    ray.get(refs)


def test_large_actor_among_small() -> None:
    """The same for an actor that is to be placed."""

    @ray.remote(num_cpus=2)
    class Large:
        def ping(self) -> str:
            return "pong"

    refs = [nap.remote(0.02) for _ in range(8)]
    actor = Large.remote()
    answer = actor.ping.remote()
    deadline = time.monotonic() + 20
    while not ray.wait([answer], timeout=0)[0]:
        assert time.monotonic() < deadline, "the actor is not placed"
        done, refs = ray.wait(refs, num_returns=1, timeout=1)
        refs += [nap.remote(0.02) for _ in done]
    del actor
    assert ray.get(answer) == "pong"
    ray.get(refs)


def test_reservation_does_not_block_the_holder(tmp_path: Path) -> None:
    """What a resource's holder waits for runs although a large request waits for that resource."""
    gate = Gate(tmp_path)

    @ray.remote(num_cpus=1, resources={"slot": 1})
    def parent(gate: Gate) -> int:
        gate.wait()
        return ray.get(note.remote(tmp_path, "child", 0))

    holder = parent.remote(gate)
    large = nap.options(num_cpus=2, resources={"slot": 1}).remote(0)
    small = [nap.remote(0.02) for _ in range(20)]
    ray.wait(small, num_returns=10)
    gate.open()
    assert ray.get(holder, timeout=20) == 1
    ray.get([large, *small], timeout=20)
