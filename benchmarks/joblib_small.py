"""joblib on the engine: small calls, one in a batch."""

from __future__ import annotations

import importlib
import math

import harness

_BATCH = 1000


def measure(bench: harness.Bench) -> None:
    """Emit joblib_small, calls per second."""
    import joblib

    bench.ray  # noqa: B018  # imported, and a session started, before the first sample
    importlib.import_module(f"{bench.engine}.util.joblib").register_ray()
    batch = 100 if bench.scaled_down else _BATCH
    with (
        joblib.parallel_config("ray", n_jobs=harness.CPUS),
        joblib.Parallel(batch_size=1) as parallel,
    ):
        work = joblib.delayed(math.sqrt)
        bench.rate(
            "joblib_small", lambda: parallel(work(i) for i in range(batch)), batch, calls=batch
        )


if __name__ == "__main__":
    harness.main(measure)
