"""What a reader must know about the machine and the code that gave the figures."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any


def _field(path: str, name: str) -> str:
    """Return the first value of a ``name : value`` line, "" when there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                key, _, value = line.partition(":")
                if key.strip() == name:
                    return value.strip()
    except OSError:
        pass
    return ""


def facts() -> dict[str, Any]:
    """Return processor, cores, memory, kernel and the load before the run."""
    return {
        "processor": _field("/proc/cpuinfo", "model name") or platform.machine(),
        "architecture": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(int(_field("/proc/meminfo", "MemTotal").split()[0]) / 1e6, 1),
        "kernel": platform.release(),
        "load_before": os.getloadavg()[0],
    }


def busy_seconds() -> float:
    """Return the CPU time that the machine has spent on anything since it started."""
    with open("/proc/stat", encoding="utf-8") as file:
        user, nice, system, _, _, irq, soft_irq, *_ = map(int, file.readline().split()[1:])
    return (user + nice + system + irq + soft_irq) / os.sysconf("SC_CLK_TCK")


def own_seconds() -> float:
    """Return the CPU time of this process and of all children that it has collected."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def commit(repository: Path) -> dict[str, Any]:
    """Return the commit and whether the tree differs from it; empty outside a repository."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(repository), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return {}
