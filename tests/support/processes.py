"""What /proc tells about processes: those of a driver's tree, their memory and descriptors."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

# Every process below a marked driver inherits this variable, so it is found even when its parent
# is gone and init has adopted it.
MARK_VARIABLE = "THORNBACK_TEST_MARK"


def pids() -> list[int]:
    """All process ids of the machine."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _read(pid: int, name: str) -> bytes:
    try:
        with open(f"/proc/{pid}/{name}", "rb") as handle:
            return handle.read()
    except OSError:  # gone meanwhile, or not ours to look at
        return b""


def state_of(pid: int) -> str | None:
    """The letter of the process's state (R, S, Z, ...), None when there is no such process."""
    stat = _read(pid, "stat").decode(errors="replace")
    return stat.rpartition(")")[2].split()[0] if stat else None


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not: only its exit code is left of it."""
    return state_of(pid) not in (None, "Z", "X")


def command_of(pid: int) -> str:
    """The process's command line, readable."""
    return _read(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace").strip()


def marked(mark: str) -> set[int]:
    """Living processes, other than this one, that inherited `mark`."""
    wanted = f"{MARK_VARIABLE}={mark}".encode()
    own = os.getpid()
    return {
        pid
        for pid in pids()
        if pid != own and wanted in _read(pid, "environ").split(b"\0") and is_alive(pid)
    }


def _parent_of(pid: int) -> int | None:
    stat = _read(pid, "stat").decode(errors="replace")
    return int(stat.rpartition(")")[2].split()[1]) if stat else None


def descendants(root: int) -> set[int]:
    """Living processes below `root`, at any depth."""
    children: dict[int, list[int]] = {}
    for pid in pids():
        parent = _parent_of(pid)
        if parent is not None:
            children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    todo = [root]
    while todo:
        for child in children.get(todo.pop(), []):
            if is_alive(child) and child not in found:
                found.add(child)
                todo.append(child)
    return found


def children(pid: int) -> set[int]:
    """Direct children of the process, with those that nobody has waited for yet."""
    return {other for other in pids() if _parent_of(other) == pid}


def describe(some: set[int]) -> str:
    """The processes, one a line, for a failure's message."""
    return "\n".join(f"  {pid} {state_of(pid)} {command_of(pid)[:150]}" for pid in sorted(some))


def rss_bytes(pid: int) -> int:
    """Resident memory of the process."""
    match = re.search(rb"VmRSS:\s+(\d+) kB", _read(pid, "status"))
    return int(match.group(1)) * 1024 if match else 0


def threads(pid: int) -> int:
    """Number of the process's threads."""
    return len(os.listdir(f"/proc/{pid}/task"))


def descriptors(pid: int) -> dict[str, str]:
    """Open descriptors of the process and what they lead to."""
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[fd] = os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue
    return found


def files_in_use() -> Iterator[str]:
    """Paths that some living process has open or mapped."""
    for pid in pids():
        try:
            yield from descriptors(pid).values()
        except OSError:
            continue
        for line in _read(pid, "maps").decode(errors="replace").splitlines():
            fields = line.split(None, 5)
            if len(fields) == 6:
                yield fields[5]
