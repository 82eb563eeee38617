"""Numbers about the running session, for tests and for finding leaks."""

from __future__ import annotations

import json

from . import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def stats() -> dict[str, int]:
    """Return counts: `objects`, `store_used_bytes`, `tasks`, `actors`, `workers`."""
    counts: dict[str, int] = json.loads(_core.control("stats", b"{}"))
    return counts


def control(op: str, **request: Any) -> Any:
    """Ask the node; see `core/node/control.go` for what it answers."""
    return json.loads(_core.control(op, json.dumps(request).encode()))
