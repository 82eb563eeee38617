"""ActorPool, ActorGroup, as_completed and map_unordered."""

from __future__ import annotations

import os
import random
import warnings
from typing import Any

import pytest

from support.engine import ray
from support.gates import Gate
from support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("balanced")


@ray.remote(num_cpus=0)
class Doubler:
    def double(self, value: int) -> int:
        return 2 * value

    def fail(self, value: int) -> int:
        raise ValueError(value)

    def when_open(self, gate: Gate, value: int) -> int:
        gate.wait()
        return value

    def both(self, value: int) -> tuple[int, int]:
        return value, -value

    def die(self, value: int) -> int:
        os._exit(3)


@ray.remote(num_cpus=0)
def increment(x: int) -> int:
    return x + 1


@ray.remote(num_cpus=0)
def when_open(gate: Gate, value: int) -> int:
    gate.wait()
    return value


def double(actor: Any, value: int) -> Any:
    return actor.double.remote(value)


def pool_of(n: int) -> Any:
    return ray.util.ActorPool([Doubler.remote() for _ in range(n)])


def test_map_keeps_the_order() -> None:
    pool = pool_of(2)
    assert list(pool.map(double, range(20))) == [2 * i for i in range(20)]
    assert list(pool.map(double, [])) == []
    assert sorted(pool.map_unordered(double, iter(range(20)))) == [2 * i for i in range(20)]


def test_submit_and_get() -> None:
    pool = pool_of(1)
    assert not pool.has_next()
    assert pool.has_free()
    pool.submit(double, 1)
    pool.submit(double, 2)
    assert pool.has_next()
    assert not pool.has_free()
    assert pool.pop_idle() is None
    assert [pool.get_next(), pool.get_next()] == [2, 4]
    for take in (pool.get_next, pool.get_next_unordered):
        with pytest.raises(StopIteration, match="No more results to get"):
            take()


def test_an_error_gives_the_actor_back() -> None:
    pool = pool_of(1)
    pool.submit(lambda a, v: a.fail.remote(v), 7)
    pool.submit(double, 8)
    with pytest.raises(ValueError, match="7"):
        pool.get_next()
    assert pool.get_next() == 16


def test_a_dead_actor_leaves_the_pool() -> None:
    pool = pool_of(2)
    pool.submit(lambda a, v: a.die.remote(v), 0)
    with pytest.raises(ray.exceptions.ActorDiedError):
        pool.get_next()
    assert list(pool.map(double, range(6))) == [0, 2, 4, 6, 8, 10]
    assert pool.pop_idle() is not None
    assert pool.pop_idle() is None


def test_timeouts(tmp_path: Any) -> None:
    gate = Gate(tmp_path)
    pool = pool_of(1)
    pool.submit(lambda a, v: a.when_open.remote(gate, v), 1)
    for take in (pool.get_next, pool.get_next_unordered):
        with pytest.raises(TimeoutError, match=r"^Timed out waiting for result$"):
            take(timeout=0.05)
    with pytest.raises(TimeoutError, match="has been ignored"):
        pool.get_next(timeout=0, ignore_if_timedout=True)
    assert not pool.has_next()
    gate.open()
    pool.submit(double, 4)
    assert pool.get_next() == 8


def test_unordered_then_ordered() -> None:
    pool = pool_of(2)
    pool.submit(double, 1)
    pool.submit(double, 2)
    ray.wait(list(pool._future_to_actor), num_returns=2)
    first = pool.get_next_unordered()
    pool.submit(double, 3)
    assert sorted([first, pool.get_next_unordered(), pool.get_next_unordered()]) == [2, 4, 6]


def test_push() -> None:
    pool = pool_of(1)
    idle = pool.pop_idle()
    pool.push(idle)
    with pytest.raises(ValueError, match="Actor already belongs to current ActorPool"):
        pool.push(idle)
    pool.submit(double, 1)
    with pytest.raises(ValueError, match="already belongs"):
        pool.push(idle)
    pool.submit(double, 2)
    pool.push(Doubler.remote())  # takes the call that waits
    assert [pool.get_next(), pool.get_next()] == [2, 4]


def test_several_results() -> None:
    pool = pool_of(1)
    pool.submit(lambda a, v: a.both.options(num_returns=2).remote(v), 3)
    assert pool.get_next() == [3, -3]


def test_against_a_model() -> None:
    """Whatever is done in whatever order, each result comes once, and in order when asked so."""
    chance = random.Random(4)
    for _ in range(10):
        pool, expected, size = pool_of(1), [], 1
        for step in range(60):
            act = chance.choice(["submit", "submit", "next", "push", "pop"])
            if act == "submit":
                pool.submit(double, step)
                expected.append(2 * step)
            elif act == "next" and expected:
                assert pool.get_next() == expected.pop(0)
            elif act == "push" and size < 3:
                pool.push(Doubler.remote())
                size += 1
            elif act == "pop" and size > 1 and pool.pop_idle() is not None:
                size -= 1
            assert pool.has_next() == bool(expected)
        while pool.has_next():
            assert pool.get_next() == expected.pop(0)
        assert not expected


@pytest.mark.parametrize("chunk_size", [1, 2, 10])
def test_as_completed(chunk_size: int) -> None:
    refs = [increment.remote(i) for i in range(5)]
    assert sorted(ray.util.as_completed(refs, chunk_size=chunk_size)) == [1, 2, 3, 4, 5]
    as_refs = list(ray.util.as_completed(refs, chunk_size=chunk_size, yield_obj_refs=True))
    assert set(as_refs) == set(refs)


def test_as_completed_gives_what_is_ready(tmp_path: Any) -> None:
    gate = Gate(tmp_path)
    results = ray.util.as_completed([when_open.remote(gate, 1), increment.remote(1)], chunk_size=1)
    assert next(results) == 2
    gate.open()
    assert list(results) == [1]


def test_as_completed_checks() -> None:
    for bad in ({"chunk_size": 0}, {"num_returns": 1}):
        with pytest.raises(ValueError):
            list(ray.util.as_completed([ray.put(1)], **bad))
    assert list(ray.util.as_completed([])) == []


def test_map_unordered_reads_no_further_than_it_may() -> None:
    read: list[int] = []

    def items() -> Any:
        for i in range(30):
            read.append(i)
            yield i

    results = ray.util.map_unordered(increment, items(), backpressure_size=4, chunk_size=1)
    first = next(results)
    assert len(read) == 4
    assert sorted([first, *results]) == list(range(1, 31))


def test_map_unordered_checks() -> None:
    for bad in ({"chunk_size": 0}, {"backpressure_size": 0}, {"num_returns": 1}):
        with pytest.raises(ValueError):
            list(ray.util.map_unordered(increment, [1], **bad))
    unbounded = ray.util.map_unordered(increment, range(5), backpressure_size=None)
    assert sorted(unbounded) == [1, 2, 3, 4, 5]


class Member:
    def __init__(self, name: str) -> None:
        self.name = name

    def get_actor_metadata(self) -> str:
        return f"meta {self.name}"

    def hello(self, word: str) -> str:
        return f"{word} {self.name}"


def test_actor_group() -> None:
    from importlib import import_module

    group_class = import_module(f"{ray.__name__}.util.actor_group").ActorGroup
    with pytest.warns(DeprecationWarning, match="ActorGroup"):
        group = group_class(Member, num_actors=2, num_cpus_per_actor=0, init_args=("m",))
    assert ray.get(group.hello.remote("hi")) == ["hi m", "hi m"]
    assert group.actor_metadata == ["meta m", "meta m"]
    assert len(group) == 2
    group.add_actors(1)
    group.remove_actors([0])
    assert len(group) == 2
    with pytest.raises(TypeError, match="cannot be called directly"):
        group.hello("hi")
    with pytest.raises(RuntimeError, match="already been started"):
        group.start()
    handle = group[0].actor
    group.shutdown()
    with pytest.raises(RuntimeError, match="has been shutdown"):
        group.hello  # noqa: B018
    wait_until(lambda: _is_dead(handle), 10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for bad in ({"num_actors": 0}, {"num_cpus_per_actor": -1}):
            with pytest.raises(ValueError):
                group_class(Member, **bad)


def _is_dead(handle: Any) -> bool:
    try:
        ray.get(handle.hello.remote("x"), timeout=5)
    except ray.exceptions.RayActorError:
        return True
    return False
