"""``ray.worker``, ``ray.state`` and their kin: private modules that libraries still reach for."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any


class DeprecatedModule:
    """Gives the names of a module, and says in the log, once for each, that it is private."""

    def __init__(self, name: str, module: ModuleType) -> None:
        self._name = name
        self._module = module
        self._told: set[str] = set()

    def __getattr__(self, attr: str) -> Any:
        value = getattr(self._module, attr)
        if attr not in self._told:
            self._told.add(attr)
            import logging

            logging.getLogger("thornback").warning(
                "DeprecationWarning: `ray.%s.%s` is a private attribute and access will be "
                "removed in a future Ray version.",
                self._name,
                attr,
            )
        return value


def deprecated(name: str) -> DeprecatedModule:
    """Return what ``ray.<name>`` is."""
    from importlib import import_module

    return DeprecatedModule(name, import_module(f"thornback._private.{name}"))
