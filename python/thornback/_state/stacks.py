"""The stacks of all processes of a session, also when its node does not answer.

The processes are found as descendants of the driver and asked by signals, see `thornback._stacks`;
nothing goes through the node.
"""

from __future__ import annotations

import json
import os
import re
import signal
import time

from .._stacks import NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

_HEAD_BYTES_MAX = 256
# How long Python may take to answer before faulthandler is asked.
_PYTHON_S = 1.0
_POLL_S = 0.005
# Faulthandler does not say when it is done: when nothing was added for so long.
_QUIET_S = 0.1
_HEAD = re.compile(
    r"(?:Current thread|Thread) 0x([0-9a-f]+)(?: \[(.*)\])? \(most recent call first"
)
_HEADER = re.compile(rb"(\d+) (\d{1,20}) (-?\d{1,9}) (\d\d?) (\d\d?) ([\d.]+)\n")
_FRAME = re.compile(r'  File "(.*)", line (\d+|\?\?\?) in (.*)')
_BELOW = "/thornback/_zygote.py"


class _Process:
    """One process that is asked.

    Raises
    ------
    OSError
        It has gone, or is another user's.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.worker = -1
        self.session = 0
        self.python = ""
        self.signals: list[int] = []
        self.answer: dict[str, Any] | None = None
        self.quiet_since = 0.0
        self.size = self.begun = self._length = 0
        # Of the very process, even when its number is another's by now.
        self._handle = os.pidfd_open(pid)
        self._file = _open_file(pid)
        if self._file >= 0:
            self._read_head(os.pread(self._file, _HEAD_BYTES_MAX, 0))

    def _read_head(self, text: bytes) -> None:
        head = _HEADER.match(text)
        if head is None or int(head[1]) != self.pid:
            return  # just being written, or a parent's
        self.session, self.worker, *self.signals = map(int, head.groups()[1:5])
        self.python = head[6].decode()
        self.begun = self.size = os.fstat(self._file).st_size
        self._length = head.end()

    def signal(self, which: int) -> bool:
        """Send one of its signals; False when it would not be answered, but do harm."""
        if not self.signals or not _is_caught(self.pid, self.signals[which]):
            return False
        try:
            signal.pidfd_send_signal(self._handle, self.signals[which])
        except ProcessLookupError:
            return False
        return True

    def look(self) -> bool:
        """Whether it has answered in Python."""
        for line in self._written().split(b"\n"):
            if not line.startswith(b'{"threads": '):
                continue
            try:
                self.answer = {"by": "python", **json.loads(line)}
                return True
            except ValueError:
                continue  # not yet written whole
        return False

    def look_again(self) -> bool:
        """Whether it has answered in Python or by faulthandler."""
        if self.look():
            return True
        size = os.fstat(self._file).st_size
        if size != self.size:
            self.size, self.quiet_since = size, time.monotonic()
        text = self._written().decode(errors="replace")
        whole = text.endswith("\n") and "Current thread 0x" in text
        if not whole or time.monotonic() - self.quiet_since < _QUIET_S:
            return False
        self.answer = {"by": "faulthandler", "threads": _parsed(text), "async_tasks": []}
        return True

    def problem(self) -> str:
        """Why there is no answer."""
        fields = _stat(self.pid)
        if fields is None or fields[0] in "ZX":
            return "has ended meanwhile"
        if fields[0] in "Tt":
            return "is stopped (by SIGSTOP or a debugger), so it can't answer"
        if fields[0] == "D":
            return "does not answer: it is in the kernel, in a sleep that nothing interrupts"
        return "does not answer"

    def _written(self) -> bytes:
        return os.pread(self._file, max(0, os.fstat(self._file).st_size - self.begun), self.begun)

    def close(self) -> None:
        """Take out what it has written."""
        os.close(self._handle)
        if self._file >= 0:
            if self.answer is not None:
                os.truncate(self._file, self._length)
            os.close(self._file)


def collect(folder: str, limit_s: float) -> list[dict[str, Any]]:
    """Return the stacks of the driver and the workers of a session, the driver's first.

    Parameters
    ----------
    folder : str
        The session's.
    limit_s : float, seconds
        How long processes may take to answer; those that don't are told as such.

    Returns
    -------
    list of dict
        For each process `pid`, `process` ("driver" or "worker"), `worker_id`, `python`, `by`
        (what has answered: "python", "faulthandler" or None), `problem` (why there is no answer, or
        None), `threads` and `async_tasks`. A thread has `id`, `name`, `frames`, innermost first,
        each with `function`, `file` and `line`, and `omitted`, how many more there are.
    """
    from .. import _init, _session

    until = time.monotonic() + limit_s
    driver = dict(_session.live_sessions(_init.session_folder())).get(folder, 0)
    lock = _lock(folder, until)
    try:
        processes = sorted(_processes(driver), key=lambda p: (p.worker, p.pid))
        try:
            _ask(processes, until)
            return [_row(process) for process in processes]
        finally:
            for process in processes:
                process.close()
    finally:
        os.close(lock)


def _ask(processes: list[_Process], until: float) -> None:
    stopped = [p for p in processes if (_stat(p.pid) or "Z")[0] in "TtZX"]
    waiting = [p for p in processes if p not in stopped]
    asked = [p for p in waiting if p.signal(0)]
    now = time.monotonic()
    # At least half of the time is faulthandler's.
    _wait(asked, _Process.look, min(now + _PYTHON_S, (now + until) / 2))
    waiting = [p for p in waiting if p.answer is None]
    _wait([p for p in waiting if p.signal(1)], _Process.look_again, until)


def _wait(processes: list[_Process], look: Callable[[_Process], bool], until: float) -> None:
    """Wait until all have answered, or it is time."""
    while True:
        processes = [p for p in processes if not look(p)]
        if not processes or time.monotonic() >= until:
            return
        time.sleep(_POLL_S)


def _row(process: _Process) -> dict[str, Any]:
    from .. import _ids

    answer = process.answer or {"by": None, "threads": [], "async_tasks": []}
    return {
        "pid": process.pid,
        "process": "driver" if process.worker < 0 else "worker",
        "worker_id": _ids.worker_id(process.session, process.pid).hex(),
        "python": process.python,
        "by": answer["by"],
        "problem": process.problem() if process.answer is None else None,
        "threads": answer["threads"],
        "async_tasks": answer["async_tasks"],
    }


def _processes(driver: int) -> Iterator[_Process]:
    """Find the driver, and the workers: the children of its zygote."""
    parents = {}
    for name in os.listdir("/proc"):
        fields = _stat(int(name)) if name.isdecimal() else None
        if fields is not None:
            parents[int(name)] = int(fields[1])
    for pid, parent in parents.items():
        if pid != driver and parents.get(parent) != driver:
            continue
        try:
            process = _Process(pid)
        except OSError:
            continue
        if pid == driver or process.worker >= 0:
            yield process
        else:
            process.close()  # a child of the user's own


def _open_file(pid: int) -> int:
    """Open the file that a process answers in; -1 when it has none."""
    folder = f"/proc/{pid}/fd"
    for name in os.listdir(folder):
        path = f"{folder}/{name}"
        try:
            if os.readlink(path).startswith(f"/memfd:{NAME}"):
                return os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # closed meanwhile
    return -1


def _stat(pid: int) -> list[str] | None:
    """Return what the kernel says of a process, from its state on; None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _is_caught(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            mask = next(line for line in file if line.startswith("SigCgt:"))
    except (FileNotFoundError, ProcessLookupError, StopIteration):
        return False
    return bool(int(mask.split()[1], 16) >> (number - 1) & 1)


def _lock(folder: str, until: float) -> int:
    """Return a lock on a session's stacks: two commands at once would read each other's answers.

    Raises
    ------
    ValueError
        Another command has it all the time.
    """
    import fcntl

    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        from .._peer import NoSessionError

        raise NoSessionError(f"session {folder} has ended") from None
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            if time.monotonic() >= until:
                os.close(lock)
                raise ValueError("another command is asking this session for its stacks") from None
            time.sleep(_POLL_S)


def _parsed(text: str) -> list[dict[str, Any]]:
    """Return the threads that faulthandler has written, the main one first."""
    threads: list[dict[str, Any]] = []
    current: dict[str, Any] | None = None
    for line in text.splitlines():
        head, frame = _HEAD.match(line), _FRAME.match(line)
        if head is not None:
            is_main = line.startswith("Current")
            name = "MainThread" if is_main else head[2]
            current = {"id": int(head[1], 16), "name": name, "frames": [], "omitted": 0}
            threads.insert(0 if is_main else len(threads), current)
        elif current is None:
            continue
        elif frame is not None and frame[1].endswith(_BELOW):
            current = None  # and what comes is below that
        elif frame is not None:
            at = int(frame[2]) if frame[2].isdecimal() else None
            current["frames"].append({"function": frame[3], "file": frame[1], "line": at})
        elif line == "  ...":
            current["omitted"] += 1  # how many, it doesn't say
    return threads
