"""Cancelled tasks and calls: who is stopped, what is told, and that all is balanced after."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from support.balance import stats
from support.cancelled import TaskCancelledError, assert_cancelled, identity, linger, started
from support.engine import NUM_CPUS, ray
from support.gates import Gate, count, counted
from support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("balanced")


@ray.remote(max_retries=3)
def sleep(folder: Path, name: str) -> None:
    """Take long in one call of the system."""
    count(folder, name)
    time.sleep(60)


@ray.remote(max_retries=3)
def compute(folder: Path, name: str) -> None:
    count(folder, name)
    while True:
        pass


# --- tasks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", [linger, sleep, compute], ids=["steps", "asleep", "computes"])
def test_running_task_is_interrupted_and_never_tried_again(task: Any, tmp_path: Path) -> None:
    ref = task.remote(tmp_path, "it")
    started(tmp_path, "it")
    assert ray.cancel(ref) is None
    error = assert_cancelled(ref, 5)
    assert isinstance(error, ray.exceptions.RayTaskError)
    assert "was cancelled" in str(error)
    assert ray.wait([ref], timeout=5) == ([ref], [])
    assert counted(tmp_path, "it") == 1
    if task is linger:
        assert counted(tmp_path, "it ends") == 1


def test_error_names_the_task_as_its_reference_does(tmp_path: Path) -> None:
    """Also where the numbers of tasks and of objects have gone apart."""
    kept = [ray.put(i) for i in range(5)]
    blocking = linger.options(num_cpus=NUM_CPUS).remote(tmp_path, "first")
    started(tmp_path, "first")
    queued = compute.remote(tmp_path, "queued")
    for ref in (queued, blocking):
        ray.cancel(ref)
        assert ref.task_id().hex() in str(assert_cancelled(ref))
    assert len(kept) == 5


def test_worker_that_was_interrupted_goes_on(tmp_path: Path) -> None:
    """The process is used again, and is not interrupted twice."""
    pid = ray.remote(lambda: __import__("os").getpid())
    for i in range(20):
        ref = linger.options(num_cpus=2).remote(tmp_path, f"it{i}")
        started(tmp_path, f"it{i}")
        ray.cancel(ref)
        assert isinstance(ray.get(pid.options(num_cpus=2).remote(), timeout=10), int)
        assert_cancelled(ref)


@pytest.mark.parametrize("force", [False, True])
def test_queued_task_never_runs(force: bool, tmp_path: Path) -> None:
    blocker = linger.options(num_cpus=2).remote(tmp_path, "blocker")
    started(tmp_path, "blocker")
    refs = [linger.remote(tmp_path, "queued") for _ in range(20)]
    for ref in refs:
        ray.cancel(ref, force=force)
    for ref in refs:
        assert_cancelled(ref, 1)
    ray.cancel(blocker)
    assert_cancelled(blocker)
    assert ray.get(identity.remote(1), timeout=10) == 1
    assert counted(tmp_path, "queued") == 0


def test_task_sent_ahead_is_taken_back(tmp_path: Path) -> None:
    """Short tasks lie in the ring of a worker that has begun with a long one."""
    assert ray.get([identity.remote(i) for i in range(200)]) == list(range(200))
    step = identity.options(num_cpus=2)
    refs = [step.remote(i) for i in range(300)]
    for ref in refs[::2]:
        ray.cancel(ref)
    for i, ref in enumerate(refs):
        try:
            assert ray.get(ref, timeout=10) == i
        except TaskCancelledError:
            assert i % 2 == 0


def test_task_that_waits_for_arguments(tmp_path: Path) -> None:
    slow = linger.remote(tmp_path, "slow")
    waiting = identity.remote(slow)
    after = identity.remote(waiting)
    ray.cancel(waiting)
    assert_cancelled(waiting, 1)
    assert_cancelled(after)
    ray.cancel(slow)
    assert_cancelled(slow)


def test_what_depends_on_it_fails_with_it(tmp_path: Path) -> None:
    ref = linger.remote(tmp_path, "it")
    dependent = identity.remote(ref)
    started(tmp_path, "it")
    ray.cancel(ref)
    assert_cancelled(dependent)


def test_infeasible_task() -> None:
    ref = identity.options(num_cpus=1000).remote(1)
    ray.cancel(ref)
    assert_cancelled(ref, 1)


@pytest.mark.parametrize("force", [False, True])
def test_no_effect_on_what_is_there(force: bool) -> None:
    done, put = identity.remote("value"), ray.put("put")
    ray.get(done)
    for ref in (done, put, done):
        ray.cancel(ref, force=force)
    assert ray.get([done, put]) == ["value", "put"]


def test_twice(tmp_path: Path) -> None:
    ref = linger.remote(tmp_path, "it")
    started(tmp_path, "it")
    ray.cancel(ref)
    ray.cancel(ref)
    assert_cancelled(ref)
    ray.cancel(ref)
    assert_cancelled(ref)


@ray.remote(max_retries=3, retry_exceptions=True)
def stubborn(folder: Path, then: str) -> Any:
    """Catch the interrupt, and go on in another way."""
    caught = 0
    while caught < (2 if then == "twice" else 1):
        try:
            count(folder, "begin")
            time.sleep(60)
        except KeyboardInterrupt:
            caught += 1
            count(folder, "caught")
    if then == "raise":
        raise ValueError("another")
    return caught


def test_interrupt_that_is_caught(tmp_path: Path) -> None:
    ref = stubborn.remote(tmp_path, "return")
    started(tmp_path, "begin")
    ray.cancel(ref)
    assert ray.get(ref, timeout=10) == 1


def test_each_cancel_interrupts(tmp_path: Path) -> None:
    ref = stubborn.remote(tmp_path, "twice")
    started(tmp_path, "begin")
    ray.cancel(ref)
    started(tmp_path, "caught")
    ray.cancel(ref)
    assert ray.get(ref, timeout=10) == 2


def test_error_in_place_of_the_interrupt_is_not_tried_again(tmp_path: Path) -> None:
    ref = stubborn.remote(tmp_path, "raise")
    started(tmp_path, "begin")
    ray.cancel(ref)
    with pytest.raises(ValueError, match="another"):
        ray.get(ref, timeout=10)
    assert counted(tmp_path, "begin") == counted(tmp_path, "caught") == 1


def test_interrupt_of_the_tasks_own() -> None:
    @ray.remote
    def interrupts_itself() -> None:
        raise KeyboardInterrupt

    assert_cancelled(interrupts_itself.remote())


def test_all_returns_fail(tmp_path: Path) -> None:
    refs = linger.options(num_returns=2).remote(tmp_path, "it")
    started(tmp_path, "it")
    ray.cancel(refs[1])
    for ref in refs:
        assert_cancelled(ref)


# --- force -------------------------------------------------------------------------------------


def test_force_ends_the_process(tmp_path: Path) -> None:
    ref = linger.remote(tmp_path, "it")
    started(tmp_path, "it")
    ray.cancel(ref, force=True)
    error = assert_cancelled(ref)
    assert not isinstance(error, ray.exceptions.RayTaskError)
    assert ray.get(identity.remote(1), timeout=10) == 1
    assert (counted(tmp_path, "it"), counted(tmp_path, "it ends")) == (1, 0)


def test_force_ends_what_catches_interrupts(tmp_path: Path) -> None:
    ref = stubborn.remote(tmp_path, "twice")
    started(tmp_path, "begin")
    ray.cancel(ref)
    started(tmp_path, "caught")
    ray.cancel(ref, force=True)
    assert_cancelled(ref)


# --- children ----------------------------------------------------------------------------------


@ray.remote(num_cpus=0, max_retries=3)
def parent(folder: Path, name: str, depth: int, width: int = 2) -> Any:
    """Submit others down to a depth and wait for them."""
    if depth == 0:
        refs = [linger.options(num_cpus=0).remote(folder, "leaf") for _ in range(width)]
    else:
        refs = [parent.remote(folder, f"{name}.{i}", depth - 1, width) for i in range(width)]
    refs.append(linger.options(num_cpus=1000).remote(folder, "never"))
    try:
        count(folder, name)
        return ray.get(refs)
    except KeyboardInterrupt:
        count(folder, f"{name} interrupted")
        raise


@pytest.mark.parametrize("depth", [0, 2])
def test_children_end_with_their_parent(depth: int, tmp_path: Path) -> None:
    ref = parent.remote(tmp_path, "top", depth)
    leaves = 2 * 2**depth
    wait_until(lambda: counted(tmp_path, "leaf") == leaves, 30, "all leaves to run")
    ray.cancel(ref)
    assert_cancelled(ref)
    wait_until(lambda: counted(tmp_path, "leaf ends") == leaves, 10, "all leaves to end")
    # The parent sees its own end, not that of its children.
    assert counted(tmp_path, "top interrupted") == 1
    assert counted(tmp_path, "never") == 0


def test_children_are_left_alone_on_demand(tmp_path: Path) -> None:
    @ray.remote(num_cpus=0)
    def lets_go(gate: Gate) -> Any:
        ref = wait_for.options(num_cpus=0).remote(gate)
        count(tmp_path, "submitted")
        return [ray.get(ref)]

    @ray.remote
    def wait_for(gate: Gate) -> str:
        gate.wait()
        count(gate.folder, "through")
        return "through"

    gate = Gate(tmp_path)
    ref = lets_go.remote(gate)
    started(tmp_path, "submitted")
    ray.cancel(ref, recursive=False)
    assert_cancelled(ref)
    gate.open()
    started(tmp_path, "through")


def test_what_tidies_up_is_no_child(tmp_path: Path) -> None:
    """Submitted after the interrupt: the task knows what it does."""

    @ray.remote(num_cpus=0)
    def tidy() -> str:
        try:
            ray.get(linger.options(num_cpus=0).remote(tmp_path, "child"))
        except KeyboardInterrupt:
            return str(ray.get(identity.options(num_cpus=0).remote("tidy")))
        return "never"

    ref = tidy.remote()
    started(tmp_path, "child")
    ray.cancel(ref)
    assert ray.get(ref, timeout=10) == "tidy"


@pytest.mark.only_thornback
def test_no_child_outlives_a_parent_that_submits_without_pause(tmp_path: Path) -> None:
    """What it submits between the cancel and the interrupt is cancelled as well."""

    @ray.remote(num_cpus=0)
    def busy(folder: Path) -> None:
        while True:
            linger.options(num_cpus=1).remote(folder, "child")
            count(folder, "submitted")

    for i in range(5):
        folder = tmp_path / str(i)
        folder.mkdir()
        ref = busy.remote(folder)
        started(folder, "submitted")
        started(folder, "child")
        ray.cancel(ref)
        assert_cancelled(ref)
        # One that is interrupted before it has noted its beginning notes only its end.
        wait_until(lambda f=folder: counted(f, "child") <= counted(f, "child ends"), 10)
        wait_until(lambda: stats()["tasks"] == 0, 10, lambda: f"tasks to end: {stats()}")


def test_a_borrower_cancels(tmp_path: Path) -> None:
    @ray.remote(num_cpus=0)
    def cancels(refs: list[Any]) -> str:
        ray.cancel(refs[0])
        return "told"

    ref = linger.remote(tmp_path, "it")
    started(tmp_path, "it")
    assert ray.get(cancels.remote([ref]), timeout=10) == "told"
    assert_cancelled(ref)


# --- wrong use ---------------------------------------------------------------------------------


@pytest.mark.parametrize("what", [None, 5, "text", [], b"id"])
def test_only_references_can_be_cancelled(what: object) -> None:
    with pytest.raises(TypeError, match=r"^ray\.cancel\(\) only supported for object refs\. For"):
        ray.cancel(what)


def test_options_are_keywords() -> None:
    with pytest.raises(TypeError):
        ray.cancel(ray.put(1), True)


def test_is_canceled_outside_workers() -> None:
    with pytest.raises(RuntimeError, match="only available when the process is a worker"):
        ray.get_runtime_context().is_canceled()


def test_is_canceled_in_a_task_that_is_not() -> None:
    @ray.remote
    def asks() -> bool:
        return bool(ray.get_runtime_context().is_canceled())

    assert ray.get(asks.remote()) is False
