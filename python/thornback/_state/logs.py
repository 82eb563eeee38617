"""The session's log files: which there are, whose they are, and what is in them."""

from __future__ import annotations

import os

from .source import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_CHUNK = 1 << 16
_FOLLOW_S = 0.1


def folder(source: Source) -> str:
    """Return the folder of a session's logs."""
    return os.path.join(source.session["folder"], "logs")


def names(address: str | None, pattern: str | None, timeout: float) -> dict[str, list[str]]:
    """Return the names of the files, by what wrote them, those that match a pattern if given."""
    import fnmatch

    with Source(address, timeout) as source:
        found = sorted(os.listdir(folder(source)), key=_order)
    kinds: dict[str, list[str]] = {}
    for name in found:
        if pattern is None or fnmatch.fnmatch(name, pattern):
            kinds.setdefault(_kind(name), []).append(name)
    return kinds


def _order(name: str) -> tuple[int, str]:
    number = "".join(c for c in name if c.isdigit())
    return int(number or 0), name


def _kind(name: str) -> str:
    stem, _, suffix = name.rpartition(".")
    if stem.startswith("worker-"):
        return f"worker_{suffix}"
    return stem or name


def find(
    address: str | None,
    timeout: float,
    name: str | None,
    actor_id: str | None,
    task_id: str | None,
    pid: int | None,
    suffix: str,
) -> str:
    """Return the path of the file that is meant.

    Raises
    ------
    ValueError
        Not exactly one thing is named, or there is no file of it.
    """
    if sum(x is not None for x in (name, actor_id, task_id, pid)) != 1:
        raise ValueError("name one of filename, actor_id, task_id, pid")
    if suffix not in ("out", "err"):
        raise ValueError(f"suffix must be 'out' or 'err', got {suffix!r}")
    with Source(address, timeout) as source:
        where = folder(source)
        if name is None:
            owner = _pid_of(source, actor_id, task_id) if pid is None else pid
            stems = [one["log"] for one in source.ask("processes") if one["pid"] == owner]
            if not stems:
                raise ValueError(f"no worker with pid {owner} is known")
            name = f"{stems[-1]}.{suffix}"
    path = os.path.join(where, name)
    if os.path.basename(name) != name or not os.path.isfile(path):
        raise ValueError(f"there is no log file {name!r} in {where}")
    return path


def _pid_of(source: Source, actor_id: str | None, task_id: str | None) -> int:
    from ..util.state.common import SCHEMAS
    from . import rows
    from .query import Query

    kind, column = ("actors", "actor_id") if actor_id is not None else ("tasks", "task_id")
    id = actor_id if actor_id is not None else task_id
    query = Query(SCHEMAS[kind], [(column, "=", id)], 1, True)
    found, *_ = rows.KINDS[kind](source, query)
    if not found:
        raise ValueError(f"there is no {column} {id}")
    pid = found[0]["pid" if kind == "actors" else "worker_pid"]
    if pid is None:
        raise ValueError(f"{column} {id} has not run in any process yet")
    return int(pid)


def read(path: str, tail: int, follow: bool, interval: float | None = None) -> Iterator[bytes]:
    """Yield a file's pieces: its last lines, or all; with `follow`, what is added until it goes.

    Parameters
    ----------
    tail : int
        -1: all lines.
    interval : float, seconds, optional
        Between two looks.
    """
    import time

    with open(path, "rb") as file:
        if tail >= 0:
            file.seek(_tail_start(file.fileno(), tail))
        while True:
            piece = file.read(_CHUNK)
            if piece:
                yield piece
            elif not follow or not os.path.exists(path):
                return
            else:
                time.sleep(interval or _FOLLOW_S)


def without_colours(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the pieces without escape sequences of terminals, also those that two pieces share."""
    import re

    begun = b""
    for piece in pieces:
        text = re.sub(rb"\x1b\[[0-?]*[ -/]*[@-~]", b"", begun + piece)
        cut = re.search(rb"\x1b(\[[0-?]*[ -/]*)?\Z", text)
        begun = text[cut.start() :] if cut else b""
        if len(begun) < len(text):
            yield text[: len(text) - len(begun)]
    if begun:
        yield begun


def _tail_start(fd: int, lines: int) -> int:
    """Return where the last lines of a file begin."""
    end = at = os.fstat(fd).st_size
    # The line end of the last line ends no line before it.
    if at and os.pread(fd, 1, at - 1) == b"\n":
        at -= 1
    if lines == 0:
        return end
    while at > 0:
        begin = max(0, at - _CHUNK)
        piece = os.pread(fd, at - begin, begin)
        while (found := piece.rfind(b"\n")) >= 0:
            lines -= 1
            if lines == 0:
                return begin + found + 1
            piece = piece[:found]
        at = begin
    return 0
