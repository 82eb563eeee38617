"""Dask on the engine: a graph of 10,000 small tasks, half of which depend on another."""

from __future__ import annotations

import importlib
from operator import neg
from typing import Any

import harness

_TASKS = 10_000


def graph(tasks: int) -> dict[Any, Any]:
    """Return a graph of so many tasks and one that sums up the last half."""
    half = tasks // 2
    nodes: dict[Any, Any] = {("x", i): (neg, i) for i in range(half)}
    nodes.update({("y", i): (neg, ("x", i)) for i in range(half)})
    nodes["sum"] = (sum, [("y", i) for i in range(half)])
    return nodes


def measure(bench: harness.Bench) -> None:
    """Emit dask_graph, tasks per second."""
    bench.ray  # noqa: B018  # imported, and a session started, before the first sample
    get = importlib.import_module(f"{bench.engine}.util.dask").ray_dask_get
    tasks = 1000 if bench.scaled_down else _TASKS
    nodes = graph(tasks)
    bench.rate("dask_graph", lambda: get(nodes, "sum"), tasks, tasks=tasks)


if __name__ == "__main__":
    harness.main(measure)
