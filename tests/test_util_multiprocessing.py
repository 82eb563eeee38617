"""multiprocessing.Pool on actors."""

from __future__ import annotations

import os
import signal
import threading
import time
from functools import partial
from importlib import import_module
from typing import Any

import pytest

from support.engine import ray
from support.gates import Gate, count, counted
from support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("balanced")

multiprocessing = import_module(f"{ray.__name__}.util.multiprocessing")
pool_module = import_module(f"{ray.__name__}.util.multiprocessing.pool")


@pytest.fixture
def pool(balanced: None) -> Any:
    pool = multiprocessing.Pool(2)
    yield pool
    pool.terminate()


def double(x: int) -> int:
    return 2 * x


def inverse(x: float) -> float:
    return 1 / x


def pid_of(_: Any = None) -> int:
    return os.getpid()


def wait_for(gate: Gate, value: Any = None) -> Any:
    gate.wait()
    return value


def die(x: int) -> int:
    if x == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return x


class Accumulator:
    """A callable with a state."""

    def __init__(self) -> None:
        self.n = 0

    def __call__(self, x: int) -> int:
        self.n += x
        return self.n


@pytest.mark.parametrize("chunksize", [None, 1, 3, 100])
def test_map(pool: Any, chunksize: int | None) -> None:
    expected = [2 * i for i in range(23)]
    assert pool.map(double, range(23), chunksize=chunksize) == expected
    assert pool.map(double, iter(range(23)), chunksize=chunksize) == expected
    assert pool.map(lambda x: 2 * x, range(23), chunksize) == expected
    assert pool.map_async(double, range(23), chunksize).get() == expected
    pairs = [(i, i) for i in range(23)]
    assert pool.starmap(lambda a, b: a + b, pairs, chunksize) == expected
    assert pool.starmap_async(lambda a, b: a + b, pairs).get() == expected


def test_map_of_nothing(pool: Any) -> None:
    assert pool.map(double, []) == []
    assert list(pool.imap(double, [])) == []
    assert pool.map_async(double, []).ready()


@pytest.mark.parametrize("chunksize", [1, 2, 50])
def test_imap(pool: Any, chunksize: int) -> None:
    assert list(pool.imap(double, range(9), chunksize)) == [2 * i for i in range(9)]
    assert list(pool.imap(double, iter(range(9)), chunksize)) == [2 * i for i in range(9)]
    unordered = pool.imap_unordered(double, range(9), chunksize)
    assert sorted(unordered) == [2 * i for i in range(9)]


def counted_on(read: list[int], n: int) -> Any:
    """Items up to `n`, each noted when it is read."""
    for i in range(n):
        read.append(i)
        yield i


def held(gates: list[Gate], i: int) -> int:
    gates[i].wait()
    count(gates[i].folder, f"done-{i}")
    return 2 * i


def test_imap_reads_a_chunk_when_one_is_done_and_next_is_called(pool: Any, tmp_path: Any) -> None:
    gates = [Gate(tmp_path) for _ in range(20)]
    read: list[int] = []
    results = pool.imap(partial(held, gates), counted_on(read, 20))
    assert read == [0, 1]
    gates[0].open()
    assert next(results) == 0
    assert read == [0, 1, 2]
    gates[2].open()
    wait_until(lambda: counted(tmp_path, "done-2") == 1, 10, "the third call")
    assert read == [0, 1, 2]
    for gate in gates:
        gate.open()
    assert list(results) == [2 * i for i in range(1, 20)]
    assert read == list(range(20))


@pytest.mark.only_thornback
def test_imap_goes_on_beside_a_slow_item(pool: Any, tmp_path: Any) -> None:
    """Ray's calls queue up behind it."""
    gates = [Gate(tmp_path) for _ in range(20)]
    for gate in gates[1:]:
        gate.open()
    read: list[int] = []
    results = pool.imap(partial(held, gates), counted_on(read, 20))

    def others_are_done() -> bool:
        with pytest.raises(multiprocessing.TimeoutError):
            results.next(timeout=0.01)
        assert len(read) - sum(counted(tmp_path, f"done-{i}") for i in range(20)) <= 2
        return counted(tmp_path, "done-19") == 1

    wait_until(others_are_done, 20, "all but the first item")
    gates[0].open()
    assert list(results) == [2 * i for i in range(20)]


def test_apply(pool: Any) -> None:
    assert pool.apply(lambda a, b=0: (a, b), (1,), {"b": 2}) == (1, 2)
    assert pool.apply_async(double, (4,)).get() == 8
    assert pool.apply(double, args=[5]) == 10


@pytest.mark.only_thornback
def test_a_callback_that_raises_is_logged_and_others_are_called(
    pool: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """In Ray it ends the thread that calls them."""
    seen: list[Any] = []

    def fail(value: Any) -> None:
        raise ValueError(f"callback of {value}")

    failing = pool.apply_async(double, (4,), callback=fail)
    failing.wait(10)
    assert failing.get() == 8
    pool.map_async(double, range(3), 1, callback=seen.append).wait(10)
    assert seen == [[0, 2, 4]]
    assert "callback of 8" in caplog.text
    caplog.clear()  # the traceback's frames hold the result


def test_apply_of_a_function_whose_surroundings_change(pool: Any) -> None:
    """However often a function was sent, a call sees what it refers to as it is by then."""
    module: dict[str, Any] = {"__name__": "__main__"}
    source = """
import math
number, items = 1, [0]
def constant(x, y=2): return math.floor(x) + y
def reading(x): return x + number
def inner(x): return [number + i for i in range(x)]
def growing(): return len(items)
"""
    exec(source, module)
    for _ in range(4):
        assert pool.apply(module["constant"], (3.5,)) == 5
        assert pool.apply(module["reading"], (1,)) == 2
        assert pool.apply(module["inner"], (2,)) == [1, 2]
    for number in (2, True, 2.5):
        module["number"] = number
        for _ in range(3):
            assert repr(pool.apply(module["reading"], (1,))) == repr(1 + number)
            assert repr(pool.apply(module["inner"], (1,))) == repr([number + 0])
    for size in (1, 2, 3, 4):
        assert pool.apply(module["growing"]) == size
        module["items"].append(size)
    module["constant"].__defaults__ = (7,)
    assert pool.apply(module["constant"], (3.5,)) == 10
    module["constant"].__code__ = (lambda x, y: x * y).__code__
    assert [pool.apply(module["constant"], (2,)) for _ in range(3)] == [14] * 3


def test_apply_of_closures_that_raise_and_of_many(pool: Any) -> None:
    def adder(n: int) -> Any:
        def add(x: int) -> Any:
            nonlocal n
            n += 0
            return x + n if x else 1 / x

        return add

    one = adder(1)
    assert [pool.apply(one, (1,)) for _ in range(5)] == [2] * 5
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            pool.apply(one, (0,))
    many = [adder(i) for i in range(100)]
    for _ in range(3):
        assert [pool.apply(f, (1,)) for f in many] == [1 + i for i in range(100)]
    results = [pool.apply_async(one, kwds) for kwds in [(i,) for i in range(1, 30)]]
    assert [r.get() for r in results] == list(range(2, 31))


def test_errors(pool: Any) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        pool.map(inverse, [1, 0, 2])
    assert "in inverse" in str(caught.value.__cause__)
    with pytest.raises(ZeroDivisionError):
        pool.apply(inverse, (0,))
    first, second, third = pool.imap(inverse, [1, 0, 2])
    assert (first, third) == (1.0, 0.5)
    assert isinstance(second, pool_module.PoolTaskError)
    assert isinstance(second.underlying, ZeroDivisionError)
    result = pool.map_async(inverse, [0, 1])
    result.wait()
    assert not result.successful()
    for bad in (0, -1):
        with pytest.raises(ValueError, match="Chunksize must be 1"):
            pool.map(double, [1], chunksize=bad)
        with pytest.raises(ValueError, match="Chunksize must be 1"):
            pool.imap(double, [1], chunksize=bad)


def test_results_on_their_way(pool: Any, tmp_path: Any) -> None:
    gate = Gate(tmp_path)
    result = pool.apply_async(wait_for, (gate, 7))
    assert not result.ready()
    with pytest.raises(ValueError, match="not ready"):
        result.successful()
    with pytest.raises(multiprocessing.TimeoutError):
        result.get(timeout=0.05)
    lazily = pool.imap(wait_for, [gate])
    with pytest.raises(multiprocessing.TimeoutError):
        lazily.next(timeout=0.05)
    gate.open()
    assert result.get(timeout=30) == 7
    assert result.ready()
    assert result.successful()
    assert lazily.next(timeout=30) is None
    with pytest.raises(StopIteration):
        lazily.next()


def test_callbacks(pool: Any) -> None:
    seen: list[Any] = []
    pool.map_async(double, range(4), callback=seen.append).wait(30)
    assert seen == [[0, 2, 4, 6]]
    pool.apply_async(double, (3,), callback=seen.append).wait(30)
    assert seen[1:] == [6]
    errors: list[Any] = []
    result = pool.map_async(
        inverse, [1, 0, 0], 1, callback=seen.append, error_callback=errors.append
    )
    result.wait(30)
    assert len(seen) == 2
    (error,) = errors
    assert isinstance(getattr(error, "underlying", error), ZeroDivisionError)
    with pytest.raises(ZeroDivisionError):
        result.get()


def test_a_callable_object_is_new_for_each_chunk(pool: Any) -> None:
    assert pool.map(Accumulator(), [1, 1, 1, 1, 1], chunksize=2) == [1, 2, 1, 2, 1]


def test_references_arrive_as_references(pool: Any) -> None:
    refs = [ray.put(1), ray.put(2)]
    assert pool.map(lambda r: ray.get(r) + 1, refs) == [2, 3]
    assert pool.apply(lambda r: ray.get(r), (refs[0],)) == 1


def test_initializer_and_its_failure() -> None:
    def prepare(value: int) -> None:
        os.environ["PREPARED"] = str(value)

    pool = multiprocessing.Pool(2, initializer=prepare, initargs=(5,))
    assert set(pool.map(lambda _: os.environ["PREPARED"], range(4))) == {"5"}
    pool.terminate()
    with pytest.raises(ray.exceptions.ActorDiedError, match="ZeroDivisionError"):
        multiprocessing.Pool(1, initializer=inverse, initargs=(0,))


def test_actors_are_replaced_after_their_tasks() -> None:
    pool = multiprocessing.Pool(1, maxtasksperchild=2)
    pids = pool.map(pid_of, range(6), chunksize=1)
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [2, 2, 2]
    pool.close()
    pool.join()


def test_a_killed_worker_fails_its_calls_and_is_replaced(pool: Any) -> None:
    before = set(pool.map(pid_of, range(8), chunksize=1))
    with pytest.raises(ray.exceptions.ActorDiedError):
        pool.map(die, [0, 1, 2, 3], chunksize=1)
    assert pool.map(double, range(8), chunksize=1) == [2 * i for i in range(8)]
    after = set(pool.map(pid_of, range(8), chunksize=1))
    assert len(before) == len(after) == 2
    assert len(before & after) == 1
    results = list(pool.imap(die, [0, 1, 2, 3]))
    errors = [r for r in results if isinstance(r, Exception)]
    assert errors
    assert all(isinstance(e, ray.exceptions.ActorDiedError) for e in errors)
    assert pool.map(double, range(4)) == [0, 2, 4, 6]


def test_a_result_that_cannot_be_pickled(pool: Any) -> None:
    with pytest.raises(ray.exceptions.RayTaskError, match="lock"):
        pool.map(lambda _: threading.Lock(), [1])
    assert pool.map(double, [1]) == [2]


def test_close_finishes_what_was_taken(tmp_path: Any) -> None:
    gate = Gate(tmp_path)
    pool = multiprocessing.Pool(2)
    result = pool.map_async(lambda x: wait_for(gate, x), range(4), chunksize=1)
    with pytest.raises(ValueError, match="Pool is still running"):
        pool.join()
    pool.close()
    for call in (
        lambda: pool.map(double, [1]),
        lambda: pool.apply(double, (1,)),
        lambda: pool.imap(double, [1]),
        lambda: pool.__enter__(),
    ):
        with pytest.raises(ValueError, match="Pool not running"):
            call()
    gate.open()
    pool.join()
    assert result.get() == [0, 1, 2, 3]
    pool.close()
    pool.join()


def test_terminate_and_the_end_of_a_block(tmp_path: Any) -> None:
    gate = Gate(tmp_path)
    with multiprocessing.Pool(1) as pool:
        result = pool.apply_async(wait_for, (gate,))
    with pytest.raises(ray.exceptions.RayActorError):
        result.get(timeout=30)
    pool.join()


def test_sizes() -> None:
    for bad in (0, -1):
        with pytest.raises(ValueError, match="Processes in the pool must be >0"):
            multiprocessing.Pool(bad)
    with pytest.raises(ValueError, match="there are only 2 CPUs"):
        multiprocessing.Pool(3)
    pool = multiprocessing.Pool()
    assert len(set(pool.map(pid_of, range(8), chunksize=1))) == 2
    pool.terminate()


def test_remote_options() -> None:
    pool = multiprocessing.Pool(1, ray_remote_args={"num_cpus": 1})
    wait_until(lambda: ray.available_resources().get("CPU") == 1.0, 10)
    pool.terminate()


def test_actors_go_with_the_pool() -> None:
    pool = multiprocessing.Pool(2)
    assert pool.map(double, range(3)) == [0, 2, 4]
    del pool  # the fixture sees that they are gone


def test_joinable_queue_is_that_of_the_standard_library() -> None:
    queue = multiprocessing.JoinableQueue()
    queue.put(1)
    assert queue.get(timeout=10) == 1
    queue.task_done()
    queue.join()
    queue.close()
    queue.join_thread()


@pytest.mark.only_thornback
def test_many_small_calls_in_reasonable_time(pool: Any) -> None:
    """Each item is a call of its own: a limit that catches a cost of milliseconds a call."""
    started = time.monotonic()
    assert pool.map(abs, range(20_000), chunksize=1) == list(range(20_000))
    assert time.monotonic() - started < 15
