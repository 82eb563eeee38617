"""What a driver may leave behind: processes, shared memory, sockets, temporary files."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from . import processes
from .waiting import wait_until

SHARED_MEMORY = Path("/dev/shm")
# The promise: this long after a driver's end, however it ended, nothing of it is left.
LIMIT_S = 2.0


def _shared_memory() -> set[str]:
    return {str(path) for path in SHARED_MEMORY.iterdir()} if SHARED_MEMORY.is_dir() else set()


def files_below(folder: Path) -> list[str]:
    """Whatever lies below `folder`; empty folders at the top (a user's root) are no leftovers."""
    found = []
    for base, folders, files in os.walk(folder):
        found += [os.path.join(base, name) for name in files]
        if Path(base) != folder:
            found += [os.path.join(base, name) for name in folders]
    return sorted(found)


@dataclass
class Watch:
    """Taken before a driver starts; says afterwards what of it is left."""

    mark: str
    folders: list[Path]
    family: set[int] = field(default_factory=set)
    _shared_before: set[str] = field(default_factory=_shared_memory)

    def remember(self, driver: int) -> None:
        """Keep the driver's present tree, for processes that have hidden their environment."""
        self.family |= processes.descendants(driver) | {driver}

    def processes(self) -> set[int]:
        """Processes of the driver's tree that still live."""
        return processes.marked(self.mark) | {p for p in self.family if processes.is_alive(p)}

    def shared_memory(self) -> set[str]:
        """New segments that no living process uses: those of other programs are in use."""
        new = {path for path in _shared_memory() - self._shared_before if not self._foreign(path)}
        return new - set(processes.files_in_use()) if new else new

    def _foreign(self, path: str) -> bool:
        """Whether it is a folder of joblib's, whose name says its process, and that is not ours."""
        match = re.match(r"joblib_memmapping_folder_(\d+)_", Path(path).name)
        return match is not None and int(match[1]) not in self.family

    def files(self) -> list[str]:
        """Files and sockets in the driver's temporary folders."""
        return [path for folder in self.folders for path in files_below(folder)]

    def describe(self) -> str:
        """All that is left, for a failure's message."""
        return (
            f"the driver's leftovers to go:\n{processes.describe(self.processes())}\n"
            f"  shared memory {sorted(self.shared_memory())}\n  files {self.files()}"
        )

    def assert_clean(self, limit_s: float = LIMIT_S) -> None:
        """Fail unless everything of the driver is gone within `limit_s`."""
        wait_until(lambda: not self.processes(), limit_s, self.describe)
        # What is looked at here was to be gone before the processes were, or at the latest now.
        wait_until(lambda: not self.shared_memory() and not self.files(), 0.5, self.describe)
