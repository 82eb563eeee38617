"""How fast actors come and go: created, called once, killed."""

from __future__ import annotations

import harness

_ACTORS = 30
_ACTORS_QUICK = 10
_WARM_UP = 2


def measure(bench: harness.Bench) -> None:
    """Emit actors_created, actors per second (30 at a time)."""
    ray = bench.ray
    # Real Ray needs ten seconds for thirty; the rate does not depend on the count.
    count = _ACTORS_QUICK if bench.quick and bench.scaled_down else _ACTORS

    @ray.remote(num_cpus=0)
    class Actor:
        def small_value(self) -> bytes:
            return b"ok"

    def come_and_go(count: int = count) -> None:
        actors = [Actor.remote() for _ in range(count)]
        ray.get([actor.small_value.remote() for actor in actors])
        for actor in actors:
            ray.kill(actor)

    come_and_go(_WARM_UP)
    bench.rate("actors_created", come_and_go, count, warm_up=False, count=count)


if __name__ == "__main__":
    harness.main(measure)
