"""The older way to connect to a cluster."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn


def connect(
    conn_str: str,
    secure: bool = False,
    metadata: Any = None,
    connection_retries: int = 3,
    job_config: Any = None,
    namespace: str | None = None,
    *,
    ignore_version: bool = False,
    _credentials: Any = None,
    ray_init_kwargs: Any = None,
) -> NoReturn:
    """Connect to a cluster; not available in this release.

    Raises
    ------
    NotImplementedError
    """
    raise NotImplementedError(
        f"connect({conn_str!r}): connecting to a cluster is not available in this release; "
        "init() starts a session in this process"
    )


def disconnect() -> None:
    """End a connection that `connect` made: there is none, so this does nothing."""
