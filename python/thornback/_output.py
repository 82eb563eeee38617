"""A worker's standard output and error.

Both are files, read by the node. A line ``:task_name:f`` or ``:actor_name:Counter`` comes before
what a task prints when the output before it was another's; the node cuts it out and knows the
prefix.
"""

from __future__ import annotations

import io
import os
import sys

from . import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


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
        """Write all of the data, behind a marker if need be."""
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
        while rest:
            rest = rest[os.write(self._fd, rest) :]
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
        return f":actor_name:{type(instance).__name__}"
    current = _core.current_task()
    if current is None:
        return ""
    _, name, actor, _, _ = current
    return f":actor_name:{name}" if actor else f":task_name:{name}"
