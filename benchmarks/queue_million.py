"""A million tasks queued behind a held worker, then drained: the time, and bytes per task."""

from __future__ import annotations

import harness
import standing_queue

_TASKS = 1_000_000
_TASKS_SCALED_DOWN = 20_000
_WARM_UP = 1000


def measure(bench: harness.Bench) -> None:
    """Emit queue_million_s (seconds for a million) and queue_task_bytes.

    Where the count is scaled down the time is multiplied up, which flatters the engine:
    its cost per task is taken to stay what it is for a short queue.
    """
    ray = bench.ray

    @ray.remote
    def small_value() -> bytes:
        return b"ok"

    ray.get([small_value.remote() for _ in range(_WARM_UP)])
    count = _TASKS_SCALED_DOWN if bench.scaled_down else _TASKS
    passed = standing_queue.passage(bench, small_value, count)
    seconds = passed.submit_s + passed.drain_s
    bench.emit(
        "queue_million_s",
        seconds * _TASKS / count,
        count=count,
        submit_s=passed.submit_s,
        drain_s=passed.drain_s,
        work=count,
        cpu_s=passed.cpu_s,
    )
    bench.emit("queue_task_bytes", passed.driver_bytes / count, count=count)


if __name__ == "__main__":
    harness.main(measure)
