"""After each test: resources are free again and no object is left in the store."""

from __future__ import annotations

import gc
import os
from typing import Any

from . import processes
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


def books() -> str:
    """What is wrong with the engine's books of claims, devices and queues; empty: nothing."""
    if not IS_THORNBACK:
        return ""
    from thornback import _debug

    return str(_debug.control("balance"))


def wait_balanced(limit_s: float = 20.0) -> None:
    """Wait until every resource is free, with books that are right all the while."""
    assert not books()
    wait_until(
        lambda: free_resources() == all_resources(),
        limit_s,
        lambda: f"resources to be free: {free_resources()} of {all_resources()}",
    )
    assert not books()


# A count of each of these that has grown is a leak.
_COUNTS = (
    "objects",
    "store_extents",
    "store_used_bytes",
    "heap_bytes",
    "tasks",
    "queued",
    "running",
    "actors",
    "waiters",
)
# The word that the thread behind `await` sleeps on stays, from the first one on.
_SLACK = {"heap_bytes": 64}


def wait_objects(before: dict[str, int], limit_s: float = 10.0) -> None:
    """Wait until no more objects, store memory, tasks and actors are there than `before`."""

    def back() -> bool:
        gc.collect()
        now = stats()
        return all(now[key] <= before[key] + _SLACK.get(key, 0) for key in _COUNTS if key in now)

    wait_until(back, limit_s, lambda: f"objects to go: {stats()}, before the test {before}")


def zygote() -> int | None:
    """The process that all workers are forked from."""
    for pid in processes.children(os.getpid()):
        if "thornback._zygote" in processes.command_of(pid):
            return pid
    return None


def handles() -> dict[str, dict[str, str]]:
    """Open descriptors of the driver and of the process that makes workers, by their numbers.

    A process that is being started has some open for a moment, so none may be.
    """
    if not IS_THORNBACK:
        return {}
    wait_until(_settled, 20, "processes to be ready or gone")
    maker = zygote()
    assert maker is not None, "no zygote"
    return {"driver": processes.descriptors(os.getpid()), "zygote": processes.descriptors(maker)}


def wait_handles(before: dict[str, dict[str, str]], limit_s: float = 10.0) -> None:
    """Wait until no more descriptors are open than `before`, and no process but the workers."""
    if not IS_THORNBACK:
        return

    def more() -> list[str]:
        now = handles()
        return [
            f"{name}'s {fd}: {target}"
            for name, open_files in now.items()
            if len(open_files) > len(before[name])
            for fd, target in open_files.items()
            if before[name].get(fd) != target
        ]

    def strays() -> set[int]:
        workers = {int(w["pid"]) for w in _workers()}
        return processes.children(zygote() or 0) - workers

    wait_until(
        lambda: not more() and not strays(),
        limit_s,
        lambda: f"these to go: {more()}\n{processes.describe(strays())}",
    )


def _workers() -> list[dict[str, Any]]:
    """Workers that live."""
    from thornback import _debug

    return list(_debug.control("workers"))


def _settled() -> bool:
    """Whether processes are made already, and none is being made or is about to end."""
    from thornback import _debug

    made = any(p["ready_ms"] is not None for p in _debug.control("processes"))
    return made and all(w["ready"] and not w["exiting"] for w in _workers())
