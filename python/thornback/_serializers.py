"""Serializers of the user's own: what travels in place of a value of a class.

The table of cloudpickle's pickler holds them, which is where Ray's users find them too; the C
pickler gets a table beside the interpreter's own, so that `pickle` and `copy` notice nothing.
"""

from __future__ import annotations

from . import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_own: dict[type, Callable[[Any], tuple[Any, ...]]] = {}


def register(
    cls: type, serializer: Callable[[Any], Any], deserializer: Callable[[Any], Any]
) -> None:
    """See `thornback.util.register_serializer`."""
    import cloudpickle

    def reduce(obj: Any) -> tuple[Any, ...]:
        return deserializer, (serializer(obj),)

    cloudpickle.CloudPickler.dispatch_table[cls] = reduce
    _own[cls] = reduce
    _core.set_pickler(_dumps, _own)


def deregister(cls: type) -> None:
    """See `thornback.util.deregister_serializer`."""
    import cloudpickle

    if _own.pop(cls, None) is None:
        return
    cloudpickle.CloudPickler.dispatch_table.pop(cls, None)
    if not _own:
        _core.set_pickler(None, _own)


def _dumps(obj: Any, protocol: int, buffer_callback: Callable[[Any], Any] | None) -> bytes:
    import copyreg
    import io
    import pickle
    from collections import ChainMap

    file = io.BytesIO()
    pickler = pickle.Pickler(file, protocol, buffer_callback=buffer_callback)
    own: Any = _own
    standard: Any = copyreg.dispatch_table
    pickler.dispatch_table = ChainMap(own, standard)
    pickler.dump(obj)
    return file.getvalue()
