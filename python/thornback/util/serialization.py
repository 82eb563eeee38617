"""Serializers of the user's own, by class."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def register_serializer(
    cls: type, *, serializer: Callable[[Any], Any], deserializer: Callable[[Any], Any]
) -> None:
    """Let values of a class travel as what `serializer` makes of them.

    It counts in this process, for the class itself and not for classes derived from it. Whoever
    reads needs no registration: the deserializer travels along.

    Parameters
    ----------
    cls : type
    serializer : callable
        Takes the value, returns something that can be pickled.
    deserializer : callable
        Takes that, returns the value.

    Examples
    --------
    >>> import thornback as ray
    >>> ray.util.register_serializer(
    ...     Connection, serializer=lambda c: c.address, deserializer=Connection
    ... )  # doctest: +SKIP
    """
    from .._serializers import register

    register(cls, serializer, deserializer)


def deregister_serializer(cls: type) -> None:
    """Undo `register_serializer`; without effect when there was none."""
    from .._serializers import deregister

    deregister(cls)
