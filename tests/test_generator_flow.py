"""Generators that are dropped or cancelled, and those that pause at their window."""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.engine import ray
from support.gates import Gate, count, counted
from support.waiting import wait_for_file, wait_until

pytestmark = pytest.mark.usefixtures("balanced")


@ray.remote
def upto(n: int) -> Iterator[int]:
    yield from range(n)


@ray.remote
def counting(folder: Path, n: int) -> Iterator[int]:
    """Note each item, and the way in which it ends."""
    try:
        for i in range(n):
            count(folder, "item")
            yield i
    except GeneratorExit:
        count(folder, "closed")
        raise
    finally:
        count(folder, "end")


# --- dropping --------------------------------------------------------------------------------


@pytest.mark.only_thornback
def test_dropping_it_stops_the_function(tmp_path: Path) -> None:
    generator = counting.remote(tmp_path, 10**9)
    assert ray.get(next(generator)) == 0
    del generator
    gc.collect()
    wait_until(lambda: counted(tmp_path, "end"), 20, "the function to be closed")
    assert counted(tmp_path, "closed") == 1


@pytest.mark.only_thornback
def test_dropping_one_that_has_not_begun_keeps_it_from_running(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    busy = [hold.remote(gate) for _ in range(2)]
    waiting_for_cpu = counting.remote(tmp_path, 1)
    waiting_for_argument = counting.remote(tmp_path, hold.remote(gate))
    del waiting_for_cpu, waiting_for_argument
    gc.collect()
    gate.open()
    ray.get(busy)
    ray.get(list(upto.remote(1)))
    assert counted(tmp_path, "item") == 0


@ray.remote
def hold(gate: Gate) -> int:
    gate.wait()
    return 1


def test_dropped_with_its_end_awaited_it_runs_on(tmp_path: Path) -> None:
    generator = counting.options(_generator_backpressure_num_objects=2).remote(tmp_path, 50)
    end = generator.completed()
    del generator
    gc.collect()
    assert ray.get(end, timeout=20) is None
    assert counted(tmp_path, "item") == 50


@pytest.mark.only_thornback
def test_dropping_it_in_a_task_stops_the_function(tmp_path: Path) -> None:
    @ray.remote
    def first() -> Any:
        return ray.get(next(counting.remote(tmp_path, 10**9)))

    assert ray.get(first.remote()) == 0
    wait_until(lambda: counted(tmp_path, "end"), 20, "the function to be closed")


# --- backpressure ----------------------------------------------------------------------------


def test_it_pauses_at_the_window(tmp_path: Path) -> None:
    generator = counting.options(_generator_backpressure_num_objects=3).remote(tmp_path, 10)
    wait_until(lambda: counted(tmp_path, "item") == 3, 20, "three items")
    for taken in range(1, 8):
        assert ray.get(next(generator)) == taken - 1
        expected = 3 + taken
        wait_until(lambda: counted(tmp_path, "item") == expected, 20, f"{expected} items")  # noqa: B023
    assert ray.get(list(generator)) == [7, 8, 9]


@pytest.mark.only_thornback
def test_dropping_a_paused_one_stops_it(tmp_path: Path) -> None:
    generator = counting.options(_generator_backpressure_num_objects=1).remote(tmp_path, 10)
    wait_until(lambda: counted(tmp_path, "item") == 1, 20, "an item")
    del generator
    gc.collect()
    wait_until(lambda: counted(tmp_path, "end"), 20, "the function to be closed")
    assert counted(tmp_path, "item") == 1


def test_a_paused_one_that_dies_goes_on(tmp_path: Path) -> None:
    @ray.remote(max_retries=1, _generator_backpressure_num_objects=2)
    def mortal(n: int) -> Iterator[int]:
        (tmp_path / "pid").write_text(str(os.getpid()))
        for i in range(n):
            count(tmp_path, "item")
            yield i

    generator = mortal.remote(6)
    assert ray.get(next(generator)) == 0
    wait_until(lambda: counted(tmp_path, "item") == 3, 20, "three items")
    os.kill(int(wait_for_file(tmp_path / "pid")), signal.SIGKILL)
    assert ray.get(list(generator)) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("value", [0, 1.5, "a"])
def test_wrong_windows(value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="_generator_backpressure_num_objects"):
        upto.options(_generator_backpressure_num_objects=value)


def test_no_window() -> None:
    for value in (-1, None):
        assert len(list(upto.options(_generator_backpressure_num_objects=value).remote(9))) == 9


# --- cancelling ------------------------------------------------------------------------------


def outcome(ref: Any) -> Any:
    """The value, or the name of the exception in its place."""
    try:
        return ray.get(ref)
    except Exception as error:  # noqa: BLE001
        return type(error).__name__


@ray.remote
def endless(folder: Path) -> Iterator[int]:
    i = 0
    try:
        while True:
            yield i
            i += 1
            time.sleep(0.01)
    except KeyboardInterrupt:
        count(folder, "interrupted")
        raise


@pytest.mark.parametrize("window", [-1, 1])
def test_cancel_is_the_last_item(tmp_path: Path, window: int) -> None:
    generator = endless.options(_generator_backpressure_num_objects=window).remote(tmp_path)
    assert ray.get(next(generator)) == 0
    ray.cancel(generator)
    *items, last = [outcome(ref) for ref in generator]
    assert items == [*range(1, len(items) + 1)]
    assert last == "RayTaskError(TaskCancelledError)"
    assert outcome(generator.completed()) == last


def test_forced_cancel() -> None:
    generator = upto.remote(10**9)
    assert ray.get(next(generator)) == 0
    ray.cancel(generator, force=True)
    *_, last = generator
    assert outcome(last) in ("TaskCancelledError", "WorkerCrashedError")


def test_cancel_before_it_begins(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    generator = counting.remote(tmp_path, hold.remote(gate))
    ray.cancel(generator)
    assert [outcome(ref) for ref in generator] == ["TaskCancelledError"]
    gate.open()
    assert counted(tmp_path, "item") == 0


def test_cancel_of_one_that_has_ended_does_nothing() -> None:
    generator = upto.remote(3)
    refs = list(generator)
    ray.cancel(generator)
    ray.cancel(refs[0])
    assert ray.get(refs) == [0, 1, 2]
