"""`with ray.scope()`: nothing outlives the block, and its first error cancels the rest."""

# ruff: noqa: PT012  # what a block raises is raised by several statements

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.engine import ray
from support.gates import Gate, count, counted
from support.scoped import LONG_S, SOON_S, Sleeper, cancelled, dies, fails, notes, ready, sleeps

pytestmark = [pytest.mark.only_thornback, pytest.mark.usefixtures("balanced")]


# --- what the block waits for ----------------------------------------------------------------


def test_it_waits_for_all(tmp_path: Path) -> None:
    with ray.scope():
        refs = [notes.remote(tmp_path, 0.2) for _ in range(6)]
    assert counted(tmp_path, "note") == 6
    assert ready(refs)
    # References are as good as ever after the block.
    assert sorted(ray.get(refs)) != []
    assert ray.get(sleeps.remote(0)) == 0


def test_an_empty_one_ends_at_once() -> None:
    with ray.scope():
        pass


def test_what_was_there_before_does_not_belong() -> None:
    before = sleeps.remote(1.5)
    with ray.scope():
        sleeps.remote(0)
    assert not ready([before])
    ray.get(before)


def test_what_tasks_submit_belongs(tmp_path: Path) -> None:
    @ray.remote
    def child(depth: int) -> None:
        if depth > 0:
            child.remote(depth - 1)
        time.sleep(0.2)
        count(tmp_path, "child")

    with ray.scope():
        child.remote(3)
    assert counted(tmp_path, "child") == 4


def test_references_that_nobody_holds_are_waited_for(tmp_path: Path) -> None:
    with ray.scope():
        notes.remote(tmp_path, 0.3)
    assert counted(tmp_path, "note") == 1


def test_calls_of_actors_of_others(tmp_path: Path) -> None:
    sleeper = Sleeper.remote()
    with ray.scope():
        ref = sleeper.nap.remote(0.3)
    assert ready([ref])
    assert ray.get(sleeper.nap.remote(0)) == 0  # the actor is no part of the block


def test_a_generator_is_waited_for(tmp_path: Path) -> None:
    @ray.remote
    def items() -> Iterator[int]:
        for i in range(3):
            time.sleep(0.1)
            yield i
        count(tmp_path, "end")

    with ray.scope():
        generator = items.remote()
    assert counted(tmp_path, "end") == 1
    assert [ray.get(item) for item in generator] == [0, 1, 2]


def test_many_tasks() -> None:
    with ray.scope():
        refs = [sleeps.remote(0) for _ in range(3000)]
    assert ready(refs)


# --- actors ----------------------------------------------------------------------------------


def test_actors_end_with_the_block() -> None:
    with ray.scope():
        sleeper = Sleeper.remote()
        assert ray.get(sleeper.nap.remote(0)) == 0
        late = sleeper.nap.remote(0.5)
    assert ray.get(late) == 0.5  # what was asked of it is done before
    assert "the scope that it belongs to has ended" in dies(sleeper)


def test_an_actor_that_a_task_has_created_ends_too() -> None:
    @ray.remote
    def create() -> Any:
        return Sleeper.remote()

    with ray.scope():
        sleeper = ray.get(create.remote())
        assert ray.get(sleeper.nap.remote(0)) == 0
    dies(sleeper)


def test_one_that_is_still_constructed_ends() -> None:
    @ray.remote
    class Slow:
        def __init__(self) -> None:
            time.sleep(LONG_S)

        def nap(self, seconds: float) -> float:
            return seconds

    begin = time.monotonic()
    with ray.scope():
        slow = Slow.remote()
    assert time.monotonic() - begin < SOON_S
    dies(slow)


def test_detached_actors_go_on() -> None:
    with ray.scope():
        sleeper = Sleeper.options(name="goes on", lifetime="detached").remote()
    assert ray.get(sleeper.nap.remote(0)) == 0
    ray.kill(sleeper)


def test_what_an_actor_of_the_block_submits_belongs(tmp_path: Path) -> None:
    @ray.remote
    class Submits:
        def __init__(self) -> None:
            notes.remote(tmp_path, 1.0)

        def later(self) -> None:
            # Not of the call, which has ended by then.
            threading.Timer(0.2, lambda: notes.remote(tmp_path, 0.5)).start()

    with ray.scope():
        submits = Submits.remote()
        ray.get(submits.later.remote())
    assert counted(tmp_path, "note") == 2


# --- errors ----------------------------------------------------------------------------------


def test_the_first_error_cancels_the_rest(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    begin = time.monotonic()
    with pytest.raises(ValueError, match="as it should") as caught, ray.scope():
        runs = sleeps.remote(LONG_S)
        also_runs = fails.remote(gate)
        queued = [sleeps.remote(LONG_S) for _ in range(5)]
        waits = sleeps.remote(queued[0])
        gate.open()
    assert time.monotonic() - begin < LONG_S / 2
    assert isinstance(caught.value, ray.exceptions.RayTaskError)
    for ref in [runs, *queued, waits]:
        assert ready([ref])
    for ref in [runs, *queued]:
        cancelled(ref)
    with pytest.raises(ValueError, match="as it should"):
        ray.get(also_runs)


def test_it_cancels_what_tasks_have_submitted(tmp_path: Path) -> None:
    gate = Gate(tmp_path)

    @ray.remote
    def parent() -> Any:
        boxed = [sleeps.options(num_cpus=0).remote(LONG_S)]
        count(tmp_path, "submitted")
        return boxed

    with pytest.raises(ValueError, match="as it should"), ray.scope():
        (child,) = ray.get(parent.remote())
        fails.remote(gate)
        gate.open()
    assert ready([child])
    cancelled(child)


def test_except_star_catches_it_too() -> None:
    caught: list[BaseException] = []
    try:
        with ray.scope():
            fails.remote()
    except* ValueError as group:
        caught.extend(group.exceptions)
    assert [isinstance(error, ray.exceptions.RayTaskError) for error in caught] == [True]


def test_an_error_of_an_actors_method() -> None:
    sleeper = Sleeper.remote()
    with pytest.raises(KeyError, match="in a method"), ray.scope():
        sleeper.fail.remote()
        task = sleeps.remote(LONG_S)
    cancelled(task)
    assert ray.get(sleeper.nap.remote(0)) == 0


def test_actors_are_ended_by_an_error() -> None:
    begin = time.monotonic()
    with pytest.raises(ValueError, match="as it should"), ray.scope():
        sleeper = Sleeper.remote()
        ray.get(sleeper.nap.remote(0))
        nap = sleeper.nap.remote(LONG_S)
        fails.remote()
    assert time.monotonic() - begin < LONG_S / 2
    assert ready([nap])
    dies(sleeper)


def test_errors_after_the_first_are_with_it(tmp_path: Path) -> None:
    gate = Gate(tmp_path)

    @ray.remote
    def tidies_badly() -> None:
        try:
            gate.open()
            time.sleep(LONG_S)
        except KeyboardInterrupt:
            raise RuntimeError("while tidying up") from None

    sleeper = Sleeper.remote()
    with pytest.raises(ValueError, match="as it should") as caught, ray.scope():
        with pytest.raises(KeyError):
            ray.get(sleeper.fail.remote())
        raise ValueError("as it should")
    (other,) = caught.value.others
    assert isinstance(other, KeyError)
    assert "KeyError" in "".join(caught.value.__notes__)
    # What a task makes of its cancellation is no error of the block's.
    with pytest.raises(ValueError, match="as it should") as caught, ray.scope():
        tidies_badly.remote()
        fails.remote(gate)
    assert not hasattr(caught.value, "others")


def test_a_late_task_is_an_error() -> None:
    with pytest.raises(ray.exceptions.DeadlineExceeded), ray.scope():
        sleeps.options(timeout=0.2).remote(LONG_S)
        other = sleeps.remote(LONG_S)
    cancelled(other)


def test_a_task_that_was_cancelled_is_none() -> None:
    with ray.scope():
        ref = sleeps.remote(LONG_S)
        ray.cancel(ref)
        other = sleeps.remote(0)
    assert ray.get(other) == 0
    cancelled(ref)


def test_errors_of_grandchildren_are_their_parents_affair() -> None:
    @ray.remote
    def careless() -> str:
        refs = [fails.remote()]
        ray.wait(refs)
        return "went on"

    with ray.scope():
        ref = careless.remote()
    assert ray.get(ref) == "went on"


def test_an_error_that_the_block_has_caught_counts() -> None:
    with pytest.raises(ValueError, match="as it should"), ray.scope():
        ref = fails.remote()
        with pytest.raises(ValueError, match="as it should"):
            ray.get(ref)


def test_a_task_that_is_tried_again_has_not_failed(tmp_path: Path) -> None:
    @ray.remote(max_retries=3, retry_exceptions=True)
    def third_time() -> int:
        n = count(tmp_path, "try")
        if n < 3:
            raise ValueError("not yet")
        return n

    with ray.scope():
        ref = third_time.remote()
    assert ray.get(ref) == 3


def test_a_task_without_results_that_fails() -> None:
    with pytest.raises(ray.exceptions.RaySystemError, match="fails failed"), ray.scope():
        fails.options(num_returns=0).remote()


def test_an_error_of_a_generator() -> None:
    @ray.remote
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"), ray.scope():
        generator = items.remote()
        other = sleeps.remote(LONG_S)
    cancelled(other)
    first, last = generator
    assert ray.get(first) == 1
    with pytest.raises(ValueError, match="in the middle"):
        ray.get(last)


def test_an_error_in_the_store() -> None:
    @ray.remote
    def large() -> None:
        raise ValueError("x" * 300_000)

    with pytest.raises(ValueError, match="x" * 1000), ray.scope():
        large.remote()


def test_a_worker_that_dies() -> None:
    @ray.remote(max_retries=0)
    def dies_now() -> None:
        import os

        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(ray.exceptions.WorkerCrashedError), ray.scope():
        dies_now.remote()
        other = sleeps.remote(LONG_S)
    cancelled(other)


# --- exceptions in the block -----------------------------------------------------------------


@pytest.mark.parametrize("kind", [LookupError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_exception_in_the_block_cancels_all(kind: type[BaseException]) -> None:
    error = kind("in the block")
    begin = time.monotonic()
    with pytest.raises(kind) as caught, ray.scope():
        runs = sleeps.remote(LONG_S)
        queued = [sleeps.remote(LONG_S) for _ in range(4)]
        sleeper = Sleeper.options(num_cpus=0).remote()
        raise error
    assert time.monotonic() - begin < LONG_S / 2
    assert caught.value is error
    assert ready([runs, *queued])
    cancelled(runs)
    dies(sleeper)


def test_it_waits_for_what_tidies_up(tmp_path: Path) -> None:
    gate = Gate(tmp_path)

    @ray.remote
    def tidies() -> None:
        try:
            gate.open()
            time.sleep(LONG_S)
        except KeyboardInterrupt:
            time.sleep(0.5)
            count(tmp_path, "tidied")

    with pytest.raises(LookupError), ray.scope():
        tidies.remote()
        gate.wait()
        raise LookupError
    assert counted(tmp_path, "tidied") == 1


def test_break_and_return_wait_too(tmp_path: Path) -> None:
    def leaves() -> str:
        with ray.scope():
            notes.remote(tmp_path, 0.2)
            return "value"

    for _ in range(2):
        with ray.scope():
            notes.remote(tmp_path, 0.2)
            break
    assert leaves() == "value"
    assert counted(tmp_path, "note") == 2
