"""What workers print, at the driver.

The node reads the workers' files, makes each line's prefix, such as ``(f pid=123)``, and writes
frames into a pipe; a daemon thread prints them to what `sys.stdout` and `sys.stderr` are at that
moment, so notebooks and test runners that replace them see the lines too.

A frame: one byte, 1 for stdout, 2 for stderr or 3 for an error that nobody has asked for; the
length of what follows in bytes, unsigned 32-bit little-endian; then text, UTF-8, whole lines with
their ends, or the error's blob.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ._dedup import Deduplicator

_OUT, _ERR, _ERROR = 1, 2, 3
_HEAD = 5
_CHUNK = 1 << 16
# A frame longer than this isn't one: the stream is broken, and printing ends.
_TEXT_BYTES_MAX = 1 << 24
# What workers wrote last is printed before shutdown returns, unless printing itself is stuck.
_CLOSE_S_MAX = 1.0
# Lines that are states of progress bars, see experimental/tqdm_ray.py.
_BARS = "__ray_tqdm_magic_token__"
_CYAN, _RESET = "\x1b[36m", "\x1b[0m"
# By the pid, with RAY_COLOR_PREFIX=1: magenta, cyan, green, and light black, blue, magenta.
_COLOURS = ("\x1b[35m", "\x1b[36m", "\x1b[32m", "\x1b[90m", "\x1b[94m", "\x1b[95m")


class LogPrinter:
    """Prints frames from a pipe until the pipe's last writer closes it.

    Parameters
    ----------
    style : Style, optional
        How lines are printed: as the environment says when not given.

    Attributes
    ----------
    write_fd : int
        The writing end, for the node. It stays this object's own: who writes to it must neither
        close it nor use it after `close` was called.
    """

    def __init__(self, style: Style | None = None) -> None:
        import threading

        self._style = style
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
        import select

        pending = bytearray()
        poller = select.poll()
        poller.register(self._read_fd, select.POLLIN)
        style = self._style
        try:
            while True:
                patience = style.patience() if style is not None else None
                if poller.poll(None if patience is None else 1000 * patience + 1):
                    chunk = os.read(self._read_fd, _CHUNK)
                    pending += chunk
                    if not chunk:
                        break
                    if style is None:  # not before: a session starts faster without
                        style = Style(os.environ)
                    if not _print_frames(pending, style):
                        break
                if style is not None:
                    style.expire()
            if style is not None:
                style.flush()
        finally:
            os.close(self._read_fd)


class Style:
    """How lines are printed: which prefix they have, and which are left out.

    Parameters
    ----------
    environment : mapping of str
        RAY_COLOR_PREFIX (0: no colours; 1: one for each process), RAY_DISABLE_WORKER_LOG_PREFIX,
        RAY_DEDUP_LOGS and the others of `_dedup.configured`.
    prefixes : bool
        False when the workers' own logging has a format that says who writes.
    """

    def __init__(self, environment: Mapping[str, str], prefixes: bool = True) -> None:
        import re

        from ._dedup import configured

        disabled = environment.get("RAY_DISABLE_WORKER_LOG_PREFIX", "0").lower() in ("1", "true")
        self._prefixes = prefixes and not disabled
        self._colour = environment.get("RAY_COLOR_PREFIX")
        self._head = re.compile(r"\((?:.*? )?pid=(\d+)\) ")
        self._dedup: dict[int, Deduplicator | None] = {
            stream: configured(environment) for stream in (_OUT, _ERR)
        }

    def text(self, stream: int, text: str) -> None:
        """Print lines of workers, and of the engine: those have no prefix, and stay as they are."""
        if _BARS in text:
            from .experimental.tqdm_ray import take_states

            text = take_states(text)
        out: list[str] = []
        for line in text.splitlines(keepends=True):
            head = self._head.match(line)
            if head is None:
                out.append(line)
                continue
            dedup = self._dedup[stream]
            prefix, rest = line[: head.end() - 1], line[head.end() :].removesuffix("\n")
            lines = [(prefix, rest)] if dedup is None else dedup.add(head[1], prefix, rest)
            out += self._rendered(lines)
        _write(stream, "".join(out))

    def expire(self) -> None:
        """Print what was counted and is due."""
        for stream, dedup in self._dedup.items():
            if dedup is not None:
                _write(stream, "".join(self._rendered(dedup.expire())))

    def flush(self) -> None:
        """Print all that was counted."""
        for stream, dedup in self._dedup.items():
            if dedup is not None:
                _write(stream, "".join(self._rendered(dedup.flush())))

    def patience(self) -> float | None:
        """Return in how many seconds something is due."""
        due = [dedup.patience() for dedup in self._dedup.values() if dedup is not None]
        return min((seconds for seconds in due if seconds is not None), default=None)

    def _rendered(self, lines: Iterable[tuple[str, str]]) -> list[str]:
        if not self._prefixes:
            return [f"{text}\n" for _, text in lines]
        if self._colour == "0":
            return [f"{prefix} {text}\n" for prefix, text in lines]
        return [f"{self._colour_of(prefix)}{prefix}{_RESET} {text}\n" for prefix, text in lines]

    def _colour_of(self, prefix: str) -> str:
        if self._colour != "1":
            return _CYAN
        return _COLOURS[int(prefix.rpartition("=")[2].rstrip(")")) % len(_COLOURS)]


def _print_frames(pending: bytearray, style: Style) -> bool:
    """Print and remove the whole frames at the beginning; False when the stream is broken."""
    at = 0
    while len(pending) - at >= _HEAD:
        length = int.from_bytes(pending[at + 1 : at + _HEAD], "little")
        if length > _TEXT_BYTES_MAX:
            return False
        if len(pending) - at - _HEAD < length:
            break
        content = bytes(pending[at + _HEAD : at + _HEAD + length])
        if pending[at] == _ERROR:
            from ._unhandled import tell

            tell(content)
        else:
            style.text(_ERR if pending[at] == _ERR else _OUT, content.decode(errors="replace"))
        at += _HEAD + length
    del pending[:at]
    return True


def _write(stream: int, text: str) -> None:
    target = sys.stderr if stream == _ERR else sys.stdout
    if target is None or not text:
        return
    try:
        target.write(text)
        target.flush()
    except (OSError, ValueError):
        # Closed, as at the interpreter's end, or its reader is gone: the files still have it.
        return
