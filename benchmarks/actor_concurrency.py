"""What a call costs when an actor runs several at a time: async methods, threads, by name."""

from __future__ import annotations

import harness

_BATCH = 1000
_THREADS = 4


def measure(bench: harness.Bench) -> None:
    """Emit calls per second to async and threaded actors, and look-ups by name per second."""
    ray = bench.ray

    @ray.remote(num_cpus=0)
    class Async:
        async def small_value(self) -> bytes:
            return b"ok"

    @ray.remote(num_cpus=0, max_concurrency=_THREADS)
    class Threaded:
        def small_value(self) -> bytes:
            return b"ok"

    for name, actor in (("async", Async.remote()), ("threaded", Threaded.remote())):
        one = actor.small_value
        assert ray.get(one.remote()) == b"ok"

        def sync(one: object = one) -> None:
            ray.get(one.remote())

        def batch(one: object = one) -> None:
            ray.get([one.remote() for _ in range(_BATCH)])

        bench.rate(f"actor_{name}_sync", sync)
        bench.rate(f"actor_{name}_async", batch, _BATCH)
        ray.kill(actor)
    if bench.wants("named_lookup"):
        named = Async.options(name="benchmark").remote()
        ray.get(named.small_value.remote())
        bench.rate("named_lookup", lambda: ray.get_actor("benchmark"))
        ray.kill(named)


if __name__ == "__main__":
    harness.main(measure)
