"""What grows: the cost per task with the queue's length, per call with the live actors."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import harness
import standing_queue

_SHORT = 1000
_LONG = 1_000_000
_LONG_SCALED_DOWN = 20_000
_SHORT_PASSAGES = 15
_SHORT_PASSAGES_SCALED_DOWN = 5

_FEW = 2
_MANY = 300
_MANY_SCALED_DOWN = 20
_BATCH = 1000
_CREATED_AT_ONCE = 10


def _measure_queue(bench: harness.Bench) -> None:
    """Emit queue_growth: cost per task of a long queue over that of a short one."""
    ray = bench.ray

    @ray.remote
    def small_value() -> bytes:
        return b"ok"

    ray.get([small_value.remote() for _ in range(_SHORT)])
    repeats = _SHORT_PASSAGES_SCALED_DOWN if bench.scaled_down else _SHORT_PASSAGES
    passages = [standing_queue.passage(bench, small_value, _SHORT) for _ in range(repeats)]
    short_s = statistics.median(passed.per_task_s for passed in passages)
    count = _LONG_SCALED_DOWN if bench.scaled_down else _LONG
    long_s = standing_queue.passage(bench, small_value, count).per_task_s
    bench.emit("queue_growth", long_s / short_s, count=count, short_s=short_s, long_s=long_s)


def _call_seconds(bench: harness.Bench, step: Callable[[], object], calls: int) -> float:
    """Return the median time of one call over a second of steps."""
    times: list[float] = []
    limit = time.perf_counter() + bench.seconds
    while not times or time.perf_counter() < limit:
        start = time.perf_counter()
        step()
        times.append((time.perf_counter() - start) / calls)
    return statistics.median(times)


def _measure_actors(bench: harness.Bench) -> None:
    """Emit actor_growth and actor_growth_rotating.

    The first calls the same two actors, a thousand calls at a time, while 2 and then 300
    live: what the others cost that do nothing. The second calls all that live in turn, one
    call at a time: colder memory and more sleeping processes are in it.
    """
    ray = bench.ray

    @ray.remote(num_cpus=0)
    class Actor:
        def small_value(self) -> bytes:
            return b"ok"

    def batch() -> None:
        ray.get([actors[i % _FEW].small_value.remote() for i in range(_BATCH)])

    def rotate() -> None:
        for actor in actors:
            ray.get(actor.small_value.remote())

    def both() -> tuple[float, float]:
        rotate()
        batch()
        return _call_seconds(bench, batch, _BATCH), _call_seconds(bench, rotate, len(actors))

    actors: list[Any] = [Actor.remote() for _ in range(_FEW)]
    few = both()
    many_count = _MANY_SCALED_DOWN if bench.scaled_down else _MANY
    while len(actors) < many_count:
        room = min(_CREATED_AT_ONCE, many_count - len(actors))
        born = [Actor.remote() for _ in range(room)]
        ray.get([actor.small_value.remote() for actor in born])
        actors += born
    many = both()
    for name, index in (("actor_growth", 0), ("actor_growth_rotating", 1)):
        bench.emit(
            name, many[index] / few[index], count=many_count, few_s=few[index], many_s=many[index]
        )
    bench.emit_memory("scaling_actors")
    for actor in actors:
        ray.kill(actor)


def measure(bench: harness.Bench) -> None:
    """Emit the growth of both; see the functions above for what each one is."""
    if bench.wants("queue_growth"):
        _measure_queue(bench)
    if bench.wants("actor_growth", "actor_growth_rotating"):
        _measure_actors(bench)


if __name__ == "__main__":
    harness.main(measure)
