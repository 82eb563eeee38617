"""Cancelled calls of actors: sync, on threads and in event loops; interrupted, and restarted."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from support.cancelled import assert_cancelled, identity, linger, started
from support.engine import ray
from support.gates import Gate, count, counted
from support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("balanced")


class LongCalls:
    """Methods that take long."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def asks(self, folder: Path, name: str = "call") -> str:
        count(folder, name)
        end = time.monotonic() + 30
        while not ray.get_runtime_context().is_canceled():
            assert time.monotonic() < end
            time.sleep(0.01)
        count(folder, f"{name} knows")
        return "knows"

    def deaf(self, gate: Gate) -> str:
        count(gate.folder, "call")
        gate.wait()
        return "done"

    def sleeps(self, folder: Path) -> None:
        try:
            self.log.append("begin")
            count(folder, "call")
            time.sleep(60)
        finally:
            self.log.append("end")

    def add(self, entry: str) -> list[str]:
        self.log.append(entry)
        return self.log

    def is_canceled(self) -> bool:
        return bool(ray.get_runtime_context().is_canceled())


Worker = ray.remote(num_cpus=0)(LongCalls)


def test_call_that_runs_is_told_when_it_asks(tmp_path: Path) -> None:
    worker = Worker.remote()
    ref = worker.asks.remote(tmp_path)
    started(tmp_path, "call")
    ray.cancel(ref)
    error = assert_cancelled(ref)
    assert not isinstance(error, ray.exceptions.RayTaskError)
    assert counted(tmp_path, "call knows") == 1
    assert ray.get(worker.is_canceled.remote(), timeout=10) is False


def test_call_that_does_not_ask_fails_all_the_same(tmp_path: Path) -> None:
    worker, gate = Worker.remote(), Gate(tmp_path)
    ref = worker.deaf.remote(gate)
    started(tmp_path, "call")
    ray.cancel(ref)
    assert ray.wait([ref], timeout=0.2) == ([], [ref])
    gate.open()
    assert_cancelled(ref)
    assert ray.get(worker.add.remote("next"), timeout=10) == ["next"]


@pytest.mark.only_thornback  # Ray's actor does not answer any more after this
def test_queued_calls_go_and_the_others_keep_their_order(tmp_path: Path) -> None:
    worker, gate = Worker.remote(), Gate(tmp_path)
    running = worker.deaf.remote(gate)
    started(tmp_path, "call")
    refs = [worker.add.remote(str(i)) for i in range(50)]
    for ref in refs[::3]:
        ray.cancel(ref)
        error = assert_cancelled(ref, 1)
        assert "before it executes" in str(error)
    gate.open()
    assert ray.get(running) == "done"
    rest = [str(i) for i in range(50) if i % 3]
    assert ray.get(worker.add.remote("last"), timeout=10) == [*rest, "last"]


@pytest.mark.only_thornback
def test_call_that_waits_for_arguments_lets_those_behind_it_go(tmp_path: Path) -> None:
    worker = Worker.remote()
    slow = linger.remote(tmp_path, "slow")
    held, behind = worker.add.remote(slow), worker.add.remote("behind")
    assert ray.wait([behind], timeout=0.2) == ([], [behind])
    ray.cancel(held)
    assert_cancelled(held, 1)
    assert ray.get(behind, timeout=10) == ["behind"]
    ray.cancel(slow)


def test_calls_of_an_actor_that_is_not_there_yet(tmp_path: Path) -> None:
    blocker = linger.options(num_cpus=2).remote(tmp_path, "blocker")
    started(tmp_path, "blocker")
    worker = Worker.options(num_cpus=1).remote()
    first, second = worker.add.remote("first"), worker.add.remote("second")
    ray.cancel(first)
    assert_cancelled(first, 5)
    ray.cancel(blocker)
    assert ray.get(second, timeout=20) == ["second"]


def test_force_is_refused_for_calls(tmp_path: Path) -> None:
    worker = Worker.remote()
    ref = worker.asks.remote(tmp_path)
    started(tmp_path, "call")
    with pytest.raises(ValueError, match=r"^force=True is not supported for actor tasks\.$"):
        ray.cancel(ref, force=True)
    ray.cancel(ref)
    assert_cancelled(ref)
    with pytest.raises(ValueError, match=r"^force=True is not supported for actor tasks\.$"):
        ray.cancel(ref, force=True)
    ray.cancel(ref)


def test_call_is_cancelled_with_the_task_that_made_it(tmp_path: Path) -> None:
    @ray.remote(num_cpus=0)
    def caller(worker: Any) -> Any:
        return ray.get(worker.asks.remote(tmp_path))

    worker = Worker.remote()
    ref = caller.remote(worker)
    started(tmp_path, "call")
    ray.cancel(ref)
    assert_cancelled(ref)
    started(tmp_path, "call knows")


@pytest.mark.only_thornback
def test_interrupt_of_a_sync_method(tmp_path: Path) -> None:
    worker = Worker.remote()
    ref = worker.sleeps.remote(tmp_path)
    started(tmp_path, "call")
    ray.cancel(ref, interrupt=True)
    error = assert_cancelled(ref, 5)
    assert "sleeps" in str(error)
    # The actor lives, with what the method has left.
    assert ray.get(worker.add.remote("next"), timeout=10) == ["begin", "end", "next"]


@ray.remote(num_cpus=0, max_concurrency=3)
class Threaded(LongCalls):
    """The same on several threads."""

    def spins(self, folder: Path) -> None:
        try:
            count(folder, "call")
            end = time.monotonic() + 60
            while time.monotonic() < end:
                time.sleep(0.001)
        finally:
            self.log.append("end")

    def gets(self, folder: Path, boxed: list[Any]) -> None:
        try:
            count(folder, "call")
            ray.get(boxed[0])
        finally:
            self.log.append("end")


def test_call_on_a_thread_is_told_when_it_asks(tmp_path: Path) -> None:
    worker, gate = Threaded.remote(), Gate(tmp_path)
    deaf, ref = worker.deaf.remote(gate), worker.asks.remote(tmp_path, "asking")
    started(tmp_path, "asking")
    ray.cancel(ref)
    assert_cancelled(ref)
    # The call beside it is none the wiser.
    assert ray.get(worker.is_canceled.remote(), timeout=10) is False
    gate.open()
    assert ray.get(deaf, timeout=10) == "done"


@pytest.mark.only_thornback
@pytest.mark.parametrize("method", ["spins", "gets"])
def test_interrupt_of_a_method_on_a_thread(method: str, tmp_path: Path) -> None:
    worker, gate = Threaded.remote(), Gate(tmp_path)
    deaf = worker.deaf.remote(gate)
    never = identity.options(num_cpus=1000).remote(1)
    arguments = [[never]] if method == "gets" else []
    ref = getattr(worker, method).remote(tmp_path, *arguments)
    wait_until(lambda: counted(tmp_path, "call") == 2, 20)
    ray.cancel(ref, interrupt=True)
    assert_cancelled(ref, 5)
    assert ray.get(worker.add.remote("next"), timeout=10) == ["end", "next"]
    gate.open()
    assert ray.get(deaf, timeout=10) == "done"
    ray.cancel(never)


@ray.remote(num_cpus=0)
class Async:
    """Methods of an async actor."""

    async def sleeps(self, folder: Path, name: str = "call") -> str:
        try:
            count(folder, name)
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            count(folder, f"{name} knows")
            raise
        return "slept"

    async def swallows(self, folder: Path) -> str:
        try:
            count(folder, "call")
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            count(folder, "call knows")
        return "goes on"

    async def awaits(self, folder: Path) -> Any:
        return await linger.options(num_cpus=0).remote(folder, "child")

    async def is_canceled(self) -> Any:
        return ray.get_runtime_context().is_canceled()

    async def ping(self) -> str:
        return "pong"


@pytest.mark.parametrize("method", ["sleeps", "swallows"])
def test_async_call_gets_asyncios_cancellation_and_fails(method: str, tmp_path: Path) -> None:
    actor = Async.remote()
    ref, beside = getattr(actor, method).remote(tmp_path), actor.sleeps.remote(tmp_path, "beside")
    started(tmp_path, "call")
    started(tmp_path, "beside")
    ray.cancel(ref)
    assert_cancelled(ref)
    started(tmp_path, "call knows")
    assert ray.get(actor.ping.remote(), timeout=10) == "pong"
    assert counted(tmp_path, "beside knows") == 0
    ray.cancel(beside)
    assert_cancelled(beside)


def test_child_of_an_async_call_ends_with_it(tmp_path: Path) -> None:
    actor = Async.remote()
    ref = actor.awaits.remote(tmp_path)
    started(tmp_path, "child")
    ray.cancel(ref)
    assert_cancelled(ref)
    started(tmp_path, "child ends")


def test_many_async_calls(tmp_path: Path) -> None:
    actor = Async.remote()
    refs = [actor.sleeps.remote(tmp_path) for _ in range(200)]
    wait_until(lambda: counted(tmp_path, "call") == 200, 20)
    for ref in refs:
        ray.cancel(ref)
    for ref in refs:
        assert_cancelled(ref)
    assert ray.get(actor.ping.remote(), timeout=10) == "pong"


def test_async_calls_have_asyncio_to_ask() -> None:
    with pytest.raises(RuntimeError):
        ray.get(Async.remote().is_canceled.remote(), timeout=10)


@pytest.mark.only_thornback
def test_restart_ends_the_actors_process(tmp_path: Path) -> None:
    """For a method that neither asks nor ends by an exception; the state is lost, and said so."""
    worker = Worker.options(max_restarts=1).remote()
    patient = worker.add.options(max_task_retries=1)
    assert ray.get(worker.add.remote("before")) == ["before"]
    ref = worker.deaf.remote(Gate(tmp_path))
    started(tmp_path, "call")
    behind, retried = worker.add.remote("behind"), patient.remote("retried")
    ray.cancel(ref, restart=True)
    error = assert_cancelled(ref)
    assert "the actor's state is lost" in str(error)
    with pytest.raises(ray.exceptions.ActorUnavailableError, match="cancelled with restart=True"):
        ray.get(behind, timeout=10)
    assert ray.get(retried, timeout=20) == ["retried"]
    # That was its only restart.
    again = worker.deaf.remote(Gate(tmp_path))
    wait_until(lambda: counted(tmp_path, "call") == 2, 20)
    with pytest.raises(ValueError, match="max_restarts"):
        ray.cancel(again, restart=True)
    ray.cancel(again, interrupt=True)
    assert_cancelled(again)


@pytest.mark.only_thornback
def test_restart_is_for_calls(tmp_path: Path) -> None:
    ref = linger.remote(tmp_path, "it")
    started(tmp_path, "it")
    with pytest.raises(ValueError, match=r"^restart=True is for calls of actors; force=True"):
        ray.cancel(ref, restart=True)
    ray.cancel(ref)
    assert_cancelled(ref)


def test_actors_are_not_cancelled_but_killed() -> None:
    worker = Worker.remote()
    for what in (worker, worker.add):
        with pytest.raises(TypeError, match=r"For actors, try ray\.kill\(\)"):
            ray.cancel(what)
