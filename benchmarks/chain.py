"""What dependence costs: a chain of 100 tasks, each with the result of the one before."""

from __future__ import annotations

import harness

_LENGTH = 100


def measure(bench: harness.Bench) -> None:
    """Emit chain_100, tasks per second."""
    ray = bench.ray

    @ray.remote
    def add_one(x: int) -> int:
        return x + 1

    def chain() -> None:
        ref = add_one.remote(0)
        for _ in range(_LENGTH - 1):
            ref = add_one.remote(ref)
        assert ray.get(ref) == _LENGTH

    bench.rate("chain_100", chain, _LENGTH)


if __name__ == "__main__":
    harness.main(measure)
