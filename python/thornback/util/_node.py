"""The machine that this process runs on."""

from __future__ import annotations

_ADDRESS = "127.0.0.1"


def get_node_ip_address(address: str | None = None) -> str:
    """Return the address of this node.

    Parameters
    ----------
    address : str, optional
        Without effect: nothing of a session listens on the network.
    """
    del address
    return _ADDRESS


def get_node_instance_id() -> str:
    """Return the name that a cloud has given this machine, as far as the environment tells it."""
    import os

    return os.environ.get("RAY_CLOUD_INSTANCE_ID", "")
