"""Until when a task may run: the options `timeout` and `deadline`."""

from __future__ import annotations

import math
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def limits(options: Mapping[str, Any]) -> tuple[int, int]:
    """Return timeout and deadline of options as the extension counts them.

    Returns
    -------
    timeout : int, ns from the call; 0: none
    deadline : int, ns of the monotonic clock; 0: none
    """
    timeout, deadline = options.get("timeout"), options.get("deadline")
    return (
        0 if timeout is None else max(1, int(min(timeout, _LONGEST_S) * 1e9)),
        0 if deadline is None else _monotonic(deadline),
    )


def of_call(options: Mapping[str, Any]) -> int:
    """Return when a call made now is to be cancelled, ns of the monotonic clock; 0: never."""
    timeout, deadline = limits(options)
    if timeout:
        until = time.monotonic_ns() + timeout
        return min(until, deadline) if deadline else until
    return deadline


def timeout_error(value: Any) -> str | None:
    """Return what is wrong with a `timeout`, None when nothing is."""
    if value is None or (value >= 0 and not math.isnan(value)):
        return None
    return f"timeout must be a number of seconds, 0 or more, got {value!r}"


def deadline_error(value: Any) -> str | None:
    """Return what is wrong with a `deadline`, None when nothing is."""
    if isinstance(value, (int, float)):
        if isinstance(value, bool) or not math.isfinite(value):
            return f"deadline must be a time as time.time() gives it, or a datetime, got {value!r}"
        return None
    if value is None or hasattr(value, "timestamp"):
        return None
    return f"deadline must be a time as time.time() gives it, or a datetime, got {value!r}"


_LONGEST_S = 1e9  # 30 years


def _monotonic(deadline: Any) -> int:
    """Turn a time of the day into one of the clock that never jumps."""
    if hasattr(deadline, "timestamp"):
        deadline = deadline.timestamp()
    left = min(deadline - time.time(), _LONGEST_S)
    return max(1, time.monotonic_ns() + int(left * 1e9))
