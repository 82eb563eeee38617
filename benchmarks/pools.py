"""The same small work on the peers that are no Ray: pools, executors, loky and Dask."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
from typing import Any

import dask_graph
import harness

_BATCH = 1000
_GRAPH_TASKS = 10_000
_ARGUMENT_BYTES = 1 << 20


def small_value(_: int = 0) -> bytes:
    """Return what the engines' small tasks return."""
    return b"ok"


def length(data: bytes) -> int:
    """Take a large argument."""
    return len(data)


def _measure_multiprocessing(bench: harness.Bench) -> None:
    """Emit pool_sync, pool_map: multiprocessing.Pool, forked."""
    with multiprocessing.get_context("fork").Pool(harness.CPUS) as pool:
        bench.rate("pool_sync", lambda: pool.apply(small_value))
        bench.rate("pool_map", lambda: pool.map(small_value, range(_BATCH), chunksize=1), _BATCH)
        bench.emit_memory("multiprocessing")


def _measure_executor(bench: harness.Bench) -> None:
    """Emit executor_sync, executor_async, executor_1mb: ProcessPoolExecutor, forked."""
    context = multiprocessing.get_context("fork")
    data = bytes(_ARGUMENT_BYTES)
    with concurrent.futures.ProcessPoolExecutor(harness.CPUS, context) as executor:

        def batch() -> None:
            futures = [executor.submit(small_value) for _ in range(_BATCH)]
            for future in futures:
                future.result()

        bench.rate("executor_sync", lambda: executor.submit(small_value).result())
        bench.rate("executor_async", batch, _BATCH)
        bench.rate("executor_1mb", lambda: executor.submit(length, data).result())
        bench.emit_memory("executor")


def measure_std(bench: harness.Bench) -> None:
    """Emit the rows of the standard library."""
    if bench.wants("pool_sync", "pool_map"):
        _measure_multiprocessing(bench)
    if bench.wants("executor_sync", "executor_async", "executor_1mb"):
        _measure_executor(bench)


def measure_joblib(bench: harness.Bench) -> None:
    """Emit loky_async: joblib's processes, one task per batch."""
    import joblib

    with joblib.Parallel(n_jobs=harness.CPUS, backend="loky", batch_size=1) as parallel:
        work = joblib.delayed(small_value)
        bench.rate("loky_async", lambda: parallel(work() for _ in range(_BATCH)), _BATCH)
        bench.emit_memory("joblib")


class Actor:
    """The actor of the engines' scripts, for Dask."""

    def small_value(self) -> bytes:
        """Return a small value."""
        return b"ok"


def measure_dask(bench: harness.Bench) -> None:
    """Emit the rows of Dask distributed: processes on this machine."""
    from dask.distributed import Client

    def one(client: Any) -> None:
        client.submit(small_value, pure=False).result()

    def batch(client: Any) -> None:
        client.gather([client.submit(small_value, pure=False) for _ in range(_BATCH)])

    with Client(
        n_workers=harness.CPUS, threads_per_worker=1, processes=True, dashboard_address=None
    ) as client:
        bench.rate("dask_sync", lambda: one(client))
        bench.rate("dask_async", lambda: batch(client), _BATCH)
        if bench.wants("dask_actor"):
            actor = client.submit(Actor, actor=True).result()
            bench.rate("dask_actor", lambda: actor.small_value().result())
        if bench.wants("distributed_graph"):
            nodes = dask_graph.graph(_GRAPH_TASKS)
            bench.rate("distributed_graph", lambda: client.get(nodes, "sum"), _GRAPH_TASKS)
        bench.emit_memory("dask")


if __name__ == "__main__":
    bench = harness.Bench(harness.parse())
    {"std": measure_std, "joblib": measure_joblib, "dask": measure_dask}[bench.engine](bench)
