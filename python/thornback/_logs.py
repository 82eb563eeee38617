"""What workers print, at the driver.

The node reads the workers' files, makes each line's prefix, such as ``(f pid=123)``, and writes
frames into a pipe; a daemon thread prints them to what `sys.stdout` and `sys.stderr` are at that
moment, so notebooks and test runners that replace them see the lines too.

A frame: one byte, 1 for stdout or 2 for stderr; the length of the text in bytes, unsigned 32-bit
little-endian; the text, UTF-8, whole lines with their ends.
"""

from __future__ import annotations

import os
import sys

_HEAD = 5
_CHUNK = 1 << 16
# A frame longer than this isn't one: the stream is broken, and printing ends.
_TEXT_BYTES_MAX = 1 << 24
# What workers wrote last is printed before shutdown returns, unless printing itself is stuck.
_CLOSE_S_MAX = 1.0


class LogPrinter:
    """Prints frames from a pipe until the pipe's last writer closes it.

    Attributes
    ----------
    write_fd : int
        The writing end, for the node. It stays this object's own: who writes to it must neither
        close it nor use it after `close` was called.
    """

    def __init__(self) -> None:
        import threading

        self._read_fd, self.write_fd = os.pipe2(os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="thornback-logs", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Print what is in the pipe and end; called when nobody writes any more. Idempotent."""
        if self.write_fd < 0:
            return
        os.close(self.write_fd)
        self.write_fd = -1
        self._thread.join(_CLOSE_S_MAX)

    def _run(self) -> None:
        pending = bytearray()
        try:
            while chunk := os.read(self._read_fd, _CHUNK):
                pending += chunk
                if not _print_frames(pending):
                    return
        finally:
            os.close(self._read_fd)


def _print_frames(pending: bytearray) -> bool:
    """Print and remove the whole frames at the beginning; False when the stream is broken."""
    at = 0
    while len(pending) - at >= _HEAD:
        length = int.from_bytes(pending[at + 1 : at + _HEAD], "little")
        if length > _TEXT_BYTES_MAX:
            return False
        if len(pending) - at - _HEAD < length:
            break
        text = pending[at + _HEAD : at + _HEAD + length].decode(errors="replace")
        _print(pending[at], text)
        at += _HEAD + length
    del pending[:at]
    return True


def _print(stream: int, text: str) -> None:
    target = sys.stderr if stream == 2 else sys.stdout
    if target is None:
        return
    try:
        target.write(text)
        target.flush()
    except (OSError, ValueError):
        # Closed, as at the interpreter's end, or its reader is gone: the files still have it.
        return
