"""RayError, the root of all exceptions of the engine, and its way to bytes and back.

Bytes carry the formatted text beside the pickle: an exception whose class the reader can't rebuild
still arrives with everything that a person needs.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# Classes name their public home, so that tracebacks and pickles don't show private modules.
PUBLIC_MODULE = "thornback.exceptions"


class RayError(Exception):
    """Super class of all exceptions that the engine raises."""

    __module__ = PUBLIC_MODULE

    def to_bytes(self, dumps: Callable[[object], bytes] | None = None) -> bytes:
        """Pack the exception for another process.

        Parameters
        ----------
        dumps : callable, optional
            Pickles the exception itself; cloudpickle when not given. The engine passes its own,
            which notes the references inside.

        Returns
        -------
        bytes
            A pickle stream that always loads: an exception that can't be rebuilt where it is read,
            because its class is missing or its constructor wants other arguments, becomes an
            `UnserializableException` with the original text; a task's error stays a `RayTaskError`
            and has that as its cause.
        """
        import pickle
        import traceback

        if dumps is None:
            import cloudpickle

            dumps = cloudpickle.dumps
        text = "".join(traceback.format_exception(type(self), self, self.__traceback__))
        return pickle.dumps(_Packed(text, self._plain_fields(), dumps(self)), protocol=5)

    @staticmethod
    def from_bytes(data: bytes) -> RayError:
        """Unpack what `to_bytes` made, from an authenticated peer only: it is unpickled."""
        import pickle

        error = pickle.loads(data)
        if not isinstance(error, RayError):
            raise TypeError(f"expected the bytes of a RayError, got those of a {type(error)}")
        return error

    def _plain_fields(self) -> tuple[Any, ...] | None:
        """Return what can be rebuilt without the pickle, or None."""
        return None


class UnserializableException(RayError):
    """An exception arrived that can't be rebuilt in this process.

    Parameters
    ----------
    original_stack_trace : str
        The text of the original exception with its traceback.
    """

    __module__ = PUBLIC_MODULE

    def __init__(self, original_stack_trace: str) -> None:
        super().__init__(original_stack_trace)
        self._original_stack_trace = original_stack_trace

    def __str__(self) -> str:
        return (
            "Failed to deserialize exception. Its class must be importable here, and "
            "`cls(*exception.args)` must rebuild it; define `__reduce__` otherwise.\n"
            "Original exception:\n"
            f"{self._original_stack_trace}"
        )


class _Packed:
    """Stands for an exception in a pickle stream; loading it gives the exception."""

    def __init__(self, text: str, fields: tuple[Any, ...] | None, payload: bytes) -> None:
        self._parts = (text, fields, payload)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_unpack, self._parts)


def _unpack(text: str, fields: tuple[Any, ...] | None, payload: bytes) -> RayError:
    import pickle

    try:
        error = pickle.loads(payload)
    except Exception:  # noqa: BLE001 - the user's constructor may raise anything
        error = None
    if isinstance(error, RayError):
        return error
    lost = UnserializableException(text)
    if fields is None:
        return lost
    from ._task_error import restore_task_error

    return restore_task_error(fields, lost)
