"""Meeting points for tasks, in the file system, so that they need nothing of the engine."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from .waiting import wait_until


@dataclass(frozen=True)
class Gate:
    """Holds tasks until the test opens it."""

    folder: Path
    name: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def _path(self) -> Path:
        return self.folder / f"gate-{self.name}"

    def open(self) -> None:
        """Let all through, now and later."""
        self._path.touch()

    def wait(self, limit_s: float = 50.0) -> None:
        """Wait until it is open; in a task, this keeps the task running."""
        wait_until(self._path.exists, limit_s, f"{self.name} to open")


@dataclass(frozen=True)
class Meeting:
    """Lets its guests go on only when so many are there at the same time."""

    folder: Path
    size: int
    name: str = field(default_factory=lambda: uuid.uuid4().hex)

    def present(self) -> int:
        """How many have come so far."""
        return len(list(self.folder.glob(f"guest-{self.name}-*")))

    def join(self, limit_s: float = 20.0) -> bool:
        """Come, and wait for the others; False when they do not come in time."""
        (self.folder / f"guest-{self.name}-{uuid.uuid4().hex}").touch()
        try:
            wait_until(lambda: self.present() >= self.size, limit_s)
        except AssertionError:
            return False
        return True


def count(folder: Path, name: str) -> int:
    """Note one more event called `name` and return how many there are now."""
    (folder / f"event-{name}-{uuid.uuid4().hex}").touch()
    return counted(folder, name)


def counted(folder: Path, name: str) -> int:
    """How many events called `name` there have been."""
    return len(list(folder.glob(f"event-{name}-*")))


def work(seconds: float) -> tuple[float, float]:
    """Take up a place for some time; return when that began and ended on the common clock."""
    begin = time.monotonic()
    time.sleep(seconds)
    return begin, time.monotonic()


def most_at_once(spans: list[tuple[float, float]]) -> int:
    """The largest number of spans that overlap at one moment."""
    events = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans])
    now = most = 0
    for _, step in events:
        now += step
        most = max(most, now)
    return most
