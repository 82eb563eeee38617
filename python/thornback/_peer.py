"""Asking a running session from another process of the same user.

A session's node answers questions over a Unix socket in the session's folder (`core/door`): length,
four bytes little-endian, then JSON, both ways. It answers questions only, and changes nothing.
"""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any

_SOCKET = "socket"
_ANSWER_BYTES_MAX = 64 << 20
TIMEOUT_S = 30.0


class NoSessionError(ConnectionError):
    """There is no session to ask, or it doesn't answer; the message says what to do."""


def find(address: str | None = None) -> str:
    """Return the folder of the session that is meant.

    Parameters
    ----------
    address : str, optional
        A session's folder, its name, or the pid of its driver. Without one, or with "auto":
        THORNBACK_SESSION if set, else the only session there is, else the newest.

    Raises
    ------
    NoSessionError
    """
    from . import _init, _session

    sessions = _session.live_sessions(_init.session_folder())
    wanted = address if address not in (None, "", "auto", "local") else None
    wanted = wanted or os.environ.get("THORNBACK_SESSION")
    if wanted is None:
        if sessions:
            return sessions[0][0]
        raise NoSessionError(
            "no session of this user is running: start a program that calls init(), or, if its "
            "files are elsewhere, set THORNBACK_TMPDIR to what it has"
        )
    for path, pid in sessions:
        if wanted in (str(pid), os.path.basename(path)) or os.path.abspath(wanted) == path:
            return path
    running = ", ".join(f"{os.path.basename(path)} (pid {pid})" for path, pid in sessions)
    raise NoSessionError(f"no running session is {wanted!r}; running: {running or 'none'}")


class Peer:
    """A connection to a session's node.

    Parameters
    ----------
    folder : str
        The session's.
    timeout : float, seconds
        For the connection and for each answer.
    """

    def __init__(self, folder: str, timeout: float = TIMEOUT_S) -> None:
        self.folder = folder
        self._socket = _connect(folder, timeout)

    def ask(self, op: str, **request: Any) -> Any:
        """Ask one question; see `core/node/query.go` for those that there are.

        Raises
        ------
        NoSessionError
            The session has ended, or does not answer in time.
        ValueError
            The node refuses; the message is its own.
        """
        text = json.dumps({"op": op, "request": request}).encode()
        try:
            self._socket.sendall(len(text).to_bytes(4, "little") + text)
            length = int.from_bytes(self._read(4), "little")
            if length > _ANSWER_BYTES_MAX:
                raise OSError(f"an answer of {length} bytes")
            reply = json.loads(self._read(length))
        except OSError as error:
            raise NoSessionError(f"session {self.folder} does not answer: {error}") from error
        if "error" in reply:
            raise ValueError(reply["error"])
        return reply["answer"]

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _read(self, size: int) -> bytes:
        parts = []
        while size:
            part = self._socket.recv(min(size, 1 << 20))
            if not part:
                raise ConnectionResetError("the session has ended")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def _connect(folder: str, timeout: float) -> socket.socket:
    import socket

    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise NoSessionError(f"session {folder} has ended: {error}") from error
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.settimeout(timeout)
    try:
        # A socket's name is limited to 107 bytes, the folder's is not.
        made.connect(f"/proc/self/fd/{fd}/{_SOCKET}")
    except OSError as error:
        made.close()
        raise NoSessionError(f"session {folder} does not answer: {error}") from error
    finally:
        os.close(fd)
    return made
