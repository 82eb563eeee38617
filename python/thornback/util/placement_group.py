"""Placement groups: the names of Ray's module; not available in this release.

Called itself, the module is the function of its name, as `ray.util.placement_group` is both.
"""

from __future__ import annotations

import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

_TEXT = "placement groups are not available in this release"


class PlacementGroup:
    """A set of resources that are reserved together; not available in this release."""

    def __init__(self, id: Any, bundle_cache: list[dict[str, float]] | None = None) -> None:
        self.id = id
        self.bundle_cache = bundle_cache

    @staticmethod
    def empty() -> PlacementGroup:
        """Return the group that is none."""
        from .._ids import PlacementGroupID

        return PlacementGroup(PlacementGroupID.nil())

    @property
    def is_empty(self) -> bool:
        """Whether it is the group that is none."""
        return bool(self.id.is_nil())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PlacementGroup) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)


def placement_group(bundles: list[dict[str, float]], *args: Any, **kwargs: Any) -> NoReturn:
    """Reserve resources; not available in this release.

    Raises
    ------
    NotImplementedError
    """
    del bundles, args, kwargs
    raise NotImplementedError(_TEXT)


def remove_placement_group(placement_group: PlacementGroup) -> NoReturn:
    """Give up a group; not available in this release.

    Raises
    ------
    NotImplementedError
    """
    del placement_group
    raise NotImplementedError(_TEXT)


def get_placement_group(placement_group_name: str) -> NoReturn:
    """Return the group of this name: there is none.

    Raises
    ------
    ValueError
    """
    if not placement_group_name:
        raise ValueError("Please supply a non-empty value to get_placement_group")
    raise ValueError(f"Failed to look up placement group with name: {placement_group_name}")


def placement_group_table(placement_group: PlacementGroup | None = None) -> dict[str, Any]:
    """Return what is known about all groups: there are none."""
    del placement_group
    return {}


def get_current_placement_group() -> PlacementGroup | None:
    """Return the group that the calling code runs in: none."""
    return None


class _Module(ModuleType):
    """The module, which can be called."""

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        placement_group(*args, **kwargs)


sys.modules[__name__].__class__ = _Module
