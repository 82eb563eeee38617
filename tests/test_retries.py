"""Exceptions that count as failed attempts: of tasks and of methods, all or of certain classes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from support.engine import IS_THORNBACK, ray
from support.gates import count, counted

pytestmark = pytest.mark.usefixtures("balanced")


class AppError(Exception):
    """An error of the program's own."""


class NarrowError(AppError):
    """A kind of it."""


@ray.remote
def flaky(folder: Path, failures: int, kind: type[Exception] = ValueError) -> int:
    n = count(folder, "run")
    if n <= failures:
        raise kind(f"attempt {n}")
    return n


@ray.remote
class Flaky:
    def __init__(self) -> None:
        self.log: list[int] = []

    def call(self, number: int, failures: int, kind: type[Exception] = ValueError) -> int:
        self.log.append(number)
        n = self.log.count(number)
        if n <= failures:
            raise kind(f"attempt {n}")
        return n

    @ray.method(max_task_retries=2, retry_exceptions=[KeyError])
    def decorated(self, number: int, failures: int, kind: type[Exception]) -> int:
        return self.call(number, failures, kind)

    def seen(self) -> list[int]:
        return self.log


# options, exceptions before the first success, their class, runs, whether it succeeds
CASES: dict[str, tuple[dict[str, Any], int, type[Exception], int, bool]] = {
    "not by default": ({}, 1, ValueError, 1, False),
    "all, default of three": ({"retry_exceptions": True}, 3, ValueError, 4, True),
    "all, one too many": ({"retry_exceptions": True}, 4, ValueError, 4, False),
    "all, one": ({"retry_exceptions": True, "max_retries": 1}, 9, ValueError, 2, False),
    "all, none left": ({"retry_exceptions": True, "max_retries": 0}, 1, ValueError, 1, False),
    "all, for ever": ({"retry_exceptions": True, "max_retries": -1}, 6, ValueError, 7, True),
    "listed": ({"retry_exceptions": [ValueError]}, 2, ValueError, 3, True),
    "listed by a base": ({"retry_exceptions": [LookupError]}, 2, KeyError, 3, True),
    "not listed": ({"retry_exceptions": [KeyError]}, 1, ValueError, 1, False),
    "a list of none": ({"retry_exceptions": []}, 1, ValueError, 1, False),
    "two classes": ({"retry_exceptions": [KeyError, AppError]}, 2, NarrowError, 3, True),
    "a narrower class": ({"retry_exceptions": [NarrowError]}, 1, AppError, 1, False),
    "a tuple": ({"retry_exceptions": (ValueError,)}, 2, ValueError, 3, True),
}


@pytest.mark.parametrize("case", CASES)
def test_tasks(case: str, tmp_path: Path) -> None:
    options, failures, kind, runs, succeeds = CASES[case]
    function = flaky.options(**options) if options else flaky
    ref = function.remote(tmp_path, failures, kind)
    if succeeds:
        assert ray.get(ref, timeout=60) == runs
    else:
        with pytest.raises(kind, match=f"attempt {runs}"):
            ray.get(ref, timeout=60)
    assert counted(tmp_path, "run") == runs


def test_classes_that_workers_get_by_value(tmp_path: Path) -> None:
    class LocalError(Exception):
        pass

    @ray.remote(retry_exceptions=[LocalError])
    def attempt() -> int:
        n = count(tmp_path, "run")
        if n < 3:
            raise LocalError(n)
        return n

    assert ray.get(attempt.remote(), timeout=60) == 3


@pytest.mark.parametrize("retries, result", [(3, 4), (2, None)])
def test_deaths_and_exceptions_count_alike(
    retries: int, result: int | None, tmp_path: Path
) -> None:
    @ray.remote(retry_exceptions=True, max_retries=retries)
    def attempt() -> int:
        n = count(tmp_path, "run")
        if n in (1, 3):
            os._exit(1)
        if n == 2:
            raise ValueError
        return n

    if result is None:
        with pytest.raises(ray.exceptions.WorkerCrashedError):
            ray.get(attempt.remote(), timeout=60)
    else:
        assert ray.get(attempt.remote(), timeout=60) == result


def test_a_retry_of_a_task_with_several_results_and_arguments(tmp_path: Path) -> None:
    @ray.remote(num_returns=2, retry_exceptions=True)
    def both(data: bytes, box: list[Any]) -> tuple[int, bytes]:
        if count(tmp_path, "run") == 1:
            raise ValueError
        return len(data) + len(ray.get(box[0])), data

    first, second = both.remote(ray.put(b"a" * 500_000), [ray.put(b"b" * 500_000)])
    assert ray.get(first, timeout=60) == 1_000_000
    assert ray.get(second) == b"a" * 500_000


@pytest.mark.only_thornback  # Ray hides the task's own error behind that of the class
def test_an_exception_class_that_says_no_when_asked(tmp_path: Path) -> None:
    class Meta(type):
        def __instancecheck__(cls, other: object) -> bool:
            raise RuntimeError("no answer")

    class OddError(Exception, metaclass=Meta):
        pass

    @ray.remote(retry_exceptions=[OddError])
    def attempt() -> None:
        count(tmp_path, "run")
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        ray.get(attempt.remote(), timeout=60)
    assert counted(tmp_path, "run") == 1


@pytest.mark.only_thornback
def test_the_attempt_is_known_to_the_task(tmp_path: Path) -> None:
    @ray.remote(retry_exceptions=True)
    def attempt() -> int:
        from thornback import _core

        current = _core.current_task()
        assert current is not None
        if current[3] < 2:
            raise ValueError
        return current[3]

    assert ray.get(attempt.remote(), timeout=60) == 2


# --- methods ----------------------------------------------------------------------------------

METHOD_CASES: dict[str, tuple[dict[str, Any], int, type[Exception], int, bool]] = {
    "retries are for deaths": ({"max_task_retries": 3}, 1, ValueError, 1, False),
    "all, without retries": ({"retry_exceptions": True}, 1, ValueError, 1, False),
    "all": ({"max_task_retries": 3, "retry_exceptions": True}, 2, ValueError, 3, True),
    "all, too few": ({"max_task_retries": 1, "retry_exceptions": True}, 9, ValueError, 2, False),
    "all, for ever": ({"max_task_retries": -1, "retry_exceptions": True}, 5, ValueError, 6, True),
    "listed": ({"max_task_retries": 3, "retry_exceptions": [AppError]}, 2, NarrowError, 3, True),
    "not listed": ({"max_task_retries": 3, "retry_exceptions": [KeyError]}, 1, AppError, 1, False),
}


@pytest.mark.parametrize("case", METHOD_CASES)
def test_methods(case: str) -> None:
    options, failures, kind, runs, succeeds = METHOD_CASES[case]
    actor = Flaky.remote()
    ref = actor.call.options(**options).remote(0, failures, kind)
    if succeeds:
        assert ray.get(ref, timeout=60) == runs
    else:
        with pytest.raises(kind, match=f"attempt {runs}"):
            ray.get(ref, timeout=60)
    assert ray.get(actor.seen.remote()) == [0] * runs


def test_retries_of_the_decorator_and_of_the_class() -> None:
    actor = Flaky.options(max_task_retries=9).remote()
    assert ray.get(actor.decorated.remote(0, 2, KeyError), timeout=60) == 3
    with pytest.raises(KeyError):  # the decorator's number counts, not the class's
        ray.get(actor.decorated.remote(1, 3, KeyError), timeout=60)
    with pytest.raises(ValueError, match="attempt 1"):
        ray.get(actor.decorated.remote(2, 1, ValueError), timeout=60)
    assert ray.get(actor.call.options(retry_exceptions=True).remote(3, 9), timeout=60) == 10


def test_a_call_that_is_tried_again_comes_behind_those_that_wait() -> None:
    actor = Flaky.options(max_task_retries=3).remote()
    ray.get(actor.seen.remote())
    retried = actor.call.options(retry_exceptions=True)
    refs = [retried.remote(0, 2), *(retried.remote(i, 0) for i in range(1, 4))]
    assert ray.get(refs, timeout=60) == [3, 1, 1, 1]
    seen = ray.get(actor.seen.remote())
    assert sorted(seen) == [0, 0, 0, 1, 2, 3]
    assert [i for i in seen if i] == [1, 2, 3]
    if not IS_THORNBACK:
        assert seen == [0, 1, 2, 3, 0, 0]
