"""Actor classes that more than one test file needs."""

from __future__ import annotations

import os
from typing import Any

from .engine import ray


@ray.remote
class Counter:
    """Counts, and says which process it lives in."""

    def __init__(self, start: int = 0) -> None:
        self.n = start

    def add(self, k: int = 1) -> int:
        self.n += k
        return self.n

    def value(self) -> int:
        return self.n

    def pid(self) -> int:
        return os.getpid()


@ray.remote
class Holder:
    """Keeps whatever it is given; references reach it nested in a list, so that they stay so."""

    def __init__(self, *kept: Any) -> None:
        self.kept: list[Any] = list(kept)

    def keep(self, boxed: list[Any]) -> int:
        self.kept += boxed
        return len(self.kept)

    def fetch(self, index: int) -> Any:
        return ray.get(self.kept[index])

    def nested(self, index: int) -> list[Any]:
        return [self.kept[index]]

    def call(self, index: int, method: str, *args: Any) -> Any:
        return ray.get(getattr(self.kept[index], method).remote(*args))

    def drop(self) -> None:
        self.kept.clear()

    def pid(self) -> int:
        return os.getpid()
