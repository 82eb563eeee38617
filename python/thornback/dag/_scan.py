"""Find nodes anywhere in values, and put other values in their places."""

from __future__ import annotations

import io
import pickle

import cloudpickle

from .. import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .dag_node import DAGNode

_PLAIN = (str, bytes, int, float, bool, type(None))


class Scan:
    """The nodes in a value, each once, in the order in which they stand there.

    Whatever has nodes inside must be picklable, since it is copied; what has none is left alone.

    Parameters
    ----------
    value : object

    Attributes
    ----------
    nodes : list of DAGNode
    """

    def __init__(self, value: Any) -> None:
        self._value = value
        self._kept: list[Any] = []
        self._places: dict[int, int] = {}
        self.nodes: list[DAGNode] = []
        self._stream = b""
        if not isinstance(value, _PLAIN):
            file = io.BytesIO()
            _Pickler(self, file).dump(value)
            self._stream = file.getvalue()

    def replaced(self, values: Mapping[str, Any]) -> Any:
        """Return the value with those of `values`, by the nodes' ids, in their places."""
        if not self.nodes:
            return self._value
        return _Unpickler(io.BytesIO(self._stream), self._kept, values).load()

    def keep(self, obj: Any) -> int:
        """Note an object that stays itself; return its place."""
        place = self._places.get(id(obj))
        if place is None:
            place = self._places[id(obj)] = len(self._kept)
            self._kept.append(obj)
            if _is_node(obj):
                self.nodes.append(obj)
        return place


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    def __init__(self, scan: Scan, file: io.BytesIO) -> None:
        super().__init__(file, protocol=5)
        self._scan = scan

    def persistent_id(self, obj: Any) -> int | None:
        # References and handles stay themselves too: a pickled one would be kept for ever.
        if _is_node(obj) or isinstance(obj, (_core.ObjectRef, _core.ActorHandleBase)):
            return self._scan.keep(obj)
        return None


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, kept: list[Any], values: Mapping[str, Any]) -> None:
        super().__init__(file)
        self._kept = kept
        self._values = values

    def persistent_load(self, pid: Any) -> Any:
        obj = self._kept[pid]
        return self._values[obj.get_stable_uuid()] if _is_node(obj) else obj


def _is_node(obj: Any) -> bool:
    from .dag_node import DAGNode

    return isinstance(obj, DAGNode)
