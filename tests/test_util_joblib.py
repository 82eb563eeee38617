"""joblib's backend."""

from __future__ import annotations

import math
import os
from importlib import import_module
from typing import Any

import joblib
import numpy as np
import pytest
from joblib import Parallel, delayed, parallel_config

from support.engine import ray

pytestmark = [
    pytest.mark.usefixtures("balanced", "kept_pool"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.only_thornback,
]

import_module(f"{ray.__name__}.util.joblib").register_ray()


@pytest.fixture
def kept_pool(balanced: None) -> Any:
    yield
    from thornback.util.joblib._pools import idle

    idle.clear()


def pid_of(_: Any = None) -> int:
    return os.getpid()


def fail(x: int) -> int:
    raise ValueError(f"item {x}")


def describe(array: Any) -> Any:
    return array.sum(), array.flags.writeable, array.flags.owndata


@pytest.mark.parametrize("batch_size", ["auto", 1, 7])
def test_loop(batch_size: Any) -> None:
    with parallel_config("ray", n_jobs=2):
        results = Parallel(batch_size=batch_size)(delayed(math.sqrt)(i) for i in range(200))
        assert results == [math.sqrt(i) for i in range(200)]
        assert Parallel()(delayed(lambda a, b: a - b)(i, b=1) for i in range(3)) == [-1, 0, 1]
        assert Parallel()([]) == []


def test_it_runs_in_workers() -> None:
    with parallel_config("ray", n_jobs=-1):
        pids = set(Parallel(batch_size=1)(delayed(pid_of)(i) for i in range(20)))
    assert len(pids) == 2
    assert os.getpid() not in pids


def test_numbers_of_jobs() -> None:
    for n_jobs, expected in ((-1, 2), (-2, 1), (1, 1), (2, 2)):
        with parallel_config("ray"):
            assert joblib.effective_n_jobs(n_jobs) == expected
    with parallel_config("ray", n_jobs=1):
        assert Parallel()(delayed(pid_of)(i) for i in range(2)) == [os.getpid()] * 2
    with pytest.raises(ValueError, match="no meaning"), parallel_config("ray", n_jobs=0):
        Parallel()(delayed(pid_of)(i) for i in range(2))
    with pytest.raises(ValueError, match="only 2 CPUs"), parallel_config("ray", n_jobs=5):
        Parallel()(delayed(pid_of)(i) for i in range(2))


def test_errors_and_what_follows() -> None:
    with parallel_config("ray", n_jobs=2):
        with pytest.raises(ValueError, match=r"item \d"):
            Parallel(batch_size=1)(delayed(fail)(i) for i in range(5))
        assert Parallel()(delayed(abs)(-i) for i in range(5)) == [0, 1, 2, 3, 4]


def test_a_killed_worker_is_an_error_and_the_next_loop_works() -> None:
    with parallel_config("ray", n_jobs=2):
        with pytest.raises(ray.exceptions.RayActorError):
            Parallel(batch_size=1)(delayed(os._exit)(3) for _ in range(2))
        assert Parallel()(delayed(abs)(-i) for i in range(5)) == [0, 1, 2, 3, 4]


def test_large_arrays_are_stored_once_and_not_copied() -> None:
    from thornback import _debug

    array = np.ones(1_000_000)
    used: list[int] = []

    def items() -> Any:
        for _ in range(8):
            used.append(_debug.stats()["store_used_bytes"])
            yield delayed(describe)(array)

    with parallel_config("ray", n_jobs=2):
        results = Parallel(batch_size=1)(items())
    assert results == [(1_000_000.0, False, False)] * 8
    assert max(used) < 2 * array.nbytes


def test_generators() -> None:
    with parallel_config("ray", n_jobs=2):
        ordered = Parallel(return_as="generator")(delayed(abs)(-i) for i in range(10))
        assert list(ordered) == list(range(10))
        loose = Parallel(return_as="generator_unordered")(delayed(abs)(-i) for i in range(10))
        assert sorted(loose) == list(range(10))


def test_nested_loops() -> None:
    def inner(n: int) -> int:
        return sum(Parallel(n_jobs=2)(delayed(abs)(-i) for i in range(n)))

    with parallel_config("ray", n_jobs=2):
        assert Parallel()(delayed(inner)(n) for n in (3, 4)) == [3, 6]


def test_actors_with_options() -> None:
    with parallel_config("ray", n_jobs=2, ray_remote_args={"resources": {"share": 1}}):
        assert Parallel()(delayed(abs)(-i) for i in range(3)) == [0, 1, 2]


def test_reference_of_the_context() -> None:
    """A pool is used again by the next loop."""
    with parallel_config("ray", n_jobs=2):
        first = set(Parallel(batch_size=1)(delayed(pid_of)(i) for i in range(10)))
        second = set(Parallel(batch_size=1)(delayed(pid_of)(i) for i in range(10)))
    assert first == second
