"""The engine's codes: which exception each becomes."""

from __future__ import annotations

from typing import Any

import pytest

from thornback import _system_error as codes
from thornback import exceptions as exc
from thornback._system_error import system_error

CODES = [
    ("WORKER_CRASHED", exc.WorkerCrashedError),
    ("ACTOR_DIED", exc.ActorDiedError),
    ("ACTOR_UNAVAILABLE", exc.ActorUnavailableError),
    ("OBJECT_LOST", exc.ObjectLostError),
    ("OBJECT_FREED", exc.ObjectFreedError),
    ("OWNER_DIED", exc.OwnerDiedError),
    ("STORE_FULL", exc.ObjectStoreFullError),
    ("OUT_OF_MEMORY", exc.OutOfMemoryError),
    ("TASK_CANCELLED", exc.TaskCancelledError),
    ("UNSCHEDULABLE", exc.TaskUnschedulableError),
    ("NODE_DIED", exc.NodeDiedError),
    ("INTERNAL", exc.RaySystemError),
    ("GET_TIMEOUT", exc.GetTimeoutError),
    ("PENDING_CALLS_LIMIT", exc.PendingCallsLimitExceeded),
    ("TASK_UNPICKLABLE", exc.RayTaskError),
]


@pytest.mark.parametrize(("position", "pair"), list(enumerate(CODES, start=1)))
def test_codes(position: int, pair: tuple[str, type[exc.RayError]]) -> None:
    name, cls = pair
    assert getattr(codes, name) == position
    error = system_error(position, "the engine's words", {})
    assert isinstance(error, cls)
    assert "the engine's words" in str(error)
    assert isinstance(system_error(position, "", {}), cls)


def test_a_circle_of_waits() -> None:
    error = system_error(codes.DEADLOCK, "f -> g -> f", {})
    assert isinstance(error, exc.DeadlockError)
    assert str(error) == "f -> g -> f"


def test_codes_with_fields() -> None:
    error: Any = system_error(codes.OBJECT_LOST, "node n1 died", {"object": "ab", "owner": "h:1"})
    assert error.object_ref_hex == "ab"
    assert "Failed to retrieve object ab." in str(error)
    assert str(error).endswith("owner address: h:1\nnode n1 died")
    error = system_error(codes.TASK_CANCELLED, "", {"task_id": "ab"})
    assert str(error) == "Task: ab was cancelled. "
    error = system_error(codes.UNSCHEDULABLE, "no GPU", {"actor_class": "A"})
    assert isinstance(error, exc.ActorUnschedulableError)
    error = system_error(codes.GET_TIMEOUT, "", {})
    assert str(error) == "Get timed out: some object(s) not ready."
    error = system_error(codes.TASK_UNPICKLABLE, "no module x", {"task": "f", "pid": "8"})
    assert isinstance(error, TypeError)
    assert "ray::f() (pid=8" in str(error)
    error = system_error(99, "", {})
    assert isinstance(error, exc.RaySystemError)
    assert "unknown error code 99" in str(error)
