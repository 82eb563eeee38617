"""What libraries ask about the session."""

from __future__ import annotations

from .._api import available_resources as available_resources
from .._api import cluster_resources as cluster_resources
from .._api import nodes as nodes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class GlobalState:
    """Ray's private `state` object: the questions that have an answer here."""

    def node_table(self) -> list[dict[str, Any]]:
        """Return the session's nodes."""
        return nodes()

    def cluster_resources(self) -> dict[str, float]:
        """Return what the session has in all."""
        return cluster_resources()

    def available_resources(self) -> dict[str, float]:
        """Return what nobody holds now."""
        return available_resources()

    def total_resources_per_node(self) -> dict[str, dict[str, float]]:
        """Return what each node has, by its id."""
        return {node["NodeID"]: node["Resources"] for node in nodes()}

    def available_resources_per_node(self) -> dict[str, dict[str, float]]:
        """Return what each node has left, by its id."""
        return {node["NodeID"]: available_resources() for node in nodes()}


state = GlobalState()


def total_resources_per_node() -> dict[str, dict[str, float]]:
    """Return what each node has, by its id."""
    return state.total_resources_per_node()


def available_resources_per_node() -> dict[str, dict[str, float]]:
    """Return what each node has left, by its id."""
    return state.available_resources_per_node()
