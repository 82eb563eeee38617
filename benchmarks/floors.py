"""The floors: what this machine gives at best to rings, memory copies and forks.

Compiles ``floors.c`` into a temporary folder, runs it, and adds the fork of a small Python
process, which is what a worker costs that comes from a zygote. Prints raw samples as the
other scripts do.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

_SOURCE = Path(__file__).with_name("floors.c")
_COMPILE_FLAGS = ("-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror")
_COPY_MIB = 100
_RUN_LIMIT_S = 120
_FORKS = 100
_FORK_SAMPLES = 5

Floors = dict[str, list[float]]


def _measure_c() -> Floors:
    """Compile and run the C program."""
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "floors")
        compiler = os.environ.get("CC", "cc")
        subprocess.run([compiler, *_COMPILE_FLAGS, "-o", program, str(_SOURCE)], check=True)
        text = subprocess.run(
            [program, str(_COPY_MIB)], check=True, capture_output=True, timeout=_RUN_LIMIT_S
        ).stdout
    result: Floors = json.loads(text)
    return result


def _fork_once() -> tuple[float, float]:
    """Fork; return the seconds until the child's first instruction and until its end."""
    read_end, write_end = os.pipe()
    start = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        os.write(write_end, b"1")
        os._exit(0)
    os.read(read_end, 1)
    first = time.perf_counter()
    os.waitpid(pid, 0)
    done = time.perf_counter()
    os.close(read_end)
    os.close(write_end)
    return first - start, done - start


def _measure_forks() -> Floors:
    """Fork this process, which has imported next to nothing, as a zygote would."""
    floors: Floors = {"fork_first_s": [], "fork_exit_s": []}
    for _ in range(_FORK_SAMPLES):
        times = [_fork_once() for _ in range(_FORKS)]
        floors["fork_first_s"].append(sum(first for first, _ in times) / _FORKS)
        floors["fork_exit_s"].append(sum(done for _, done in times) / _FORKS)
    return floors


if __name__ == "__main__":
    # Forks first: they copy page tables, so this process should still be small.
    for name, values in (_measure_forks() | _measure_c()).items():
        for value in values:
            print(json.dumps({"row": name, "value": value}))
