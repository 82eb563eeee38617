"""Run one script in a process of its own, read its samples, leave nothing of it behind."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import processes

HERE = Path(__file__).resolve().parent
_PR_SET_CHILD_SUBREAPER = 36
_END_LIMIT_S = 15.0
_POLL_S = 0.05
_TAIL_LINES = 12


@dataclass
class Outcome:
    """What a script left: its samples, why it failed ("" if it did not), late processes."""

    samples: list[dict[str, Any]] = field(default_factory=list)
    failure: str = ""
    tail: str = ""
    leftovers: int = 0


def adopt_orphans() -> None:
    """Make this process the parent of whatever an engine leaves running.

    So nothing that was started here can outlive the run or disturb the next engine.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def _environment(mark: str, folder: str) -> dict[str, str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "THORNBACK_"))}
    # Ours alone: neither meets a cluster that runs here nor leaves sessions under /tmp.
    env |= {processes.MARK: mark, "RAY_TMPDIR": folder, "THORNBACK_TMPDIR": folder}
    env |= {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONUNBUFFERED": "1"}
    return env


def _samples(text: str) -> list[dict[str, Any]]:
    """Pick the samples out of what a script and its engine printed."""
    return [json.loads(line) for line in text.splitlines() if line.startswith('{"row": ')]


def _others(mark: str) -> set[int]:
    return processes.tree(os.getpid(), mark) - {os.getpid()}


def _reap() -> None:
    """Collect the adopted processes that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _send(pids: set[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _clear(mark: str) -> int:
    """Wait for the script's processes to end, kill those that do not; return how many."""
    limit = time.monotonic() + _END_LIMIT_S
    while (left := _others(mark)) and time.monotonic() < limit:
        _reap()
        time.sleep(_POLL_S)
    killed = len(left)
    limit = time.monotonic() + _END_LIMIT_S
    while left and time.monotonic() < limit:
        _send(left, signal.SIGKILL)
        time.sleep(_POLL_S)
        _reap()
        left = _others(mark)
    _reap()
    return killed


def _wait(child: subprocess.Popen[bytes], limit_s: float) -> str:
    """Wait for the script; return why it failed, or ""."""
    try:
        code = child.wait(limit_s)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(_END_LIMIT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        return f"not done within {limit_s:g} s"
    return f"exit status {code}" if code else ""


def run(python: str, script: str, arguments: list[str], limit_s: float) -> Outcome:
    """Run ``benchmarks/<script>.py`` and return its samples, also those of a failed one."""
    mark = uuid.uuid4().hex
    outcome = Outcome()
    with (
        tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        child = subprocess.Popen(
            [python, str(HERE / f"{script}.py"), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=folder,
            env=_environment(mark, folder),
            start_new_session=True,  # Ctrl-C reaches this process first, which then clears up
        )
        try:
            outcome.failure = _wait(child, limit_s)
        except BaseException:
            child.kill()
            child.wait()
            raise
        finally:
            outcome.leftovers = _clear(mark)
        out.seek(0)
        err.seek(0)
        outcome.samples = _samples(out.read().decode(errors="replace"))
        if outcome.failure:
            lines = err.read().decode(errors="replace").splitlines()[-_TAIL_LINES:]
            outcome.tail = "\n".join(lines)
            print(outcome.tail, file=sys.stderr)
    return outcome
