"""What goes wrong around actors and their calls: the documented error, and nothing hangs."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from support import balance
from support.engine import IS_THORNBACK, ray
from support.gates import Gate, count, counted
from support.processes import is_alive, state_of
from support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("balanced")

exceptions = ray.exceptions


class Unreadable:
    """Pickles well, but not back."""

    def __reduce__(self) -> Any:
        return _explode, ()


def _explode() -> None:
    raise RuntimeError("does not unpickle")


@ray.remote
class Plain:
    def __init__(self, argument: Any = None) -> None:
        self.argument = argument

    def echo(self, x: Any) -> Any:
        return x

    def lock(self) -> Any:
        return threading.Lock()

    def unreadable(self) -> Any:
        return Unreadable()

    def pid(self) -> int:
        return os.getpid()

    def sleep(self, seconds: float) -> str:
        time.sleep(seconds)
        return "slept"


# --- arguments and results --------------------------------------------------------------------


def test_arguments_of_a_method_that_do_not_unpickle() -> None:
    actor = Plain.remote()
    pid = ray.get(actor.pid.remote())
    for call in (
        lambda: actor.echo.remote(Unreadable()),
        lambda: actor.echo.remote(ray.put(Unreadable())),
    ):
        with pytest.raises(exceptions.RayTaskError, match="does not unpickle") as caught:
            ray.get(call(), timeout=30)
        assert isinstance(caught.value, exceptions.RaySystemError)
    assert ray.get(actor.pid.remote()) == pid


def test_arguments_of_a_constructor_that_do_not_unpickle(tmp_path: Path) -> None:
    for restarts in (0, 3):
        actor = Plain.options(max_restarts=restarts).remote(Unreadable())
        for _ in range(2):
            with pytest.raises(exceptions.ActorDiedError, match="does not unpickle"):
                ray.get(actor.pid.remote(), timeout=30)


def test_results_of_a_method_that_do_not_pickle() -> None:
    actor = Plain.remote()
    pid = ray.get(actor.pid.remote())
    for _ in range(3):
        with pytest.raises(TypeError, match="lock"):
            ray.get(actor.lock.remote(), timeout=30)
    with pytest.raises(exceptions.RaySystemError, match="does not unpickle"):
        ray.get(actor.unreadable.remote(), timeout=30)
    assert ray.get(actor.pid.remote()) == pid


@pytest.mark.parametrize("retries", [0, 2])
def test_a_result_that_does_not_pickle_is_an_exception_of_the_task(
    retries: int, tmp_path: Path
) -> None:
    @ray.remote(retry_exceptions=True, max_retries=retries)
    def lock() -> Any:
        count(tmp_path, "run")
        return threading.Lock()

    with pytest.raises(TypeError, match="lock"):
        ray.get(lock.remote(), timeout=60)
    assert counted(tmp_path, "run") == (retries + 1 if IS_THORNBACK else counted(tmp_path, "run"))


# --- a constructor that hangs -----------------------------------------------------------------


def test_a_constructor_that_hangs(tmp_path: Path) -> None:
    gate = Gate(tmp_path, "never")

    @ray.remote(num_cpus=0)
    class Hangs:
        def __init__(self) -> None:
            (tmp_path / "pid").write_text(str(os.getpid()))
            count(tmp_path, "run")
            gate.wait(600)

        def call(self) -> None: ...

    actor = Hangs.remote()
    refs = [actor.call.remote() for _ in range(100)]
    wait_until(lambda: counted(tmp_path, "run") == 1, 30)
    assert ray.wait(refs, timeout=0.2)[0] == []
    with pytest.raises(exceptions.GetTimeoutError):
        ray.get(refs[0], timeout=0.2)
    # Others go on meanwhile.
    other = Plain.remote()
    assert ray.get([other.echo.remote(i) for i in range(10)], timeout=30) == list(range(10))
    assert ray.get(ray.remote(lambda: 1).remote(), timeout=30) == 1
    ray.kill(actor)
    for ref in refs:
        with pytest.raises(exceptions.ActorDiedError, match=r"ray\.kill"):
            ray.get(ref, timeout=30)
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: not is_alive(pid), 10)


def test_a_constructor_that_hangs_and_nobody_waits_for(tmp_path: Path) -> None:
    """Without handles nobody could kill it; Ray ends it then, and so do we once it answers."""
    gate = Gate(tmp_path)

    @ray.remote
    class Slow:
        def __init__(self) -> None:
            (tmp_path / "pid").write_text(f"{os.getpid()} ")
            gate.wait()

    actor = Slow.remote()
    wait_until(lambda: (tmp_path / "pid").exists(), 30)
    del actor
    gate.open()  # the fixture waits until its resources are free


# --- a dead actor -----------------------------------------------------------------------------


@pytest.mark.timeout(180)
def test_100_000_pending_calls_to_a_dead_actor(tmp_path: Path) -> None:
    n = 100_000 if IS_THORNBACK else 2_000
    gate = Gate(tmp_path, "never")

    @ray.remote
    class Stuck:
        def wait(self) -> None:
            count(tmp_path, "waits")
            gate.wait(600)

        def echo(self, x: int) -> int:
            return x

    actor = Stuck.remote()
    first = actor.wait.remote()
    wait_until(lambda: counted(tmp_path, "waits") == 1, 30)
    refs = [actor.echo.remote(i) for i in range(n)]
    ray.kill(actor)
    ready, rest = ray.wait([first, *refs], num_returns=n + 1, timeout=120)
    assert not rest
    for ref in (first, refs[0], refs[n // 2], refs[-1]):
        with pytest.raises(exceptions.ActorDiedError, match=r"ray\.kill"):
            ray.get(ref, timeout=30)
    del ready, ref
    # Those that come later fail at once, and as many of them.
    refs = [actor.echo.remote(i) for i in range(n)]
    assert len(ray.wait(refs, num_returns=n, timeout=120)[0]) == n
    with pytest.raises(exceptions.ActorDiedError):
        ray.get(refs, timeout=30)


def test_calls_with_arguments_that_never_come_to_a_dead_actor(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    slow = ray.remote(num_cpus=0)(lambda: gate.wait()).remote()
    actor = Plain.remote()
    ray.get(actor.pid.remote())
    refs = [actor.echo.remote(slow), *(actor.echo.remote(i) for i in range(5))]
    ray.kill(actor)
    for ref in refs:
        with pytest.raises(exceptions.ActorDiedError):
            ray.get(ref, timeout=30)
    gate.open()
    ray.get(slow, timeout=30)


# --- a process that is stopped ----------------------------------------------------------------

STOPPED_S = 10.0


def stopped_meanwhile(pids: list[int], gate: Gate, refs: list[Any]) -> None:
    """Stop processes for a while, in which the gate opens, tasks run, and `refs` are not there."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    begin = time.monotonic()
    try:
        gate.open()
        rounds = 0
        while time.monotonic() - begin < STOPPED_S:
            assert ray.get(ray.remote(lambda x: x + 1).remote(rounds), timeout=30) == rounds + 1
            rounds += 1
        assert [state_of(pid) for pid in pids] == ["T"] * len(pids)
        assert ray.wait(refs, timeout=0.1)[0] == []
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.timeout(120)
def test_a_worker_that_is_stopped_for_10_s(tmp_path: Path) -> None:
    """It is late, not dead: nothing is run twice, and others go on meanwhile."""

    @ray.remote
    def slow() -> int:
        (tmp_path / "pid").write_text(f"{os.getpid()} ")
        count(tmp_path, "slow")
        gate.wait()
        return os.getpid()

    gate = Gate(tmp_path)
    actor = Plain.options(num_cpus=0, max_restarts=-1).remote()
    actor_pid = ray.get(actor.pid.remote())
    task = slow.remote()
    wait_until(lambda: (tmp_path / "pid").exists(), 30)
    task_pid = int((tmp_path / "pid").read_text())
    stopped = [actor_pid, task_pid]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    call = actor.pid.remote()
    stopped_meanwhile(stopped, gate, [call, task])
    assert ray.get([call, task], timeout=30) == stopped
    assert counted(tmp_path, "slow") == 1


@pytest.mark.only_thornback
def test_a_stopped_worker_can_be_killed(tmp_path: Path) -> None:
    actor = Plain.remote()
    pid = ray.get(actor.pid.remote())
    os.kill(pid, signal.SIGSTOP)
    ref = actor.pid.remote()
    ray.kill(actor)
    with pytest.raises(exceptions.ActorDiedError):
        ray.get(ref, timeout=30)
    wait_until(lambda: not is_alive(pid), 10)


@pytest.mark.timeout(120)
@pytest.mark.only_thornback
def test_a_worker_that_is_stopped_for_10_s_during_a_restart(tmp_path: Path) -> None:
    """It is late, not dead: there is one restart, and calls wait for it."""

    @ray.remote(num_cpus=0, max_restarts=1, max_task_retries=-1)
    class Phoenix:
        def __init__(self) -> None:
            self.run = count(tmp_path, "constructor")
            (tmp_path / f"pid-{self.run}").write_text(str(os.getpid()))
            if self.run == 2:
                gate.wait()

        def call(self) -> tuple[int, int]:
            return self.run, os.getpid()

    gate = Gate(tmp_path)
    actor = Phoenix.remote()
    os.kill(ray.get(actor.call.remote())[1], signal.SIGKILL)
    wait_until(lambda: (tmp_path / "pid-2").exists() and (tmp_path / "pid-2").read_text(), 30)
    pid = int((tmp_path / "pid-2").read_text())
    refs = [actor.call.remote() for _ in range(10)]
    stopped_meanwhile([pid], gate, refs)
    assert ray.get(refs, timeout=30) == [(2, pid)] * 10
    assert counted(tmp_path, "constructor") == 2


@pytest.mark.timeout(120)
@pytest.mark.only_thornback
def test_the_process_that_makes_workers_is_stopped_for_10_s(tmp_path: Path) -> None:
    """Workers that are there go on; an actor is made again once it goes on too."""
    gate = Gate(tmp_path)
    actor = Plain.options(num_cpus=0, max_restarts=1, max_task_retries=-1).remote()
    old = ray.get(actor.pid.remote())
    ray.get([ray.remote(lambda: 1).remote() for _ in range(20)])
    zygote = balance.zygote()
    assert zygote is not None
    os.kill(zygote, signal.SIGSTOP)
    os.kill(old, signal.SIGKILL)
    ref = actor.pid.remote()
    stopped_meanwhile([zygote], gate, [ref])
    assert ray.get(ref, timeout=30) != old
