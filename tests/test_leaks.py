"""Each operation thousands of times in a session: nothing is left, in Python or in the engine."""

from __future__ import annotations

import gc
import resource
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from support import balance
from support.engine import ray
from support.waiting import wait_until

pytestmark = pytest.mark.only_thornback

TIMES = 3000
STANDING_TASKS = 2  # of the actor that is never made: its creation and a call
ARRAY = np.arange(1000)
LARGE = np.zeros(200_000, dtype=np.uint8)


@ray.remote
def same(value: Any = None, **more: Any) -> Any:
    return value


@ray.remote(num_returns=3)
def three() -> tuple[int, int, int]:
    return 1, 2, 3


@ray.remote
def fail() -> None:
    raise ValueError("meant to fail")


@ray.remote
class Keeper:
    def keep(self, value: Any) -> int:
        self.value = value
        return 1


def failing() -> None:
    with pytest.raises(ValueError, match="meant to fail"):
        ray.get(fail.remote())


def timing_out() -> None:
    with pytest.raises(TimeoutError):
        ray.get(ray.put(1) and NEVER[0], timeout=0)


def wrong() -> None:
    with pytest.raises(TypeError):
        same.remote(1, 2, 3)


NEVER: list[Any] = []
ACTOR: list[Any] = []

OPERATIONS: dict[str, Callable[[], Any]] = {
    "task": lambda: ray.get(same.remote(1)),
    "task with keywords": lambda: ray.get(same.remote("a", b=[1], c={"d": 2})),
    "task with references": lambda: ray.get(same.remote([ray.put(1)], d=ray.put([2]))),
    "three results": lambda: ray.get(three.remote()),
    "results never fetched": three.remote,
    "error": failing,
    "options": lambda: ray.get(same.options(num_cpus=0.5).remote(1)),
    "call": lambda: ray.get(ACTOR[0].keep.remote(ray.put([1]))),
    "call with a handle": lambda: ray.get(ACTOR[0].keep.remote(ACTOR[0].keep and 1)),
    "put": lambda: ray.get(ray.put({"a": [1, "b"]})),
    "put an array": lambda: ray.get(ray.put(ARRAY)).sum(),
    "put a large array": lambda: ray.get(ray.put(LARGE))[5],
    "large argument": lambda: ray.get(same.remote(LARGE))[5],
    "nested": lambda: ray.get(ray.get(ray.put([ray.put(2)]))[0]),
    "get of many": lambda: ray.get([ray.put(i) for i in range(5)]),
    "wait": lambda: ray.wait([ray.put(1), ray.put(2)], num_returns=2),
    "get in vain": timing_out,
    "wait in vain": lambda: ray.wait([NEVER[0]], timeout=0),
    "wrong call": wrong,
    "resources": ray.available_resources,
}


@pytest.fixture(scope="module", autouse=True)
def _standing(ray_session: None) -> Any:
    ACTOR.append(Keeper.remote())
    holder = Keeper.options(resources={"nowhere": 1}).remote()
    NEVER.append(holder.keep.remote(1))
    ray.get(ACTOR[0].keep.remote(None))
    yield
    ACTOR.clear()
    NEVER.clear()


def _counts() -> dict[str, int]:
    gc.collect()
    stats = balance.stats()
    return {key: stats[key] for key in ("objects", "tasks", "waiters", "store_used_bytes")}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.timeout(120)
def test_nothing_is_left(name: str) -> None:
    use = OPERATIONS[name]

    def run(times: int) -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(times):
            use()
        gc.collect()
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

    run(TIMES)  # fills what has a bound, such as the errors that are kept for lists of tasks
    ray.get(ACTOR[0].keep.remote(None))
    # What nobody waited for ends first.
    wait_until(lambda: _counts()["tasks"] <= STANDING_TASKS, 20, lambda: f"{_counts()} to end")
    before = _counts()
    blocks = sys.getallocatedblocks()
    assert run(TIMES) < 3000, f"kibibytes for {TIMES} times"
    ray.get(ACTOR[0].keep.remote(None))
    wait_until(lambda: _counts() == before, 20, lambda: f"{_counts()} to be {before} again")
    assert sys.getallocatedblocks() - blocks < 600
