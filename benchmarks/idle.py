"""What an engine costs that has nothing to do: CPU, memory, and the memory of an idle actor."""

from __future__ import annotations

import os
import statistics
import time

import harness
import processes

_WINDOW_S = 10.0
_SETTLE_STEP_S = 1.0
_SETTLE_LIMIT_S = 20.0
_SETTLED = 1.2  # a second's CPU is no longer falling by more than this factor
_ACTORS = 4


def _settle(bench: harness.Bench) -> None:
    """Wait until the CPU time per second has stopped falling, or the limit."""
    limit = time.monotonic() + _SETTLE_LIMIT_S
    last = float("inf")
    while time.monotonic() < limit:
        now = _cpu_share(bench, _SETTLE_STEP_S)
        if last <= now * _SETTLED or now < 1e-4:
            return
        last = now


def _cpu_share(bench: harness.Bench, window_s: float) -> float:
    """Return the CPU time of the tree over the wall time, 1.0 is one core."""
    pids = bench.tree()
    before, start = processes.cpu_seconds_exact(pids), time.perf_counter()
    time.sleep(window_s)
    elapsed = time.perf_counter() - start
    return (processes.cpu_seconds_exact(pids) - before) / elapsed


def measure(bench: harness.Bench) -> None:
    """Emit idle_cpu (percent of one core), idle_memory and idle_actor (MB).

    Memory is the proportional memory of all processes, above what this script's plain
    Python had before it imported the engine. One task has run, so one worker is there.
    """
    plain = processes.pss_bytes(bench.tree())
    ray = bench.ray
    ray.init(num_cpus=harness.CPUS)

    @ray.remote
    def once() -> int:
        return 1

    @ray.remote(num_cpus=0)
    class Actor:
        def pid(self) -> int:
            return os.getpid()

    try:
        assert ray.get(once.remote()) == 1
        _settle(bench)
        pids = bench.tree()
        bench.emit("idle_memory", (processes.pss_bytes(pids) - plain) / 1e6, processes=len(pids))
        if bench.wants("idle_cpu"):
            bench.emit("idle_cpu", 100 * _cpu_share(bench, _WINDOW_S), window_s=_WINDOW_S)
        if bench.wants("idle_actor"):
            actors = [Actor.remote() for _ in range(_ACTORS)]
            pids = set(ray.get([actor.pid.remote() for actor in actors]))
            _settle(bench)
            sizes = [processes.private_bytes(pid) / 1e6 for pid in pids]
            assert len(sizes) == _ACTORS
            assert min(sizes) > 0
            bench.emit("idle_actor", statistics.median(sizes), actors_mb=sizes)
    finally:
        ray.shutdown()


if __name__ == "__main__":
    harness.main(measure, started=False)
