"""Actors whose processes die: restarts, calls that are tried again, ways to leave for good."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from support.engine import IS_THORNBACK, ray
from support.gates import Gate, count, counted
from support.processes import is_alive
from support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("balanced")

exceptions = ray.exceptions


@ray.remote
class Phoenix:
    """Counts its constructor's runs in a folder."""

    def __init__(self, folder: Path, *arguments: Any) -> None:
        self.folder = folder
        self.arguments = arguments
        self.run = count(folder, "constructor")
        self.made_again = ray.get_runtime_context().was_current_actor_reconstructed

    def state(self) -> tuple[int, bool, tuple[Any, ...]]:
        return self.run, self.made_again, self.arguments

    def pid(self) -> int:
        return os.getpid()

    def die(self, code: int = 1) -> None:
        os._exit(code)

    def die_at_first(self, times: int) -> int:
        n = count(self.folder, "die")
        if n <= times:
            os._exit(1)
        return n

    def note(self, name: str) -> int:
        with (self.folder / "notes").open("a") as file:
            file.write(f"{name} ")
        return self.run

    def wait(self, gate: Gate) -> int:
        gate.wait()
        return self.run

    def stand(self, gate: Gate) -> int:
        count(self.folder, "stands")
        return self.wait(gate)

    def leave(self, how: str) -> None:
        if how == "exit_actor":
            ray.actor.exit_actor()
        sys.exit(0)


def alive_again(actor: Any) -> Any:
    """Return the actor's state as soon as it answers."""
    found: list[Any] = []

    def answers() -> bool:
        try:
            found.append(ray.get(actor.state.remote(), timeout=30))
        except exceptions.ActorUnavailableError:
            return False
        return True

    wait_until(answers, 30, "the actor to answer")
    return found[0]


# --- restarts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1])
def test_an_actor_is_made_again_with_its_arguments(code: int, tmp_path: Path) -> None:
    data = ray.put(b"x" * 300_000)
    actor = Phoenix.options(max_restarts=1).remote(tmp_path, data, [ray.put("inside")])
    del data
    first = ray.get(actor.state.remote())
    assert first[:2] == (1, False)
    with pytest.raises(exceptions.ActorUnavailableError) as caught:
        ray.get(actor.die.remote(code), timeout=30)
    assert "may or may not have been executed" in str(caught.value)
    run, again, arguments = alive_again(actor)
    assert (run, again) == (2, True)
    assert arguments[0] == b"x" * 300_000
    assert ray.get(arguments[1][0]) == "inside"


def test_restarts_are_counted(tmp_path: Path) -> None:
    actor = Phoenix.options(max_restarts=2).remote(tmp_path)
    for run in (2, 3):
        with pytest.raises(exceptions.ActorUnavailableError):
            ray.get(actor.die.remote(), timeout=30)
        assert alive_again(actor)[0] == run
    for _ in range(2):
        with pytest.raises(exceptions.ActorDiedError) as caught:
            ray.get(actor.die.remote(), timeout=30)
    text = str(caught.value)
    assert text.startswith("The actor died unexpectedly before finishing this task.")
    assert "class_name: Phoenix" in text
    assert f"actor_id: {actor._actor_id.hex()}" in text
    assert "its worker process has died" in text
    assert counted(tmp_path, "constructor") == 3


def test_restarts_without_limit(tmp_path: Path) -> None:
    actor = Phoenix.options(max_restarts=-1, max_task_retries=-1).remote(tmp_path)
    assert ray.get(actor.die_at_first.remote(6), timeout=60) == 7
    assert counted(tmp_path, "constructor") == 7


def test_a_process_killed_from_outside_while_idle(tmp_path: Path) -> None:
    actor = Phoenix.options(max_restarts=1).remote(tmp_path)
    pid = ray.get(actor.pid.remote())
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid), 10)
    assert alive_again(actor)[:2] == (2, True)


@pytest.mark.parametrize("restarts, runs", [(0, 1), (2, 3)])
def test_a_process_that_dies_in_the_constructor(restarts: int, runs: int, tmp_path: Path) -> None:
    @ray.remote(max_restarts=restarts)
    class Stillborn:
        def __init__(self) -> None:
            count(tmp_path, "run")
            os._exit(1)

        def call(self) -> None: ...

    actor = Stillborn.remote()
    with pytest.raises(exceptions.ActorDiedError) as caught:
        ray.get(actor.call.remote(), timeout=60)
    assert ("The actor never ran" in str(caught.value)) == (restarts == 0)
    assert (
        f"class_name: {test_a_process_that_dies_in_the_constructor.__qualname__}.<locals>.Stillborn"
        in str(caught.value)
    )
    assert counted(tmp_path, "run") == runs


def test_a_constructor_that_succeeds_at_the_second_try(tmp_path: Path) -> None:
    @ray.remote(max_restarts=1)
    class Late:
        def __init__(self) -> None:
            if count(tmp_path, "run") == 1:
                os._exit(1)

        def call(self) -> str:
            return "here"

    assert ray.get(Late.remote().call.remote(), timeout=60) == "here"


def test_a_constructor_that_raises_is_not_run_again(tmp_path: Path) -> None:
    @ray.remote(max_restarts=5)
    class Refusing:
        def __init__(self) -> None:
            count(tmp_path, "run")
            raise ValueError("no")

        def call(self) -> None: ...

    actor = Refusing.remote()
    for call in (actor.call, actor.__ray_ready__):
        with pytest.raises(exceptions.ActorDiedError, match="error raised in its creation task"):
            ray.get(call.remote(), timeout=60)
    assert counted(tmp_path, "run") == 1


def test_a_constructor_that_raises_when_made_again(tmp_path: Path) -> None:
    @ray.remote(max_restarts=5)
    class Once:
        def __init__(self) -> None:
            if count(tmp_path, "run") > 1:
                raise ValueError("only once")

        def die(self) -> None:
            os._exit(1)

    actor = Once.remote()
    with pytest.raises(exceptions.ActorUnavailableError):
        ray.get(actor.die.remote(), timeout=30)
    wait_until(lambda: counted(tmp_path, "run") == 2, 30)
    with pytest.raises(exceptions.RayActorError):
        ray.get(actor.die.remote(), timeout=30)
    with pytest.raises(exceptions.ActorDiedError, match="only once"):
        ray.get(actor.die.remote(), timeout=30)


# --- calls ------------------------------------------------------------------------------------


def test_calls_without_retries_fail_with_the_process(tmp_path: Path) -> None:
    actor = Phoenix.options(max_restarts=1).remote(tmp_path)
    ray.get(actor.pid.remote())
    calls = [actor.die.remote(), *(actor.note.remote(str(i)) for i in range(3))]
    for call in calls:
        with pytest.raises(exceptions.ActorUnavailableError):
            ray.get(call, timeout=30)
    assert not (tmp_path / "notes").exists()
    assert alive_again(actor)[0] == 2


def test_calls_with_retries_run_in_the_next_process(tmp_path: Path) -> None:
    actor = Phoenix.options(max_restarts=1, max_task_retries=1).remote(tmp_path)
    ray.get(actor.pid.remote())
    refs = [actor.die_at_first.remote(1), *(actor.note.remote(str(i)) for i in range(5))]
    assert ray.get(refs, timeout=60) == [2, 2, 2, 2, 2, 2]
    notes = (tmp_path / "notes").read_text().split()
    assert sorted(notes) == list("01234")
    if IS_THORNBACK:
        assert notes == list("01234")  # Ray keeps no order among them


def test_retries_of_a_call_are_counted(tmp_path: Path) -> None:
    actor = Phoenix.options(max_restarts=-1, max_task_retries=2).remote(tmp_path)
    with pytest.raises(exceptions.ActorUnavailableError):
        ray.get(actor.die_at_first.remote(99), timeout=60)
    assert counted(tmp_path, "die") == 3


def test_options_of_a_call_change_its_retries(tmp_path: Path) -> None:
    actor = Phoenix.options(max_restarts=-1).remote(tmp_path)
    assert ray.get(actor.die_at_first.options(max_task_retries=20).remote(2), timeout=60) == 3


def test_a_call_with_retries_of_an_actor_without_restarts(tmp_path: Path) -> None:
    actor = Phoenix.options(max_task_retries=3).remote(tmp_path)
    with pytest.raises(exceptions.ActorDiedError):
        ray.get(actor.die.remote(), timeout=60)


@pytest.mark.parametrize("retries", [0, 1])
def test_calls_while_it_is_being_made_again(retries: int, tmp_path: Path) -> None:
    gate = Gate(tmp_path)

    @ray.remote(max_restarts=1, max_task_retries=retries)
    class Slow:
        def __init__(self) -> None:
            if count(tmp_path, "run") > 1:
                gate.wait()

        def pid(self) -> int:
            return os.getpid()

    actor = Slow.remote()
    pid = ray.get(actor.pid.remote())
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: counted(tmp_path, "run") == 2, 30)
    ref = actor.pid.remote()
    if retries:
        assert ray.wait([ref], timeout=1.5) == ([], [ref])
        gate.open()
        assert ray.get(ref, timeout=30) != pid
    else:
        with pytest.raises(exceptions.ActorUnavailableError):
            ray.get(ref, timeout=30)
        gate.open()


def test_named_actors_keep_their_name(tmp_path: Path) -> None:
    actor = Phoenix.options(name="phoenix", max_restarts=1).remote(tmp_path)
    with pytest.raises(exceptions.ActorUnavailableError):
        ray.get(actor.die.remote(), timeout=30)
    assert ray.get_actor("phoenix") == actor
    assert alive_again(ray.get_actor("phoenix"))[0] == 2
    with pytest.raises(exceptions.ActorDiedError, match="name: phoenix"):
        ray.get(actor.die.remote(), timeout=30)


def test_a_handle_in_another_actor_survives_the_restart(tmp_path: Path) -> None:
    @ray.remote
    class Friend:
        def __init__(self, box: list[Any]) -> None:
            self.actor = box[0]

        def ask(self) -> Any:
            return alive_again(self.actor)[0]

    actor = Phoenix.options(max_restarts=1).remote(tmp_path)
    friend = Friend.remote([actor])
    assert ray.get(friend.ask.remote()) == 1
    with pytest.raises(exceptions.ActorUnavailableError):
        ray.get(actor.die.remote(), timeout=30)
    assert ray.get(friend.ask.remote()) == 2


# --- kill -------------------------------------------------------------------------------------


def test_kill_with_restart(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    actor = Phoenix.options(max_restarts=1).remote(tmp_path)
    ref = actor.stand.remote(gate)
    wait_until(lambda: counted(tmp_path, "stands") == 1, 30)
    ray.kill(actor, no_restart=False)
    with pytest.raises(exceptions.ActorUnavailableError):
        ray.get(ref, timeout=30)
    assert alive_again(actor)[:2] == (2, True)
    ray.kill(actor, no_restart=False)  # no restart is left
    with pytest.raises(exceptions.ActorDiedError, match=r"ray\.kill"):
        ray.get(actor.pid.remote(), timeout=30)


def test_kill_with_restart_and_retries(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    actor = Phoenix.options(max_restarts=-1, max_task_retries=1).remote(tmp_path)
    ref = actor.stand.remote(gate)
    wait_until(lambda: counted(tmp_path, "stands") == 1, 30)
    ray.kill(actor, no_restart=False)
    wait_until(lambda: counted(tmp_path, "stands") == 2, 30)
    gate.open()
    assert ray.get(ref, timeout=30) == 2


def test_kill_for_good_in_spite_of_restarts(tmp_path: Path) -> None:
    actor = Phoenix.options(max_restarts=-1, max_task_retries=-1).remote(tmp_path)
    pid = ray.get(actor.pid.remote())
    ray.kill(actor)
    wait_until(lambda: not is_alive(pid), 10)
    with pytest.raises(exceptions.ActorDiedError, match=r"killed by `ray\.kill`"):
        ray.get(actor.pid.remote(), timeout=30)
    assert counted(tmp_path, "constructor") == 1


def test_kill_while_it_is_being_made_again(tmp_path: Path) -> None:
    gate = Gate(tmp_path, "never")

    @ray.remote(max_restarts=-1, max_task_retries=-1)
    class Slow:
        def __init__(self) -> None:
            if count(tmp_path, "run") > 1:
                gate.wait()

        def pid(self) -> int:
            return os.getpid()

    actor = Slow.remote()
    os.kill(ray.get(actor.pid.remote()), signal.SIGKILL)
    wait_until(lambda: counted(tmp_path, "run") == 2, 30)
    ref = actor.pid.remote()
    ray.kill(actor)
    with pytest.raises(exceptions.ActorDiedError, match=r"killed by `ray\.kill`"):
        ray.get(ref, timeout=30)


def test_the_last_handle_goes_while_it_is_being_made_again(tmp_path: Path) -> None:
    actor = Phoenix.options(max_restarts=-1).remote(tmp_path)
    os.kill(ray.get(actor.pid.remote()), signal.SIGKILL)
    del actor  # the fixture checks that its resources come back


# --- leaving ----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["exit_actor", "sys.exit", "__ray_terminate__"])
def test_an_actor_that_leaves_is_not_made_again(how: str, tmp_path: Path) -> None:
    actor = Phoenix.options(max_restarts=3, max_task_retries=3).remote(tmp_path)
    pid = ray.get(actor.pid.remote())
    leaving = (
        actor.__ray_terminate__.remote() if how == "__ray_terminate__" else actor.leave.remote(how)
    )
    behind = actor.pid.remote()
    for ref in (leaving, behind, actor.pid.remote()):
        with pytest.raises(exceptions.ActorDiedError) as caught:
            ray.get(ref, timeout=30)
        assert "INTENDED_USER_EXIT" in str(caught.value)
        assert ("exit_actor() is called" in str(caught.value)) == (how != "sys.exit")
    wait_until(lambda: not is_alive(pid), 10)
    assert counted(tmp_path, "constructor") == 1


def test_sys_exit_with_another_status_is_a_death(tmp_path: Path) -> None:
    @ray.remote(max_restarts=1)
    class Exits:
        def __init__(self) -> None:
            self.run = count(tmp_path, "run")

        def leave(self) -> None:
            sys.exit(3)

        def state(self) -> int:
            return self.run

    actor = Exits.remote()
    with pytest.raises(exceptions.ActorUnavailableError, match="exit code 3"):
        ray.get(actor.leave.remote(), timeout=30)
    assert alive_again(actor) == 2


def test_an_actor_that_leaves_in_its_constructor(tmp_path: Path) -> None:
    @ray.remote(max_restarts=2)
    class Leaves:
        def __init__(self) -> None:
            count(tmp_path, "run")
            ray.actor.exit_actor()

        def call(self) -> None: ...

    with pytest.raises(exceptions.ActorDiedError, match=r"exit_actor\(\) is called"):
        ray.get(Leaves.remote().call.remote(), timeout=30)
    assert counted(tmp_path, "run") == 1


def test_exit_actor_outside_of_actors() -> None:
    with pytest.raises(TypeError, match="exit_actor API is called on a non-actor worker, 0"):
        ray.actor.exit_actor()
    with pytest.raises(TypeError, match="exit_actor API is called on a non-actor worker, 1"):
        ray.get(ray.remote(lambda: ray.actor.exit_actor()).remote(), timeout=30)


def test_an_actor_that_was_never_started() -> None:
    gate_cpus = ray.cluster_resources()["CPU"] * 100
    actor = Phoenix.options(num_cpus=gate_cpus).remote(Path("/"))
    ref = actor.pid.remote()
    ray.kill(actor)
    with pytest.raises(exceptions.ActorDiedError, match="The actor never ran"):
        ray.get(ref, timeout=30)


# --- several calls at a time ------------------------------------------------------------------


@ray.remote(max_restarts=1)
class Threads:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = count(folder, "constructor")

    def wait(self, gate: Gate) -> int:
        count(self.folder, "waits")
        gate.wait()
        return self.run

    def pid(self) -> int:
        return os.getpid()

    def state(self) -> int:
        return self.run


@ray.remote(max_restarts=1)
class Loop:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = count(folder, "constructor")

    async def wait(self, gate: Gate) -> int:
        import asyncio

        count(self.folder, "waits")
        while not gate._path.exists():  # noqa: ASYNC110 - a meeting point in the file system
            await asyncio.sleep(0.01)
        return self.run

    async def pid(self) -> int:
        return os.getpid()

    async def state(self) -> int:
        return self.run


@pytest.mark.parametrize("retries", [0, 1])
@pytest.mark.parametrize("kind", [Threads, Loop], ids=["threads", "loop"])
def test_calls_that_run_at_the_same_time(kind: Any, retries: int, tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    options = {"max_concurrency": 4} if kind is Threads else {}
    actor = kind.options(max_task_retries=retries, **options).remote(tmp_path)
    pid = ray.get(actor.pid.remote())
    refs = [actor.wait.remote(gate) for _ in range(4)]
    wait_until(lambda: counted(tmp_path, "waits") == 4, 30)
    os.kill(pid, signal.SIGKILL)
    if retries:
        wait_until(lambda: counted(tmp_path, "waits") == 8, 30)
        gate.open()
        assert ray.get(refs, timeout=30) == [2] * 4
    else:
        for ref in refs:
            with pytest.raises(exceptions.ActorUnavailableError):
                ray.get(ref, timeout=30)
        gate.open()
    assert alive_again(actor) == 2
