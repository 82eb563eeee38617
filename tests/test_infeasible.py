"""Requests that the node can never fulfil: a warning at once, or an error that names what lacks."""

from __future__ import annotations

from typing import Any

import pytest

from support.engine import ray
from support.programs import Room
from support.waiting import wait_until

pytestmark = pytest.mark.only_thornback


@pytest.fixture
def session(ray_session: None, balanced: None) -> None:
    """A session whose default is to warn."""


@ray.remote
def f() -> int:
    return 1


@ray.remote
class Actor:
    def ping(self) -> str:
        return "pong"


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize(
    ("options", "texts"),
    [
        ({"num_cpus": 100}, ["{'CPU': 100.0}", "CPU: 100 wanted, the node has 2"]),
        ({"num_gpus": 1}, ["'GPU': 1.0", "GPU: 1 wanted, the node has 0"]),
        ({"resources": {"foo": 0.5}}, ["'foo': 0.5", "foo: 0.5 wanted, the node has 0"]),
        ({"resources": {"slot": 2}}, ["slot: 2 wanted, the node has 1"]),
        ({"memory": 10**14}, ["memory: 100000000000000 wanted, the node has "]),
        ({"num_cpus": 9, "num_gpus": 3}, ["CPU: 9 wanted", "; GPU: 3 wanted"]),
    ],
)
def test_error(options: dict[str, Any], texts: list[str]) -> None:
    """The exception comes at `.remote()`, for tasks and actors, and names all that is missing."""
    with pytest.raises(ray.exceptions.TaskUnschedulableError) as task:
        f.options(infeasible="error", **options).remote()
    with pytest.raises(ray.exceptions.ActorUnschedulableError) as actor:
        Actor.options(infeasible="error", **options).remote()
    for text in texts:
        assert text in str(task.value)
        assert text in str(actor.value)


@pytest.mark.usefixtures("session")
def test_error_through_the_reference() -> None:
    """A task that submits gets a reference that raises; calls of such an actor raise too."""

    @ray.remote
    def outer() -> list[str]:
        found = []
        for submit in (
            lambda: f.options(num_cpus=50, infeasible="error").remote(),
            lambda: Actor.options(num_cpus=50, infeasible="error").remote().ping.remote(),
        ):
            try:
                ray.get(submit())
            except ray.exceptions.RayError as error:
                found.append(f"{type(error).__name__}: {error}")
        return found

    task, actor = ray.get(outer.remote())
    assert task.startswith("TaskUnschedulableError: The task is not schedulable: No available node")
    assert "CPU: 50 wanted, the node has 2" in task
    assert actor.startswith("ActorUnschedulableError: The actor is not schedulable:")
    assert "CPU: 50 wanted, the node has 2" in actor


@pytest.mark.usefixtures("session")
def test_feasible_is_no_error() -> None:
    assert ray.get(f.options(num_cpus=2, infeasible="error").remote()) == 1
    assert ray.get(Actor.options(infeasible="error").remote().ping.remote()) == "pong"


@pytest.mark.parametrize("value", ["ignore", "", 3])
def test_other_values_are_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError), match="infeasible"):
        f.options(infeasible=value)
    with pytest.raises((TypeError, ValueError), match="infeasible"):
        Actor.options(infeasible=value)
    with pytest.raises(ValueError, match="infeasible"):
        ray.init(num_cpus=1, infeasible=value or "none")


def test_session_default(room: Room) -> None:
    """`init(infeasible="error")` is for all that don't say otherwise."""
    out = room.run(
        """
        ray.init(num_cpus=1, infeasible="error")

        @ray.remote(num_cpus=3)
        def f():
            pass

        @ray.remote(resources={"x": 1})
        class A:
            pass

        for make in (f.remote, A.remote):
            try:
                make()
            except ray.exceptions.RayError as error:
                print(type(error).__name__)
        f.options(infeasible="warn").remote()
        print("accepted")
        """,
        init=False,
    ).ok()
    assert out.split() == ["TaskUnschedulableError", "ActorUnschedulableError", "accepted"]


def test_warning(room: Room) -> None:
    """One warning for each kind of task and request, at once, from the driver and from tasks."""
    driver = room.start(
        """
        @ray.remote(num_cpus=3)
        def large():
            pass

        @ray.remote(resources={"x": 1})
        class Strange:
            pass

        @ray.remote
        def outer():
            large.options(resources={"y": 1}).remote()

        kept = [large.remote() for _ in range(100)] + [Strange.remote()]
        ray.get(outer.remote())
        while not os.path.exists("seen"):
            time.sleep(0.01)
        """
    )
    warning = "Warning: No available node types can fulfill resource request"
    wait_until(lambda: driver.err.count(warning) == 3, 20, lambda: driver.err)
    (room.work / "seen").touch()
    err = driver.finish().err
    assert err.count(warning) == 3
    assert "{'CPU': 3.0}. CPU: 3 wanted, the node has 2. large waits for ever" in err
    assert "x: 1 wanted, the node has 0. Strange waits for ever" in err
    assert "y: 1 wanted, the node has 0" in err


def test_a_feasible_program_is_not_warned(room: Room) -> None:
    out = room.run(
        """
        f = ray.remote(num_cpus=2)(lambda: None)
        ray.get([f.remote() for _ in range(3)])
        """
    )
    assert out.ok() == ""
    assert "Warning" not in out.err
