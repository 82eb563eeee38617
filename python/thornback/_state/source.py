"""Whom to ask: the session of this process, driver or worker, or one that another process runs."""

from __future__ import annotations

import json

from .. import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._peer import Peer


class Source:
    """A session that can be asked; a context manager.

    Parameters
    ----------
    address : str, optional
        See `thornback._peer.find`. When not given, the session that this process is part of, if
        any.
    timeout : float, seconds
        For another process's answer.

    Raises
    ------
    ConnectionError
        There is no such session.
    """

    def __init__(self, address: str | None = None, timeout: float = 30.0) -> None:
        self._peer: Peer | None = None
        self._session: dict[str, Any] | None = None
        if not (_core.session() and address in (None, "auto", "local")):
            from .._peer import Peer, find

            self._peer = Peer(find(address), timeout)

    def ask(self, op: str, **request: Any) -> Any:
        """Ask the node a question of `core/node/query.go`."""
        if self._peer is not None:
            return self._peer.ask(op, **request)
        return json.loads(_core.control(op, json.dumps(request).encode()))

    @property
    def session(self) -> dict[str, Any]:
        """Number, pid, folder and more of the session."""
        if self._session is None:
            self._session = self.ask("session")
        return self._session

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._peer is not None:
            self._peer.close()

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
