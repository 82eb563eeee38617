"""What happens in the block of a scope: waits, blocks in blocks, threads, misuse."""

# ruff: noqa: PT012  # what a block raises is raised by several statements

from __future__ import annotations

import contextvars
import pickle
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.engine import ray
from support.gates import Gate, counted
from support.scoped import LONG_S, SOON_S, Sleeper, cancelled, dies, fails, notes, ready, sleeps
from support.waiting import wait_until

pytestmark = [pytest.mark.only_thornback, pytest.mark.usefixtures("balanced")]


# --- waits of the block ----------------------------------------------------------------------


@pytest.mark.parametrize("how", ["get", "get_many", "get_timeout", "wait", "wait_many", "next"])
def test_a_block_that_waits_wakes_with_the_error(how: str, tmp_path: Path) -> None:
    """Even when what it waits for is no part of the block."""

    @ray.remote(num_cpus=0)
    def slow_items(gate: Gate) -> Iterator[int]:
        gate.wait()
        yield 1

    gate, never = Gate(tmp_path), Gate(tmp_path)
    outside = slow_items.options(num_returns=1).remote(never)
    items = slow_items.remote(never)
    seen: list[BaseException] = []
    waits = {
        "get": lambda: ray.get(outside),
        "get_many": lambda: ray.get([sleeps.remote(0), outside]),
        "get_timeout": lambda: ray.get(outside, timeout=LONG_S),
        "wait": lambda: ray.wait([outside]),
        "wait_many": lambda: ray.wait([outside, ray.put(1)], num_returns=2),
        "next": lambda: next(items),
    }
    with pytest.raises(ValueError, match="as it should"), ray.scope():
        fails.remote(gate)
        timer = threading.Timer(0.3, gate.open)
        timer.start()
        try:
            waits[how]()
        except ValueError as error:
            seen.append(error)
            raise
    timer.join()
    assert [str(error).count("as it should") > 0 for error in seen] == [True]
    never.open()
    ray.wait([outside])
    assert ray.get(next(items)) == 1


def test_what_is_there_can_be_had_after_an_error() -> None:
    with pytest.raises(ValueError, match="as it should"), ray.scope():
        there = ray.put("there")
        done = sleeps.remote(0)
        ray.wait([done])
        failed = fails.remote()
        with pytest.raises(ValueError, match="as it should"):
            ray.get(failed)
        assert ray.get([there, done]) == ["there", 0]
        with pytest.raises((ValueError, ray.exceptions.TaskCancelledError)):
            ray.get(sleeps.remote(LONG_S))


def test_what_is_submitted_after_an_error_is_cancelled(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="as it should"), ray.scope():
        with pytest.raises(ValueError, match="as it should"):
            ray.get(fails.remote())
        late = notes.remote(tmp_path, 0.5)
        actor = Sleeper.remote()
    cancelled(late)
    dies(actor)
    assert counted(tmp_path, "note") == 0


def test_cancel() -> None:
    begin = time.monotonic()
    with ray.scope() as scope:
        runs = sleeps.remote(LONG_S)
        scope.cancel()
        late = sleeps.remote(LONG_S)
    assert time.monotonic() - begin < LONG_S / 2
    cancelled(runs)
    cancelled(late)
    with ray.scope() as scope:
        runs = sleeps.remote(LONG_S)
        scope.cancel()
        ray.get(runs)  # ends the block, as its cancellation
        pytest.fail("went on")
    with pytest.raises(LookupError), ray.scope() as scope:
        scope.cancel()
        raise LookupError


def test_cancel_from_another_thread(tmp_path: Path) -> None:
    never = Gate(tmp_path)
    outside = fails.remote(never)
    with ray.scope() as scope:
        timer = threading.Timer(0.2, scope.cancel)
        timer.start()
        ray.wait([outside])
        pytest.fail("went on")
    timer.join()
    never.open()
    ray.wait([outside])


# --- scopes in scopes ------------------------------------------------------------------------


def test_an_inner_error_goes_through_the_outer_one(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="as it should"), ray.scope():
        outer = sleeps.remote(LONG_S)
        with ray.scope():
            fails.remote()
        pytest.fail("went on")
    cancelled(outer)


def test_an_inner_error_that_is_caught_stays_there() -> None:
    with ray.scope():
        outer = sleeps.remote(0.3)
        with pytest.raises(ValueError, match="as it should"), ray.scope():
            inner = sleeps.remote(LONG_S)
            fails.remote()
        cancelled(inner)
    assert ray.get(outer) == 0.3


def test_an_outer_error_ends_the_inner_block(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    with pytest.raises(ValueError, match="as it should"), ray.scope():
        fails.remote(gate)
        with ray.scope():
            inner = sleeps.remote(LONG_S)
            gate.open()
    cancelled(inner)


def test_after_the_inner_one_the_outer_is_current(tmp_path: Path) -> None:
    with ray.scope():
        with ray.scope():
            pass
        notes.remote(tmp_path, 0.3)
    assert counted(tmp_path, "note") == 1


# --- threads, misuse -------------------------------------------------------------------------


def test_threads_have_their_own(tmp_path: Path) -> None:
    refs: list[Any] = []
    with ray.scope():
        other = threading.Thread(target=lambda: refs.append(sleeps.remote(1.5)))
        other.start()
        other.join()
        copied = contextvars.copy_context()
        mine = threading.Thread(target=copied.run, args=(notes.remote, tmp_path, 0.3))
        mine.start()
        mine.join()
    assert counted(tmp_path, "note") == 1
    assert not ready(refs)
    ray.get(refs)


def test_code_that_outlives_the_block_can_submit_no_more() -> None:
    with ray.scope():
        context = contextvars.copy_context()
    with pytest.raises(RuntimeError, match="the scope has ended"):
        context.run(sleeps.remote, 0)
    with pytest.raises(RuntimeError, match="the scope has ended"):
        context.run(Sleeper.remote)
    with pytest.raises(RuntimeError, match="the scope has ended"):
        context.run(ray.scope().__enter__)
    assert ray.get(sleeps.remote(0)) == 0


def test_a_scope_is_used_once() -> None:
    scope = ray.scope()
    with pytest.raises(RuntimeError, match="not open"):
        scope.cancel()
    with scope, pytest.raises(RuntimeError, match="used once"), scope:
        pass
    with pytest.raises(RuntimeError, match="used once"), scope:
        pass


def test_a_scope_is_no_value() -> None:
    with ray.scope() as scope, pytest.raises(TypeError, match="pickled"):
        pickle.dumps(scope)


def test_one_that_is_forgotten_is_cancelled() -> None:
    context = contextvars.copy_context()
    scope = ray.scope()
    context.run(scope.__enter__)
    runs = context.run(sleeps.remote, LONG_S)
    del scope
    wait_until(lambda: ready([runs]), SOON_S, "the task to be cancelled")
    cancelled(runs)


def test_a_session_that_ends_in_the_block() -> None:
    from support import engine

    with ray.scope():
        sleeps.remote(LONG_S)
        ray.shutdown()
    engine.start()
    with pytest.raises(LookupError), ray.scope():
        ray.shutdown()
        raise LookupError
    engine.start()
    with ray.scope():
        ref = sleeps.remote(0)
    assert ray.get(ref) == 0
