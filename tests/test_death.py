"""Workers that die: what the driver is told, what is tried again, what is left."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from support.actors import Counter
from support.engine import IS_THORNBACK, ray
from support.gates import Gate, count, counted
from support.processes import is_alive
from support.waiting import wait_for_file, wait_until

pytestmark = pytest.mark.usefixtures("balanced")

WAYS = {
    "exit code 3": 3,
    "SIGKILL": -signal.SIGKILL,
    "SIGSEGV": -signal.SIGSEGV,
    "SIGABRT": -signal.SIGABRT,
}
NAMES = {
    "exit code 3": r"\b3\b",
    "SIGKILL": r"SIGKILL|signal 9\b",
    "SIGSEGV": r"SIGSEGV|signal 11\b",
    "SIGABRT": r"SIGABRT|signal 6\b",
}


def die(way: int) -> None:
    """End this process: exit with the code, or by the signal when negative."""
    print("first line\nlast words", file=sys.stderr, flush=True)
    if way >= 0:
        os._exit(way)
    os.kill(os.getpid(), -way)


@ray.remote(max_retries=0)
def die_once(way: int) -> None:
    die(way)


@ray.remote
class Mortal:
    def pid(self) -> int:
        return os.getpid()

    def die(self, way: int) -> None:
        die(way)

    def wait(self, gate: Gate) -> str:
        gate.wait()
        return "done"


def check_told(error: Exception, way: str) -> None:
    """The message names how the process ended and what it said last."""
    text = str(error)
    if IS_THORNBACK:
        assert re.search(NAMES[way], text), text
        assert "last words" in text


@pytest.mark.parametrize("way", WAYS)
def test_a_worker_dies(way: str) -> None:
    with pytest.raises(ray.exceptions.WorkerCrashedError) as caught:
        ray.get(die_once.remote(WAYS[way]))
    check_told(caught.value, way)
    assert ray.get(ray.remote(lambda: "next").remote()) == "next"


def test_sys_exit_in_a_task_ends_its_worker() -> None:
    with pytest.raises(ray.exceptions.WorkerCrashedError):
        ray.get(ray.remote(max_retries=0)(lambda: sys.exit(4)).remote())


@pytest.mark.parametrize("way", WAYS)
def test_an_actor_dies(way: str) -> None:
    mortal = Mortal.remote()
    calls = [mortal.die.remote(WAYS[way]), mortal.pid.remote()]
    for call in calls:
        with pytest.raises(ray.exceptions.ActorDiedError) as caught:
            ray.get(call, timeout=30)
    check_told(caught.value, way)
    with pytest.raises(ray.exceptions.ActorDiedError) as caught:
        ray.get(mortal.pid.remote(), timeout=30)
    check_told(caught.value, way)
    assert "Mortal" in str(caught.value)


def test_a_worker_killed_from_outside(tmp_path: Path) -> None:
    @ray.remote(max_retries=0)
    def stay() -> None:
        (tmp_path / "pid").write_text(f"{os.getpid()} ")
        Gate(tmp_path, "never").wait()

    ref = stay.remote()
    os.kill(int(wait_for_file(tmp_path / "pid")), signal.SIGKILL)
    with pytest.raises(ray.exceptions.WorkerCrashedError):
        ray.get(ref, timeout=30)


def test_an_actor_killed_from_outside_while_idle() -> None:
    mortal = Mortal.remote()
    pid = ray.get(mortal.pid.remote())
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid), 10)
    with pytest.raises(ray.exceptions.RayActorError):
        ray.get(mortal.pid.remote(), timeout=30)


# --- retries ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, deaths, runs, succeeds",
    [
        ({}, 99, 4, False),
        ({"max_retries": 0}, 99, 1, False),
        ({"max_retries": 2}, 99, 3, False),
        ({}, 3, 4, True),
        ({"max_retries": 1}, 1, 2, True),
        ({"max_retries": -1}, 5, 6, True),
    ],
    ids=["default", "none", "two", "default-enough", "one-enough", "for-ever"],
)
@pytest.mark.timeout(120)
def test_retries_are_counted(
    options: dict[str, Any], deaths: int, runs: int, succeeds: bool, tmp_path: Path
) -> None:
    def attempt() -> int:
        n = count(tmp_path, "run")
        if n <= deaths:
            os._exit(1)
        return n

    ref = (ray.remote(**options) if options else ray.remote)(attempt).remote()
    if succeeds:
        assert ray.get(ref) == runs
    else:
        with pytest.raises(ray.exceptions.WorkerCrashedError):
            ray.get(ref)
    assert counted(tmp_path, "run") == runs


def test_options_change_the_number_of_retries(tmp_path: Path) -> None:
    @ray.remote
    def attempt() -> None:
        count(tmp_path, "run")
        os._exit(1)

    with pytest.raises(ray.exceptions.WorkerCrashedError):
        ray.get(attempt.options(max_retries=1).remote())
    assert counted(tmp_path, "run") == 2


def test_a_retry_finds_its_arguments_again(tmp_path: Path) -> None:
    @ray.remote
    def attempt(data: bytes, box: list[Any]) -> int:
        if count(tmp_path, "run") == 1:
            os._exit(1)
        return len(data) + len(ray.get(box[0]))

    ref = attempt.remote(ray.put(b"a" * 500_000), [ray.put(b"b" * 500_000)])
    assert ray.get(ref) == 1_000_000


def test_tasks_queued_at_a_dying_worker_are_not_lost(tmp_path: Path) -> None:
    @ray.remote
    def quick(i: int) -> int:
        if i % 50 == 25 and count(tmp_path, f"run-{i}") == 1:
            os._exit(1)
        return i

    assert ray.get([quick.remote(i) for i in range(200)]) == list(range(200))


def test_a_task_is_not_blamed_for_the_death_of_another(tmp_path: Path) -> None:
    """Tasks that only waited behind the dying one lose no retry by its death."""

    @ray.remote(max_retries=0)
    def quick(i: int) -> int:
        if i == 3:
            os._exit(1)
        return i

    refs = [quick.remote(i) for i in range(60)]
    with pytest.raises(ray.exceptions.WorkerCrashedError):
        ray.get(refs[3])
    del refs[3]
    assert sorted(ray.get(refs)) == [i for i in range(60) if i != 3]


def test_the_error_of_a_dead_worker_goes_through_a_chain() -> None:
    @ray.remote
    def pass_on(value: Any) -> Any:
        return value

    with pytest.raises(ray.exceptions.RayError):
        ray.get(pass_on.remote(pass_on.remote(die_once.remote(3))))


def test_children_of_a_dead_task_do_not_disturb(tmp_path: Path) -> None:
    gate = Gate(tmp_path)

    @ray.remote
    def child() -> None:
        gate.wait()
        count(tmp_path, "child")

    @ray.remote(max_retries=0)
    def parent() -> None:
        child.options(num_cpus=0).remote()
        os._exit(1)

    with pytest.raises(ray.exceptions.WorkerCrashedError):
        ray.get(parent.remote())
    gate.open()
    assert ray.get(ray.remote(lambda: 1).remote()) == 1


def test_an_actor_outlives_the_task_that_killed_its_worker() -> None:
    counter = Counter.remote()
    ray.get(counter.add.remote(1))
    with pytest.raises(ray.exceptions.WorkerCrashedError):
        ray.get(die_once.remote(3))
    assert ray.get(counter.add.remote(1)) == 2
