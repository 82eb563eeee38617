"""Tasks: forms of call, arguments, results, nesting, resources, long queues."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from support import balance
from support.engine import IS_THORNBACK, NUM_CPUS, ray
from support.gates import Gate, Meeting, counted, most_at_once, work
from support.gates import count as note
from support.waiting import wait_for_file, wait_until

pytestmark = pytest.mark.usefixtures("balanced")


@ray.remote
def inc(x: int) -> int:
    return x + 1


@ray.remote
def echo(*args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return args, kwargs


@ray.remote
def blocked(gate: Gate, value: Any = None) -> Any:
    gate.wait()
    return value


# --- forms of call ---------------------------------------------------------------------------


def test_decorated_function_runs_elsewhere() -> None:
    @ray.remote
    def pid() -> int:
        return os.getpid()

    assert ray.get(pid.remote()) != os.getpid()


def test_remote_as_a_function() -> None:
    def double(x: int) -> int:
        return 2 * x

    assert ray.get(ray.remote(double).remote(21)) == 42
    assert double(2) == 4


def test_remote_with_options() -> None:
    @ray.remote(num_cpus=0.5, max_retries=0)
    def one() -> int:
        return 1

    assert ray.get(one.remote()) == 1
    assert ray.get(ray.remote(num_returns=2)(lambda: (1, 2)).remote()) == [1, 2]


def test_options_make_a_new_function_and_leave_the_old() -> None:
    @ray.remote
    def pair() -> tuple[int, int]:
        return 1, 2

    first, second = pair.options(num_returns=2).remote()
    assert ray.get([first, second]) == [1, 2]
    assert ray.get(pair.remote()) == (1, 2)


def test_underscore_remote() -> None:
    assert ray.get(inc._remote(args=[1])) == 2
    args, kwargs = ray.get(echo._remote(args=(1,), kwargs={"k": 2}, num_cpus=1))
    assert (args, kwargs) == ((1,), {"k": 2})


def test_positional_and_keyword_arguments() -> None:
    @ray.remote
    def f(a: int, b: int = 2, *rest: int, c: int, d: int = 4, **more: int) -> Any:
        return a, b, rest, c, d, more

    assert ray.get(f.remote(1, c=3)) == (1, 2, (), 3, 4, {})
    assert ray.get(f.remote(1, 5, 6, 7, c=8, d=9, e=10)) == (1, 5, (6, 7), 8, 9, {"e": 10})
    assert ray.get(f.remote(c=1, a=2)) == (2, 2, (), 1, 4, {})
    assert ray.get(echo.remote()) == ((), {})


def test_the_signature_is_checked_at_the_call() -> None:
    with pytest.raises(TypeError, match="missing a required argument"):
        inc.remote()
    with pytest.raises(TypeError, match="too many positional arguments"):
        inc.remote(1, 2)
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        inc.remote(1, y=2)


def test_a_remote_function_is_not_called_directly() -> None:
    with pytest.raises(TypeError, match=r"Remote functions cannot be called directly.*remote\(\)"):
        inc(1)


@pytest.mark.parametrize(
    "value",
    [None, True, -(2**70), 1.5, "é\0x", b"\xff\0", [], {}, {"a": [1, (2, {3})]}, ..., range(3), 1j],
    ids=repr,
)
def test_values_go_and_come_unchanged(value: Any) -> None:
    (back,), _ = ray.get(echo.remote(value))
    assert back == value
    assert type(back) is type(value)


def test_arguments_are_taken_at_the_call() -> None:
    changing = [1]
    ref = echo.remote(changing)
    changing.append(2)
    assert ray.get(ref) == (([1],), {})


def test_large_arguments_and_results() -> None:
    data = os.urandom(3_000_000)
    (back,), _ = ray.get(echo.remote(data))
    assert back == data


# --- results ---------------------------------------------------------------------------------


def test_number_of_returns() -> None:
    @ray.remote(num_returns=3)
    def three() -> Any:
        return 1, "two", [3]

    refs = three.remote()
    assert isinstance(refs, list)
    assert ray.get(refs) == [1, "two", [3]]
    assert ray.get(refs[2]) == [3]


def test_no_returns(tmp_path: Path) -> None:
    @ray.remote(num_returns=0)
    def silent() -> None:
        (tmp_path / "ran").write_text("yes")

    assert silent.remote() is None
    assert wait_for_file(tmp_path / "ran") == "yes"


def test_one_return_may_be_a_tuple_or_list() -> None:
    assert ray.get(ray.remote(lambda: (1, 2)).remote()) == (1, 2)
    assert ray.get(ray.remote(num_returns=1)(lambda: [1]).remote()) == [1]


@pytest.mark.parametrize("returned", [(1,), (1, 2, 3), 7], ids=repr)
def test_wrong_number_of_returned_values(returned: Any) -> None:
    refs = ray.remote(num_returns=2)(lambda: returned).remote()
    with pytest.raises(ray.exceptions.RayTaskError) as caught:
        ray.get(refs)
    assert isinstance(caught.value, ValueError | TypeError)


def test_a_task_may_return_a_reference() -> None:
    @ray.remote
    def outer() -> Any:
        return inc.remote(1)

    inner = ray.get(outer.remote())
    assert isinstance(inner, ray.ObjectRef)
    assert ray.get(inner) == 2


# --- references as arguments ------------------------------------------------------------------


def test_top_level_references_are_resolved() -> None:
    a, b = inc.remote(0), ray.put(5)
    args, kwargs = ray.get(echo.remote(a, b, k=inc.remote(9)))
    assert args == (1, 5)
    assert kwargs == {"k": 10}


class Box:
    def __init__(self, content: Any) -> None:
        self.content = content


@pytest.mark.parametrize(
    "wrap, unwrap",
    [
        (lambda r: [r], lambda v: v[0]),
        (lambda r: (r,), lambda v: v[0]),
        (lambda r: {"k": [r]}, lambda v: v["k"][0]),
        (lambda r: {r}, lambda v: next(iter(v))),
        (Box, lambda v: v.content),
    ],
    ids=["list", "tuple", "dict", "set", "object"],
)
def test_nested_references_stay_references(wrap: Any, unwrap: Any) -> None:
    @ray.remote
    def look(value: Any) -> tuple[bool, Any]:
        inner = unwrap(value)
        return isinstance(inner, ray.ObjectRef), ray.get(inner)

    ref = inc.remote(1)
    assert ray.get(look.remote(wrap(ref))) == (True, 2)


def test_a_nested_reference_keeps_its_object(tmp_path: Path) -> None:
    gate = Gate(tmp_path)

    @ray.remote
    def later(box: list[Any]) -> int:
        gate.wait()
        return len(ray.get(box[0]))

    ref = ray.put(b"x" * 1_000_000)
    result = later.remote([ref])
    del ref
    gate.open()
    assert ray.get(result) == 1_000_000


def test_references_in_closures_and_defaults() -> None:
    ref = ray.put(41)

    @ray.remote
    def closed(extra: Any = ref) -> tuple[int, bool]:
        return ray.get(ref) + 1, isinstance(extra, ray.ObjectRef)

    # A default is not an argument of the call, so it is not resolved.
    assert ray.get(closed.remote()) == (42, True)


def test_a_chain_of_dependent_tasks() -> None:
    ref = ray.put(0)
    for _ in range(100):
        ref = inc.remote(ref)
    assert ray.get(ref) == 100


def test_a_waiting_task_holds_nobody_up(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    waiting = inc.remote(blocked.remote(gate, 1))
    assert ray.get([inc.remote(i) for i in range(20)]) == list(range(1, 21))
    gate.open()
    assert ray.get(waiting) == 2


def test_the_same_reference_many_times_over() -> None:
    ref = ray.put([1])
    args, _ = ray.get(echo.remote(*[ref] * 200))
    assert args == ([1],) * 200


def test_many_references_as_arguments() -> None:
    args, _ = ray.get(echo.remote(*[inc.remote(i) for i in range(300)]))
    assert args == tuple(range(1, 301))


def test_tasks_go_on_while_the_driver_does_something_else(tmp_path: Path) -> None:
    @ray.remote
    def finish(n: int) -> None:
        (tmp_path / "end").write_text(str(n))

    ref = ray.put(0)
    for _ in range(50):
        ref = inc.remote(ref)
    end = finish.remote(ref)
    # The driver only looks at a file: nobody waits inside the engine.
    assert wait_for_file(tmp_path / "end") == "50"
    ray.get(end)


# --- tasks that submit tasks -----------------------------------------------------------------


@ray.remote
def descend(depth: int) -> int:
    return 0 if depth == 0 else 1 + ray.get(descend.remote(depth - 1))


@ray.remote
def fib(n: int) -> int:
    return n if n < 2 else sum(ray.get([fib.remote(n - 1), fib.remote(n - 2)]))


@pytest.mark.parametrize("depth", [3, pytest.param(50, marks=pytest.mark.only_thornback)])
def test_nested_tasks_to_any_depth(depth: int) -> None:
    assert ray.get(descend.remote(depth)) == depth


def test_branching_recursion() -> None:
    assert ray.get(fib.remote(5)) == 5


@pytest.mark.only_thornback
def test_branching_recursion_keeps_the_number_of_processes_in_bounds() -> None:
    ref = fib.remote(12)  # 465 tasks, 232 of them wait for others
    most = 0
    while not ray.wait([ref], timeout=0.01)[0]:
        most = max(most, balance.stats()["workers"])
    assert ray.get(ref) == 144
    assert most <= 100


def test_many_parents_wait_for_many_children() -> None:
    @ray.remote
    def parent(n: int) -> int:
        return sum(ray.get([inc.remote(n + i) for i in range(5)]))

    n = 20 if IS_THORNBACK else 6
    expected = [sum(i + k + 1 for k in range(5)) for i in range(n)]
    assert ray.get([parent.remote(i) for i in range(n)]) == expected


@pytest.mark.parametrize("how", ["get", "wait"])
def test_a_task_that_waits_lends_its_cpus(how: str) -> None:
    @ray.remote(num_cpus=NUM_CPUS)
    def child() -> str:
        return "child"

    @ray.remote(num_cpus=NUM_CPUS)
    def parent() -> Any:
        ref = child.remote()
        if how == "wait":
            ready, _ = ray.wait([ref], timeout=30)
            assert ready == [ref]
        return ray.get(ref)

    assert ray.get(parent.remote(), timeout=40) == "child"


def test_put_in_a_task_and_get_at_the_driver() -> None:
    @ray.remote
    def make() -> list[Any]:
        return [ray.put(i) for i in range(3)]

    assert ray.get(ray.get(make.remote())) == [0, 1, 2]


def test_a_child_outlives_the_task_that_submitted_it(tmp_path: Path) -> None:
    gate = Gate(tmp_path)

    @ray.remote
    def parent() -> list[Any]:
        return [blocked.remote(gate, "late")]

    (child,) = ray.get(parent.remote())
    gate.open()
    assert ray.get(child) == "late"


# --- resources --------------------------------------------------------------------------------


def test_as_many_run_at_once_as_there_are_cpus(tmp_path: Path) -> None:
    meeting = Meeting(tmp_path, NUM_CPUS)
    join = ray.remote(lambda: meeting.join())
    assert ray.get([join.remote() for _ in range(NUM_CPUS)]) == [True] * NUM_CPUS


@pytest.mark.parametrize(
    "options, fit",
    [
        ({"num_cpus": 2}, 1),
        ({"num_cpus": 1}, 2),
        ({"num_cpus": 0.5}, 4),
        ({"num_cpus": 0, "resources": {"slot": 1}}, 1),
        ({"num_cpus": 0, "resources": {"slot": 0.5}}, 2),
        ({"num_cpus": 0, "resources": {"share": 0.7}}, 2),
        ({"num_cpus": 1, "resources": {"slot": 0.5, "share": 2}}, 1),
    ],
    ids=str,
)
def test_no_more_run_at_once_than_fit(options: dict[str, Any], fit: int) -> None:
    @ray.remote(**options)
    def busy() -> tuple[float, float]:
        return work(0.05)

    spans = ray.get([busy.remote() for _ in range(3 * fit + 1)])
    assert most_at_once(spans) <= fit


@pytest.mark.parametrize(
    "options, fit",
    [({"num_cpus": 0.5}, 4), ({"num_cpus": 0, "resources": {"share": 0.5}}, 4)],
    ids=str,
)
def test_fractions_let_several_run_at_once(
    options: dict[str, Any], fit: int, tmp_path: Path
) -> None:
    meeting = Meeting(tmp_path, fit)

    @ray.remote(**options)
    def join() -> bool:
        return meeting.join()

    assert ray.get([join.remote() for _ in range(fit)]) == [True] * fit


def test_a_running_task_holds_its_resources(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    ref = blocked.options(num_cpus=1.5, resources={"slot": 0.25}).remote(gate)
    wait_until(
        lambda: balance.free_resources().get("CPU") == 0.5,
        20,
        lambda: str(balance.free_resources()),
    )
    assert balance.free_resources()["slot"] == 0.75
    gate.open()
    ray.get(ref)


def test_a_task_without_cpus_runs_beside_full_ones(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    full = [blocked.remote(gate) for _ in range(NUM_CPUS)]
    assert ray.get(inc.options(num_cpus=0).remote(1), timeout=30) == 2
    gate.open()
    ray.get(full)


def test_workers_are_used_again() -> None:
    pid = ray.remote(lambda: os.getpid())
    assert len({ray.get(pid.remote()) for _ in range(40)}) <= 2 * NUM_CPUS


# --- queues -----------------------------------------------------------------------------------


def _queue_behind_a_gate(n: int, folder: Path) -> None:
    gate = Gate(folder)
    holders = [blocked.remote(gate) for _ in range(NUM_CPUS)]
    refs = [inc.remote(i) for i in range(n)]
    ready, waiting = ray.wait(refs[-10:], num_returns=1, timeout=0)
    assert (len(ready), len(waiting)) == (0, 10)
    gate.open()
    assert sum(ray.get(refs)) == n * (n + 1) // 2
    ray.get(holders)


@pytest.mark.timeout(120)
def test_a_hundred_thousand_tasks_queued(tmp_path: Path) -> None:
    _queue_behind_a_gate(100_000 if IS_THORNBACK else 1_000, tmp_path)


@pytest.mark.slow
@pytest.mark.only_thornback
@pytest.mark.timeout(180)
def test_a_million_tasks_queued(tmp_path: Path) -> None:
    _queue_behind_a_gate(1_000_000, tmp_path)


def test_tasks_whose_references_are_dropped_still_run(tmp_path: Path) -> None:
    @ray.remote
    def touch() -> None:
        note(tmp_path, "ran")

    for _ in range(50):
        touch.remote()
    wait_until(lambda: counted(tmp_path, "ran") == 50, 30, lambda: str(counted(tmp_path, "ran")))


def test_several_threads_of_the_driver() -> None:
    sums: dict[int, int] = {}

    def submit(start: int) -> None:
        sums[start] = sum(ray.get([inc.remote(start + i) for i in range(50)]))

    threads = [threading.Thread(target=submit, args=(1000 * k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    assert sums == {1000 * k: sum(1000 * k + i + 1 for i in range(50)) for k in range(4)}
