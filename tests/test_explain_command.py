"""`thornback explain`: the same tree of reasons, asked for from another terminal."""

from __future__ import annotations

import json

import pytest

from support.commands import answer, thornback
from support.programs import Driver, Room

pytestmark = pytest.mark.only_thornback

BLOCKED = """
    @ray.remote
    def slow():
        while not os.path.exists("end"):
            time.sleep(0.01)

    @ray.remote
    def f(x):
        return x

    @ray.remote(num_cpus=99)
    class Large:
        pass

    @ray.remote(num_returns=0, num_cpus=50)
    def silent():
        pass

    silent.remote()
    ref = slow.remote()
    waiting = f.remote(ref)
    large = Large.remote()
    print("ids", ref.hex(), waiting.task_id().hex(), large._actor_id.hex(), flush=True)
    ray.get(waiting)
    print("well")
"""


@pytest.fixture
def driver(room: Room) -> Driver:
    driver = room.start(BLOCKED)
    driver.wait_for("ids")
    return driver


def ids(driver: Driver) -> list[str]:
    return driver.out.splitlines()[0].split()[1:]


def test_explain(room: Room, driver: Driver) -> None:
    slow, waiting, large = ids(driver)
    out = thornback(room, "explain", waiting).ok().splitlines()
    assert out[0] == "f() waits for its arguments"
    assert out[1].startswith("`- argument 1: slow() ")
    assert thornback(room, "explain", slow).ok().startswith("slow() ")
    actor = thornback(room, "explain", large).ok()
    assert "actor Large is being created" in actor
    assert "CPU: 99 wanted, the node has 2" in actor
    (node,) = json.loads(thornback(room, "explain", large, "--format", "json").ok())
    assert node["code"] == "ACTOR_CREATING"
    assert [child["code"] for child in node["because"]] == ["INFEASIBLE"]
    # A task without results has no reference to ask with, only the id that the list shows.
    (silent,) = answer(room, "list", "tasks", "--filter", "name=silent")
    out = thornback(room, "explain", silent["task_id"]).ok()
    assert out.startswith("silent() can never run here: ")
    (room.work / "end").touch()
    assert driver.finish().ok().endswith("well\n")


def test_what_the_driver_waits_for(room: Room, driver: Driver) -> None:
    from support.waiting import wait_until

    wait_until(
        lambda: thornback(room, "explain").ok().startswith("f() waits for its arguments\n"), 20
    )
    (room.work / "end").touch()
    assert driver.finish().ok().endswith("well\n")


@pytest.mark.parametrize("name", ["xyz", "ab" * 28, "ab" * 3, ""])
def test_no_such_id(room: Room, driver: Driver, name: str) -> None:
    refused = thornback(room, "explain", name)
    assert refused.code == 2
    assert "thornback explain: " in refused.err
    assert "Traceback" not in refused.err
    (room.work / "end").touch()
    driver.finish().ok()


def test_something_that_is_gone(room: Room) -> None:
    driver = room.start(
        """
        ref = ray.put(1)
        name = ref.hex()
        del ref
        ray.get(ray.put(2))
        print("id", name, flush=True)
        while not os.path.exists("end"):
            time.sleep(0.01)
        """
    )
    driver.wait_for("id ")
    gone = thornback(room, "explain", driver.out.split()[1])
    assert gone.code == 1
    assert "the object is gone" in gone.out
    (room.work / "end").touch()
    driver.finish().ok()
