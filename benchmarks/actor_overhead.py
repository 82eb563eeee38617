"""What an actor's call costs: one at a time, a thousand at a time, n:n, with a large argument."""

from __future__ import annotations

from typing import Any

import harness

_BATCH = 1000
_CALLERS = 2
_ACTORS = 2
_CALLS_PER_CALLER = 2000
_ARGUMENT_BYTES = 1 << 20


def measure(bench: harness.Bench) -> None:
    """Emit actor_sync, actor_async, actor_n_n and actor_1mb, calls per second."""
    ray = bench.ray

    @ray.remote(num_cpus=0)
    class Actor:
        def small_value(self) -> bytes:
            return b"ok"

        def length(self, data: Any) -> int:
            return len(data)

    actors = [Actor.remote() for _ in range(_ACTORS)]
    one = actors[0]
    assert ray.get([actor.small_value.remote() for actor in actors]) == [b"ok"] * _ACTORS

    def sync() -> None:
        ray.get(one.small_value.remote())

    def batch() -> None:
        ray.get([one.small_value.remote() for _ in range(_BATCH)])

    bench.rate("actor_sync", sync)
    bench.rate("actor_async", batch, _BATCH)
    _measure_n_n(bench, actors)
    _measure_argument(bench, one)
    for actor in actors:
        ray.kill(actor)


def _measure_n_n(bench: harness.Bench, actors: list[Any]) -> None:
    """Two tasks call two actors in turn; the calls go from worker to worker."""
    ray, calls = bench.ray, _CALLS_PER_CALLER

    @ray.remote
    def caller(targets: list[Any]) -> None:
        ray.get([targets[i % len(targets)].small_value.remote() for i in range(calls)])

    def callers() -> None:
        ray.get([caller.remote(actors) for _ in range(_CALLERS)])

    bench.rate("actor_n_n", callers, _CALLERS * calls)


def _measure_argument(bench: harness.Bench, actor: Any) -> None:
    """Send one array of 1 MiB with each call, by value: every call stores it anew."""
    if not bench.wants("actor_1mb"):
        return
    import numpy

    ray = bench.ray
    data = numpy.random.default_rng(bench.seed).integers(0, 256, _ARGUMENT_BYTES, numpy.uint8)
    assert ray.get(actor.length.remote(data)) == _ARGUMENT_BYTES
    bench.rate("actor_1mb", lambda: ray.get(actor.length.remote(data)))


if __name__ == "__main__":
    harness.main(measure)
