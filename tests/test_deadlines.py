"""`timeout=` and `deadline=`: tasks that are late are cancelled, with what they have submitted."""

from __future__ import annotations

import asyncio
import datetime
import os
import pickle
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.engine import ray
from support.gates import Gate, count, counted
from support.waiting import wait_until

pytestmark = [pytest.mark.only_thornback, pytest.mark.usefixtures("balanced")]

LONG_S = 60.0


@ray.remote
def sleeps(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@ray.remote
def hold(gate: Gate) -> int:
    gate.wait()
    return 1


def late(ref: Any, limit_s: float = 20.0) -> Any:
    """The DeadlineExceeded that the object is, in much less than the task would take."""
    with pytest.raises(ray.exceptions.DeadlineExceeded) as caught:
        ray.get(ref, timeout=limit_s)
    return caught.value


# --- tasks -----------------------------------------------------------------------------------


def test_a_running_task_is_cancelled() -> None:
    begin = time.monotonic()
    error = late(sleeps.options(timeout=0.2).remote(LONG_S))
    assert 0.2 <= time.monotonic() - begin < LONG_S / 2
    assert error.task == "sleeps"
    assert error.ancestor is None
    assert "did not end by its deadline" in str(error)
    assert isinstance(error, TimeoutError)
    assert isinstance(error, ray.exceptions.RayError)


def test_one_in_time_is_not() -> None:
    assert ray.get(sleeps.options(timeout=LONG_S).remote(0)) == 0
    assert ray.get(sleeps.options(timeout=LONG_S, deadline=time.time() + LONG_S).remote(0)) == 0
    assert ray.get(sleeps.options(timeout=None, deadline=None).remote(0)) == 0


@pytest.mark.parametrize("zone", [None, datetime.UTC])
def test_a_deadline_is_a_time_of_the_day(zone: Any) -> None:
    until = datetime.datetime.now(zone) + datetime.timedelta(seconds=0.2)
    late(sleeps.options(deadline=until).remote(LONG_S))
    late(sleeps.options(deadline=time.time() + 0.2).remote(LONG_S))


def test_the_earlier_of_both_counts() -> None:
    late(sleeps.options(timeout=LONG_S, deadline=time.time() + 0.2).remote(LONG_S))
    late(sleeps.options(timeout=0.2, deadline=time.time() + LONG_S).remote(LONG_S))


@pytest.mark.parametrize("options", [{"timeout": 0}, {"deadline": 1_000_000_000.5}])
def test_one_that_is_late_from_the_start_never_runs(
    options: dict[str, Any], tmp_path: Path
) -> None:
    @ray.remote(**options)
    def note() -> int:
        return count(tmp_path, "run")

    late(note.remote())
    late(note.remote())
    assert ray.get(sleeps.remote(0)) == 0
    assert counted(tmp_path, "run") == 0


def test_a_queued_task_never_runs(tmp_path: Path) -> None:
    @ray.remote
    def note(_: Any = None) -> int:
        return count(tmp_path, "run")

    gate = Gate(tmp_path)
    busy = [hold.remote(gate) for _ in range(2)]
    for_a_cpu = note.options(timeout=0.1).remote()
    for_an_argument = note.options(timeout=0.1).remote(busy[0])
    late(for_a_cpu)
    late(for_an_argument)
    gate.open()
    ray.get(busy)
    assert ray.get(note.remote()) == 1


def test_it_is_not_tried_again(tmp_path: Path) -> None:
    @ray.remote(max_retries=3, retry_exceptions=True, timeout=0.2)
    def again() -> None:
        count(tmp_path, "run")
        time.sleep(LONG_S)

    late(again.remote())
    assert counted(tmp_path, "run") == 1


def test_a_task_may_tidy_up_and_answer_all_the_same(tmp_path: Path) -> None:
    @ray.remote(timeout=0.2)
    def stubborn() -> str:
        try:
            time.sleep(LONG_S)
        except KeyboardInterrupt:
            return "tidied up"
        return "in time"

    assert ray.get(stubborn.remote()) == "tidied up"


def test_the_error_travels() -> None:
    error = late(sleeps.options(timeout=0).remote(0))
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert again.task_id == error.task_id

    @ray.remote
    def name_of(box: list[Any]) -> str:
        try:
            ray.get(box[0])
        except ray.exceptions.DeadlineExceeded as error:
            return str(error.task)
        return "no error"

    assert ray.get(name_of.remote([sleeps.options(timeout=0).remote(0)])) == "sleeps"


def test_many_deadlines_in_any_order() -> None:
    order = [0.05 * (7 * i % 20) + LONG_S * (i % 2) for i in range(20)]
    refs = [sleeps.options(timeout=0.1 + seconds).remote(0) for seconds in order]
    for ref in refs:
        try:
            assert ray.get(ref, timeout=20) == 0
        except ray.exceptions.DeadlineExceeded:
            continue
    late(sleeps.options(timeout=0.1).remote(LONG_S))


def test_functions_that_capture_references_have_one_too() -> None:
    inner = ray.put(LONG_S)

    @ray.remote(timeout=0.2)
    def captures() -> None:
        time.sleep(ray.get(inner))

    late(captures.remote())


# --- what a task submits ---------------------------------------------------------------------


def test_children_inherit_it(tmp_path: Path) -> None:
    @ray.remote
    def grandchild() -> None:
        count(tmp_path, "grandchild")
        time.sleep(LONG_S)

    @ray.remote
    def child() -> Any:
        return [grandchild.remote()]

    @ray.remote
    def parent() -> Any:
        return ray.get(child.options(timeout=LONG_S).remote())

    (ref,) = ray.get(parent.options(timeout=1.5).remote(), timeout=20)
    error = late(ref)
    assert error.task == "grandchild"
    assert error.ancestor == "parent"
    assert error.ancestor_id != error.task_id
    assert "by the deadline of parent" in str(error)


def test_a_child_may_have_an_earlier_one() -> None:
    @ray.remote
    def parent() -> str | None:
        try:
            ray.get(sleeps.options(timeout=0.1).remote(LONG_S))
        except ray.exceptions.DeadlineExceeded as error:
            return error.ancestor
        return "no error"

    assert ray.get(parent.options(timeout=LONG_S).remote(), timeout=20) is None


def test_a_parent_is_cancelled_while_it_waits() -> None:
    @ray.remote
    def parent() -> Any:
        return ray.get(sleeps.remote(LONG_S))

    assert late(parent.options(timeout=0.3).remote()).task == "parent"


def test_an_actor_outlives_who_creates_it() -> None:
    @ray.remote
    def create() -> Any:
        return Worker.remote()

    until = time.time() + 1.0
    worker = ray.get(create.options(deadline=until).remote())
    wait_until(lambda: time.time() > until, 20, "the deadline to pass")
    assert ray.get(worker.nap.remote(0)) == 0


# --- actors ----------------------------------------------------------------------------------


@ray.remote
class Worker:
    def nap(self, seconds: float) -> float:
        time.sleep(seconds)
        return seconds

    @ray.method(timeout=1.0)
    def hurried(self, seconds: float) -> float:
        return self.nap(seconds)

    def submit(self) -> Any:
        return [sleeps.remote(LONG_S)]


@ray.remote
class AsyncWorker:
    async def nap(self, seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds


def test_a_call_that_waits_for_its_turn_fails_in_time() -> None:
    worker = Worker.remote()
    first = worker.nap.remote(1.0)
    begin = time.monotonic()
    late(worker.nap.options(timeout=0.1).remote(0))
    assert time.monotonic() - begin < 1.0
    assert ray.get(first) == 1.0


def test_a_call_that_runs_fails_when_it_ends() -> None:
    # As for ray.cancel: a method of a sync actor is not interrupted.
    worker = Worker.remote()
    late(worker.hurried.remote(1.3))
    assert ray.get(worker.hurried.remote(0)) == 0
    assert ray.get(worker.nap.remote(0.3)) == 0.3


def test_an_async_call_is_cancelled() -> None:
    worker = AsyncWorker.remote()
    late(worker.nap.options(timeout=0.2).remote(LONG_S))
    assert ray.get(worker.nap.remote(0)) == 0


def test_what_a_method_submits_inherits_it() -> None:
    worker = Worker.remote()
    (ref,) = ray.get(worker.submit.options(timeout=1.0).remote())
    assert late(ref).ancestor == "Worker.submit"


# --- constructors ----------------------------------------------------------------------------


@ray.remote
class Slow:
    def __init__(self, seconds: float, folder: Path | None = None) -> None:
        if folder is not None:
            self.children = [sleeps.options(num_cpus=0).remote(LONG_S)]
            with open(folder / "child", "wb") as file:
                ray.cloudpickle.dump(self.children, file)
        time.sleep(seconds)

    def pid(self) -> int:
        return os.getpid()

    def hold(self, gate: Gate) -> int:
        gate.wait()
        return 1


def never_made(actor: Any) -> str:
    begin = time.monotonic()
    with pytest.raises(ray.exceptions.ActorDiedError) as caught:
        ray.get(actor.pid.remote(), timeout=20)
    assert time.monotonic() - begin < LONG_S / 2
    assert "its constructor did not end by its deadline" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("how", ["timeout", "deadline"])
def test_a_constructor_that_hangs(how: str) -> None:
    limit = {"timeout": 0.5} if how == "timeout" else {"deadline": time.time() + 0.5}
    actor = Slow.options(**limit).remote(LONG_S)
    waiting = [actor.pid.remote() for _ in range(3)]
    never_made(actor)
    for ref in waiting:
        with pytest.raises(ray.exceptions.ActorDiedError, match="by its deadline"):
            ray.get(ref, timeout=20)
    with pytest.raises(ray.exceptions.ActorDiedError, match="by its deadline"):
        ray.get(actor.__ray_ready__.remote(), timeout=20)
    wait_until(lambda: ray.available_resources().get("CPU") == 2, 20, "the CPU to be free")


def test_one_that_is_made_in_time_lives_on(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    actor = Slow.options(timeout=1.5).remote(0)
    begin = time.monotonic()
    ref = actor.hold.remote(gate)
    wait_until(lambda: time.monotonic() - begin > 1.6, 20, "the deadline to pass")
    gate.open()
    assert ray.get(ref) == 1


@pytest.mark.parametrize("what", ["cpus", "argument"])
def test_one_that_has_not_begun(what: str, tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    busy = [hold.remote(gate) for _ in range(2)]
    wait_until(lambda: "CPU" not in ray.available_resources(), 20, "the CPUs to be used")
    seconds = busy[0] if what == "argument" else 0
    actor = Slow.options(timeout=0.2, num_cpus=1).remote(seconds)
    never_made(actor)
    gate.open()
    ray.get(busy)


def test_one_that_is_late_from_the_start() -> None:
    never_made(Slow.options(timeout=0).remote(0))
    never_made(Slow.options(deadline=1.0, name="late").remote(0))
    again = Slow.options(name="late").remote(0)  # the name is free
    assert ray.get(again.pid.remote()) > 0


def test_what_a_constructor_submits_inherits_it(tmp_path: Path) -> None:
    actor = Slow.options(timeout=1.0).remote(LONG_S, tmp_path)
    never_made(actor)
    with open(tmp_path / "child", "rb") as file:
        (child,) = ray.cloudpickle.load(file)
    assert late(child).ancestor == "Slow.__init__"


def test_restarts_are_not_limited() -> None:
    actor = Slow.options(timeout=2.0, max_restarts=1, max_task_retries=1).remote(0)
    begin = time.monotonic()
    first = ray.get(actor.pid.remote())
    wait_until(lambda: time.monotonic() - begin > 2.1, 20, "the deadline to pass")
    ray.kill(actor, no_restart=False)
    wait_until(lambda: ray.get(actor.pid.remote(), timeout=20) != first, 20, "another process")


def test_a_constructor_that_is_tried_again_has_one_deadline(tmp_path: Path) -> None:
    @ray.remote(max_restarts=-1, timeout=1.5)
    class Dies:
        def __init__(self) -> None:
            count(tmp_path, "try")
            time.sleep(0.2)
            os.kill(os.getpid(), signal.SIGKILL)

        def pid(self) -> int:
            return os.getpid()

    actor = Dies.remote()
    never_made(actor)
    assert counted(tmp_path, "try") > 1


# --- generators ------------------------------------------------------------------------------


def test_a_generator_ends_with_the_error() -> None:
    @ray.remote(timeout=0.5)
    def ticks() -> Iterator[int]:
        i = 0
        while True:
            yield i
            i += 1
            time.sleep(0.01)

    generator = ticks.remote()
    *items, last = generator
    assert ray.get(items) == list(range(len(items)))
    assert late(last).task == "ticks"
    late(generator.completed())


# --- wrong values ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"timeout": -1}, ValueError),
        ({"timeout": float("nan")}, ValueError),
        ({"timeout": "1"}, TypeError),
        ({"deadline": float("inf")}, ValueError),
        ({"deadline": True}, ValueError),
        ({"deadline": "tomorrow"}, TypeError),
    ],
)
def test_wrong_values(options: dict[str, Any], error: type[Exception]) -> None:
    name = next(iter(options))
    with pytest.raises(error, match=name):
        sleeps.options(**options)
    with pytest.raises(error, match=name):
        ray.remote(**options)(lambda: 1)
    with pytest.raises(error, match=name):
        ray.method(**options)(lambda self: 1)
    worker = Worker.remote()
    with pytest.raises(error, match=name):
        worker.nap.options(**options)
    with pytest.raises(error, match=name):
        Worker.options(**options)
    with pytest.raises(error, match=name):
        ray.remote(**options)(type("Class", (), {}))


def test_a_very_long_timeout_is_none() -> None:
    assert ray.get(sleeps.options(timeout=1e300).remote(0)) == 0
    assert ray.get(sleeps.options(deadline=1e18).remote(0)) == 0
