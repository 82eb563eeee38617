"""The engine's multiprocessing.Pool: map where each item is a call of its own."""

from __future__ import annotations

import importlib

import harness

_BATCH = 1000


def measure(bench: harness.Bench) -> None:
    """Emit util_pool_map, items per second."""
    bench.ray  # noqa: B018  # imported, and a session started, before the first sample
    multiprocessing = importlib.import_module(f"{bench.engine}.util.multiprocessing")

    def small_value(_: int) -> bytes:
        return b"ok"

    with multiprocessing.Pool(harness.CPUS) as pool:
        bench.rate(
            "util_pool_map", lambda: pool.map(small_value, range(_BATCH), chunksize=1), _BATCH
        )


if __name__ == "__main__":
    harness.main(measure)
