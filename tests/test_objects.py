"""Objects: put, get, wait, and how long an object lives."""

from __future__ import annotations

import gc
import time
from pathlib import Path
from typing import Any

import pytest

from support import balance
from support.actors import Holder
from support.engine import ray
from support.gates import Gate
from support.programs import Room
from support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("balanced")

MB = 1_000_000


@ray.remote
def blocked(gate: Gate, value: Any = None) -> Any:
    gate.wait()
    return value


@ray.remote
def fail() -> None:
    raise ValueError("meant to fail")


# --- put and get ------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, None, "text", b"", [1, [2]], {"k": (1,)}], ids=repr)
def test_put_and_get(value: Any) -> None:
    ref = ray.put(value)
    assert isinstance(ref, ray.ObjectRef)
    assert ray.get(ref) == value
    assert ray.get(ref) == value


def test_an_object_does_not_change() -> None:
    value = [1]
    ref = ray.put(value)
    value.append(2)
    assert ray.get(ref) == [1]
    ray.get(ref).append(3)
    assert ray.get(ref) == [1]


def test_get_of_a_list_keeps_the_order() -> None:
    refs = [ray.put(i) for i in range(300)]
    assert ray.get(refs) == list(range(300))
    assert ray.get(refs[::-1]) == list(range(299, -1, -1))
    assert ray.get([refs[1], refs[1]]) == [1, 1]
    assert ray.get([]) == []


@pytest.mark.parametrize("size", [1, 1000, 100_000, 102_400, 102_401, 110_000, MB, 40 * MB])
def test_bytes_of_all_sizes(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    assert ray.get(ray.put(data)) == data
    assert ray.get(ray.remote(lambda x: x).remote(data)) == data


def test_put_of_a_reference_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Calling 'put' on an ray\.ObjectRef is not allowed"):
        ray.put(ray.put(1))


@pytest.mark.parametrize("wrong", [1, "x", None, {"a": 1}], ids=repr)
def test_get_of_something_else(wrong: Any) -> None:
    with pytest.raises(ValueError, match="Invalid type of object refs"):
        ray.get(wrong)


def test_get_of_a_tuple_or_of_a_list_with_something_else() -> None:
    with pytest.raises(ValueError, match="Invalid type of object refs"):
        ray.get((ray.put(1),))
    with pytest.raises(TypeError, match="Attempting to call `get` on the value 2"):
        ray.get([ray.put(1), 2])


def test_get_with_a_timeout(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    ref = blocked.remote(gate, 1)
    begin = time.monotonic()
    with pytest.raises(ray.exceptions.GetTimeoutError) as caught:
        ray.get(ref, timeout=0.2)
    assert 0.15 < time.monotonic() - begin < 5
    assert isinstance(caught.value, TimeoutError)
    with pytest.raises(ray.exceptions.GetTimeoutError):
        ray.get([ray.put(1), ref], timeout=0)
    gate.open()
    assert ray.get(ref, timeout=30) == 1
    assert ray.get(ref, timeout=0) == 1


def test_get_fails_at_the_first_error_without_waiting(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    waiting = blocked.remote(gate)
    with pytest.raises(ValueError, match="meant to fail"):
        ray.get([fail.remote(), waiting], timeout=30)
    gate.open()
    ray.get(waiting)


# --- wait -------------------------------------------------------------------------------------


def test_wait_for_one(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    slow, fast = blocked.remote(gate), ray.put(1)
    assert ray.wait([slow, fast]) == ([fast], [slow])
    gate.open()
    assert ray.wait([slow, fast], num_returns=2) == ([slow, fast], [])


def test_wait_keeps_the_order_and_returns_no_more_than_asked() -> None:
    refs = [ray.put(i) for i in range(5)]
    for n in range(1, 6):
        ready, rest = ray.wait(refs, num_returns=n)
        assert len(ready) == n
        assert ready == [ref for ref in refs if ref in ready]
        assert rest == [ref for ref in refs if ref not in ready]


def test_wait_with_a_timeout(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    slow, fast = blocked.remote(gate), ray.put(1)
    assert ray.wait([slow], timeout=0) == ([], [slow])
    begin = time.monotonic()
    assert ray.wait([slow, fast], num_returns=2, timeout=0.2) == ([fast], [slow])
    assert 0.15 < time.monotonic() - begin < 5
    gate.open()
    assert ray.wait([slow], timeout=30) == ([slow], [])


def test_a_failed_object_counts_as_ready() -> None:
    ref = fail.remote()
    assert ray.wait([ref], timeout=30) == ([ref], [])


def test_wait_for_nothing() -> None:
    assert ray.wait([]) == ([], [])


def test_wait_takes_all_as_they_come() -> None:
    refs = [ray.remote(lambda i=i: i).remote() for i in range(40)]
    seen = []
    while refs:
        ready, refs = ray.wait(refs, num_returns=min(3, len(refs)))
        seen += ray.get(ready)
    assert sorted(seen) == list(range(40))


@pytest.mark.parametrize(
    "make, options, error",
    [
        (lambda r: r, {}, TypeError),
        (lambda r: 1, {}, TypeError),
        (lambda r: {r}, {}, TypeError),
        (lambda r: [r, 1], {}, TypeError),
        (lambda r: [r, r], {}, ValueError),
        (lambda r: [r], {"num_returns": 0}, ValueError),
        (lambda r: [r], {"num_returns": -1}, ValueError),
        (lambda r: [r], {"num_returns": 2}, ValueError),
        (lambda r: [r], {"timeout": -1}, ValueError),
    ],
    ids=["ref", "int", "set", "non-ref", "twice", "zero", "negative", "too-many", "timeout"],
)
def test_wait_refuses(make: Any, options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        ray.wait(make(ray.put(1)), **options)


def test_wait_inside_a_task() -> None:
    @ray.remote
    def waiter(refs: list[Any]) -> int:
        ready, rest = ray.wait(refs, num_returns=2, timeout=30)
        return len(ready) - len(rest)

    assert ray.get(waiter.remote([ray.put(i) for i in range(3)])) == 1


# --- references -------------------------------------------------------------------------------


def test_references_compare_and_hash_by_identity() -> None:
    a, b = ray.put(1), ray.put(1)
    (again,) = ray.get(ray.put([a]))
    assert a == again
    assert a != b
    assert len({a, again, b}) == 2
    assert a.hex() == a.binary().hex() == again.hex()
    assert a.hex() in repr(a)
    assert not a.is_nil()


def test_a_future_of_a_reference() -> None:
    assert ray.put(3).future().result(timeout=30) == 3
    future = fail.remote().future()
    with pytest.raises(ValueError, match="meant to fail"):
        future.result(timeout=30)


def test_out_of_band_pickling_keeps_the_object(room: Room) -> None:
    """For the rest of the session, so it has one of its own."""
    out = room.run(
        """
        import pickle
        ref = ray.put("kept")
        data = ray.cloudpickle.dumps(ref)
        del ref
        print(ray.get(pickle.loads(data)))
        """
    )
    assert out.ok().split() == ["kept"]


# --- life: an object goes with the last reference in any process --------------------------------


def _used() -> int:
    gc.collect()
    return balance.stats()["store_used_bytes"]


def freed(before: int) -> None:
    """Wait until the store is back at `before`."""
    wait_until(lambda: _used() <= before, 10, lambda: f"{_used()} bytes to be {before} again")


def big() -> bytes:
    return bytes(4 * MB)


@pytest.mark.only_thornback
class TestLife:
    def test_held_by_the_driver(self) -> None:
        before = _used()
        ref = ray.put(big())
        other = ref
        assert _used() >= before + 4 * MB
        del ref
        assert len(ray.get(other)) == 4 * MB
        del other
        freed(before)

    def test_the_result_of_a_task(self) -> None:
        before = _used()
        ref = ray.remote(big).remote()
        ray.wait([ref])
        assert _used() >= before + 4 * MB
        del ref
        freed(before)

    def test_a_result_nobody_waits_for(self, tmp_path: Path) -> None:
        before = _used()
        gate = Gate(tmp_path)
        blocked.remote(gate, big())
        gate.open()
        freed(before)

    def test_held_by_a_task_that_waits_for_its_arguments(self, tmp_path: Path) -> None:
        before = _used()
        gate = Gate(tmp_path)
        ref = ray.put(big())
        size = ray.remote(lambda data, _: len(data)).remote(ref, blocked.remote(gate))
        del ref
        gate.open()
        assert ray.get(size) == 4 * MB
        freed(before)

    def test_held_inside_another_object(self) -> None:
        before = _used()
        inner = ray.put(big())
        outer = ray.put({"deep": [inner]})
        outermost = ray.put([outer])
        del inner, outer
        (outer_again,) = ray.get(outermost)
        assert len(ray.get(ray.get(outer_again)["deep"][0])) == 4 * MB
        assert _used() >= before + 4 * MB
        del outermost, outer_again
        freed(before)

    def test_held_by_an_actor(self) -> None:
        before = _used()
        holder = Holder.remote()
        ref = ray.put(big())
        ray.get(holder.keep.remote([ref]))
        del ref
        assert len(ray.get(holder.fetch.remote(0))) == 4 * MB
        assert _used() >= before + 4 * MB
        ray.get(holder.drop.remote())
        freed(before)

    def test_held_by_an_actor_that_dies(self) -> None:
        before = _used()
        holder = Holder.remote()
        ref = ray.put(big())
        ray.get(holder.keep.remote([ref]))
        del ref
        assert _used() >= before + 4 * MB
        ray.kill(holder)
        freed(before)

    def test_put_by_a_task_and_held_by_the_driver(self) -> None:
        before = _used()
        box = ray.get(ray.remote(lambda: [ray.put(big())]).remote())
        assert len(ray.get(box[0])) == 4 * MB
        assert _used() >= before + 4 * MB
        del box
        freed(before)

    def test_put_by_a_task_and_dropped_there(self) -> None:
        before = _used()
        assert ray.get(ray.remote(lambda: len(ray.get(ray.put(big())))).remote()) == 4 * MB
        freed(before)

    def test_passed_from_actor_to_actor(self) -> None:
        before = _used()
        first, second = Holder.remote(), Holder.remote()
        ray.get(first.keep.remote([ray.put(big()), second]))
        assert ray.get(first.call.remote(1, "keep", [ray.put(big())])) == 1
        ray.get(first.drop.remote())
        assert len(ray.get(second.fetch.remote(0))) == 4 * MB
        freed(before + 5 * MB)
        del first, second
        freed(before)

    def test_of_failed_tasks(self) -> None:
        @ray.remote
        def use(data: bytes) -> None:
            raise ValueError("meant to fail")

        before = _used()
        refs = [use.remote(ray.put(big())) for _ in range(5)]
        for ref in refs:
            with pytest.raises(ValueError, match="meant to fail"):
                ray.get(ref)
        del ref, refs
        freed(before)

    def test_of_references_in_a_cycle(self) -> None:
        before = _used()
        cycle: list[Any] = [ray.put(big())]
        cycle.append(cycle)
        del cycle
        freed(before)

    def test_many_small_objects(self) -> None:
        before = balance.stats()
        refs = [ray.put(i) for i in range(20_000)]
        assert balance.stats()["objects"] >= before["objects"] + 20_000
        assert ray.get(refs[::1000]) == list(range(0, 20_000, 1000))
        del refs
        balance.wait_objects(before)
