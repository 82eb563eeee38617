"""What the kernel says about a tree of processes: who is in it, its CPU time, its memory.

Reads ``/proc`` and needs no package, because it runs inside every engine's environment.
A process belongs to the tree when it descends from the root or when it inherited the mark
(an environment variable) that the runner sets: daemons that detach keep the mark, and
processes that overwrite their environment with a title keep their parent.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

MARK = "BENCHMARK_RUN_MARK"
_TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def _read(path: str) -> bytes:
    """Return a file's bytes, or nothing when the process is gone or is not ours."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _stat(pid: int) -> list[bytes]:
    """Return the fields of ``/proc/PID/stat`` after the command's name, [] when gone."""
    text = _read(f"/proc/{pid}/stat")
    return text[text.rfind(b")") + 2 :].split() if text else []


def everyone() -> dict[int, int]:
    """Return the parent of every process that can be seen, zombies left out."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = _stat(int(name))
            if fields and fields[0] != b"Z":
                parents[int(name)] = int(fields[1])
    return parents


def tree(root: int, mark: str = "") -> set[int]:
    """Return the root, its descendants, and every process that carries the mark."""
    parents = everyone()
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    found, queue = set(), [root]
    if mark:
        needle = f"{MARK}={mark}".encode()
        queue += [pid for pid in parents if needle in _read(f"/proc/{pid}/environ").split(b"\0")]
    while queue:
        pid = queue.pop()
        if pid in parents and pid not in found:
            found.add(pid)
            queue += children.get(pid, [])
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return user and system time of the processes and of their reaped children, seconds.

    The time of a child that has ended is counted at the parent that waited for it, so the
    figure of a tree does not fall when workers come and go.
    """
    ticks = 0
    for pid in pids:
        fields = _stat(pid)
        if fields:
            ticks += sum(int(field) for field in fields[11:15])
    return ticks * _TICK_S


def cpu_seconds_exact(pids: Iterable[int]) -> float:
    """Return the time that the live threads ran, in seconds with nanosecond steps.

    For idle processes, where the 10 ms ticks of :func:`cpu_seconds` are too coarse.
    """
    total_ns = 0
    for pid in pids:
        try:
            threads = os.listdir(f"/proc/{pid}/task")
        except OSError:
            continue
        for thread in threads:
            fields = _read(f"/proc/{pid}/task/{thread}/schedstat").split()
            total_ns += int(fields[0]) if fields else 0
    return total_ns * 1e-9


def _rollup(pid: int, names: tuple[bytes, ...]) -> int:
    """Return the sum of some lines of ``/proc/PID/smaps_rollup``, bytes."""
    total_kib = 0
    for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
        name, _, rest = line.partition(b":")
        if name in names:
            total_kib += int(rest.split()[0])
    return total_kib * 1024


def pss_bytes(pids: Iterable[int]) -> int:
    """Return the proportional memory: shared pages count once over all their users."""
    return sum(_rollup(pid, (b"Pss",)) for pid in pids)


def private_bytes(pid: int) -> int:
    """Return the memory that would come back if this one process ended."""
    return _rollup(pid, (b"Private_Clean", b"Private_Dirty", b"Private_Hugetlb"))


def rss_bytes(pid: int) -> int:
    """Return the resident memory, shared pages counted in full."""
    fields = _read(f"/proc/{pid}/statm").split()
    return int(fields[1]) * _PAGE_BYTES if fields else 0
