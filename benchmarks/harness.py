"""What every benchmark script shares: the engine by its name, timing, CPU, memory, output.

A script holds one function ``measure(bench)`` and ends with ``harness.main(measure)``.
It prints one JSON object per line for each sample; lines that are no JSON are noise of the
engine. The same script runs on every engine with Ray's interface:

    python benchmarks/task_overhead.py --engine thornback
    python benchmarks/task_overhead.py --engine ray

Remote functions are defined inside ``measure``: they travel by value, so that a worker
needs neither this folder nor the script.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import processes

CPUS = len(os.sched_getaffinity(0))
_WARM_UP_SHARE = 0.5


class Bench:
    """One run of one script on one engine.

    Attributes
    ----------
    engine : str, the module's name: "thornback" or "ray", or a peer's name in pools.py
    seconds : float, length of one sample
    samples : int, samples per row in this process
    seed : int, for data that a script makes up
    quick : bool, a script may take smaller counts and then says so in its samples
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.engine: str = options.engine
        self.seconds: float = options.seconds
        self.samples: int = options.samples
        self.seed: int = options.seed
        self.quick: bool = options.quick
        self._rows = set(options.rows.split(",")) if options.rows else None
        self._mark = os.environ.get(processes.MARK, "")

    @property
    def ray(self) -> Any:
        """The engine's module, imported when first asked for."""
        return importlib.import_module(self.engine)

    @property
    def scaled_down(self) -> bool:
        """Whether counts shrink: real Ray would need minutes for a million tasks.

        Real Ray is told by the module's own name, whatever name it was imported under.
        """
        return bool(self.ray.__name__ == "ray")

    def wants(self, *rows: str) -> bool:
        """Say whether any of the rows was asked for."""
        return self._rows is None or not self._rows.isdisjoint(rows)

    def tree(self) -> set[int]:
        """Return the processes of this run, this one included."""
        return processes.tree(os.getpid(), self._mark)

    def cpu_seconds(self) -> float:
        """Return the CPU time of the whole tree so far."""
        return processes.cpu_seconds(self.tree())

    def emit(self, row: str, value: float, **facts: Any) -> None:
        """Print one raw sample; the facts are numbers and words that explain it."""
        print(json.dumps({"row": row, "value": value, **facts}), flush=True)

    def rate(
        self,
        row: str,
        fn: Callable[[], object],
        multiplier: float = 1,
        *,
        warm_up: bool = True,
        **facts: Any,
    ) -> None:
        """Time `fn` over and over and emit operations per second.

        Parameters
        ----------
        row : str, the row's key; nothing happens when it was not asked for
        fn : callable, one step, run warm before the first sample
        multiplier : float, operations (or gigabytes) in one step
        warm_up : bool, False when the script did it and one step takes many seconds
        facts : printed with each sample, such as a count
        """
        if not self.wants(row):
            return
        count, start = 0, time.perf_counter()
        while warm_up and (
            not count or time.perf_counter() - start < self.seconds * _WARM_UP_SHARE
        ):
            fn()
            count += 1
        # The clock is read ten times in a sample, not once per step.
        pause = max(1, int(count / _WARM_UP_SHARE / 10))
        for _ in range(self.samples):
            gc.collect()
            self._sample(row, fn, multiplier, pause, facts)

    def _sample(
        self,
        row: str,
        fn: Callable[[], object],
        multiplier: float,
        step: int,
        facts: dict[str, Any],
    ) -> None:
        cpu = self.cpu_seconds()
        count, elapsed, start = 0, 0.0, time.perf_counter()
        while elapsed < self.seconds:
            for _ in range(step):
                fn()
            count += step
            elapsed = time.perf_counter() - start
        cpu = self.cpu_seconds() - cpu
        work = multiplier * count
        self.emit(row, work / elapsed, work=work, elapsed_s=elapsed, cpu_s=cpu, **facts)

    def emit_memory(self, question: str) -> None:
        """Emit the memory of the tree as it stands: all processes together and the driver."""
        pids = self.tree()
        self.emit(
            f"memory:{question}",
            processes.pss_bytes(pids) / 1e6,
            processes=len(pids),
            driver_rss_mb=processes.rss_bytes(os.getpid()) / 1e6,
        )


Measure = Callable[[Bench], None]


def parse(argv: list[str] | None = None, **more: Any) -> argparse.Namespace:
    """Read a script's command line; `more` describes one further positional argument."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    if more:
        parser.add_argument("questions", **more)
    parser.add_argument("--engine", default=os.environ.get("BENCHMARK_ENGINE", "thornback"))
    parser.add_argument("--seconds", type=float, default=1.0, help="length of one sample")
    parser.add_argument("--samples", type=int, default=3, help="samples per row")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", default="", help="only these rows, comma between them")
    parser.add_argument("--quick", action="store_true", help="smaller counts")
    return parser.parse_args(argv)


def run(bench: Bench, questions: dict[str, Measure]) -> None:
    """Start the engine once, answer the questions in it, shut it down."""
    ray = bench.ray
    ray.init(num_cpus=CPUS)
    try:
        for name, measure in questions.items():
            measure(bench)
            bench.emit_memory(name)
    finally:
        ray.shutdown()


def main(measure: Measure, *, started: bool = True) -> None:
    """Run a script's question; with ``started=False`` the script starts the engine itself."""
    bench = Bench(parse())
    name = os.path.splitext(os.path.basename(sys.argv[0]))[0]
    if started:
        run(bench, {name: measure})
    else:
        measure(bench)
