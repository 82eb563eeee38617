"""What may change; names as in Ray's `ray.experimental`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .locations import get_local_object_locations as get_local_object_locations
    from .locations import get_object_locations as get_object_locations

__all__ = ["get_local_object_locations", "get_object_locations", "set_resource"]


def set_resource(resource_name: str, capacity: float, node_id: str | None = None) -> None:
    """Raise DeprecationWarning, as in Ray: the resources of a session are given to `init`."""
    raise DeprecationWarning(
        f"set_resource({resource_name!r}, {capacity!r}, {node_id!r}): dynamic custom resources are "
        "deprecated; specify them when the session starts, init(resources=...)"
    )


def __getattr__(name: str) -> object:
    if name in __all__:
        from . import locations

        return getattr(locations, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
