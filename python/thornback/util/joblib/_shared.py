"""Large arguments of joblib's calls: each is stored once, and workers see it without a copy."""

from __future__ import annotations

import weakref

from .._large import is_large

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypeAlias

    from ..._object_ref import ObjectRef

    # A function, its arguments and keyword arguments.
    Call: TypeAlias = tuple[Any, Sequence[Any], dict[str, Any]]


class Shared:
    """Stands for an argument that lies in the object store."""

    __slots__ = ("ref",)

    def __init__(self, ref: ObjectRef[Any]) -> None:
        self.ref = ref

    def __reduce__(self) -> tuple[Any, ...]:
        return (Shared, (self.ref,))


class Store:
    """Which arguments are stored; each is forgotten when the program lets it go."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[Any], Shared]] = {}

    def replaced(self, calls: Sequence[Call]) -> Sequence[Call]:
        """Return calls with `Shared` in the place of large arguments.

        The very same calls when there are none: batches have thousands of small ones.
        """
        if not any(is_large(a) for _, args, kw in calls for a in (*args, *kw.values())):
            return calls
        return [
            (function, [self._share(a) for a in args], {k: self._share(a) for k, a in kw.items()})
            for function, args, kw in calls
        ]

    def _share(self, argument: Any) -> Any:
        if not is_large(argument):
            return argument
        known = self._known.get(id(argument))
        if known is not None and known[0]() is argument:
            return known[1]
        from ..._api import put

        key = id(argument)
        try:
            watch = weakref.ref(argument, lambda _: self._known.pop(key, None))
        except TypeError:
            return argument  # nobody could tell when it goes
        shared = Shared(put(argument))
        self._known[key] = (watch, shared)
        return shared

    def clear(self) -> None:
        """Forget all."""
        self._known.clear()


def fetched(argument: Any) -> Any:
    """Return the argument itself."""
    if type(argument) is Shared:
        from ..._api import get

        return get(argument.ref)
    return argument
