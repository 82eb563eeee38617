"""`max_calls`: fresh processes for a function; `max_pending_calls`: no more calls wait."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from support.engine import IS_THORNBACK, ray
from support.gates import Gate, count
from support.processes import is_alive
from support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("balanced")


# --- max_calls --------------------------------------------------------------------------------


def pid() -> int:
    return os.getpid()


@pytest.mark.parametrize("calls", [1, 2, 5])
def test_a_worker_ends_after_so_many_calls(calls: int) -> None:
    function = ray.remote(max_calls=calls)(pid)
    pids = [ray.get(function.remote()) for _ in range(3 * calls)]
    runs = {p: pids.count(p) for p in pids}
    assert all(n <= calls for n in runs.values()), pids
    for p in set(pids[:-calls]):
        wait_until(lambda p=p: not is_alive(p), 20)


def test_many_at_once() -> None:
    function = ray.remote(max_calls=3)(pid)
    pids = ray.get([function.remote() for _ in range(60)], timeout=60)
    assert max(pids.count(p) for p in pids) <= 3


def test_calls_of_another_function_do_not_count() -> None:
    limited = ray.remote(max_calls=2)(pid)
    other = ray.remote(lambda: os.getpid())
    first = ray.get(limited.remote())
    ray.get([other.remote() for _ in range(20)])
    pids = [ray.get(limited.remote()) for _ in range(3)]
    assert pids.count(first) <= 1


def test_options_keep_the_number(tmp_path: Path) -> None:
    function = ray.remote(max_calls=1)(pid).options(name="renamed")
    assert len({ray.get(function.remote()) for _ in range(4)}) == 4
    again = ray.get(
        ray.remote(lambda: len({ray.get(function.remote()) for _ in range(3)})).remote()
    )
    assert again == 3


def test_errors_count_and_are_told() -> None:
    @ray.remote(max_calls=1)
    def fail() -> None:
        raise ValueError(os.getpid())

    pids = set()
    for _ in range(3):
        with pytest.raises(ValueError) as caught:
            ray.get(fail.remote())
        pids.add(str(caught.value.cause))
    assert len(pids) == 3


def test_tasks_that_wait_for_tasks(tmp_path: Path) -> None:
    @ray.remote(max_calls=1)
    def down(n: int) -> int:
        return 0 if n == 0 else 1 + ray.get(down.remote(n - 1))

    assert ray.get(down.remote(6), timeout=60) == 6


def test_what_it_leaves_in_the_store_stays() -> None:
    @ray.remote(max_calls=1)
    def make() -> Any:
        return [ray.put(b"x" * 300_000), b"y" * 300_000]

    ref, data = ray.get(make.remote())
    assert ray.get(ref) == b"x" * 300_000
    assert data == b"y" * 300_000


# --- max_pending_calls ------------------------------------------------------------------------


@ray.remote
class Busy:
    def wait(self, gate: Gate) -> str:
        gate.wait()
        return "waited"

    def echo(self, x: Any) -> Any:
        return x


@pytest.mark.parametrize("form", ["plain", "options", "_remote"])
def test_the_limit(form: str, tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    actor = Busy.options(max_pending_calls=3).remote()
    call = {
        "plain": lambda i: actor.echo.remote(i),
        "options": lambda i: actor.echo.options(name="e").remote(i),
        "_remote": lambda i: actor.echo._remote((i,)),
    }[form]
    refs = [actor.wait.remote(gate), call(1), call(2)]
    with pytest.raises(ray.exceptions.PendingCallsLimitExceeded) as caught:
        call(3)
    text = str(caught.value)
    assert f"The task echo could not be submitted to {actor!r}" in text
    assert "more than 3 tasks are queued on the actor" in text
    gate.open()
    assert ray.get(refs) == ["waited", 1, 2]
    assert ray.get([call(i) for i in range(3)]) == [0, 1, 2]


def test_wrong_arguments_come_first() -> None:
    actor = Busy.options(max_pending_calls=1).remote()
    with pytest.raises(TypeError, match=r"echo|argument"):
        actor.echo.remote()


def test_the_limit_is_per_process(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    actor = Busy.options(max_pending_calls=2).remote()
    refs = [actor.wait.remote(gate), actor.echo.remote(1)]

    @ray.remote
    def fill(box: list[Any]) -> tuple[int, str]:
        mine = []
        try:
            for i in range(5):
                mine.append(box[0].echo.remote(i))  # noqa: PERF401 - some, before the error
        except ray.exceptions.PendingCallsLimitExceeded as error:
            return len(mine), str(error)
        return len(mine), ""

    n, text = ray.get(fill.remote([actor]), timeout=60)
    assert n == 2
    assert "more than 2 tasks are queued" in text
    gate.open()
    ray.get(refs)


def test_no_limit() -> None:
    actor = Busy.options(max_pending_calls=-1).remote()
    assert ray.get([actor.echo.remote(i) for i in range(500)]) == list(range(500))


def test_calls_that_fail_make_room(tmp_path: Path) -> None:
    @ray.remote(max_pending_calls=2)
    class Fails:
        def fail(self) -> None:
            count(tmp_path, "run")
            raise ValueError("each time")

    actor = Fails.remote()
    for _ in range(6):
        with pytest.raises(ValueError, match="each time"):
            ray.get(actor.fail.remote())
    ray.kill(actor)

    def dead() -> bool:
        try:
            ray.get(actor.fail.remote())
        except ray.exceptions.ActorDiedError:
            return True
        except ValueError:
            return False
        return False

    wait_until(dead, 20)
    if IS_THORNBACK:
        refs = [actor.fail.remote() for _ in range(6)]  # each fails at once and waits no more
        for ref in refs:
            with pytest.raises(ray.exceptions.ActorDiedError):
                ray.get(ref)
