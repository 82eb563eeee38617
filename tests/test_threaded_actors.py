"""Actors whose calls run on several threads, and concurrency groups."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from support.engine import ray
from support.gates import Gate, Meeting, count, counted
from support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("balanced")


class Plain:
    """Methods of all kinds; made an actor with the concurrency that a test needs."""

    def __init__(self) -> None:
        self.maker = threading.get_ident()
        self.local = threading.local()

    def meet(self, meeting: Meeting) -> bool:
        return meeting.join()

    def hold(self, gate: Gate, value: Any = None) -> Any:
        gate.wait()
        return value

    def note(self, folder: Path, gate: Gate) -> None:
        count(folder, "begun")
        gate.wait()

    def value(self, value: Any) -> Any:
        return value

    def thread(self) -> tuple[int, bool, bool]:
        here = threading.current_thread()
        return here.ident or 0, here is threading.main_thread(), here.daemon

    def task(self, meeting: Meeting) -> tuple[str, str]:
        context = ray.get_runtime_context()
        before = context.get_task_id()
        meeting.join()
        assert context.get_task_id() == before
        return before, context.get_task_name()

    def get(self, boxed: list[Any]) -> Any:
        return ray.get(boxed[0])

    def pid(self) -> int:
        return os.getpid()

    def fail(self) -> None:
        raise ValueError("no")

    def leave(self) -> None:
        ray.actor.exit_actor()

    def quit(self, status: int) -> None:
        sys.exit(status)

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


Threaded = ray.remote(max_concurrency=3)(Plain)


@ray.remote
def delayed(gate: Gate, value: Any) -> Any:
    gate.wait()
    return value


# --- several at a time ------------------------------------------------------------------------


def test_as_many_run_as_max_concurrency_says(tmp_path: Path) -> None:
    actor = Threaded.remote()
    meeting = Meeting(tmp_path, 3)
    assert ray.get([actor.meet.remote(meeting) for _ in range(3)]) == [True] * 3


def test_no_more_run_than_max_concurrency_says(tmp_path: Path) -> None:
    actor, gate = Threaded.remote(), Gate(tmp_path)
    refs = [actor.note.remote(tmp_path, gate) for _ in range(10)]
    wait_until(lambda: counted(tmp_path, "begun") == 3, 20, "three calls to begin")
    # The fourth would have begun in less time than an answer of the same actor takes.
    assert ray.wait(refs, timeout=0.2)[0] == []
    assert counted(tmp_path, "begun") == 3
    gate.open()
    ray.get(refs)
    assert counted(tmp_path, "begun") == 10


def test_max_concurrency_by_options(tmp_path: Path) -> None:
    actor = ray.remote(Plain).options(max_concurrency=2).remote()
    meeting = Meeting(tmp_path, 2)
    assert ray.get([actor.meet.remote(meeting) for _ in range(2)]) == [True] * 2


def test_threads_are_few_and_daemons_and_not_the_main_one(tmp_path: Path) -> None:
    actor = Threaded.remote()
    meeting = Meeting(tmp_path, 3)
    ray.get([actor.meet.remote(meeting) for _ in range(3)])
    seen = set(ray.get([actor.thread.remote() for _ in range(50)]))
    assert len(seen) <= 3
    assert {(main, daemon) for _, main, daemon in seen} == {(False, True)}


def test_a_thousand_calls_give_their_own_results() -> None:
    actor = Threaded.remote()
    assert ray.get([actor.value.remote(i) for i in range(3000)]) == list(range(3000))


def test_large_arguments_and_results() -> None:
    actor = Threaded.remote()
    values = [bytes([i]) * (200_000 if i % 2 else 90_000) for i in range(20)]
    assert ray.get([actor.value.remote(v) for v in values]) == values


def test_each_call_has_a_context_of_its_own(tmp_path: Path) -> None:
    actor = Threaded.remote()
    meeting = Meeting(tmp_path, 3)
    seen = ray.get([actor.task.remote(meeting) for _ in range(3)])
    assert len({task for task, _ in seen}) == 3
    assert {name for _, name in seen} == {"Plain.task"}


def test_a_call_that_waits_holds_up_no_other(tmp_path: Path) -> None:
    actor, gate = Threaded.remote(), Gate(tmp_path)
    waiting = [actor.get.remote([delayed.remote(gate, i)]) for i in range(2)]
    assert ray.get(actor.value.remote("meanwhile"), timeout=20) == "meanwhile"
    gate.open()
    assert ray.get(waiting) == [0, 1]


def test_pending_arguments_hold_back_no_later_call(tmp_path: Path) -> None:
    actor, gate = Threaded.remote(), Gate(tmp_path)
    first = actor.value.remote(delayed.remote(gate, 1))
    assert ray.get(actor.value.remote(2), timeout=20) == 2
    assert ray.wait([first], timeout=0)[0] == []
    gate.open()
    assert ray.get(first) == 1


def test_out_of_order_on_one_thread(tmp_path: Path) -> None:
    actor, gate = (
        ray.remote(Plain).options(allow_out_of_order_execution=True).remote(),
        Gate(tmp_path),
    )
    first = actor.value.remote(delayed.remote(gate, 1))
    assert ray.get(actor.value.remote(2), timeout=20) == 2
    gate.open()
    assert ray.get(first) == 1


@pytest.mark.parametrize(
    ("actor_class", "kind"), [(Threaded, "multi-threaded"), (ray.remote(Plain), None)]
)
def test_order_can_be_asked_for_with_one_thread_only(actor_class: Any, kind: str | None) -> None:
    ordered = actor_class.options(allow_out_of_order_execution=False)
    if kind is None:
        assert ray.get(ordered.remote().value.remote(1)) == 1
        return
    with pytest.raises(ValueError, match=f"you're using {kind} actors, Ray can't execute actor"):
        ordered.remote()


# --- ends -------------------------------------------------------------------------------------


def test_an_error_is_its_calls_alone(tmp_path: Path) -> None:
    actor, gate = Threaded.remote(), Gate(tmp_path)
    running = actor.hold.remote(gate, "held")
    with pytest.raises(ValueError, match="no"):
        ray.get(actor.fail.remote())
    gate.open()
    assert ray.get(running) == "held"


@pytest.mark.parametrize("end", ["leave", "quit", "terminate"])
def test_what_runs_ends_before_an_actor_that_leaves(end: str, tmp_path: Path) -> None:
    actor, gate = Threaded.remote(), Gate(tmp_path)
    running = actor.hold.remote(gate, "held")
    pid = ray.get(actor.pid.remote())
    left = {
        "leave": lambda: actor.leave.remote(),
        "quit": lambda: actor.quit.remote(0),
        "terminate": lambda: actor.__ray_terminate__.remote(),
    }[end]()
    ray.wait([left], timeout=0.2)
    assert Path(f"/proc/{pid}").exists()
    gate.open()
    assert ray.get(running, timeout=20) == "held"
    with pytest.raises(ray.exceptions.RayActorError):
        ray.get(left, timeout=20)
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(actor.pid.remote(), timeout=20)


def test_all_calls_of_a_killed_process_fail(tmp_path: Path) -> None:
    actor, gate = Threaded.remote(), Gate(tmp_path)
    refs = [actor.hold.remote(gate) for _ in range(1000)]
    ray.kill(actor)
    for ref in refs:
        with pytest.raises(ray.exceptions.RayActorError):
            ray.get(ref, timeout=20)


def test_all_calls_of_a_process_that_dies_fail(tmp_path: Path) -> None:
    actor, gate = Threaded.remote(), Gate(tmp_path)
    refs = [actor.hold.remote(gate) for _ in range(2)]
    refs.append(actor.die.remote())
    refs += [actor.hold.remote(gate) for _ in range(1000)]
    for ref in refs:
        with pytest.raises(ray.exceptions.RayActorError):
            ray.get(ref, timeout=20)


def test_the_process_goes_with_the_last_handle() -> None:
    actor = Threaded.remote()
    pid = ray.get(actor.pid.remote())
    del actor
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), 20, "the process to end")


def test_a_constructor_that_fails_is_the_error_of_all_calls() -> None:
    @ray.remote(max_concurrency=4)
    class Fails:
        def __init__(self) -> None:
            raise ValueError("not made")

        def value(self) -> int:
            return 1

    actor = Fails.remote()
    for _ in range(2):
        with pytest.raises(ray.exceptions.ActorDiedError, match="not made"):
            ray.get(actor.value.remote(), timeout=20)


# --- concurrency groups -----------------------------------------------------------------------


class Grouped(Plain):
    @ray.method(concurrency_group="io")
    def io(self, meeting: Meeting) -> bool:
        return meeting.join()

    @ray.method(concurrency_group="one")
    def one(self) -> int:
        return threading.get_ident()

    def made_here(self) -> bool:
        return threading.get_ident() == self.maker


def test_groups_have_limits_of_their_own(tmp_path: Path) -> None:
    actor = ray.remote(concurrency_groups={"io": 2, "one": 1})(Grouped).remote()
    held = actor.hold.remote(Gate(tmp_path), None)  # the default group's only place
    meeting = Meeting(tmp_path, 2)
    assert ray.get([actor.io.remote(meeting) for _ in range(2)]) == [True, True]
    assert len(set(ray.get([actor.one.remote() for _ in range(20)]))) == 1
    assert ray.wait([held], timeout=0)[0] == []
    ray.kill(actor)


def test_the_only_thread_of_the_default_group_is_the_constructors() -> None:
    actor = ray.remote(concurrency_groups={"io": 2, "one": 1})(Grouped).remote()
    ray.get([actor.one.remote() for _ in range(20)])
    assert all(ray.get([actor.made_here.remote() for _ in range(20)]))


def test_a_full_group_starves_no_other(tmp_path: Path) -> None:
    actor = ray.remote(concurrency_groups={"io": 2, "one": 1}, max_concurrency=2)(Grouped).remote()
    gate = Gate(tmp_path)
    held = [actor.hold.options(concurrency_group="io").remote(gate, i) for i in range(5000)]
    assert ray.get(actor.value.remote("default"), timeout=20) == "default"
    assert isinstance(ray.get(actor.one.remote(), timeout=20), int)
    gate.open()
    assert ray.get(held) == list(range(5000))


def test_a_group_by_options_of_a_call(tmp_path: Path) -> None:
    actor = ray.remote(concurrency_groups={"io": 2, "one": 1})(Grouped).remote()
    meeting = Meeting(tmp_path, 2)
    refs = [actor.meet.options(concurrency_group="io").remote(meeting) for _ in range(2)]
    assert ray.get(refs) == [True, True]


def test_groups_go_with_handles(tmp_path: Path) -> None:
    @ray.remote
    def use(actor: Any, meeting: Meeting) -> bool:
        return bool(ray.get(actor.meet.options(concurrency_group="io").remote(meeting)))

    actor = ray.remote(concurrency_groups={"io": 2, "one": 1})(Grouped).remote()
    meeting = Meeting(tmp_path, 2)
    assert ray.get([use.remote(actor, meeting) for _ in range(2)]) == [True, True]


@pytest.mark.only_thornback
def test_a_group_that_there_is_not_is_refused() -> None:
    actor = ray.remote(concurrency_groups={"io": 2, "one": 1})(Grouped).remote()
    with pytest.raises(ValueError, match=r"'net' is not defined .* class Grouped"):
        actor.value.options(concurrency_group="net").remote(1)
    assert ray.get(actor.value.remote(1)) == 1


def test_a_method_of_a_group_that_the_class_has_not() -> None:
    with pytest.raises(AssertionError):
        ray.remote(concurrency_groups={"io": 2})(Grouped).remote()


def test_calls_from_threads_outside_of_any_task(tmp_path: Path) -> None:
    @ray.remote(max_concurrency=2)
    class Starts:
        def run(self) -> Any:
            found: list[Any] = []

            def use() -> None:
                found.append(ray.get(ray.put("from a thread")))

            thread = threading.Thread(target=use)
            thread.start()
            thread.join(20)
            return found

    actor = Starts.remote()
    assert ray.get([actor.run.remote() for _ in range(4)]) == [["from a thread"]] * 4
