"""Waiting for a condition, with a limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

POLL_S = 0.01


def wait_until(
    condition: Callable[[], Any],
    limit_s: float = 10.0,
    what: str | Callable[[], str] = "the condition",
) -> Any:
    """Return the first true value of `condition`, or fail with `what` after `limit_s` seconds."""
    deadline = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            text = what() if callable(what) else what
            raise AssertionError(f"still waiting after {limit_s} s for {text}")
        time.sleep(POLL_S)


def wait_for_file(path: Any, limit_s: float = 20.0) -> str:
    """Return the content of the file as soon as it exists and holds something."""

    def content() -> str:
        try:
            with open(path) as handle:
                return handle.read()
        except FileNotFoundError:
            return ""

    return str(wait_until(content, limit_s, f"the file {path}"))
