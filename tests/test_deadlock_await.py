"""Circles through `await` in async actors, and what only looks like one."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from support.engine import ray
from support.gates import Gate
from test_deadlock import LIMIT_S, Node, deadlock

pytestmark = [pytest.mark.usefixtures("balanced"), pytest.mark.only_thornback]


@ray.remote(num_cpus=0, max_concurrency=1)
class Async:
    """Awaits the next one, and that the next, until the path ends."""

    def __init__(self) -> None:
        self.event: asyncio.Event | None = None

    async def follow(self, path: list[Any]) -> int:
        if not path:
            return 0
        return 1 + await path[0].follow.remote(path[1:])

    async def caught(self, path: list[Any]) -> str:
        try:
            await path[0].follow.remote(path[1:])
        except ray.exceptions.DeadlockError as error:
            return str(error)
        return "no deadlock"

    async def within(self, path: list[Any], seconds: float) -> str:
        try:
            await asyncio.wait_for(path[0].follow.remote(path[1:]), seconds)
        except TimeoutError:
            return "patience is over"
        return "answered"

    async def thread_ends(self, path: list[Any], gate: Gate) -> str:
        """A thread cancels the wait."""
        task = asyncio.ensure_future(path[0].follow.remote(path[1:]))
        loop = asyncio.get_running_loop()

        def end() -> None:
            gate.wait()
            loop.call_soon_threadsafe(task.cancel)

        threading.Thread(target=end).start()
        try:
            await task
        except asyncio.CancelledError:
            return "cancelled"
        return "answered"

    async def either(self, path: list[Any], other: list[Any]) -> int:
        mine = asyncio.ensure_future(path[0].follow.remote(path[1:]))
        others = asyncio.ensure_future(other[0])
        done, _ = await asyncio.wait([mine, others], return_when=asyncio.FIRST_COMPLETED)
        return len(done)


@ray.remote(num_cpus=0)
def hold(gate: Gate) -> int:
    gate.wait()
    return 1


def asyncs(n: int, **options: Any) -> list[Any]:
    """Return actors that are there."""
    actors = [Async.options(**options).remote() for _ in range(n)]
    ray.get([actor.follow.remote([]) for actor in actors])
    return actors


def test_an_actor_awaits_itself() -> None:
    (actor,) = asyncs(1)
    text = deadlock(actor.follow.remote([actor]))
    assert "Async.follow (in await) -> Async.follow (for its turn) -> Async.follow" in text
    assert ray.get(actor.follow.remote([])) == 0


@pytest.mark.parametrize("length", [2, 4])
def test_actors_in_a_ring(length: int) -> None:
    ring = asyncs(length)
    text = deadlock(ring[0].follow.remote([*ring[1:], ring[0]]))
    assert text.count("Async.follow (in await) -> ") >= length
    for actor in ring:
        assert ray.get(actor.follow.remote([])) == 0


def test_the_error_can_be_caught() -> None:
    a, b = asyncs(2)
    assert "none can go on" in ray.get(a.caught.remote([b, a]), timeout=20)
    assert ray.get(a.follow.remote([b])) == 1


def test_a_group_at_its_limit() -> None:
    """With two places, two calls have to be stuck."""
    (actor,) = asyncs(1, max_concurrency=2)
    assert ray.get(actor.follow.remote([actor])) == 1
    assert "in await" in deadlock(actor.follow.remote([actor, actor]))


def test_sync_and_async_actors_in_a_ring() -> None:
    (actor,) = asyncs(1)
    node = Node.options(num_cpus=0).remote("node")

    @ray.remote(num_cpus=0, max_concurrency=1)
    class Caller:
        async def call(self, other: Any, me: Any) -> Any:
            return await other.follow.remote([me])

        async def follow(self, path: list[Any]) -> int:
            return len(path)

    caller = Caller.remote()
    text = deadlock(caller.call.remote(node, caller))
    assert "Node.follow (in get) -> Caller.follow (for its turn) -> Caller.call (in await)" in text
    assert ray.get(actor.follow.remote([])) == 0


def test_a_timer_is_no_deadlock() -> None:
    (actor,) = asyncs(1)
    assert ray.get(actor.within.remote([actor], LIMIT_S + 1), timeout=20) == "patience is over"


def test_another_thread_is_no_deadlock(tmp_path: Path) -> None:
    (actor,) = asyncs(1)
    gate = Gate(tmp_path)
    ref = actor.thread_ends.remote([actor], gate)
    assert ray.wait([ref], timeout=LIMIT_S)[0] == []
    gate.open()
    assert ray.get(ref, timeout=20) == "cancelled"


def test_something_else_that_it_awaits_is_no_deadlock(tmp_path: Path) -> None:
    (actor,) = asyncs(1)
    gate = Gate(tmp_path)
    ref = actor.either.remote([actor], [hold.remote(gate)])
    assert ray.wait([ref], timeout=LIMIT_S)[0] == []
    gate.open()
    assert ray.get(ref, timeout=20) == 1


def test_slow_is_no_deadlock(tmp_path: Path) -> None:
    gate = Gate(tmp_path)

    @ray.remote(num_cpus=0, max_concurrency=1)
    class Waits:
        async def follow(self, path: list[Any]) -> int:
            return int(await hold.remote(gate))

    waits = Waits.remote()
    a, b = asyncs(2)
    ref = a.follow.remote([b, waits])
    assert ray.wait([ref], timeout=LIMIT_S)[0] == []
    gate.open()
    assert ray.get(ref, timeout=20) == 3


def test_free_places_are_no_deadlock() -> None:
    """Who calls may set what the others wait for."""

    @ray.remote(num_cpus=0)
    class Events:
        def __init__(self) -> None:
            self.event = asyncio.Event()

        async def wait(self) -> int:
            await self.event.wait()
            return 1

        async def ask(self, me: Any) -> int:
            return await me.wait.remote()

        async def set(self) -> None:
            self.event.set()

    events = Events.remote()
    ref = events.ask.remote(events)
    assert ray.wait([ref], timeout=LIMIT_S)[0] == []
    ray.get(events.set.remote())
    assert ray.get(ref, timeout=20) == 1
