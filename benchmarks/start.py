"""How long until an engine is there: import, init(), and the first task's result after it."""

from __future__ import annotations

import subprocess
import sys
import time

import harness

_IMPORT = """
import time
start = time.perf_counter()
import {engine}
print(time.perf_counter() - start)
"""
_IMPORTS = 3


def _import_seconds(engine: str) -> float:
    """Import the engine in a process that has imported nothing else."""
    command = [sys.executable, "-c", _IMPORT.format(engine=engine)]
    # The last line: an engine may print while it is imported.
    return float(subprocess.run(command, check=True, capture_output=True).stdout.split()[-1])


def measure(bench: harness.Bench) -> None:
    """Emit import_s, init_s and first_task_s, one start per process."""
    if bench.wants("import_s"):
        _import_seconds(bench.engine)  # files into the page cache, bytecode written
        for _ in range(_IMPORTS):
            bench.emit("import_s", _import_seconds(bench.engine))
    if not bench.wants("init_s", "first_task_s"):
        return
    ray = bench.ray
    cpu = bench.cpu_seconds()
    start = time.perf_counter()
    ray.init(num_cpus=harness.CPUS)
    ready = time.perf_counter()

    @ray.remote
    def first(x: int) -> int:
        return x + 1

    assert ray.get(first.remote(1)) == 2
    done = time.perf_counter()
    cpu = bench.cpu_seconds() - cpu
    bench.emit("init_s", ready - start, cpu_s=cpu, work=1, cpu_of="init and the first task")
    bench.emit("first_task_s", done - ready)
    bench.emit_memory("start")
    ray.shutdown()


if __name__ == "__main__":
    harness.main(measure, started=False)
