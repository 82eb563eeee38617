"""Names of actors, taken by several processes at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.actors import Counter
from support.engine import ray
from support.gates import Meeting
from support.waiting import wait_until
from thornback import _named

pytestmark = pytest.mark.usefixtures("balanced")
TASKS = 4
# So many looks come too early to see a name.
EARLY = 2


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have the first look at a name come before another process takes it; what was looked up."""
    looked: list[str] = []
    asked = _named._asked

    def before(name: str, namespace: str, created: int = 0) -> dict[str, Any]:
        looked.append("after" if created else "before")
        reply = asked(name, namespace, created)
        return {**reply, "actor": 0} if looked.count("before") <= EARLY else reply

    monkeypatch.setattr(_named, "_asked", before)
    return looked


def test_a_name_taken_meanwhile(late: list[str]) -> None:
    """Nothing of the second actor runs, and who creates it is told as if the name had been seen."""
    first = Counter.options(name="shared").remote(1)
    with pytest.raises(ray.exceptions.ActorAlreadyExistsError, match=r"shared.*already taken"):
        Counter.options(name="shared").remote(100)
    assert late == ["before", "after"] * 2
    assert ray.get(ray.get_actor("shared").add.remote(1)) == 2
    assert ray.get(first.add.remote(1)) == 3


def test_get_if_exists_finds_what_was_created_meanwhile(late: list[str]) -> None:
    first = Counter.options(name="shared").remote(1)
    late.clear()
    second = Counter.options(name="shared", get_if_exists=True).remote(100)
    assert late == ["before", "before", "after", "before"]
    assert second == first
    assert ray.get(second.add.remote(1)) == 2


@ray.remote(num_cpus=0)
def get_or_create(meeting: Meeting) -> int:
    meeting.join()
    counter = Counter.options(name="many", get_if_exists=True, lifetime="detached").remote(0)
    return int(ray.get(counter.add.remote(1)))


def test_get_if_exists_from_many_tasks_at_once(tmp_path: Path) -> None:
    meeting = Meeting(tmp_path, TASKS)
    refs = [get_or_create.remote(meeting) for _ in range(TASKS)]
    assert sorted(ray.get(refs, timeout=40)) == list(range(1, TASKS + 1))
    ray.kill(ray.get_actor("many"))


@ray.remote(num_cpus=0)
def create(meeting: Meeting, number: int) -> Any:
    meeting.join()
    try:
        return Counter.options(name="one").remote(number)
    except ray.exceptions.ActorAlreadyExistsError:
        return None


def test_one_of_many_tasks_gets_the_name(tmp_path: Path) -> None:
    meeting = Meeting(tmp_path, TASKS)
    found = ray.get([create.remote(meeting, i) for i in range(TASKS)], timeout=40)
    (counter,) = [handle for handle in found if handle is not None]
    assert counter == ray.get_actor("one")


def until_free(name: str) -> None:
    wait_until(lambda: name not in ray.util.list_named_actors(), what=f"the end of {name}")


def test_what_a_name_means_is_remembered_only_as_long_as_it_is_so() -> None:
    for n in range(3):
        first = Counter.options(name="again", num_cpus=0).remote(n)
        for _ in range(3):  # the second time without asking the engine
            assert ray.get(ray.get_actor("again").value.remote()) == n
        assert ray.get_actor("again") == first
        ray.kill(first)
        until_free("again")
        with pytest.raises(ValueError, match="Failed to look up actor with name 'again'"):
            ray.get_actor("again")


def test_looking_up_a_name_keeps_no_actor() -> None:
    actor = Counter.options(name="brief", num_cpus=0).remote(1)
    assert ray.get(ray.get_actor("brief").value.remote()) == 1
    assert ray.get(ray.get_actor("brief").value.remote()) == 1
    del actor
    until_free("brief")


def test_a_worker_learns_of_a_new_actor_with_an_old_name() -> None:
    @ray.remote
    def look() -> int:
        found: int = ray.get(ray.get_actor("moved").value.remote())
        return found

    for n in range(3):
        actor = Counter.options(name="moved", num_cpus=0).remote(n)
        assert ray.get([look.remote() for _ in range(3)]) == [n] * 3
        ray.kill(actor)
        until_free("moved")
