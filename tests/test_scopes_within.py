"""Scopes in tasks, in actors and in coroutines; Ctrl-C; processes that die in the block."""

# ruff: noqa: PT012  # what a block raises is raised by several statements

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.engine import ray
from support.gates import Gate, count, counted
from support.processes import is_alive
from support.programs import Room
from support.waiting import wait_for_file, wait_until

pytestmark = [pytest.mark.only_thornback, pytest.mark.usefixtures("balanced")]

LONG_S = 60.0
SOON_S = 20.0


@ray.remote(num_cpus=0)
def sleeps(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@ray.remote(num_cpus=0)
def fails(gate: Gate | None = None) -> None:
    if gate is not None:
        gate.wait()
    raise ValueError("as it should")


@ray.remote(num_cpus=0)
def notes(folder: Path, name: str, seconds: float = 0.0) -> int:
    time.sleep(seconds)
    return count(folder, name)


@ray.remote(num_cpus=0)
class Sleeper:
    def nap(self, seconds: float) -> float:
        time.sleep(seconds)
        return seconds


def cancelled(ref: Any) -> None:
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(ref, timeout=SOON_S)


def ended(ref: Any) -> bool:
    return bool(ray.wait([ref], timeout=0)[0])


# --- tasks -----------------------------------------------------------------------------------


def test_in_a_task(tmp_path: Path) -> None:
    @ray.remote
    def task() -> int:
        with ray.scope():
            notes.remote(tmp_path, "child", 0.3)
        return counted(tmp_path, "child")

    assert ray.get(task.remote()) == 1


def test_the_first_error_in_a_task(tmp_path: Path) -> None:
    @ray.remote
    def task(boxed: list[Any], gate: Gate) -> tuple[str, Any]:
        refs: list[Any] = []
        try:
            with ray.scope():
                refs.append(sleeps.remote(LONG_S))
                fails.remote(gate)
                gate.open()
                ray.get(boxed[0])  # of another; wakes all the same
        except ValueError as error:
            return type(error).__name__, refs
        return "no error", refs

    outside = sleeps.remote(3)
    kind, (child,) = ray.get(task.remote([outside], Gate(tmp_path)))
    assert kind == "RayTaskError(ValueError)"
    assert not ended(outside)
    cancelled(child)
    ray.get(outside)


@pytest.mark.parametrize("how", ["wait", "get_timeout"])
def test_other_waits_in_a_task(how: str, tmp_path: Path) -> None:
    @ray.remote
    def task(boxed: list[Any], gate: Gate) -> float:
        begin = time.monotonic()
        with pytest.raises(ValueError, match="as it should"), ray.scope():
            fails.remote(gate)
            gate.open()
            if how == "wait":
                ray.wait(boxed)
            else:
                ray.get(boxed[0], timeout=LONG_S)
        return time.monotonic() - begin

    outside = sleeps.remote(3)
    assert ray.get(task.remote([outside], Gate(tmp_path))) < 3
    ray.get(outside)


def test_the_block_of_a_task_ends_with_that_around_it(tmp_path: Path) -> None:
    gate = Gate(tmp_path)

    @ray.remote
    def task() -> None:
        with ray.scope():
            sleeps.remote(LONG_S)
            gate.open()
            ray.get(sleeps.remote(LONG_S))

    begin = time.monotonic()
    with pytest.raises(ValueError, match="as it should"), ray.scope():
        ref = task.remote()
        fails.remote(gate)
    assert time.monotonic() - begin < LONG_S / 2
    cancelled(ref)


def test_a_task_that_is_cancelled_in_its_block(tmp_path: Path) -> None:
    gate = Gate(tmp_path)

    @ray.remote
    def task() -> None:
        with ray.scope():
            try:
                notes.remote(tmp_path, "not reached", LONG_S)
                gate.open()
                time.sleep(LONG_S)
            finally:
                count(tmp_path, "left")

    ref = task.remote()
    gate.wait()
    ray.cancel(ref, recursive=False)
    cancelled(ref)
    assert counted(tmp_path, "left") == 1


def test_the_process_of_a_block_dies(tmp_path: Path) -> None:
    """Nobody leaves the block then: what is in it is cancelled all the same."""

    @ray.remote(num_cpus=0)
    def child() -> None:
        try:
            (tmp_path / "began").touch()
            time.sleep(LONG_S)
        except KeyboardInterrupt:
            count(tmp_path, "interrupted")
            raise

    @ray.remote(max_retries=0)
    def dies() -> None:
        with ray.scope():
            child.remote()
            wait_until((tmp_path / "began").exists, SOON_S)
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(ray.exceptions.WorkerCrashedError):
        ray.get(dies.remote(), timeout=SOON_S)
    wait_until(lambda: counted(tmp_path, "interrupted") == 1, SOON_S, "the child to end")


def test_a_task_on_top_of_a_block_that_waits(tmp_path: Path) -> None:
    """Tasks deep in each other run on top of others: each has its own scope."""

    @ray.remote
    def tree(depth: int) -> int:
        if depth == 0:
            return 1
        with ray.scope():
            refs = [tree.remote(depth - 1) for _ in range(2)]
            return sum(ray.get(refs))

    assert ray.get(tree.remote(6), timeout=50) == 64


def test_a_generator_that_holds_a_block(tmp_path: Path) -> None:
    @ray.remote
    def items() -> Iterator[int]:
        with ray.scope():
            notes.remote(tmp_path, "child", 0.2)
            yield 1
            yield 2
        yield counted(tmp_path, "child")

    assert [ray.get(ref) for ref in items.remote()] == [1, 2, 1]


# --- actors ----------------------------------------------------------------------------------


def test_in_a_method(tmp_path: Path) -> None:
    @ray.remote
    class Actor:
        def work(self, fail: bool) -> int:
            with ray.scope():
                notes.remote(tmp_path, "child", 0.2)
                if fail:
                    fails.remote()
            return counted(tmp_path, "child")

    actor = Actor.remote()
    assert ray.get(actor.work.remote(False)) == 1
    with pytest.raises(ValueError, match="as it should"):
        ray.get(actor.work.remote(True))
    assert ray.get(actor.work.remote(False)) >= 2


def test_threads_of_an_actor_have_their_own(tmp_path: Path) -> None:
    @ray.remote(max_concurrency=4)
    class Threaded:
        def work(self, fail: bool) -> str:
            try:
                with ray.scope():
                    ref = sleeps.remote(0.3)
                    if fail:
                        fails.remote()
                    ray.get(ref)
            except ValueError:
                return "failed"
            return "well"

    actor = Threaded.remote()
    ways = [True, False, True, False]
    assert ray.get([actor.work.remote(way) for way in ways]) == ["failed", "well"] * 2


def test_in_an_async_actor(tmp_path: Path) -> None:
    @ray.remote
    class Async:
        async def work(self, fail: bool) -> str:
            begin = time.monotonic()
            try:
                async with ray.scope():
                    sleeps.remote(LONG_S if fail else 0.3)
                    if fail:
                        fails.remote()
                    await asyncio.sleep(LONG_S if fail else 0)
            except ValueError:
                assert time.monotonic() - begin < LONG_S / 2
                return "failed"
            assert time.monotonic() - begin >= 0.3
            return "well"

    actor = Async.remote()
    ways = [True, False] * 10
    assert ray.get([actor.work.remote(way) for way in ways]) == ["failed", "well"] * 10


def test_an_async_call_that_is_cancelled(tmp_path: Path) -> None:
    gate = Gate(tmp_path)

    @ray.remote
    class Async:
        async def work(self) -> None:
            async with ray.scope():
                interrupted.remote()
                await asyncio.sleep(LONG_S)

    @ray.remote(num_cpus=0)
    def interrupted() -> None:
        try:
            gate.open()
            time.sleep(LONG_S)
        except KeyboardInterrupt:
            count(tmp_path, "interrupted")

    actor = Async.remote()
    ref = actor.work.remote()
    gate.wait()
    ray.cancel(ref)
    cancelled(ref)
    assert counted(tmp_path, "interrupted") == 1


# --- coroutines of the driver ----------------------------------------------------------------


def run(body: Callable[[], Any]) -> Any:
    return asyncio.run(body())


def test_async_with() -> None:
    async def body() -> list[float]:
        async with ray.scope():
            refs = [sleeps.remote(0.2) for _ in range(3)]
        assert all(ended(ref) for ref in refs)
        return [await ref for ref in refs]

    assert run(body) == [0.2] * 3


def test_async_with_lets_others_run() -> None:
    async def body() -> int:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.01)

        ticking = asyncio.create_task(tick())
        async with ray.scope():
            sleeps.remote(0.5)
        ticking.cancel()
        return ticks

    assert run(body) > 5


@pytest.mark.parametrize("blocked", ["sleep", "await", "gather", "end"])
def test_the_first_error_cancels_an_async_block(blocked: str) -> None:
    async def body() -> None:
        task = asyncio.current_task()
        assert task is not None
        begin = time.monotonic()
        outside = sleeps.remote(2)
        with pytest.raises(ValueError, match="as it should"):
            async with ray.scope():
                inside = sleeps.remote(LONG_S)
                fails.remote()
                if blocked == "sleep":
                    await asyncio.sleep(LONG_S)
                elif blocked == "await":
                    await outside
                elif blocked == "gather":
                    await asyncio.gather(outside, asyncio.sleep(LONG_S))
        assert time.monotonic() - begin < LONG_S / 2
        assert task.cancelling() == 0
        await asyncio.sleep(0.01)  # no cancellation is left over
        with pytest.raises(ray.exceptions.TaskCancelledError):
            await inside
        await outside

    run(body)


def test_an_exception_in_an_async_block() -> None:
    async def body() -> None:
        with pytest.raises(LookupError):
            async with ray.scope():
                inside = sleeps.remote(LONG_S)
                raise LookupError
        assert ended(inside)

    run(body)


def test_an_async_block_that_is_cancelled() -> None:
    async def body() -> None:
        refs: list[Any] = []

        async def inner() -> None:
            async with ray.scope():
                refs.append(sleeps.remote(LONG_S))
                await asyncio.sleep(LONG_S)

        task = asyncio.create_task(inner())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended(refs[0])

        # While it waits for the rest, too.
        async def waits() -> None:
            async with ray.scope():
                refs.append(sleeps.remote(LONG_S))

        task = asyncio.create_task(waits())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended(refs[1])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2), ray.scope():
                sleeps.remote(LONG_S)

    run(body)


def test_tasks_of_asyncio_inherit_it() -> None:
    async def body() -> None:
        async def child() -> Any:
            return [sleeps.remote(0.3)]

        async with ray.scope():
            (ref,) = await asyncio.create_task(child())
        assert ended(ref)

        async def late() -> None:
            await asyncio.sleep(0.2)
            sleeps.remote(0)

        async with ray.scope():
            task = asyncio.create_task(late())
        with pytest.raises(RuntimeError, match="the scope has ended"):
            await task

    run(body)


def test_two_at_a_time() -> None:
    async def one(fail: bool) -> str:
        try:
            async with ray.scope():
                sleeps.remote(0.3)
                if fail:
                    fails.remote()
        except ValueError:
            return "failed"
        return "well"

    async def body() -> list[str]:
        return await asyncio.gather(one(True), one(False), one(True))

    assert run(body) == ["failed", "well", "failed"]


def test_cancel_of_an_async_scope() -> None:
    async def body() -> None:
        async with ray.scope() as scope:
            ref = sleeps.remote(LONG_S)
            scope.cancel()
            await asyncio.sleep(LONG_S)
            pytest.fail("went on")
        assert ended(ref)

    begin = time.monotonic()
    run(body)
    assert time.monotonic() - begin < LONG_S / 2


# --- Ctrl-C, and a driver that is killed -----------------------------------------------------

CHILDREN = """
    @ray.remote
    def child(folder, stubborn):
        open(f"{folder}/pid-{os.getpid()}", "w").close()
        open(f"{folder}/began", "w").write("yes")
        while True:
            try:
                time.sleep(60)
            except KeyboardInterrupt:
                open(f"{folder}/interrupted", "w").write("yes")
                if not stubborn:
                    raise
"""


def pids(folder: Path) -> list[int]:
    return [int(path.name[4:]) for path in folder.glob("pid-*")]


def test_ctrl_c_in_the_block(new_room: Callable[[], Room], tmp_path: Path) -> None:
    driver = new_room().start(
        CHILDREN
        + f"""
    try:
        with ray.scope():
            ref = child.remote({str(tmp_path)!r}, False)
            time.sleep(60)
    except KeyboardInterrupt:
        print("ended", bool(ray.wait([ref], timeout=0)[0]))
    print("goes on", ray.get(ray.remote(lambda: 1).remote()))
    """
    )
    wait_for_file(tmp_path / "began")
    driver.process.send_signal(signal.SIGINT)
    out = driver.finish(SOON_S).ok()
    assert "ended True" in out
    assert "goes on 1" in out


def test_ctrl_c_twice_ends_what_does_not(new_room: Callable[[], Room], tmp_path: Path) -> None:
    driver = new_room().start(
        CHILDREN
        + f"""
    try:
        with ray.scope():
            ref = child.remote({str(tmp_path)!r}, True)
            open({str(tmp_path)!r} + "/left", "w").write("yes")
    except KeyboardInterrupt:
        print("ended", bool(ray.wait([ref], timeout=0)[0]))
    print("goes on", ray.get(ray.remote(lambda: 1).remote()))
    """
    )
    wait_for_file(tmp_path / "began")
    wait_for_file(tmp_path / "left")
    (pid,) = pids(tmp_path)
    driver.process.send_signal(signal.SIGINT)
    wait_for_file(tmp_path / "interrupted")
    assert driver.process.poll() is None
    assert is_alive(pid)
    driver.process.send_signal(signal.SIGINT)
    out = driver.finish(SOON_S).ok()
    assert "ended True" in out
    assert "goes on 1" in out


def test_a_driver_that_is_killed(new_room: Callable[[], Room], tmp_path: Path) -> None:
    driver = new_room().start(
        CHILDREN
        + f"""
    with ray.scope():
        child.remote({str(tmp_path)!r}, True)
        time.sleep(60)
    """
    )
    wait_for_file(tmp_path / "began")
    (pid,) = pids(tmp_path)
    driver.process.kill()
    wait_until(lambda: not is_alive(pid), SOON_S, "the worker to end")
