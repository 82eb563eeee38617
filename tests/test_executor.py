"""`thornback.Executor`; CPython's own tests of executors run on it in tools/executor_tests.py."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import gates
from support.engine import ray
from support.waiting import wait_until

pytestmark = [pytest.mark.only_thornback, pytest.mark.usefixtures("balanced")]


@pytest.fixture
def pool() -> Iterator[ray.Executor]:
    with ray.Executor() as executor:
        yield executor


def _pid() -> int:
    return os.getpid()


def _hold(gate: gates.Gate, folder: Path) -> int:
    gates.count(folder, "begun")
    gate.wait()
    return os.getpid()


def _die_once(folder: Path) -> int:
    if gates.count(folder, "tried") == 1:
        os._exit(7)
    return gates.counted(folder, "tried")


def _die() -> None:
    os._exit(7)


def _fail() -> None:
    raise KeyError("gone")


def _meet(meeting: gates.Meeting) -> bool:
    return meeting.join()


def test_calls_are_tasks_in_other_processes(pool: ray.Executor) -> None:
    future = pool.submit(_pid)
    assert type(future) is concurrent.futures.Future
    assert future.result(20) != os.getpid()


def test_an_exception_is_the_calls_own_with_the_remote_traceback_as_its_cause(
    pool: ray.Executor,
) -> None:
    error = pool.submit(_fail).exception(20)
    assert type(error) is KeyError
    assert error.args == ("gone",)
    assert isinstance(error.__cause__, ray.exceptions.RayTaskError)
    assert "in _fail" in str(error.__cause__)


def test_thousands_of_short_calls_come_back_in_order(pool: ray.Executor) -> None:
    assert list(pool.map(abs, range(-3000, 0))) == list(range(3000, 0, -1))


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_map_in_chunks(pool: ray.Executor, size: int) -> None:
    assert list(pool.map(pow, range(100), [2] * 90, chunksize=size)) == [n * n for n in range(90)]


def test_map_refuses_chunks_of_nothing(pool: ray.Executor) -> None:
    with pytest.raises(ValueError, match="chunksize must be >= 1"):
        pool.map(abs, [1], chunksize=0)


def test_closures_are_pickled_and_references_resolved(pool: ray.Executor) -> None:
    base = 40
    assert pool.submit(lambda x, y: base + x + y, ray.put(1), y=ray.put(1)).result(20) == 42


def test_no_more_than_max_workers_run_at_once(tmp_path: Path) -> None:
    gate = gates.Gate(tmp_path)
    with ray.Executor(max_workers=1) as executor:
        futures = [executor.submit(_hold, gate, tmp_path) for _ in range(3)]
        wait_until(lambda: gates.counted(tmp_path, "begun") == 1, 20)
        assert [f.running() for f in futures] == [True, False, False]
        gate.open()
        concurrent.futures.wait(futures, 20)
        assert gates.counted(tmp_path, "begun") == 3


def test_more_workers_than_cpus_run_at_once(tmp_path: Path) -> None:
    meeting = gates.Meeting(tmp_path, 6)
    with ray.Executor(max_workers=6) as executor:
        assert all(executor.map(_meet, [meeting] * 6))


def test_what_is_not_handed_over_can_be_cancelled(tmp_path: Path) -> None:
    gate = gates.Gate(tmp_path)
    with ray.Executor(max_workers=1) as executor:
        first, second, third = (executor.submit(_hold, gate, tmp_path) for _ in range(3))
        wait_until(first.running, 20)
        assert not first.cancel()
        assert second.cancel()
        gate.open()
        assert third.result(20) > 0
        assert gates.counted(tmp_path, "begun") == 2


def test_a_call_whose_process_dies_is_run_again(pool: ray.Executor, tmp_path: Path) -> None:
    assert pool.submit(_die_once, tmp_path).result(30) == 2


def test_a_call_that_always_kills_its_process_fails_alone() -> None:
    with ray.Executor(max_retries=0) as executor:
        doomed = executor.submit(_die)
        with pytest.raises(ray.exceptions.WorkerCrashedError):
            doomed.result(30)
        assert executor.submit(abs, -1).result(20) == 1


def test_arguments_that_cant_be_pickled_fail_their_own_call(pool: ray.Executor) -> None:
    future = pool.submit(abs, threading.Lock())
    assert isinstance(future.exception(20), TypeError)
    assert pool.submit(abs, -1).result(20) == 1


def test_calls_are_finished_when_the_executor_is_forgotten(tmp_path: Path) -> None:
    executor = ray.Executor(max_workers=1)
    futures = [executor.submit(gates.count, tmp_path, "done") for _ in range(20)]
    del executor
    gc.collect()
    assert sorted(f.result(20) for f in futures) == list(range(1, 21))


def test_options_reach_the_tasks(tmp_path: Path) -> None:
    gate = gates.Gate(tmp_path)
    with ray.Executor(resources={"slot": 1}) as executor:
        future = executor.submit(_hold, gate, tmp_path)
        wait_until(lambda: "slot" not in ray.available_resources(), 20)
        gate.open()
        future.result(20)


@pytest.mark.parametrize(
    "arguments, error",
    [
        ({"max_workers": 0}, ValueError),
        ({"max_workers": -1}, ValueError),
        ({"initializer": 5}, TypeError),
        ({"max_tasks_per_child": 0}, ValueError),
        ({"max_tasks_per_child": "1"}, TypeError),
        ({"num_cpus": -1}, ValueError),
        ({"no_such_option": 1}, ValueError),
    ],
)
def test_wrong_arguments(arguments: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        ray.Executor(**arguments)


def test_submit_after_shutdown(pool: ray.Executor) -> None:
    pool.shutdown()
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        pool.submit(abs, 1)


def test_asyncio_takes_its_futures(pool: ray.Executor) -> None:
    async def run() -> list[int]:
        loop = asyncio.get_running_loop()
        return await asyncio.gather(*(loop.run_in_executor(pool, abs, -n) for n in range(10)))

    assert asyncio.run(run()) == list(range(10))


def test_the_end_of_the_session_fails_what_is_open(tmp_path: Path) -> None:
    gate = gates.Gate(tmp_path)
    executor = ray.Executor(max_workers=1)
    futures = [executor.submit(_hold, gate, tmp_path) for _ in range(2)]
    wait_until(lambda: gates.counted(tmp_path, "begun") == 1, 20)
    ray.shutdown()
    assert all(isinstance(future.exception(20), RuntimeError) for future in futures)
    assert not ray.is_initialized()
    assert executor.submit(abs, -1).result(20) == 1  # in a session of its own making
    executor.shutdown()
    ray.shutdown()
    # The fixture compares with the session that it has seen.
    from support import engine

    engine.start()
