"""Functions and classes on their way to workers: pickled once a session, known by a number then.

A definition that refers to itself, a recursive remote function for instance, does so by a mark that
the reader replaces; one that refers to others refers to their numbers. One that captures references
to objects has no number, because numbers live as long as the session and would keep the objects as
long: it becomes an object itself, which goes when its last use goes.
"""

from __future__ import annotations

import os
import sys
import threading

from . import _core
from ._serialization import encoding, explain, is_encoding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

FUNCTION = 1
CLASS = 2
METHOD = 3

_WARN_BYTES = 10**7
_ERROR_BYTES = 10**8
_MIB = 2**20


class CapturesReference(Exception):
    """The definition holds references to objects; it must travel as an object."""


def module_name(module: str) -> str:
    """Return a module's name, as Ray has it: that of the program's file for ``__main__``."""
    if module != "__main__" or not sys.argv or sys.argv[0] in ("", "-c", "-"):
        return module
    return os.path.basename(sys.argv[0]).removesuffix(".py")


class _State(threading.local):
    def __init__(self) -> None:
        self.exporting: list[Definition] = []
        self.loading: list[tuple[int, str, bytes]] = []


_state = _State()


class Definition:
    """A function or a class that workers run.

    Parameters
    ----------
    kind : int
        FUNCTION or CLASS.
    name : str
        Shown to users.
    target : callable, optional
        None in a process that knows the number only and has not needed more.
    """

    def __init__(self, kind: int, name: str, target: Callable[..., Any] | None = None) -> None:
        self.kind = kind
        self.name = name
        self._target = target
        self._blob: bytes | None = None
        self._number = 0
        self._session = 0

    @property
    def target(self) -> Callable[..., Any]:
        """The function or class itself, fetched if need be."""
        if self._target is None:
            blob = self._blob if self._blob is not None else _fetch(self._number)
            self._target = load(self.kind, self.name, blob)
        return self._target

    def export(self) -> int:
        """Return the number in the running session, given now if there is none yet.

        Raises
        ------
        CapturesReference
        TypeError
            It can't be pickled; the message names the path to the culprit.
        ValueError
            It is larger than FUNCTION_SIZE_ERROR_THRESHOLD (100 MB).
        """
        session = _core.session()
        if self._number and self._session == session:
            return self._number
        blob = self._blob if self._blob is not None else self._pickled()
        number = _core.define(self.kind, self.name, blob, self._digest(blob))
        self._number, self._session = number, session
        return number

    def _pickled(self) -> bytes:
        _state.exporting.append(self)
        try:
            with encoding():
                blob = _pickle(self.target)
        except CapturesReference:
            self._check_references()
            raise
        except Exception as error:
            from ._exceptions import OufOfBandObjectRefSerializationException

            if isinstance(error, OufOfBandObjectRefSerializationException):
                raise  # of another definition that this one uses
            raise explain(self.target, self._in_words, error) from error
        finally:
            _state.exporting.pop()
        self._check_size(len(blob))
        return blob

    @property
    def _in_words(self) -> str:
        return f"the {'function' if self.kind == FUNCTION else 'actor class'} {self.name}"

    def _check_references(self) -> None:
        """Refuse captured references where the user wants that."""
        from ._pickler import check_strictly, is_strict

        if not is_strict():
            return
        from ._exceptions import OufOfBandObjectRefSerializationException

        try:
            with encoding():
                check_strictly(self.target)
        except OufOfBandObjectRefSerializationException as error:
            text = f"Could not serialize {self._in_words}: {error}"
            raise OufOfBandObjectRefSerializationException(text) from None

    def _digest(self, blob: bytes) -> bytes:
        import hashlib

        head = f"{self.kind}{self.name}\0".encode(errors="replace")
        digest = hashlib.blake2b(head, digest_size=16)
        digest.update(blob)
        return digest.digest()

    @property
    def _kind_name(self) -> str:
        return "remote function" if self.kind == FUNCTION else "actor"

    def _check_size(self, size: int) -> None:
        advice = (
            "Check that its definition is not implicitly capturing a large array or other object "
            "in scope. Tip: use ray.put() to put large objects in the Ray object store."
        )
        limit = int(os.environ.get("FUNCTION_SIZE_ERROR_THRESHOLD", _ERROR_BYTES))
        if size > limit:
            raise ValueError(
                f"The {self._kind_name} {self.name} is too large ({size // _MIB} MiB > "
                f"FUNCTION_SIZE_ERROR_THRESHOLD={limit // _MIB} MiB). {advice}"
            )
        if size > int(os.environ.get("FUNCTION_SIZE_WARN_THRESHOLD", _WARN_BYTES)):
            import logging

            logging.getLogger("thornback").warning(
                "The %s %s is very large (%d MiB). %s",
                self._kind_name,
                self.name,
                size // _MIB,
                advice,
            )

    def __reduce__(self) -> tuple[Any, ...]:
        if not is_encoding():
            return self._by_value()
        if self in _state.exporting:
            return (_being_loaded, ()) if _state.exporting[-1] is self else self._by_value()
        try:
            number = self.export()
        except CapturesReference:
            if _state.exporting:
                raise
            return self._by_value()
        return (_numbered, (self.kind, self.name, number, self._session))

    def _by_value(self) -> tuple[Any, ...]:
        # The target comes after the object, since it may refer to the object.
        return (Definition, (self.kind, self.name), {"_target": self.target})


def load(kind: int, name: str, blob: bytes) -> Any:
    """Return the callable that a blob holds; for a method, its name."""
    import pickle

    if kind == METHOD:
        return name
    _state.loading.append((kind, name, blob))
    try:
        return pickle.loads(blob)
    finally:
        _state.loading.pop()


def call_captured(body: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function or class that came as an object, because it captures references."""
    return body(*args, **kwargs)


def _being_loaded() -> Definition:
    """Return the definition whose blob is being read: it refers to itself."""
    kind, name, blob = _state.loading[-1]
    definition = Definition(kind, name)
    definition._blob = blob
    return definition


def _numbered(kind: int, name: str, number: int, session: int) -> Definition:
    definition = Definition(kind, name)
    definition._number, definition._session = number, session
    return definition


def _fetch(number: int) -> bytes:
    import base64
    import json

    reply = _core.control("definition.get", json.dumps({"fid": number}).encode())
    return base64.b64decode(json.loads(reply)["blob"])


def _pickle(target: Any) -> bytes:
    """Pickle a definition, in an attempt that leaves no trace when it captures references."""
    import io

    file = io.BytesIO()
    _pickler_class()(file, protocol=5).dump(target)
    return file.getvalue()


_pickler: Any = None


def _pickler_class() -> Any:
    global _pickler
    if _pickler is None:
        from ._pickler import Pickler as Base

        class Pickler(Base):
            """Stops at a reference before the reference notes that it is pickled."""

            def reducer_override(self, obj: Any) -> Any:
                if isinstance(obj, _core.ObjectRef):
                    raise CapturesReference
                return super().reducer_override(obj)

        _pickler = Pickler
    return _pickler
