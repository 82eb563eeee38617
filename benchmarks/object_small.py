"""What it costs to put a small object, and to get one that is there."""

from __future__ import annotations

import harness


def measure(bench: harness.Bench) -> None:
    """Emit put_small and get_small, objects per second."""
    ray = bench.ray
    ref = ray.put(0)
    assert ray.get(ref) == 0
    bench.rate("get_small", lambda: ray.get(ref))
    bench.rate("put_small", lambda: ray.put(0))


if __name__ == "__main__":
    harness.main(measure)
