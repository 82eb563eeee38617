"""A worker's standard output and error.

Both are files, read by the node. A line ``:task_name:f`` or ``:actor_name:Counter`` comes before
what a task prints when the output before it was another's; the node cuts it out and knows the
prefix.
"""

from __future__ import annotations

import errno
import io
import os
import sys

from . import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class MarkedFile(io.RawIOBase):
    """Writes to a descriptor, with a marker wherever the speaker changes.

    Parameters
    ----------
    fd : int
        Stays open when this object goes.
    speaker : callable
        Returns the marker of who writes now, without its line end; empty when nobody knows, which
        leaves the speaker before.
    """

    def __init__(self, fd: int, speaker: Callable[[], str]) -> None:
        self._fd = fd
        self._speaker = speaker
        self._last = ""
        self._at_line_start = True

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._fd

    def isatty(self) -> bool:
        """Return False: workers have no terminal."""
        return False

    def write(self, data: object) -> int:
        """Write all of the data, behind a marker if need be; what finds no room on disk is lost."""
        content = bytes(memoryview(data))  # type: ignore[arg-type]
        if not content:
            return 0
        marker = self._speaker()
        head = b""
        if marker and marker != self._last:
            # A marker is a line of its own: what somebody else left unfinished ends before it.
            head = (b"" if self._at_line_start else b"\n") + marker.encode() + b"\n"
            self._last = marker
        self._at_line_start = content.endswith(b"\n")
        rest = memoryview(head + content)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            if error.errno not in _FULL:
                raise
            # What a task prints is not worth its failure.
            _core.output_lost(error.errno)
        return len(content)


def open_streams() -> None:
    """Make `sys.stdout` and `sys.stderr` marked ones over the descriptors 1 and 2."""
    sys.stdout = _text(1)
    sys.stderr = _text(2)
    # The zygote's own would write without markers.
    sys.__stdout__ = sys.stdout  # type: ignore[misc]
    sys.__stderr__ = sys.stderr  # type: ignore[misc]


def flush() -> None:
    """Write out what the streams hold back; errors, such as a full disk, are ignored."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            # Replaced or closed by the user's code.
            continue


def _text(fd: int) -> io.TextIOWrapper:
    raw = io.BufferedWriter(MarkedFile(fd, _speaker))
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _speaker() -> str:
    instance = _core.actor_instance()
    if instance is not None:
        return f":actor_name:{_label(instance)}"
    current = _core.current_task()
    if current is None:
        return ""
    _, name, actor, _, template = current
    return f":actor_name:{name}" if actor else f":task_name:{_task_name(template, name)}"


# What tasks are called, by their templates, for the newest.
_names: dict[int, str] = {}
_NAMES_MAX = 1000


def _task_name(template: int, function: str) -> str:
    """Return what a task is called: as its options say, or like its function.

    The node is asked once for each template, when one of its tasks prints something.
    """
    name = _names.get(template)
    if name is None:
        import json

        if len(_names) >= _NAMES_MAX:
            _names.clear()
        _names[template] = name = function  # while the node is asked
        try:
            answer = _core.control("template", json.dumps({"tid": template}).encode())
        except (RuntimeError, ValueError):
            return name  # the session is ending, say
        _names[template] = name = json.loads(answer)["name"].partition("\n")[0]
    return name


_labels: dict[int, str] = {}


def _label(instance: object) -> str:
    """Return how an actor is called: by its own `__repr__` if it has one, as it was at first."""
    key = id(instance)
    label = _labels.get(key)
    if label is None:
        kind = type(instance)
        # While its own code runs, which may print.
        _labels[key] = label = kind.__name__
        if kind.__repr__ is not object.__repr__:
            try:
                label = repr(instance).partition("\n")[0]
            except Exception:  # noqa: BLE001 - the user's own; a name for it is there
                return label
            _labels[key] = label
    return label
