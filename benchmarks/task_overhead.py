"""What a task costs that does nothing: one at a time, and a thousand at a time."""

from __future__ import annotations

import harness

_BATCH = 1000


def measure(bench: harness.Bench) -> None:
    """Emit task_sync and task_async, tasks per second."""
    ray = bench.ray

    @ray.remote
    def small_value() -> bytes:
        return b"ok"

    def sync() -> None:
        ray.get(small_value.remote())

    def batch() -> None:
        ray.get([small_value.remote() for _ in range(_BATCH)])

    assert ray.get(small_value.remote()) == b"ok"
    bench.rate("task_sync", sync)
    bench.rate("task_async", batch, _BATCH)


if __name__ == "__main__":
    harness.main(measure)
