"""Tasks to be cancelled, and what is expected then."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from .engine import ray
from .gates import count, counted
from .waiting import wait_until

TaskCancelledError = ray.exceptions.TaskCancelledError


@ray.remote(max_retries=3, retry_exceptions=True)
def linger(folder: Path, name: str, seconds: float = 60.0) -> str:
    """Take long, in short steps; note the beginning and the end."""
    try:
        count(folder, name)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.01)
    finally:
        count(folder, f"{name} ends")
    return "lingered"


@ray.remote
def identity(value: Any) -> Any:
    return value


def started(folder: Path, name: str) -> None:
    wait_until(lambda: counted(folder, name) > 0, 20, f"{name} to begin")


def assert_cancelled(ref: Any, limit_s: float = 10.0) -> TaskCancelledError:
    try:
        value = ray.get(ref, timeout=limit_s)
    except TaskCancelledError as error:
        # Its traceback would hold the test's frame, and handles in it, until a garbage collection.
        return error.with_traceback(None)
    raise AssertionError(f"not cancelled, but {value!r}")
