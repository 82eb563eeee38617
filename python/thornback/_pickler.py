"""The pickler of what travels by value: cloudpickle's, with the files that code comes from.

Since 3.1.3 cloudpickle leaves the file's name out of functions, so that equal ones have equal
pickles wherever they were defined. A traceback without file and line is worth less than that.
"""

from __future__ import annotations

import io
import os
from collections import ChainMap
from types import CodeType

import cloudpickle

from . import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# Place of co_filename among the arguments of CodeType, in all versions of Python that we run on.
_FILENAME = 10


def _reduce_code(code: CodeType) -> tuple[Any, ...]:
    make, args, *rest = cloudpickle.CloudPickler.dispatch_table[CodeType](code)
    return (make, (*args[:_FILENAME], code.co_filename, *args[_FILENAME + 1 :]), *rest)


_TABLE = ChainMap({CodeType: _reduce_code}, cloudpickle.CloudPickler.dispatch_table)


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """A cloudpickle pickler that keeps `co_filename`.

    Serializers that users register with cloudpickle count here too, also later ones.
    """

    dispatch_table = _TABLE


def dumps(obj: Any, buffer_callback: Callable[[Any], Any] | None = None) -> bytes:
    """Return the pickle of an object, protocol 5."""
    file = io.BytesIO()
    Pickler(file, protocol=5, buffer_callback=buffer_callback).dump(obj)
    return file.getvalue()


def is_strict() -> bool:
    """Whether references may be pickled in arguments and values only, where the engine counts them.

    Ray's RAY_allow_out_of_band_object_ref_serialization says it, by 0.
    """
    name = "RAY_allow_out_of_band_object_ref_serialization"
    return os.environ.get(name, "1").lower() not in ("1", "true")


class StrictPickler(Pickler):
    """Refuses references, but not handles of actors.

    Raises
    ------
    OufOfBandObjectRefSerializationException
        By `dump`, of an object that holds a reference.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # By their ids; kept, because an id could be used again otherwise.
        self._of_handles: dict[int, Any] = {}

    def reducer_override(self, obj: Any) -> Any:
        """Look at what is pickled next."""
        if isinstance(obj, _core.ObjectRef):
            if id(obj) not in self._of_handles:
                raise _refused(obj)
        elif isinstance(obj, _core.ActorHandleBase):
            return self.reduce_handle(obj)
        return super().reducer_override(obj)

    def reduce_handle(self, handle: Any) -> Any:
        """Let the handle's own reference pass."""
        self._of_handles[id(handle._ref)] = handle._ref
        return NotImplemented


class _Checker(StrictPickler):
    """Pickles to see whether it may, and holds nothing."""

    def reduce_handle(self, handle: Any) -> Any:
        """Leave the handle out: its reference would note that it is pickled."""
        del handle
        return (str, ())


def check_strictly(obj: Any) -> None:
    """Raise OufOfBandObjectRefSerializationException if an object holds a reference."""
    _Checker(io.BytesIO(), protocol=5).dump(obj)


def dumps_strictly(obj: Any, protocol: int | None = None, buffer_callback: Any = None) -> bytes:
    """Return the pickle of an object that holds no reference; `cloudpickle.dumps` otherwise."""
    file = io.BytesIO()
    StrictPickler(file, protocol=protocol, buffer_callback=buffer_callback).dump(obj)
    return file.getvalue()


def dump_strictly(
    obj: Any, file: Any, protocol: int | None = None, buffer_callback: Any = None
) -> None:
    """Pickle an object that holds no reference into a file; `cloudpickle.dump` otherwise."""
    StrictPickler(file, protocol=protocol, buffer_callback=buffer_callback).dump(obj)


def _refused(ref: Any) -> Exception:
    from ._exceptions import OufOfBandObjectRefSerializationException

    site = ref.call_site() or "Disabled. Set RAY_record_ref_creation_sites=1"
    return OufOfBandObjectRefSerializationException(
        f"It is not allowed to serialize ray.ObjectRef {ref.hex()}. If you want to allow "
        "serialization, set `RAY_allow_out_of_band_object_ref_serialization=1.` If you set the env "
        "var, the object is pinned forever in the lifetime of the worker process and can cause Ray "
        "object leaks. See the callsite and trace to find where the serialization occurs.\n"
        f"Callsite: {site}"
    )
