"""A queue of tasks behind a task that holds every CPU: filled, weighed, let go, drained."""

from __future__ import annotations

import gc
import os
import tempfile
import time
from dataclasses import dataclass
from typing import Any

import harness
import processes

_POLL_S = 0.002
_HOLD_LIMIT_S = 60.0


@dataclass(frozen=True)
class Passage:
    """What it took to send `count` tasks through the queue.

    Attributes
    ----------
    count : int, tasks
    submit_s : float, all calls of ``.remote()``
    drain_s : float, from the holder's release to the last result, in seconds
    per_task_s : float, submission plus draining from the end of the holder on, for one task;
        without the delay until the holder notices its release, which would weigh on short
        queues only, and with all work that is done for the queue's tasks
    driver_bytes : int, growth of the driver's resident memory when all were queued
    cpu_s : float, CPU time of the whole tree
    """

    count: int
    submit_s: float
    drain_s: float
    per_task_s: float
    driver_bytes: int
    cpu_s: float


def _hold(ray: Any, path: str) -> Any:
    """Start a task that holds all CPUs while the file exists; return when it runs."""
    running, poll_s = path + ".running", _POLL_S

    @ray.remote(num_cpus=harness.CPUS)
    def hold() -> float:
        open(running, "w").close()
        while os.path.exists(path):
            time.sleep(poll_s)
        return time.perf_counter()  # the system's monotonic clock, the same in all processes

    ref = hold.remote()
    limit = time.monotonic() + _HOLD_LIMIT_S
    while not os.path.exists(running):
        if time.monotonic() > limit:
            raise TimeoutError(f"the holding task did not start within {_HOLD_LIMIT_S} s")
        time.sleep(_POLL_S)
    os.unlink(running)
    return ref


def passage(bench: harness.Bench, task: Any, count: int) -> Passage:
    """Queue `count` calls of `task` behind a holder, let them go and wait for all.

    Preconditions: the task has run before, so that its function is at the workers.
    """
    ray = bench.ray
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "held")
        open(path, "w").close()
        holder = _hold(ray, path)
        gc.collect()
        before_bytes, cpu = processes.rss_bytes(os.getpid()), bench.cpu_seconds()
        start = time.perf_counter()
        refs = [task.remote() for _ in range(count)]
        submitted = time.perf_counter()
        grown_bytes = processes.rss_bytes(os.getpid()) - before_bytes
        os.unlink(path)
        released = time.perf_counter()
        results = ray.get(refs)
        drained = time.perf_counter()
        cpu = bench.cpu_seconds() - cpu
        assert len(results) == count
        assert results[-1] == b"ok"
        ended = ray.get(holder)
    return Passage(
        count=count,
        submit_s=submitted - start,
        drain_s=drained - released,
        per_task_s=(submitted - start + drained - ended) / count,
        driver_bytes=grown_bytes,
        cpu_s=cpu,
    )
