"""Actors: state, order, handles, actors that call each other, end, resources."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path
from typing import Any

import pytest

from support import balance
from support.actors import Counter, Holder
from support.engine import IS_THORNBACK, NUM_CPUS, ray
from support.gates import Gate, Meeting, most_at_once, work
from support.processes import is_alive
from support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("balanced")


@ray.remote
class Recorder:
    def __init__(self) -> None:
        self.seen: list[Any] = []

    def record(self, value: Any) -> int:
        self.seen.append(value)
        return len(self.seen)

    def all(self) -> list[Any]:
        return self.seen


@ray.remote
def delayed(gate: Gate, value: Any) -> Any:
    gate.wait()
    return value


def ends(pid: int) -> None:
    """Wait until an actor's process is gone."""
    wait_until(lambda: not is_alive(pid), 20, f"the actor's process {pid} to end")


# --- state and calls --------------------------------------------------------------------------


def test_state_lives_between_calls() -> None:
    counter = Counter.remote()
    assert ray.get([counter.add.remote(2) for _ in range(5)]) == [2, 4, 6, 8, 10]
    assert ray.get(counter.value.remote()) == 10


def test_constructor_arguments() -> None:
    assert ray.get(Counter.remote(7).value.remote()) == 7
    assert ray.get(Counter.remote(start=8).value.remote()) == 8
    assert ray.get(Counter.remote(ray.put(9)).value.remote()) == 9


def test_an_actor_is_one_process_of_its_own() -> None:
    one, two = Counter.remote(), Counter.remote()
    pids = ray.get([one.pid.remote(), one.pid.remote(), two.pid.remote()])
    assert pids[0] == pids[1] != pids[2]
    assert os.getpid() not in pids


def test_remote_on_a_class_and_options() -> None:
    class Plain:
        def hello(self) -> str:
            return "hello"

    actor_class = ray.remote(Plain)
    assert ray.get(actor_class.remote().hello.remote()) == "hello"
    assert ray.get(actor_class.options(num_cpus=0.5).remote().hello.remote()) == "hello"
    assert ray.get(ray.remote(num_cpus=0)(Plain).remote().hello.remote()) == "hello"
    assert Plain().hello() == "hello"


def test_keyword_arguments_and_references() -> None:
    @ray.remote
    class Echo:
        def echo(self, *args: Any, **kwargs: Any) -> Any:
            return args, kwargs

    echo = Echo.remote()
    args, kwargs = ray.get(echo.echo.remote(ray.put(1), [2], k=ray.put(3)))
    assert (args, kwargs) == ((1, [2]), {"k": 3})


def test_nested_references_stay_references() -> None:
    holder = Holder.remote()
    assert ray.get(holder.keep.remote([ray.put("inside")])) == 1
    assert ray.get(holder.fetch.remote(0)) == "inside"


def test_methods_with_several_returns() -> None:
    @ray.remote
    class Pair:
        @ray.method(num_returns=2)
        def pair(self) -> tuple[int, int]:
            return 1, 2

        def single(self) -> tuple[int, int]:
            return 3, 4

    pair = Pair.remote()
    assert ray.get(pair.pair.remote()) == [1, 2]
    assert ray.get(pair.single.remote()) == (3, 4)
    assert ray.get(pair.single.options(num_returns=2).remote()) == [3, 4]


def test_inheritance_static_and_class_methods() -> None:
    class Base:
        kind = "base"

        def who(self) -> str:
            return self.kind

        @staticmethod
        def fixed(x: int) -> int:
            return x

    class Derived(Base):
        kind = "derived"

        @classmethod
        def name(cls) -> str:
            return cls.kind

    actor = ray.remote(Derived).remote()
    calls = [actor.who.remote(), actor.fixed.remote(3), actor.name.remote()]
    assert ray.get(calls) == ["derived", 3, "derived"]


def test_direct_use_is_refused() -> None:
    with pytest.raises(TypeError, match="Actors cannot be instantiated directly"):
        Counter()
    counter = Counter.remote()
    with pytest.raises(TypeError, match="Actor methods cannot be called directly"):
        counter.add(1)
    with pytest.raises(AttributeError):
        counter.no_such_method  # noqa: B018
    with pytest.raises(TypeError):
        counter.add.remote(1, 2, 3)
    with pytest.raises(TypeError):
        Counter.remote(1, 2, 3)


# --- order ------------------------------------------------------------------------------------


def test_calls_of_one_caller_run_in_order() -> None:
    recorder = Recorder.remote()
    for i in range(500):
        recorder.record.remote(i)
    assert ray.get(recorder.all.remote()) == list(range(500))


def test_an_argument_still_pending_holds_later_calls_back(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    recorder = Recorder.remote()
    recorder.record.remote(delayed.remote(gate, "first"))
    second = recorder.record.remote("second")
    assert ray.wait([second], timeout=0.2)[0] == []
    gate.open()
    assert ray.get(second) == 2
    assert ray.get(recorder.all.remote()) == ["first", "second"]


def test_each_caller_has_an_order_of_its_own() -> None:
    @ray.remote
    def caller(name: str, box: list[Any], n: int) -> int:
        return len(ray.get([box[0].record.remote((name, i)) for i in range(n)]))

    recorder = Recorder.remote()
    assert ray.get([caller.remote(name, [recorder], 100) for name in "abc"]) == [100] * 3
    seen = ray.get(recorder.all.remote())
    assert len(seen) == 300
    for name in "abc":
        assert [i for who, i in seen if who == name] == list(range(100))


def test_one_call_at_a_time() -> None:
    @ray.remote
    class Worker:
        def work(self) -> tuple[float, float]:
            return work(0.01)

    worker = Worker.remote()
    assert most_at_once(ray.get([worker.work.remote() for _ in range(10)])) == 1


def test_actors_run_beside_each_other(tmp_path: Path) -> None:
    meeting = Meeting(tmp_path, 3)

    @ray.remote
    class Guest:
        def join(self) -> bool:
            return meeting.join()

    guests = [Guest.remote() for _ in range(3)]
    assert ray.get([guest.join.remote() for guest in guests]) == [True] * 3


def test_many_calls_queued() -> None:
    n = 20_000 if IS_THORNBACK else 2_000
    counter = Counter.remote()
    refs = [counter.add.remote(1) for _ in range(n)]
    assert ray.get(refs[-1]) == n
    assert ray.get(refs) == list(range(1, n + 1))


# --- handles ----------------------------------------------------------------------------------


def test_a_handle_passed_to_tasks() -> None:
    @ray.remote
    def add(counter: Any, n: int) -> None:
        ray.get([counter.add.remote(1) for _ in range(n)])

    counter = Counter.remote()
    ray.get([add.remote(counter, 10) for _ in range(5)])
    assert ray.get(counter.value.remote()) == 50


def test_a_handle_inside_objects_and_closures() -> None:
    counter = Counter.remote()
    ray.get(ray.remote(lambda box: ray.get(box["c"][0].add.remote(1))).remote({"c": [counter]}))
    ray.get(ray.remote(lambda: ray.get(counter.add.remote(10))).remote())
    (back,) = ray.get(ray.put([counter]))
    ray.get(back.add.remote(100))
    assert ray.get(counter.value.remote()) == 111
    assert back == counter
    assert len({back, counter}) == 1


def test_a_task_creates_an_actor_and_returns_its_handle() -> None:
    @ray.remote
    def make(start: int) -> Any:
        return Counter.remote(start)

    counter = ray.get(make.remote(5))
    assert ray.get(counter.add.remote(1)) == 6


def test_actors_call_each_other() -> None:
    @ray.remote
    class Node:
        def __init__(self) -> None:
            self.next: Any = None

        def link(self, following: Any) -> None:
            self.next = following

        def pass_on(self, hops: int) -> int:
            if hops == 0:
                return 0
            return 1 + int(ray.get(self.next.pass_on.remote(hops - 1)))

    nodes = [Node.remote() for _ in range(4)]
    for node, following in itertools.pairwise(nodes):
        ray.get(node.link.remote(following))
    assert ray.get(nodes[0].pass_on.remote(3)) == 3
    for node in nodes[:-1]:  # undo, so that the chain's handles go
        ray.get(node.link.remote(None))


def test_many_callers_to_many_actors() -> None:
    targets = [Counter.remote() for _ in range(3)]
    callers = [Holder.remote(*targets) for _ in range(3)]
    calls = [c.call.remote(i, "add", 1) for c in callers for i in range(3) for _ in range(10)]
    ray.get(calls)
    assert ray.get([t.value.remote() for t in targets]) == [30] * 3


def test_an_actor_uses_tasks() -> None:
    @ray.remote
    class Boss:
        def sum_of_squares(self, n: int) -> int:
            square = ray.remote(lambda x: x * x)
            return sum(ray.get([square.remote(i) for i in range(n)]))

    assert ray.get(Boss.remote().sum_of_squares.remote(10)) == 285


# --- end --------------------------------------------------------------------------------------


def test_kill(tmp_path: Path) -> None:
    counter = Counter.remote()
    pid = ray.get(counter.pid.remote())
    ray.kill(counter)
    ends(pid)
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(counter.add.remote(1))


def test_kill_fails_running_and_waiting_calls(tmp_path: Path) -> None:
    gate = Gate(tmp_path)

    @ray.remote
    class Stuck:
        def pid(self) -> int:
            return os.getpid()

        def stay(self) -> None:
            gate.wait()

    stuck = Stuck.remote()
    pid = ray.get(stuck.pid.remote())
    calls = [stuck.stay.remote() for _ in range(3)]
    ray.kill(stuck)
    for call in calls:
        with pytest.raises(ray.exceptions.RayActorError):
            ray.get(call, timeout=20)
    ends(pid)
    ray.kill(stuck)  # again: nothing to do


def test_kill_before_the_actor_has_started() -> None:
    counter = Counter.remote()
    ray.kill(counter)
    with pytest.raises(ray.exceptions.RayActorError):
        ray.get(counter.value.remote(), timeout=30)


def test_kill_is_for_actors() -> None:
    with pytest.raises(ValueError, match=r"ray\.kill\(\) only supported for actors"):
        ray.kill(ray.put(1))


def test_a_task_kills_an_actor() -> None:
    counter = Counter.remote()
    pid = ray.get(counter.pid.remote())
    ray.get(ray.remote(lambda box: ray.kill(box[0])).remote([counter]))
    ends(pid)


def test_it_ends_when_the_last_handle_goes() -> None:
    counter = Counter.remote()
    other = counter
    pid = ray.get(counter.pid.remote())
    del counter
    assert ray.get(other.add.remote(1)) == 1
    del other
    ends(pid)


def test_calls_underway_are_finished_before_it_ends(tmp_path: Path) -> None:
    gate = Gate(tmp_path)

    @ray.remote
    class Slow:
        def answer(self, value: Any) -> Any:
            gate.wait()
            return value

    refs = [Slow.remote().answer.remote(1)]
    slow = Slow.remote()
    refs += [slow.answer.remote(2), slow.answer.remote(3)]
    del slow
    gate.open()
    assert ray.get(refs) == [1, 2, 3]


def test_a_handle_in_a_running_task_keeps_it(tmp_path: Path) -> None:
    gate = Gate(tmp_path)

    @ray.remote
    def use(counter: Any) -> int:
        gate.wait()
        return int(ray.get(counter.add.remote(5)))

    counter = Counter.remote()
    pid = ray.get(counter.pid.remote())
    result = use.remote(counter)
    del counter
    gate.open()
    assert ray.get(result) == 5
    ends(pid)


def test_a_handle_in_another_actor_keeps_it() -> None:
    holder = Holder.remote()
    counter = Counter.remote()
    pid = ray.get(counter.pid.remote())
    ray.get(holder.keep.remote([counter]))
    del counter
    assert ray.get(holder.call.remote(0, "add", 3)) == 3
    assert is_alive(pid)
    ray.get(holder.drop.remote())
    ends(pid)


def test_a_handle_in_an_actor_that_dies_lets_it_go() -> None:
    holder = Holder.remote()
    counter = Counter.remote()
    pid = ray.get(counter.pid.remote())
    ray.get(holder.keep.remote([counter]))
    del counter
    ray.kill(holder)
    ends(pid)


def test_a_handle_in_an_object_keeps_it() -> None:
    counter = Counter.remote()
    pid = ray.get(counter.pid.remote())
    ref = ray.put({"handle": counter})
    del counter
    assert ray.get(ray.get(ref)["handle"].add.remote(4)) == 4
    assert is_alive(pid)
    del ref
    ends(pid)


def test_a_named_actor_is_found() -> None:
    counter = Counter.options(name="tally").remote(3)
    assert ray.get(ray.get_actor("tally").add.remote(1)) == 4
    with pytest.raises(ValueError, match="tally"):
        Counter.options(name="tally").remote()
    pid = ray.get(counter.pid.remote())
    del counter
    ends(pid)
    wait_until(lambda: not _exists("tally"), 10, "the name to be free")


def _exists(name: str) -> bool:
    try:
        ray.get_actor(name)
    except ValueError:
        return False
    return True


# --- resources --------------------------------------------------------------------------------


def test_without_resources_it_holds_none_while_it_runs() -> None:
    counters = [Counter.remote() for _ in range(NUM_CPUS + 1)]
    assert ray.get([c.add.remote(1) for c in counters]) == [1] * (NUM_CPUS + 1)
    balance.wait_balanced()


def test_its_resources_are_held_for_its_life() -> None:
    counter = Counter.options(num_cpus=1.5, resources={"slot": 0.5}).remote()
    pid = ray.get(counter.pid.remote())
    wait_until(lambda: balance.free_resources().get("CPU") == 0.5, 10)
    assert balance.free_resources()["slot"] == 0.5
    del counter
    ends(pid)
    balance.wait_balanced()


def test_an_actor_with_a_custom_resource_holds_a_cpu_too() -> None:
    counter = Counter.options(resources={"slot": 1}).remote()
    ray.get(counter.add.remote(1))
    wait_until(lambda: balance.free_resources().get("CPU") == NUM_CPUS - 1, 10)
    assert "slot" not in balance.free_resources()
    ray.kill(counter)
    balance.wait_balanced()


def test_an_actor_that_finds_no_room_waits_for_it() -> None:
    first = Counter.options(num_cpus=2).remote()
    ray.get(first.add.remote(1))
    second = Counter.options(num_cpus=1).remote()
    call = second.add.remote(2)
    assert ray.wait([call], timeout=0.2)[0] == []
    ray.kill(first)
    assert ray.get(call, timeout=30) == 2


def test_an_actor_keeps_its_cpus_while_it_waits(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    waiter = Holder.options(num_cpus=2).remote()
    ray.get(waiter.keep.remote([delayed.options(num_cpus=0).remote(gate, "done")]))
    fetched = waiter.fetch.remote(0)
    task = ray.remote(lambda: 1).remote()
    assert ray.wait([task], timeout=0.3)[0] == []
    gate.open()
    assert ray.get(fetched) == "done"
    del waiter
    assert ray.get(task, timeout=30) == 1


@pytest.mark.only_thornback
def test_thirty_actors_come_and_go_quickly() -> None:
    begin = time.monotonic()
    counters = [Counter.remote(i) for i in range(30)]
    assert ray.get([c.add.remote(1) for c in counters]) == list(range(1, 31))
    pids = ray.get([c.pid.remote() for c in counters])
    for counter in counters:
        ray.kill(counter)
    for pid in pids:
        ends(pid)
    # Ray needs 10 s for this; the bound leaves room for a machine that does other things too.
    assert time.monotonic() - begin < 3.0
