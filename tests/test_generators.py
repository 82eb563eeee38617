"""Generators: order, errors, waiting, asynchronous iteration, consumers that are tasks."""

from __future__ import annotations

import asyncio
import copy
import gc
import os
import pickle
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.engine import ray
from support.gates import Gate, count
from support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("balanced")


@ray.remote
def upto(n: int) -> Iterator[int]:
    yield from range(n)


@ray.remote
def failing(n: int) -> Iterator[int]:
    yield from range(n)
    raise ValueError("in the middle")


@ray.remote
def gated(gates: list[Gate]) -> Iterator[int]:
    for i, gate in enumerate(gates):
        gate.wait()
        yield i


def outcomes(refs: Any) -> list[Any]:
    """Values, and the names of the exceptions in their places."""
    found: list[Any] = []
    for ref in refs:
        try:
            found.append(ray.get(ref))
        except Exception as error:  # noqa: BLE001
            found.append(type(error).__name__)
    return found


# --- the iterator ----------------------------------------------------------------------------


def test_gives_references_in_order() -> None:
    generator = upto.remote(5)
    assert isinstance(generator, ray.ObjectRefGenerator)
    refs = list(generator)
    assert all(isinstance(ref, ray.ObjectRef) for ref in refs)
    assert len(set(refs)) == 5
    assert ray.get(refs) == [0, 1, 2, 3, 4]


def test_many_items_come_each_once() -> None:
    n = 30_000
    assert sum(1 for _ in upto.remote(n)) == n
    assert ray.get(list(upto.remote(n))) == list(range(n))


def test_an_empty_one_ends() -> None:
    generator = upto.remote(0)
    assert list(generator) == []
    assert ray.get(generator.completed()) is None


def test_stays_at_its_end() -> None:
    generator = upto.remote(1)
    next(generator)
    for _ in range(3):
        with pytest.raises(StopIteration):
            next(generator)
    assert generator.is_finished()
    assert not generator.next_ready()
    with pytest.raises(StopIteration):
        generator._next_sync(0.1)


def test_is_its_own_iterator_and_no_sequence() -> None:
    generator = upto.remote(1)
    assert iter(generator) is generator
    assert bool(generator)
    assert generator == generator
    assert hash(generator) == hash(generator)
    with pytest.raises(TypeError, match="has no len"):
        len(generator)


@pytest.mark.parametrize("name", ["send", "throw", "close"])
def test_has_no_generator_methods(name: str) -> None:
    method = getattr(upto.remote(1), name)
    with pytest.raises(NotImplementedError, match=f"`gen.{name}` is not supported."):
        method() if name == "close" else method(None)


@pytest.mark.parametrize("name", ["asend", "athrow", "aclose"])
def test_has_no_async_generator_methods(name: str) -> None:
    method = getattr(upto.remote(1), name)
    with pytest.raises(NotImplementedError, match=f"`gen.{name}` is not supported."):
        asyncio.run(method() if name == "aclose" else method(None))


def test_cannot_be_pickled_or_passed() -> None:
    generator = upto.remote(1)
    for attempt in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="Serializing a ObjectRefGenerator is not allowed"):
            attempt(generator)
    for value in (generator, [generator]):
        with pytest.raises(TypeError):
            ray.put(value)
        with pytest.raises(TypeError):
            upto.remote(value)


def test_get_returns_it_as_it_is() -> None:
    generator = upto.remote(1)
    assert ray.get(generator) is generator
    with pytest.raises(TypeError, match=r"which is not an ray\.ObjectRef"):
        ray.get([generator])


def test_items_outlive_it() -> None:
    generator = upto.remote(3)
    refs = list(generator)
    del generator
    gc.collect()
    assert ray.get(refs) == [0, 1, 2]


def test_large_items_and_references() -> None:
    @ray.remote
    def mixed() -> Iterator[Any]:
        yield b"x" * 300_000
        yield ray.put("inner")
        yield [ray.put("nested")]

    big, ref, refs = ray.get(list(mixed.remote()))
    assert big == b"x" * 300_000
    assert ray.get(ref) == "inner"
    assert ray.get(refs) == ["nested"]


def test_the_return_value_is_dropped() -> None:
    @ray.remote
    def returning() -> Any:
        yield 1
        return 7

    generator = returning.remote()
    assert ray.get(list(generator)) == [1]
    assert ray.get(generator.completed()) is None


def test_items_come_while_it_runs(tmp_path: Path) -> None:
    gates = [Gate(tmp_path) for _ in range(3)]
    generator = gated.remote(gates)
    for i, gate in enumerate(gates):
        assert not generator.next_ready()
        assert not generator.is_finished()
        gate.open()
        assert ray.get(next(generator)) == i
    assert ray.get(generator.completed()) is None


def test_an_item_is_not_late_for_a_task_that_waits(tmp_path: Path) -> None:
    # The driver does not read meanwhile; the item must reach the task before the generator goes on.
    gate = Gate(tmp_path)

    @ray.remote
    def slow() -> Iterator[int]:
        yield 0
        yield 1
        gate.wait()
        yield 2

    @ray.remote
    def consume() -> list[int]:
        generator = slow.remote()
        first = [ray.get(next(generator)), ray.get(next(generator))]
        gate.open()
        return first + [ray.get(ref) for ref in generator]

    ref = consume.remote()
    wait_until(gate._path.exists, 20, "the task to have two items")
    assert ray.get(ref, timeout=20) == [0, 1, 2]


def test_next_sync_gives_up_in_time(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    generator = gated.remote([gate])
    assert generator._next_sync(0).is_nil()
    assert generator._next_sync(timeout_s=0.02).is_nil()
    gate.open()
    assert ray.get(generator._next_sync(20)) == 0


def test_threads_share_it() -> None:
    generator, found = upto.remote(2000), []

    def take() -> None:
        found.extend(ray.get(list(generator)))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(2000))


# --- errors ----------------------------------------------------------------------------------


def test_an_error_is_the_last_item() -> None:
    generator = failing.remote(2)
    assert outcomes(generator) == [0, 1, "RayTaskError(ValueError)"]
    with pytest.raises(StopIteration):
        next(generator)
    assert ray.get(generator.completed()) is None
    assert generator.is_finished()


def test_an_error_before_the_first_item() -> None:
    with pytest.raises(ValueError, match="in the middle"):
        ray.get(next(failing.remote(0)))


def test_a_failed_argument_is_the_only_item() -> None:
    @ray.remote
    def broken() -> int:
        raise KeyError("argument")

    assert outcomes(upto.remote(broken.remote())) == ["RayTaskError(KeyError)"]


def test_an_item_that_cannot_be_pickled_ends_it() -> None:
    @ray.remote
    def locks() -> Iterator[Any]:
        yield 1
        yield threading.Lock()
        yield 3

    assert outcomes(locks.remote()) == [1, "RayTaskError(TypeError)"]


def test_retries_of_exceptions_go_on_where_it_stopped(tmp_path: Path) -> None:
    @ray.remote(max_retries=2, retry_exceptions=True)
    def again(n: int) -> Iterator[tuple[int, int]]:
        attempt = count(tmp_path, "attempt")
        for i in range(n):
            if attempt == 1 and i == 2:
                raise ValueError("again")
            yield i, attempt

    assert ray.get(list(again.remote(4))) == [(0, 1), (1, 1), (2, 2), (3, 2)]


def test_a_death_is_retried_without_giving_an_item_twice(tmp_path: Path) -> None:
    @ray.remote(max_retries=1)
    def dying(n: int) -> Iterator[tuple[int, int]]:
        attempt = count(tmp_path, "attempt")
        for i in range(n):
            if attempt == 1 and i == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            yield i, attempt

    found = ray.get(list(dying.remote(6)))
    assert [i for i, _ in found] == list(range(6))
    assert found[-1][1] == 2


def test_a_death_without_retries_is_the_last_item() -> None:
    @ray.remote(max_retries=0)
    def dying() -> Iterator[int]:
        yield 0
        yield 1
        os.kill(os.getpid(), signal.SIGKILL)

    generator = dying.remote()
    assert outcomes(generator) == [0, 1, "WorkerCrashedError"]
    assert outcomes([generator.completed()]) == ["WorkerCrashedError"]


# --- waiting ---------------------------------------------------------------------------------


def test_wait_takes_generators_and_references(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    ready_one, pending, ref = upto.remote(1), gated.remote([gate]), ray.put(1)
    ready, rest = ray.wait([pending, ready_one, ref], num_returns=2, timeout=20)
    assert ready == [ready_one, ref]
    assert rest == [pending]
    assert ray.wait([pending], timeout=0) == ([], [pending])
    gate.open()
    assert ray.wait([pending], timeout=20) == ([pending], [])
    assert ray.get(next(pending)) == 0
    # At its end it is ready too: the next call gives StopIteration without waiting.
    assert ray.wait([pending], timeout=20) == ([pending], [])
    assert list(pending) == []
    assert ray.wait([pending], timeout=20) == ([pending], [])


def test_wait_refuses_what_ray_refuses() -> None:
    generator = upto.remote(1)
    with pytest.raises(ValueError, match="unique ray_waitables"):
        ray.wait([generator, generator])
    with pytest.raises(TypeError, match="got a single"):
        ray.wait(generator)


def test_wait_in_a_loop_gathers_all() -> None:
    left, found = [upto.remote(20) for _ in range(4)], []
    while left:
        (ready,), left = ray.wait(left, num_returns=1, timeout=20)
        try:
            found.append(ray.get(next(ready)))
        except StopIteration:
            continue
        left.append(ready)
    assert sorted(found) == sorted([*range(20)] * 4)


# --- asynchronous iteration ------------------------------------------------------------------


def test_async_for() -> None:
    async def gather() -> list[int]:
        return [await ref async for ref in upto.remote(5)]

    assert asyncio.run(gather()) == [0, 1, 2, 3, 4]


def test_async_for_over_items_that_take_their_time(tmp_path: Path) -> None:
    gates = [Gate(tmp_path) for _ in range(2)]

    async def gather() -> tuple[list[int], bool]:
        generator = gated.remote(gates)
        nil = (await generator._next_async(0.01)).is_nil()
        found = []
        gates[0].open()
        async for ref in generator:
            found.append(await ref)
            gates[1].open()
        with pytest.raises(StopAsyncIteration):
            await generator.__anext__()
        return found, nil

    assert asyncio.run(gather()) == ([0, 1], True)


def test_async_errors_are_in_the_items() -> None:
    async def gather() -> list[str]:
        found = []
        generator = failing.remote(1)
        async for ref in generator:
            try:
                found.append(str(await ref))
            except ValueError as error:
                found.append(type(error).__name__)
        assert await generator.completed() is None
        return found

    assert asyncio.run(gather()) == ["0", "RayTaskError(ValueError)"]


# --- in tasks --------------------------------------------------------------------------------


def test_a_task_consumes() -> None:
    @ray.remote
    def total(n: int) -> int:
        return sum(ray.get(ref) for ref in upto.remote(n))

    assert ray.get(total.remote(1000)) == sum(range(1000))


def test_a_generator_of_a_generator() -> None:
    @ray.remote
    def tens(n: int) -> Iterator[int]:
        for ref in upto.remote(n):
            yield ray.get(ref) * 10

    assert ray.get(list(tens.remote(4))) == [0, 10, 20, 30]


def test_deeper_than_there_are_processes() -> None:
    @ray.remote
    def deep(level: int) -> Iterator[int]:
        if level:
            yield from (ray.get(ref) for ref in deep.remote(level - 1))
        yield level

    assert ray.get(list(deep.remote(20)), timeout=60) == list(range(21))


def test_a_task_waits_over_generators() -> None:
    @ray.remote
    def both() -> list[int]:
        left, found = [upto.remote(3), upto.remote(4)], []
        while left:
            (ready,), left = ray.wait(left, num_returns=1)
            item = ready._next_sync(0) if not ready.is_finished() else None
            if item is not None:
                found.append(ray.get(item))
                left.append(ready)
        return sorted(found)

    assert ray.get(both.remote(), timeout=30) == [0, 0, 1, 1, 2, 2, 3]
