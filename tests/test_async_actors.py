"""Actors with `async def` methods: their calls are tasks of one event loop."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.engine import ray
from support.gates import Gate
from support.processes import is_alive
from support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("balanced")


class Plain:
    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.maker = threading.get_ident()
        self.event = asyncio.Event()
        self.waiting = self.most = 0

    async def value(self, value: Any) -> Any:
        return value

    def sync_value(self, value: Any) -> Any:
        return value

    async def hold(self, value: Any = None) -> Any:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        await self.event.wait()
        self.waiting -= 1
        return value

    async def release(self) -> int:
        self.event.set()
        return self.most

    def held(self) -> int:
        return self.waiting

    async def here(self) -> tuple[bool, bool]:
        return asyncio.get_running_loop() is self.loop, threading.get_ident() == self.maker

    def sync_here(self) -> tuple[bool, bool, bool]:
        task = asyncio.current_task() is not None
        return asyncio.get_running_loop() is self.loop, threading.get_ident() == self.maker, task

    async def pid(self) -> int:
        return os.getpid()

    async def fail(self) -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    async def raises(self, error: BaseException) -> None:
        await asyncio.sleep(0)
        raise error

    async def leave(self) -> None:
        ray.actor.exit_actor()

    async def leave_from_task(self) -> None:
        await asyncio.gather(self.leave())

    async def quit(self, status: int) -> None:
        sys.exit(status)

    async def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    async def get(self, boxed: list[Any]) -> Any:
        return ray.get(boxed[0])

    async def awaits(self, boxed: list[Any]) -> Any:
        return await boxed[0], await asyncio.gather(*boxed)

    async def call(self, function: Callable[[Any], Any]) -> Any:
        return await function(self)


Async = ray.remote(Plain)


@ray.remote
def delayed(gate: Gate, value: Any) -> Any:
    gate.wait()
    return value


# --- calls ------------------------------------------------------------------------------------


def test_async_and_sync_methods() -> None:
    actor = Async.remote()
    assert ray.get(actor.value.remote(1)) == 1
    assert ray.get(actor.sync_value.remote(2)) == 2


def test_all_run_in_one_loop_on_one_thread() -> None:
    actor = Async.remote()
    assert ray.get([actor.here.remote() for _ in range(5)]) == [(True, True)] * 5
    assert ray.get([actor.sync_here.remote() for _ in range(5)]) == [(True, True, True)] * 5


def test_a_thousand_calls_at_once() -> None:
    actor = Async.remote()
    refs = [actor.hold.remote(i) for i in range(999)]
    wait_until(lambda: ray.get(actor.held.remote()) == 999, 20, "999 calls to wait")
    assert ray.get(actor.release.remote()) == 999
    assert ray.get(refs) == list(range(999))


def test_max_concurrency_is_a_thousand_unless_said_otherwise() -> None:
    actor = Async.remote()
    refs = [actor.hold.remote(i) for i in range(1000)]
    later = actor.value.remote("later")
    assert ray.wait([later, *refs], timeout=0.3)[0] == []
    ray.kill(actor)
    for ref in [later, *refs]:
        with pytest.raises(ray.exceptions.RayActorError):
            ray.get(ref, timeout=20)


def test_max_concurrency_limits() -> None:
    actor = ray.remote(Plain).options(max_concurrency=3).remote()
    refs = [actor.hold.remote(i) for i in range(2)]
    assert ray.get(actor.release.remote(), timeout=20) == 2
    refs += [actor.hold.remote(i) for i in range(2, 2000)]
    assert ray.get(refs, timeout=40) == list(range(2000))
    assert ray.get(actor.release.remote()) <= 3


def test_calls_begin_in_order_and_end_in_any() -> None:
    @ray.remote
    class Orders:
        def __init__(self) -> None:
            self.begun: list[int] = []
            self.events = [asyncio.Event() for _ in range(50)]

        async def run(self, i: int) -> int:
            self.begun.append(i)
            if i + 1 < len(self.events):
                await self.events[i + 1].wait()
            self.events[i].set()
            return i

        async def order(self) -> list[int]:
            return self.begun

    actor = Orders.remote()
    assert ray.get([actor.run.remote(i) for i in range(50)], timeout=20) == list(range(50))
    assert ray.get(actor.order.remote()) == list(range(50))


def test_pending_arguments_hold_back_no_later_call(tmp_path: Path) -> None:
    actor, gate = Async.remote(), Gate(tmp_path)
    first = actor.value.remote(delayed.remote(gate, 1))
    assert ray.get(actor.value.remote(2), timeout=20) == 2
    gate.open()
    assert ray.get(first) == 1


def test_large_arguments_and_results() -> None:
    actor = Async.remote()
    values = [bytes([i]) * (200_000 if i % 2 else 90_000) for i in range(20)]
    assert ray.get([actor.value.remote(v) for v in values]) == values


def test_ten_thousand_calls_give_their_own_results() -> None:
    actor = Async.remote()
    assert ray.get([actor.value.remote(i) for i in range(10_000)]) == list(range(10_000))


def test_several_results() -> None:
    actor = Async.remote()
    assert ray.get(actor.value.options(num_returns=2).remote([1, 2])) == [1, 2]


def test_await_and_gather_of_references() -> None:
    actor = Async.remote()
    boxed = [ray.put(1), actor.value.remote(2), ray.put(3)]
    assert ray.get(actor.awaits.remote(boxed), timeout=20) == (1, [1, 2, 3])


def test_an_actor_awaits_calls_of_its_own(tmp_path: Path) -> None:
    actor, gate = Async.remote(), Gate(tmp_path)
    slow = delayed.remote(gate, "slow")
    waiting = [actor.awaits.remote([slow]) for _ in range(100)]
    assert ray.get(actor.value.remote("meanwhile"), timeout=20) == "meanwhile"
    gate.open()
    assert ray.get(waiting, timeout=20) == [("slow", ["slow"])] * 100


def test_a_blocking_get_works_and_is_warned_of(capfd: pytest.CaptureFixture[str]) -> None:
    actor = Async.remote()
    assert ray.get(actor.get.remote([ray.put(5)])) == 5
    text = ""

    def warned() -> bool:
        nonlocal text
        text += "".join(capfd.readouterr())
        return "Using blocking ray.get inside async actor" in text

    wait_until(warned, 20, "the warning")


# --- errors and ends --------------------------------------------------------------------------


def test_an_error_is_its_calls_alone() -> None:
    actor = Async.remote()
    held = actor.hold.remote("held")
    with pytest.raises(ValueError, match="no"):
        ray.get(actor.fail.remote())
    ray.get(actor.release.remote())
    assert ray.get(held) == "held"


@pytest.mark.only_thornback
def test_not_even_an_interrupt_ends_the_loop() -> None:
    actor = Async.remote()
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(actor.raises.remote(KeyboardInterrupt("mine")), timeout=20)
    assert ray.get(actor.value.remote(1), timeout=20) == 1


def test_a_call_that_cancels_itself_is_a_cancelled_one() -> None:
    actor = Async.remote()
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(actor.raises.remote(asyncio.CancelledError()), timeout=20)


def test_errors_that_nobody_awaits_do_no_harm() -> None:
    async def leave_behind(self: Any) -> str:
        async def background() -> None:
            raise ValueError("nobody's")

        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: 1 / 0)
        self.task = loop.create_task(background())
        self.task = None
        return "left"

    actor = Async.remote()
    assert ray.get(actor.call.remote(leave_behind)) == "left"
    assert ray.get(actor.value.remote(1), timeout=20) == 1


def test_tasks_outlive_their_call() -> None:
    async def begin(self: Any) -> None:
        async def background() -> None:
            await self.event.wait()
            self.kept = ray.get_runtime_context().get_actor_id() is not None or "outside"

        self.task = asyncio.ensure_future(background())

    async def end(self: Any) -> Any:
        await self.task
        return "kept" in vars(self)

    actor = Async.remote()
    ray.get(actor.call.remote(begin))
    ray.get(actor.release.remote())
    assert ray.get(actor.call.remote(end), timeout=20) is True


def test_run_in_a_sync_method_is_an_error() -> None:
    @ray.remote
    class Runs:
        def run(self) -> Any:
            coroutine = asyncio.sleep(0)
            try:
                return asyncio.run(coroutine)
            finally:
                coroutine.close()

        async def value(self) -> int:
            return 1

    with pytest.raises(RuntimeError, match="cannot be called from a running event loop"):
        ray.get(Runs.remote().run.remote())


@pytest.mark.parametrize(
    "end",
    [
        "leave",
        "leave_from_task",
        pytest.param("quit", marks=pytest.mark.only_thornback),  # Ray's loop dies of it
        "terminate",
    ],
)
def test_what_runs_ends_before_an_actor_that_leaves(end: str) -> None:
    actor = Async.remote()

    running = actor.hold.remote("held")
    pid = ray.get(actor.pid.remote())
    wait_until(lambda: ray.get(actor.held.remote()) == 1, 20)

    async def release_later(self: Any) -> None:
        asyncio.get_running_loop().call_later(0.2, self.event.set)

    ray.get(actor.call.remote(release_later))
    calls = {
        "leave": lambda: actor.leave.remote(),
        "leave_from_task": lambda: actor.leave_from_task.remote(),
        "quit": lambda: actor.quit.remote(0),
        "terminate": lambda: actor.__ray_terminate__.remote(),
    }
    left = calls[end]()
    assert ray.get(running, timeout=20) == "held"
    with pytest.raises(ray.exceptions.RayActorError):
        ray.get(left, timeout=20)
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(actor.value.remote(1), timeout=20)
    wait_until(lambda: not is_alive(pid), 20, "the process to end")


def test_all_calls_of_a_process_that_dies_fail() -> None:
    actor = Async.remote()
    refs = [actor.hold.remote() for _ in range(500)]
    refs.append(actor.die.remote())
    refs += [actor.hold.remote() for _ in range(2000)]
    for ref in refs:
        with pytest.raises(ray.exceptions.RayActorError):
            ray.get(ref, timeout=20)


def test_the_process_goes_with_the_last_handle() -> None:
    actor = Async.remote()
    pid = ray.get(actor.pid.remote())
    del actor
    wait_until(lambda: not is_alive(pid), 20, "the process to end")


def test_a_constructor_that_fails_is_the_error_of_all_calls() -> None:
    @ray.remote
    class Fails:
        def __init__(self) -> None:
            raise ValueError("not made")

        async def value(self) -> int:
            return 1

    actor = Fails.remote()
    for _ in range(2):
        with pytest.raises(ray.exceptions.ActorDiedError, match="not made"):
            ray.get(actor.value.remote(), timeout=20)


def test_a_constructor_may_be_a_coroutine() -> None:
    @ray.remote
    class Made:
        async def __init__(self, n: int) -> None:  # type: ignore[misc]
            await asyncio.sleep(0)
            self.n = n

        async def value(self) -> int:
            return self.n

    assert ray.get(Made.remote(3).value.remote(), timeout=20) == 3


# --- cancelling -------------------------------------------------------------------------------


def test_cancelling_a_call_that_runs() -> None:
    actor = Async.remote()
    held = [actor.hold.remote(i) for i in range(3)]
    wait_until(lambda: ray.get(actor.held.remote()) == 3, 20)
    ray.cancel(held[1])
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(held[1], timeout=20)
    ray.get(actor.release.remote())
    assert ray.get([held[0], held[2]], timeout=20) == [0, 2]


def test_cancelling_calls_that_wait_for_their_turn() -> None:
    actor = ray.remote(Plain).options(max_concurrency=2).remote()
    held = actor.hold.remote("held")
    wait_until(lambda: ray.get(actor.held.remote()) == 1, 20)
    more = [actor.hold.remote(i) for i in range(20)]
    for ref in [*more[5:], *more[:5]]:  # the first one, which runs, among the last
        ray.cancel(ref)
    for ref in more:
        with pytest.raises(ray.exceptions.TaskCancelledError):
            ray.get(ref, timeout=20)
    assert ray.get(actor.release.remote(), timeout=20) <= 2
    assert ray.get(held, timeout=20) == "held"


def test_cancelling_in_a_group_with_a_loop_of_its_own() -> None:
    actor = ray.remote(concurrency_groups={"io": 2, "one": 1})(Grouped).remote()

    async def sleep(_: Any) -> None:
        await asyncio.sleep(100)

    sleeping = [actor.call.options(concurrency_group="io").remote(sleep) for _ in range(5)]
    for ref in reversed(sleeping):
        ray.cancel(ref)
    for ref in sleeping:
        with pytest.raises(ray.exceptions.TaskCancelledError):
            ray.get(ref, timeout=20)
    assert ray.get(actor.here.options(concurrency_group="io").remote(), timeout=20)[0] is False


# --- context ----------------------------------------------------------------------------------


def test_each_call_has_a_context_of_its_own() -> None:
    @ray.remote
    class Contexts:
        def __init__(self) -> None:
            self.note = contextvars.ContextVar("note", default="none")

        async def task(self) -> Any:
            async def child() -> Any:
                await asyncio.sleep(0.01)
                return ray.get_runtime_context().get_task_id()

            context = ray.get_runtime_context()
            mine = context.get_task_id()
            assert await asyncio.gather(child(), child()) == [mine, mine]
            assert await asyncio.to_thread(lambda: context.get_task_id()) == mine
            return mine, context.get_task_name()

        async def var(self, value: str) -> str:
            before = self.note.get()
            self.note.set(value)
            await asyncio.sleep(0)
            return before

    actor = Contexts.remote()
    seen = ray.get([actor.task.remote() for _ in range(20)])
    assert len({task for task, _ in seen}) == 20
    assert {name for _, name in seen} == {"Contexts.task"}
    assert ray.get([actor.var.remote(str(i)) for i in range(3)]) == ["none"] * 3


# --- the loop ---------------------------------------------------------------------------------


def test_descriptors_timers_threads_and_processes() -> None:
    async def serve(_: Any) -> Any:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write((await reader.readline()).upper())
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        seen = []
        for text in (b"one\n", b"two\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(text)
            seen.append(await reader.readline())
            writer.close()
        server.close()
        await server.wait_closed()
        process = await asyncio.create_subprocess_exec("echo", "three", stdout=-1)
        seen.append((await process.communicate())[0])
        seen.append(await asyncio.get_running_loop().run_in_executor(None, lambda: b"four"))
        await asyncio.sleep(0.001)
        return seen

    actor = Async.remote()
    expected = [b"ONE\n", b"TWO\n", b"three\n", b"four"]
    assert ray.get([actor.call.remote(serve) for _ in range(3)], timeout=30) == [expected] * 3
    assert ray.get(actor.value.remote(1), timeout=20) == 1


def test_calls_come_while_the_loop_waits_for_descriptors() -> None:
    async def listen(self: Any) -> None:
        async def ignore(*_: Any) -> None:
            pass

        self.server = await asyncio.start_server(ignore, "127.0.0.1", 0)

    actor = Async.remote()
    ray.get(actor.call.remote(listen))
    for i in range(200):
        assert ray.get(actor.value.remote(i), timeout=20) == i
    assert ray.get([actor.value.remote(i) for i in range(2000)]) == list(range(2000))
    boxed = [actor.value.remote(7)]
    assert ray.get(actor.awaits.remote(boxed), timeout=20) == (7, [7])


def test_an_idle_loop_with_descriptors_uses_no_processor() -> None:
    async def listen(self: Any) -> None:
        self.server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)

    async def spent(_: Any) -> float:
        return sum(os.times()[:2])

    actor = Async.remote()
    ray.get(actor.call.remote(listen))
    before = ray.get(actor.call.remote(spent))
    ray.wait([actor.call.remote(lambda _: asyncio.sleep(1))], timeout=20)
    assert ray.get(actor.call.remote(spent)) - before < 0.5


@pytest.mark.only_thornback
def test_signal_handlers_of_the_loop() -> None:
    async def handled(_: Any) -> str:
        loop = asyncio.get_running_loop()
        seen = asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, seen.set)
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        await asyncio.wait_for(seen.wait(), 20)
        loop.remove_signal_handler(signal.SIGUSR1)
        return "handled"

    actor = Async.remote()
    assert ray.get(actor.call.remote(handled), timeout=30) == "handled"
    assert ray.get(actor.value.remote(1), timeout=20) == 1


def test_other_threads_wake_the_loop() -> None:
    async def woken(_: Any) -> int:
        loop = asyncio.get_running_loop()
        total = 0
        for _i in range(50):
            future = loop.create_future()
            timer = threading.Timer(0.001, loop.call_soon_threadsafe, (future.set_result, 1))
            timer.start()
            total += await asyncio.wait_for(future, 20)
        return total

    assert ray.get(Async.remote().call.remote(woken), timeout=40) == 50


# --- concurrency groups -----------------------------------------------------------------------


class Grouped(Plain):
    @ray.method(concurrency_group="io")
    async def io_here(self) -> tuple[bool, bool]:
        return asyncio.get_running_loop() is self.loop, threading.get_ident() == self.maker

    @ray.method(concurrency_group="io")
    def io_hold(self, gate: Gate) -> str:
        gate.wait()
        return "io"

    @ray.method(concurrency_group="one")
    async def one(self, i: int) -> tuple[int, int]:
        self.waiting += 1
        most = self.waiting
        await asyncio.sleep(0)
        self.waiting -= 1
        return i, most


def test_groups_have_loops_and_threads_of_their_own(tmp_path: Path) -> None:
    actor = ray.remote(concurrency_groups={"io": 2, "one": 1})(Grouped).remote()
    assert ray.get(actor.here.remote()) == (True, True)
    assert ray.get(actor.io_here.remote()) == (False, False)
    assert ray.get(actor.here.options(concurrency_group="io").remote()) == (False, False)
    gate = Gate(tmp_path)
    blocked = actor.io_hold.remote(gate)  # its loop, and no other
    assert ray.get(actor.value.remote(1), timeout=20) == 1
    assert ray.get([actor.one.remote(i) for i in range(500)]) == [(i, 1) for i in range(500)]
    gate.open()
    assert ray.get(blocked) == "io"


def test_a_full_group_starves_no_other() -> None:
    actor = ray.remote(concurrency_groups={"io": 2, "one": 1})(Grouped).remote()
    held = [actor.hold.options(concurrency_group="io").remote(i) for i in range(5000)]
    assert ray.get(actor.value.remote("default"), timeout=20) == "default"
    assert ray.get(actor.one.remote(0), timeout=20)[0] == 0
    ray.kill(actor)
    del held
