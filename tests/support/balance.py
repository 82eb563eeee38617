"""After each test: resources are free again and no object is left in the store."""

from __future__ import annotations

import gc
from typing import Any

from .engine import IS_THORNBACK, ray
from .waiting import wait_until

# Ray gives memory back lazily, so only what tasks and actors claim is compared there.
_LAZY = ("object_store_memory", "memory")


def stats() -> dict[str, int]:
    """Counts of the running session: objects, store_used_bytes, tasks, actors, workers."""
    if not IS_THORNBACK:
        return {}
    from thornback import _debug

    return dict(_debug.stats())


def free_resources() -> dict[str, float]:
    """Resources that nobody holds now."""
    return _comparable(ray.available_resources())


def all_resources() -> dict[str, float]:
    """Resources that the session has."""
    return _comparable(ray.cluster_resources())


def _comparable(resources: dict[str, Any]) -> dict[str, float]:
    return {name: float(amount) for name, amount in resources.items() if name not in _LAZY}


def wait_balanced(limit_s: float = 20.0) -> None:
    """Wait until every resource is free."""
    wait_until(
        lambda: free_resources() == all_resources(),
        limit_s,
        lambda: f"resources to be free: {free_resources()} of {all_resources()}",
    )


def wait_objects(before: dict[str, int], limit_s: float = 10.0) -> None:
    """Wait until no more objects, tasks and actors are known than `before`."""

    def back() -> bool:
        gc.collect()
        now = stats()
        return all(now[key] <= before[key] for key in ("objects", "tasks", "actors") if key in now)

    wait_until(back, limit_s, lambda: f"objects to go: {stats()}, before the test {before}")
