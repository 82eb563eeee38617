"""Generator methods of actors, and generators with a fixed number of results or with "dynamic"."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.engine import ray
from support.gates import Meeting
from support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("balanced")


@ray.remote
def upto(n: int) -> Iterator[int]:
    yield from range(n)


@ray.remote
def failing(n: int) -> Iterator[int]:
    yield from range(n)
    raise ValueError("in the middle")


def outcomes(refs: Any) -> list[Any]:
    """Values, and the names of the exceptions in their places."""
    found: list[Any] = []
    for ref in refs:
        try:
            found.append(ray.get(ref))
        except Exception as error:  # noqa: BLE001
            found.append(type(error).__name__)
    return found


# --- actors ----------------------------------------------------------------------------------


@ray.remote
class Source:
    def __init__(self) -> None:
        self.given = 0

    def upto(self, n: int) -> Iterator[int]:
        for i in range(n):
            self.given += 1
            yield i

    def failing(self) -> Iterator[int]:
        yield 1
        raise ValueError("of the actor")

    @ray.method(num_returns=2)
    def two(self) -> Iterator[int]:
        yield 1
        yield 2

    def dying(self) -> Iterator[int]:
        yield 1
        os._exit(1)

    def count(self) -> int:
        return self.given


def test_methods_generate() -> None:
    source = Source.remote()
    one = source.upto.remote(1)
    assert isinstance(one, ray.ObjectRefGenerator)
    assert ray.get(list(one)) == [0]
    assert ray.get(list(source.upto.remote(3))) == [0, 1, 2]
    assert outcomes(source.failing.remote()) == [1, "RayTaskError(ValueError)"]
    assert outcomes(source.two.remote()) == [1, 2]
    assert ray.get(source.upto.options(num_returns=1).remote(5)) == 0
    assert ray.get(source.count.remote()) == 5


def test_calls_of_an_actor_stay_in_order_around_a_generator() -> None:
    source = Source.remote()
    before, generator, after = source.count.remote(), source.upto.remote(100), source.count.remote()
    assert ray.get([before, after]) == [0, 100]
    assert ray.get(list(generator)) == list(range(100))


def test_an_actor_lives_as_long_as_its_generator_runs() -> None:
    generator = Source.remote().upto.remote(1000)
    assert len(list(generator)) == 1000


def test_an_actor_that_dies_ends_its_generators() -> None:
    source = Source.remote()
    assert outcomes(source.dying.remote()) == [1, "ActorDiedError"]
    assert outcomes(source.upto.remote(1)) == ["ActorDiedError"]


@pytest.mark.filterwarnings("ignore:num_returns='dynamic'")
def test_only_generators_stream() -> None:
    source = Source.remote()
    message = "can only be used with generator functions"
    with pytest.raises(ValueError, match=message):
        source.count.options(num_returns="streaming").remote()

    @ray.remote
    def plain() -> int:
        return 1

    for kind in ("streaming", "dynamic"):
        with pytest.raises(ValueError, match=message):
            plain.options(num_returns=kind)


# --- actors that run several calls at a time -------------------------------------------------


@ray.remote
class AsyncSource:
    def __init__(self) -> None:
        self.log: list[str] = []

    async def upto(self, n: int, seconds: float = 0) -> AsyncIterator[int]:
        try:
            for i in range(n):
                if seconds:
                    await asyncio.sleep(seconds)
                self.log.append("item")
                yield i
        except BaseException as error:
            self.log.append(type(error).__name__)
            raise
        finally:
            self.log.append("end")

    async def failing(self) -> AsyncIterator[int]:
        yield 1
        raise ValueError("of the actor")

    def plain(self, n: int) -> Iterator[int]:
        for i in range(n):
            self.log.append("item")
            yield i

    async def gather(self, n: int) -> list[int]:
        return [await ref async for ref in upto.remote(n)]

    async def seen(self) -> list[str]:
        return self.log


def test_async_methods_generate() -> None:
    source = AsyncSource.remote()
    generator = source.upto.remote(3)
    assert isinstance(generator, ray.ObjectRefGenerator)
    assert ray.get(list(generator)) == [0, 1, 2]
    assert outcomes(source.failing.remote()) == [1, "RayTaskError(ValueError)"]
    assert ray.get(list(source.plain.remote(3))) == [0, 1, 2]
    assert ray.get(source.gather.remote(4)) == [0, 1, 2, 3]
    many = [source.upto.remote(20, 0.001) for _ in range(20)]
    assert [ray.get(list(generator)) for generator in many] == [list(range(20))] * 20


def test_async_generators_of_a_fixed_number_are_refused() -> None:
    source = AsyncSource.remote()
    assert outcomes(source.upto.options(num_returns=2).remote(2)) == ["RayTaskError(TypeError)"] * 2
    assert outcomes([source.upto.options(num_returns=1).remote(2)]) == ["RayTaskError(TypeError)"]


@pytest.mark.filterwarnings("ignore:num_returns='dynamic'")
def test_async_generators_are_not_dynamic() -> None:
    source = AsyncSource.remote()
    ref = source.upto.options(num_returns="dynamic").remote(2)
    with pytest.raises(ValueError, match="must return a generator"):
        ray.get(ref)


@pytest.mark.parametrize("method", ["upto", "plain"])
def test_a_paused_generator_does_not_keep_the_loop(method: str) -> None:
    source = AsyncSource.remote()
    generator = getattr(source, method).options(_generator_backpressure_num_objects=2).remote(6)
    for taken in range(5):
        expected = min(6, 2 + taken)
        wait_until(
            lambda: ray.get(source.seen.remote()).count("item") == expected,  # noqa: B023
            20,
            f"{expected} items",
        )
        assert ray.get(next(generator)) == taken
    assert ray.get(list(generator)) == [5]


@pytest.mark.only_thornback
@pytest.mark.parametrize("window", [-1, 1])
def test_dropping_an_async_generator_closes_it(window: int) -> None:
    source = AsyncSource.remote()
    generator = source.upto.options(_generator_backpressure_num_objects=window).remote(10**9, 0.001)
    assert ray.get(next(generator)) == 0
    del generator
    gc.collect()
    wait_until(lambda: "end" in ray.get(source.seen.remote()), 20, "the generator to be closed")
    assert "GeneratorExit" in ray.get(source.seen.remote())


@pytest.mark.only_thornback
def test_dropping_one_that_never_waits_closes_it() -> None:
    source = AsyncSource.remote()
    generator = source.upto.remote(10**9)
    assert ray.get(next(generator)) == 0
    assert ray.get(source.gather.remote(2), timeout=20) == [0, 1]  # others run meanwhile
    del generator
    gc.collect()
    wait_until(lambda: "end" in ray.get(source.seen.remote()), 20, "the generator to be closed")


def test_cancel_of_an_async_generator() -> None:
    source = AsyncSource.remote()
    generator = source.upto.remote(10**9, 0.001)
    assert ray.get(next(generator)) == 0
    ray.cancel(generator)
    *_, last = outcomes(generator)
    assert last in ("RayTaskError(TaskCancelledError)", "TaskCancelledError")


@ray.remote(max_concurrency=3)
class ThreadedSource:
    def meet(self, meeting: Meeting, n: int) -> Iterator[Any]:
        for i in range(n):
            yield meeting.join() if i == 0 else i


def test_threads_generate_at_the_same_time(tmp_path: Path) -> None:
    source, meeting = ThreadedSource.remote(), Meeting(tmp_path, 3)
    options = {"_generator_backpressure_num_objects": 2}
    generators = [source.meet.options(**options).remote(meeting, 5) for _ in range(3)]
    assert [ray.get(list(g)) for g in generators] == [[True, 1, 2, 3, 4]] * 3


# --- fixed numbers of results ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (3, [0, 1, 2]),
        (2, [0, 1, "RayTaskError(ValueError)"]),
        (4, [0, 1, 2]),
        (0, ["RayTaskError(ValueError)"] * 3),
    ],
)
def test_a_fixed_number_is_taken_from_the_generator(n: int, expected: list[Any]) -> None:
    assert outcomes(upto.options(num_returns=3).remote(n)) == expected


def test_too_few_say_how_many() -> None:
    refs = upto.options(num_returns=3).remote(2)
    with pytest.raises(ValueError, match="Task returned 2 objects, but num_returns=3"):
        ray.get(refs[2])


def test_an_error_spares_the_results_before_it() -> None:
    refs = failing.options(num_returns=3).remote(1)
    assert outcomes(refs) == [0, "RayTaskError(ValueError)", "RayTaskError(ValueError)"]


def test_one_result_is_the_first_item() -> None:
    assert ray.get(upto.options(num_returns=1).remote(3)) == 0
    assert upto.options(num_returns=0).remote(3) is None
    assert isinstance(upto.options(num_returns=None).remote(1), ray.ObjectRefGenerator)

    @ray.remote
    def returns_generator() -> Any:
        return (i for i in (5, 6))

    assert ray.get(returns_generator.remote()) == 5


# --- dynamic ---------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:num_returns='dynamic'")
def test_dynamic_gives_one_reference() -> None:
    ref = upto.options(num_returns="dynamic").remote(3)
    assert isinstance(ref, ray.ObjectRef)
    generator = ray.get(ref)
    assert isinstance(generator, ray.DynamicObjectRefGenerator)
    assert len(generator) == 3
    assert ray.get(list(generator)) == [0, 1, 2]
    assert len(generator) == 0
    assert list(generator) == []
    with pytest.raises(TypeError):
        next(generator)


@pytest.mark.filterwarnings("ignore:num_returns='dynamic'")
def test_dynamic_with_an_error_and_in_a_task() -> None:
    refs = list(ray.get(failing.options(num_returns="dynamic").remote(2)))
    assert outcomes(refs) == [0, 1, "RayTaskError(ValueError)"]

    @ray.remote
    def total(generator: Any) -> int:
        return sum(ray.get(list(generator)))

    assert ray.get(total.remote(upto.options(num_returns="dynamic").remote(4))) == 6


def test_dynamic_warns() -> None:
    with pytest.warns(DeprecationWarning, match="num_returns='dynamic' is deprecated"):
        upto.options(num_returns="dynamic")
