"""What it costs to wait: 1,000 tasks, taken one at a time as they get ready."""

from __future__ import annotations

import harness

_REFS = 1000


def measure(bench: harness.Bench) -> None:
    """Emit wait_1k, rounds per second; a round submits 1,000 tasks and waits 1,000 times."""
    ray = bench.ray

    @ray.remote
    def small_value() -> bytes:
        return b"ok"

    def one_round() -> None:
        waiting = [small_value.remote() for _ in range(_REFS)]
        fetch = True  # asking once for each object is enough, as in Ray's own microbenchmark
        while waiting:
            _, waiting = ray.wait(waiting, fetch_local=fetch)
            fetch = False

    bench.rate("wait_1k", one_round)


if __name__ == "__main__":
    harness.main(measure)
