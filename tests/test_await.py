"""`await ref`, `ref.future()`, and asyncio's functions over references."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import balance
from support.engine import ray
from support.gates import Gate
from support.programs import Room
from support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("balanced")

LIMIT_S = 20


@ray.remote
def value(x: Any) -> Any:
    return x


@ray.remote
def held(gate: Gate, x: Any = None) -> Any:
    gate.wait()
    return x


@ray.remote
def fail() -> None:
    raise ValueError("no")


@ray.remote
def die() -> None:
    os._exit(1)


# --- in the driver ----------------------------------------------------------------------------


def test_await_a_value() -> None:
    async def main() -> Any:
        return await value.remote(1), await ray.put(2), await value.remote([3] * 100_000)

    assert asyncio.run(main()) == (1, 2, [3] * 100_000)


def test_gather_keeps_the_order() -> None:
    async def main() -> Any:
        return await asyncio.gather(*[value.remote(i) for i in range(2000)])

    assert asyncio.run(main()) == list(range(2000))


def test_await_an_error() -> None:
    async def main() -> Any:
        with pytest.raises(ValueError, match="no"):
            await fail.remote()
        with pytest.raises(ray.exceptions.WorkerCrashedError):
            await die.options(max_retries=0).remote()
        seen = await asyncio.gather(fail.remote(), value.remote(1), return_exceptions=True)
        return [isinstance(seen[0], ray.exceptions.RayTaskError), seen[1]]

    assert asyncio.run(main()) == [True, 1]


def test_the_same_reference_often_at_once(tmp_path: Path) -> None:
    gate = Gate(tmp_path)

    async def main() -> Any:
        ref = held.remote(gate, [1])
        waiting = [asyncio.ensure_future(ref) for _ in range(50)]
        await asyncio.sleep(0.05)
        gate.open()
        return await asyncio.gather(*waiting)

    assert asyncio.run(main()) == [[1]] * 50


def test_the_loop_goes_on_meanwhile(tmp_path: Path) -> None:
    gate = Gate(tmp_path)

    async def main() -> Any:
        ref = held.remote(gate, "held")
        for _ in range(10):
            await asyncio.sleep(0.001)
        gate.open()
        return await ref

    assert asyncio.run(main()) == "held"


def test_wait_for_wait_and_as_completed(tmp_path: Path) -> None:
    gate = Gate(tmp_path)

    async def main() -> None:
        slow = held.remote(gate, "slow")
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(slow, 0.05)
        futures = [asyncio.ensure_future(ref) for ref in (slow, value.remote(1))]
        done, pending = await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
        assert (done, pending) == ({futures[1]}, {futures[0]})
        gate.open()
        assert await futures[0] == "slow"
        refs = [value.remote(i) for i in range(5)]
        assert sorted([await ref for ref in asyncio.as_completed(refs)]) == list(range(5))

    asyncio.run(main())


def test_a_cancelled_await_does_no_harm(tmp_path: Path) -> None:
    gate = Gate(tmp_path)

    async def main() -> Any:
        ref = held.remote(gate, "held")
        tasks = [asyncio.ensure_future(ref) for _ in range(3)]
        await asyncio.sleep(0.01)
        tasks[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]
        gate.open()
        assert await asyncio.gather(*tasks[1:]) == ["held"] * 2
        return await ref

    assert asyncio.run(main()) == "held"


def test_a_loop_that_ends_first_does_no_harm(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    ref = held.remote(gate, "held")

    async def main() -> None:
        task = asyncio.ensure_future(ref)
        await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(main())
    gate.open()
    assert ray.get(ref, timeout=LIMIT_S) == "held"
    assert value.remote(1).future().result(LIMIT_S) == 1


def test_loops_in_several_threads(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    shared = held.remote(gate, "shared")
    seen: list[Any] = []

    async def main(i: int) -> Any:
        return await asyncio.gather(shared, *[value.remote((i, k)) for k in range(100)])

    def run(i: int) -> None:
        seen.append((i, asyncio.run(main(i))))

    threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    gate.open()
    for thread in threads:
        thread.join(LIMIT_S)
    assert sorted(seen) == [(i, ["shared", *[(i, k) for k in range(100)]]) for i in range(4)]


def test_await_while_another_thread_gets(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    slow = held.remote(gate, "slow")
    thread = threading.Thread(target=lambda: ray.get(slow))
    thread.start()

    async def main() -> Any:
        return [await value.remote(i) for i in range(50)]

    assert asyncio.run(main()) == list(range(50))
    gate.open()
    thread.join(LIMIT_S)
    assert not thread.is_alive()


def test_get_while_references_are_awaited(tmp_path: Path) -> None:
    gate = Gate(tmp_path)

    async def main() -> Any:
        slow = asyncio.ensure_future(held.remote(gate, "slow"))
        await asyncio.sleep(0)
        assert ray.get([value.remote(i) for i in range(100)]) == list(range(100))
        gate.open()
        return await slow

    assert asyncio.run(main()) == "slow"


def test_outside_of_a_loop_there_is_an_error() -> None:
    ref = value.remote(1)
    with pytest.raises(RuntimeError, match="no running event loop"):
        ref.__await__()
    ray.get(ref)


def test_what_was_awaited_is_let_go() -> None:
    async def main() -> None:
        await asyncio.gather(*[value.remote("x" * 200_000) for _ in range(10)])

    before = balance.stats()
    asyncio.run(main())
    balance.wait_objects(before)


# --- futures ----------------------------------------------------------------------------------


def test_a_future_is_the_standard_one() -> None:
    future = value.remote(1).future()
    assert type(future) is concurrent.futures.Future
    assert future.result(LIMIT_S) == 1
    assert isinstance(fail.remote().future().exception(LIMIT_S), ValueError)
    done, pending = concurrent.futures.wait([value.remote(i).future() for i in range(100)], LIMIT_S)
    assert (len(done), len(pending)) == (100, 0)


def test_a_future_can_be_cancelled_and_the_task_goes_on(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    ref = held.remote(gate, "held")
    future, other = ref.future(), ref.future()
    assert not future.running()
    assert future.cancel()
    assert future.cancelled()
    gate.open()
    assert other.result(LIMIT_S) == "held"
    assert ray.get(ref) == "held"


def test_callbacks_of_futures() -> None:
    seen: list[Any] = []
    told = threading.Event()

    def tell(future: concurrent.futures.Future[Any]) -> None:
        seen.append(future.result())
        told.set()

    value.remote(1).future().add_done_callback(tell)
    assert told.wait(LIMIT_S)
    assert seen == [1]


@pytest.mark.parametrize(
    ("make", "expected"), [(lambda: value.remote(1), int), (lambda: fail.remote(), ValueError)]
)
def test_on_completed_gives_the_value_or_the_error(make: Callable[[], Any], expected: type) -> None:
    seen: list[Any] = []
    make()._on_completed(seen.append)
    wait_until(lambda: seen, LIMIT_S, "the callback")
    assert isinstance(seen[0], expected)


def test_wrap_future_and_as_future() -> None:
    async def main() -> Any:
        return await asyncio.wrap_future(value.remote(1).future()), await value.remote(
            2
        ).as_future()

    assert asyncio.run(main()) == (1, 2)


# --- in workers -------------------------------------------------------------------------------


async def _gather(refs: list[Any]) -> Any:
    return await asyncio.gather(*refs)


@ray.remote
def gather_in_task(refs: list[Any]) -> Any:
    return asyncio.run(_gather(refs)), [ref.future().result(LIMIT_S) for ref in refs]


@ray.remote
def gather_own() -> Any:
    async def main() -> Any:
        seen = [await value.options(num_cpus=0).remote(i) for i in range(20)]
        return seen + await asyncio.gather(
            *[value.options(num_cpus=0).remote(i) for i in range(200)]
        )

    return asyncio.run(main())


def test_in_a_task() -> None:
    refs = [value.remote(1), ray.put("x" * 300_000), ray.put([2])]
    expected = [1, "x" * 300_000, [2]]
    assert ray.get(gather_in_task.remote(refs), timeout=LIMIT_S) == (expected, expected)
    assert ray.get(gather_own.remote(), timeout=LIMIT_S) == [*range(20), *range(200)]


def test_in_a_threaded_actor() -> None:
    @ray.remote(max_concurrency=3)
    class Gathers:
        def run(self, refs: list[Any]) -> Any:
            return asyncio.run(_gather(refs))

    actor = Gathers.remote()
    refs = [value.options(num_cpus=0).remote(i) for i in range(50)]
    assert ray.get([actor.run.remote(refs) for _ in range(6)], timeout=40) == [list(range(50))] * 6


def test_in_an_async_actor(tmp_path: Path) -> None:
    @ray.remote(concurrency_groups={"side": 10})
    class Awaits:
        async def run(self, refs: list[Any]) -> Any:
            return await asyncio.gather(*refs)

        async def fails(self, refs: list[Any]) -> str:
            try:
                await refs[0]
            except ValueError:
                return "ValueError"
            return "nothing"

        @ray.method(concurrency_group="side")
        async def aside(self, refs: list[Any]) -> Any:
            return await asyncio.gather(*refs)

        async def gives_up(self, refs: list[Any]) -> str:
            try:
                await asyncio.wait_for(refs[0], 0.01)
            except TimeoutError:
                return "in time"
            return "late"

    gate = Gate(tmp_path)
    actor = Awaits.remote()
    slow = held.remote(gate, "x" * 300_000)
    assert ray.get(actor.gives_up.remote([slow]), timeout=LIMIT_S) == "in time"
    waiting = [actor.run.remote([slow, slow]) for _ in range(20)]
    waiting += [actor.aside.remote([slow, slow]) for _ in range(20)]
    assert ray.get(actor.fails.remote([fail.remote()]), timeout=LIMIT_S) == "ValueError"
    gate.open()
    assert ray.get(waiting, timeout=LIMIT_S) == [["x" * 300_000] * 2] * 40
    many = [ray.put(i) for i in range(1000)]
    assert ray.get(actor.run.remote(many), timeout=LIMIT_S) == list(range(1000))
    assert ray.get(actor.aside.remote(many), timeout=LIMIT_S) == list(range(1000))


# --- the end of the session -------------------------------------------------------------------


@pytest.mark.only_thornback
def test_the_end_of_the_session_is_the_error_of_what_is_awaited(room: Room) -> None:
    out = room.run(
        """
        import asyncio

        @ray.remote
        def slow():
            time.sleep(100)

        @ray.remote
        def value():
            return 1

        ref = slow.remote()
        future = ref.future()

        async def main():
            task = asyncio.ensure_future(ref)
            await asyncio.sleep(0.1)
            ray.shutdown()
            try:
                await asyncio.wait_for(task, 20)
            except RuntimeError as error:
                print("task:", error)
            try:
                await ref
            except ValueError as error:
                print("again:", "which has ended" in str(error))

        asyncio.run(main())
        print("future:", future.exception(20))
        print("of none:", type(ref.future().exception(20)).__name__)
        ray.init(num_cpus=1)
        print("of another:", type(ref.future().exception(20)).__name__)

        async def once():
            return await value.remote()

        print(asyncio.run(once()), value.remote().future().result(20))
        """
    ).ok()
    assert out.splitlines() == [
        "task: the session has been closed",
        "again: True",
        "future: the session has been closed",
        "of none: ValueError",
        "of another: ValueError",
        "1 1",
    ]
