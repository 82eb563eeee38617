"""What this machine offers: cores and memory that the process may use."""

from __future__ import annotations

import os

_STORE_SHARE = 0.3
_STORE_BYTES_MAX = 200 * 10**9
_STORE_BYTES_MIN = 8 * 2**20
_CGROUP_LIMITS = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)
_CGROUP_CPUS = "/sys/fs/cgroup/cpu.max"


def cpu_count() -> int:
    """Return the number of cores that this process may run on, at least 1.

    With RAY_USE_MULTIPROCESSING_CPU_COUNT, those of the machine, as `os.cpu_count` has it.
    """
    if os.environ.get("RAY_USE_MULTIPROCESSING_CPU_COUNT"):
        return os.cpu_count() or 1
    cores = len(os.sched_getaffinity(0))
    try:
        with open(_CGROUP_CPUS) as file:
            quota, period = file.read().split()
    except (OSError, ValueError):
        return cores
    if quota == "max":
        return cores
    return max(1, min(cores, -(-int(quota) // int(period))))


def memory_bytes() -> int:
    """Return the memory that this process may use: the machine's, or its container's if less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in _CGROUP_LIMITS:
        try:
            with open(path) as file:
                text = file.read().strip()
        except OSError:
            continue
        if text.isdigit():
            total = min(total, int(text))
    return total


def store_bytes(wanted: int | None, memory: int) -> int:
    """Return the size of the object store.

    Parameters
    ----------
    wanted : int, bytes, or None
        What the user asks for; None means 30 % of the memory, 200 GB at most, or the share and the
        bound of RAY_DEFAULT_OBJECT_STORE_MEMORY_PROPORTION and
        RAY_DEFAULT_OBJECT_STORE_MAX_MEMORY_BYTES.
    memory : int, bytes
        What there is.

    Raises
    ------
    ValueError
        Less than 8 MiB is asked for.
    """
    if wanted is None:
        share = _number("RAY_DEFAULT_OBJECT_STORE_MEMORY_PROPORTION", _STORE_SHARE)
        most = _number("RAY_DEFAULT_OBJECT_STORE_MAX_MEMORY_BYTES", _STORE_BYTES_MAX)
        return max(_STORE_BYTES_MIN, min(int(memory * min(share, 1.0)), int(most)))
    if wanted < _STORE_BYTES_MIN:
        raise ValueError(
            f"Attempting to cap object store memory usage at {wanted} bytes, but the minimum "
            f"allowed is {_STORE_BYTES_MIN} bytes."
        )
    return int(wanted)


def _number(variable: str, default: float) -> float:
    text = os.environ.get(variable, "")
    try:
        return float(text) if text else default
    except ValueError:
        raise ValueError(f"{variable} must be a number, got {text!r}") from None
