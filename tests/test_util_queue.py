"""Queue, sync and async."""

from __future__ import annotations

import asyncio
import queue as standard
import random
from collections import deque
from functools import partial
from importlib import import_module
from typing import Any

import pytest

from support.engine import ray
from support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("balanced")

queue = import_module(f"{ray.__name__}.util.queue")


@pytest.fixture
def make(balanced: None) -> Any:
    made: list[Any] = []

    def new(*args: Any, **kwargs: Any) -> Any:
        made.append(queue.Queue(*args, **kwargs))
        return made[-1]

    yield new
    for one in made:
        one.shutdown(force=True)
    made.clear()


@ray.remote(num_cpus=0)
def produce(q: Any, items: list[int]) -> None:
    for item in items:
        q.put(item)


@ray.remote(num_cpus=0)
def consume(q: Any, n: int) -> list[Any]:
    return [q.get() for _ in range(n)]


def test_order_and_sizes(make: Any) -> None:
    q = make()
    assert q.empty()
    assert not q.full()
    for i in range(5):
        q.put(i)
    assert (len(q), q.size(), q.qsize()) == (5, 5, 5)
    assert [q.get() for _ in range(5)] == [0, 1, 2, 3, 4]
    assert q.empty()


def test_full_and_empty(make: Any) -> None:
    q = make(2)
    for take in (q.get_nowait, lambda: q.get(block=False), lambda: q.get(timeout=0.05)):
        with pytest.raises(queue.Empty):
            take()
    q.put_nowait(1)
    q.put(2)
    assert q.full()
    for put in (q.put_nowait, lambda x: q.put(x, block=False), lambda x: q.put(x, timeout=0.05)):
        with pytest.raises(queue.Full):
            put(3)
    assert [q.get(), q.get(timeout=1)] == [1, 2]
    assert issubclass(queue.Empty, standard.Empty)
    assert issubclass(queue.Full, standard.Full)
    for call in (lambda: q.get(timeout=-1), lambda: q.put(1, timeout=-1)):
        with pytest.raises(ValueError, match="'timeout' must be a non-negative number"):
            call()


def test_batches(make: Any) -> None:
    q = make(3)
    q.put_nowait_batch([1, 2])
    with pytest.raises(queue.Full, match="Cannot add 2 items to queue of size 2 and maxsize 3"):
        q.put_nowait_batch([3, 4])
    with pytest.raises(queue.Empty, match="Cannot get 3 items from queue of size 2"):
        q.get_nowait_batch(3)
    q.put_nowait_batch((3,))
    assert q.get_nowait_batch(3) == [1, 2, 3]
    assert q.get_nowait_batch(0) == []
    with pytest.raises(TypeError, match="'items' must be an Iterable"):
        q.put_nowait_batch(3)
    with pytest.raises(TypeError, match="'num_items' must be an int"):
        q.get_nowait_batch("a")
    with pytest.raises(ValueError, match="'num_items' must be nonnegative"):
        q.get_nowait_batch(-1)


def test_producers_and_consumers(make: Any) -> None:
    """Consumers wait for producers, and producers for room."""
    q = make(2)
    consumers = [consume.remote(q, 20) for _ in range(2)]
    producers = [produce.remote(q, list(range(20))) for _ in range(2)]
    taken = [item for items in ray.get(consumers) for item in items]
    ray.get(producers)
    assert sorted(taken) == sorted(list(range(20)) * 2)


def test_async(make: Any) -> None:
    q = make(1)

    async def talk() -> list[Any]:
        with pytest.raises(queue.Empty):
            await q.get_async(block=False)
        with pytest.raises(queue.Empty):
            await q.get_async(timeout=0.05)
        taking = asyncio.gather(*(q.get_async() for _ in range(4)))
        for i in range(4):
            await q.put_async(i)
        got = await taking
        await q.put_async(9)
        with pytest.raises(queue.Full):
            await q.put_async(10, block=False)
        with pytest.raises(queue.Full):
            await q.put_async(10, timeout=0.05)
        with pytest.raises(ValueError, match="non-negative"):
            await q.put_async(1, timeout=-1)
        return sorted(got)

    assert asyncio.run(talk()) == [0, 1, 2, 3]
    assert q.get() == 9


def test_references_stay_references(make: Any) -> None:
    q = make()
    q.put([ray.put(5)])
    (ref,) = q.get()
    assert ray.get(ref) == 5


@pytest.mark.parametrize("maxsize", [0, 1, 3])
def test_against_a_model(make: Any, maxsize: int) -> None:
    chance = random.Random(maxsize)
    q, model = make(maxsize), deque()
    for step in range(60):
        act = chance.choice(["put", "get", "batch", "take", "size"])
        if act == "put":
            room = maxsize == 0 or len(model) < maxsize
            _same(partial(q.put_nowait, step), partial(model.append, step), room)
        elif act == "get":
            _same(q.get_nowait, model.popleft, bool(model))
        elif act == "batch":
            fits = maxsize == 0 or len(model) + 2 <= maxsize
            items = [step, -step]
            _same(partial(q.put_nowait_batch, items), partial(model.extend, items), fits)
        elif act == "take":
            taken = partial(lambda m: [m.popleft(), m.popleft()], model)
            _same(partial(q.get_nowait_batch, 2), taken, len(model) >= 2)
        assert q.size() == len(model)
        assert q.full() == (0 < maxsize <= len(model))


def _same(act: Any, expected: Any, works: bool) -> None:
    if not works:
        with pytest.raises((queue.Empty, queue.Full)):
            act()
    else:
        assert act() == expected()


def test_shutdown(make: Any) -> None:
    q = make()
    actor = q.actor
    q.put(1)
    q.shutdown()
    q.shutdown()
    wait_until(lambda: _is_dead(actor), 10)
    with pytest.raises(AttributeError):
        q.get()


def test_shutdown_while_somebody_waits(make: Any) -> None:
    q = make(actor_options={"name": "waited-for"})
    waiting = consume.remote(q, 1)
    wait_until(lambda: _named("waited-for"), 10)
    q.shutdown(force=True)
    with pytest.raises(ray.exceptions.RayError):
        ray.get(waiting, timeout=30)


def test_the_actor_dies(make: Any) -> None:
    q = make()
    q.put(1)
    ray.kill(q.actor)
    wait_until(lambda: _is_dead(q.actor), 10)
    for call in (q.get, lambda: q.put(1), q.size, q.get_nowait):
        with pytest.raises(ray.exceptions.RayActorError):
            call()


def test_actor_options(make: Any) -> None:
    make(actor_options={"num_cpus": 1, "name": "queue"}).put(1)
    assert ray.available_resources()["CPU"] == 1.0
    ray.get_actor("queue")


def _is_dead(actor: Any) -> bool:
    try:
        ray.get(actor.qsize.remote(), timeout=10)
    except ray.exceptions.RayActorError:
        return True
    return False


def _named(name: str) -> bool:
    try:
        ray.get_actor(name)
    except ValueError:
        return False
    return True
