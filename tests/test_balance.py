"""Whatever happens to tasks and actors, in any order: resources and store are as before."""

from __future__ import annotations

import contextlib
import os
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support import balance, engine
from support.engine import ray
from support.gates import Gate
from support.waiting import wait_until

pytestmark = pytest.mark.only_thornback

ROUNDS = 60


@ray.remote
def work(kind: str, *args: Any) -> Any:
    """What a task of this kind does."""
    if kind == "raise":
        raise ValueError(kind)
    if kind == "die":
        os._exit(3)
    if kind == "large":
        return np.zeros(200_000)
    if kind == "nested":
        return ray.get([work.options(num_cpus=0.5).remote("small") for _ in range(3)])
    if kind == "gate":
        args[0].wait()
    return ray.get_gpu_ids()


@ray.remote
class Actor:
    def __init__(self, kind: str = "") -> None:
        if kind == "raise":
            raise ValueError(kind)
        if kind == "die":
            os._exit(3)

    def call(self, kind: str, *args: Any) -> Any:
        if kind == "raise":
            raise ValueError(kind)
        if kind == "die":
            os._exit(3)
        if kind == "exit":
            ray.actor.exit_actor()
        if kind == "gate":
            args[0].wait()
        return os.getpid()


class Play:
    """A random sequence of submissions, cancellations, kills and drops, from one seed."""

    def __init__(self, seed: int, gate: Gate) -> None:
        self.random = random.Random(seed)
        self.gate = gate
        self.refs: list[Any] = []
        self.actors: list[Any] = []

    def options(self) -> dict[str, Any]:
        choice = self.random.choice
        wanted = {
            "num_cpus": choice([None, 0, 0.5, 1, 2]),
            "num_gpus": choice([None, None, 0.5, 0.3, 1, 2]),
            "resources": choice([None, None, {"slot": 1}, {"share": 0.7}]),
        }
        return {name: value for name, value in wanted.items() if value is not None}

    def task(self) -> None:
        kind = self.random.choice(["small", "small", "raise", "die", "large", "nested", "gate"])
        arguments = [self.gate] if kind == "gate" else self.random.sample(self.refs[-3:], 1)[:1]
        retries = {"max_retries": self.random.choice([0, 1])}
        self.refs.append(work.options(**self.options(), **retries).remote(kind, *arguments))

    def actor(self) -> None:
        kind = self.random.choice(["", "", "", "raise", "die"])
        restarts = {"max_restarts": self.random.choice([0, 1])}
        self.actors.append(Actor.options(**self.options(), **restarts).remote(kind))

    def call(self) -> None:
        if self.actors:
            kind = self.random.choice(["", "", "raise", "die", "exit", "gate"])
            actor = self.random.choice(self.actors)
            self.refs.append(actor.call.remote(kind, self.gate))

    def cancel(self) -> None:
        ref = self.random.choice(self.refs)
        with contextlib.suppress(ValueError):  # force is refused for calls of actors
            ray.cancel(ref, force=self.random.random() < 0.5)

    def kill(self) -> None:
        if self.actors:
            actor = self.random.choice(self.actors)
            ray.kill(actor, no_restart=self.random.random() < 0.5)

    def kill_process(self) -> None:
        from thornback import _debug

        workers = [w["pid"] for w in _debug.control("workers") if w["pid"]]
        if workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.random.choice(workers), signal.SIGKILL)

    def drop(self) -> None:
        if len(self.refs) > 3:
            del self.refs[self.random.randrange(len(self.refs))]
        if self.actors and self.random.random() < 0.5:
            del self.actors[self.random.randrange(len(self.actors))]

    def look(self) -> None:
        ray.wait(self.refs, num_returns=1, timeout=0.02)

    def step(self) -> None:
        steps: list[tuple[Callable[[], None], int]] = [
            (self.task, 6),
            (self.actor, 2),
            (self.call, 4),
            (self.cancel, 2),
            (self.kill, 1),
            (self.kill_process, 1),
            (self.drop, 3),
            (self.look, 3),
        ]
        self.random.choices([s for s, _ in steps], [n for _, n in steps])[0]()


@pytest.fixture(scope="module")
def two_gpus(session_folder: Path) -> Iterator[None]:
    """A session with devices."""
    ray.shutdown()
    engine.start(num_gpus=2)
    yield
    ray.shutdown()


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize("seed", range(6))
def test_any_sequence(seed: int, tmp_path: Path) -> None:
    balance.wait_balanced()
    before = balance.stats()
    gate = Gate(tmp_path)
    play = Play(seed, gate)
    play.refs = [work.remote("small"), ray.put(np.zeros(100_000))]
    try:
        for _ in range(ROUNDS):
            play.step()
            assert not balance.books()
    finally:
        gate.open()
    # What actors have they keep, so others could wait for ever.
    play.actors.clear()
    ready, waiting = ray.wait(play.refs, num_returns=len(play.refs), timeout=40)
    assert not waiting, "\n".join(str(ray.explain(ref)) for ref in waiting)
    play.refs.clear()
    del ready
    balance.wait_balanced()
    balance.wait_objects(before)
    # The session is as good as new: all that there is can be had at once.
    everything = work.options(num_cpus=2, num_gpus=2, resources={"slot": 1, "share": 2})
    assert ray.get(everything.remote("small"), timeout=30) == [0, 1]
    wait_until(lambda: not balance.books())
