"""Tasks and an actor to put into scopes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from .engine import ray
from .gates import Gate, count

LONG_S = 60.0
# All that should end soon does, with other load on the machine.
SOON_S = 20.0


@ray.remote
def sleeps(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@ray.remote(num_cpus=0)  # so that it need not wait for what it is to end
def fails(gate: Gate | None = None, text: str = "as it should") -> None:
    if gate is not None:
        gate.wait()
    raise ValueError(text)


@ray.remote
def notes(folder: Path, seconds: float = 0.0) -> int:
    time.sleep(seconds)
    return count(folder, "note")


@ray.remote
class Sleeper:
    def nap(self, seconds: float) -> float:
        time.sleep(seconds)
        return seconds

    def fail(self) -> None:
        raise KeyError("in a method")


def ready(refs: list[Any]) -> bool:
    return not refs or len(ray.wait(refs, num_returns=len(refs), timeout=0)[0]) == len(refs)


def cancelled(ref: Any) -> None:
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(ref, timeout=SOON_S)


def dies(actor: Any) -> str:
    with pytest.raises(ray.exceptions.ActorDiedError) as caught:
        ray.get(actor.nap.remote(0), timeout=SOON_S)
    return str(caught.value)
