"""What `init` returns."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from ._version import RAY_RELEASE, VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    _Base = Mapping[str, Any]
else:
    _Base = Mapping  # without the import of `typing`


def node_bytes(session: int) -> bytes:
    """Return the id of the node that runs `session`."""
    return b"node".ljust(20, b"\0") + session.to_bytes(8, "little")


class RayContext(_Base):
    """A running session: a context manager that ends it, and a mapping of its address.

    Attributes
    ----------
    address_info : dict
        `session_dir`, `node_id`, `node_ip_address`, and more, as Ray has it; what this engine has
        not is None.
    dashboard_url, python_version, ray_version, ray_commit : str
    """

    def __init__(self, address_info: dict[str, Any]) -> None:
        self.address_info = address_info
        self.dashboard_url = ""
        self.python_version = ".".join(map(str, sys.version_info[:3]))
        self.ray_version = RAY_RELEASE
        self.ray_commit = f"thornback-{VERSION}"

    def __getitem__(self, key: str) -> Any:
        return self.address_info[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.address_info)

    def __len__(self) -> int:
        return len(self.address_info)

    def _repr_html_(self) -> str:
        from . import _html

        return _html.context(self)

    def disconnect(self) -> None:
        """End the session."""
        from ._init import shutdown

        shutdown()

    def __enter__(self) -> RayContext:
        return self

    def __exit__(self, *exc: object) -> None:
        self.disconnect()

    def __repr__(self) -> str:
        return (
            f"RayContext(dashboard_url={self.dashboard_url!r}, "
            f"python_version={self.python_version!r}, ray_version={self.ray_version!r}, "
            f"ray_commit={self.ray_commit!r})"
        )


def address_info(session_dir: str, node_id: str) -> dict[str, Any]:
    """Return the address of a session that this process holds itself."""
    return {
        "node_ip_address": "127.0.0.1",
        "redis_address": None,
        "object_store_address": None,
        "raylet_socket_name": None,
        "webui_url": "",
        "session_dir": session_dir,
        "metrics_export_port": -1,
        "gcs_address": None,
        "address": "local",
        "dashboard_agent_listen_port": -1,
        "node_id": node_id,
    }
