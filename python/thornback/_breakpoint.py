"""Breakpoints of tasks and actors, and how a terminal of the same user gets to one.

A worker that stops at a breakpoint makes a Unix socket in its session's folder, mode 0600, with a
file beside it that tells where the program stands. Whoever connects first, of the same user, talks
to its debugger; both files go then, or with the session.
"""

from __future__ import annotations

import itertools
import json
import os
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

_PREFIX = "breakpoint-"
_NOTE = ".json"
_CREDENTIALS_BYTES = 12  # pid, uid, gid

_numbers = itertools.count(1)


def wait_for_terminal(folder: str, frame: FrameType) -> socket.socket:
    """Announce a breakpoint and wait until somebody connects.

    Parameters
    ----------
    folder : str
        The session's.
    frame : frame
        Where the program stands.

    Returns
    -------
    socket.socket
        To a process of the same user.
    """
    name = f"{_PREFIX}{os.getpid()}-{next(_numbers)}"
    note = {
        "pid": os.getpid(),
        "function": frame.f_code.co_qualname,
        "file": frame.f_code.co_filename,
        "line": frame.f_lineno,
    }
    listener = _bound(folder, name)
    path = os.path.join(folder, name)
    try:
        # Renamed into place, so that nobody reads half of it.
        with open(f"{path}.tmp", "w") as file:
            json.dump(note, file)
        os.rename(f"{path}.tmp", path + _NOTE)
        while True:
            connection, _ = listener.accept()
            if _is_ours(connection):
                return connection
            connection.close()
    finally:
        listener.close()
        for leftover in (path, path + _NOTE):
            if os.path.exists(leftover):
                os.unlink(leftover)


def waiting(folder: str) -> dict[str, dict[str, Any]]:
    """Return the breakpoints at which somebody waits: `pid`, `function`, `file`, `line` by name."""
    found = {}
    for entry in sorted(os.listdir(folder)):
        if entry.startswith(_PREFIX) and entry.endswith(_NOTE):
            try:
                with open(os.path.join(folder, entry)) as file:
                    note = json.load(file)
            except FileNotFoundError:  # taken meanwhile
                continue
            # Of a process that was killed the files stay until the session's end.
            if os.path.exists(f"/proc/{note['pid']}"):
                found[entry.removeprefix(_PREFIX).removesuffix(_NOTE)] = note
    return found


def connect(folder: str, name: str) -> socket.socket:
    """Connect to a breakpoint.

    Raises
    ------
    OSError
        It is not there any more.
    """
    return _with_folder(folder, lambda made, base: made.connect(f"{base}/{_PREFIX}{name}"))


def _bound(folder: str, name: str) -> socket.socket:
    def bind(made: socket.socket, base: str) -> None:
        before = os.umask(0o177)
        try:
            made.bind(f"{base}/{name}")
        finally:
            os.umask(before)
        made.listen(1)

    return _with_folder(folder, bind)


def _with_folder(folder: str, act: Any) -> socket.socket:
    """Return a socket after `act`; its name is limited to 107 bytes, the folder's is not."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        act(made, f"/proc/self/fd/{fd}")
    except OSError:
        made.close()
        raise
    finally:
        os.close(fd)
    return made


def _is_ours(connection: socket.socket) -> bool:
    import struct

    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS_BYTES)
    _, uid, _ = struct.unpack("3i", data)
    return bool(uid == os.getuid())
