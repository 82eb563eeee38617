"""How fast large arrays go into the store, into new and into touched memory, and come back."""

from __future__ import annotations

import time
from typing import Any

import harness

_LARGE_BYTES = 100 << 20
_MIDDLE_BYTES = 1 << 20
_KEPT = 8


def _put_new(bench: harness.Bench, data: Any) -> None:
    """Put into memory that the store has not used yet: the first puts, all of them kept.

    Comes first in the process, once: afterwards the store's memory is touched.
    """
    ray = bench.ray
    cpu = bench.cpu_seconds()
    start = time.perf_counter()
    kept = [ray.put(data) for _ in range(_KEPT)]
    elapsed = time.perf_counter() - start
    cpu = bench.cpu_seconds() - cpu
    del kept
    work = _KEPT * data.nbytes / 1e9
    bench.emit("put_100mb_new", work / elapsed, work=work, elapsed_s=elapsed, cpu_s=cpu)


def measure(bench: harness.Bench) -> None:
    """Emit put_100mb_new, put_100mb, put_1mb (GB/s) and get_100mb (objects per second)."""
    import numpy

    ray = bench.ray
    # Written memory: untouched zero pages would all be read from one cached page.
    large = numpy.random.default_rng(bench.seed).integers(0, 256, _LARGE_BYTES, numpy.uint8)
    if bench.wants("put_100mb_new"):
        _put_new(bench, large)
    bench.rate("put_100mb", lambda: ray.put(large), large.nbytes / 1e9)
    middle = large[:_MIDDLE_BYTES].copy()
    bench.rate("put_1mb", lambda: ray.put(middle), middle.nbytes / 1e9)
    if bench.wants("get_100mb"):
        ref = ray.put(large)
        got = ray.get(ref)
        assert got.nbytes == large.nbytes
        assert (got[::4096] == large[::4096]).all()
        bench.rate("get_100mb", lambda: ray.get(ref)[-1])


if __name__ == "__main__":
    harness.main(measure)
