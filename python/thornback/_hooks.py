"""What the C extension calls in Python, given to it once, when the package is imported."""

from __future__ import annotations

import os
import sys

from . import _core
from ._generator import ObjectRefGenerator
from ._handle import ActorMethod
from ._object_ref import ObjectRef

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Hooks:
    """The names are the contract: see `install` in `_core.pyi`."""

    object_ref = ObjectRef
    actor_method = ActorMethod
    generator = ObjectRefGenerator

    @staticmethod
    def auto_init() -> None:
        """Start a session, because something needs one."""
        from ._init import auto_init

        auto_init()

    @staticmethod
    def dumps(obj: Any, buffer_callback: Callable[[Any], Any] | None, label: str) -> bytes:
        """Pickle what the C pickler could not."""
        from ._serialization import dumps

        return dumps(obj, buffer_callback, label)

    @staticmethod
    def arrow_write(obj: Any) -> tuple[int, int, Callable[[memoryview], None]] | None:
        """Prepare a table for the store."""
        from ._arrow import write

        return write(obj)

    @staticmethod
    def arrow_read(kind: int, buffer: Any) -> Any:
        """Return the table in a buffer."""
        from ._arrow import read

        return read(kind, buffer)

    @staticmethod
    def error_of(exc: BaseException) -> bytes:
        """Return the bytes of the error that tells what a task raised."""
        from ._serialization import encoding
        from .exceptions import ActorDiedError, RayTaskError

        current = _core.current_task()
        if isinstance(exc, KeyboardInterrupt) and current is not None:
            exc = _cancelled(exc)
        with encoding():
            if current is None:
                return RayTaskError.from_exception(exc, "unknown").to_bytes()
            _, name, actor, _, _ = current
            concurrency = sys.modules.get("thornback._concurrency")
            if concurrency is not None:
                exc = concurrency.call_error(exc)
            if not actor:
                return RayTaskError.from_exception(exc, name).to_bytes()
            instance = _core.actor_instance()
            where: dict[str, str | None] = {"actor_id": _actor_hex(actor)}
            if instance is None:
                where["actor_repr"] = _unfinished_repr(exc)
                error = RayTaskError.from_exception(exc, f"{name}.__init__", **where)
                return ActorDiedError.from_task_error(error).to_bytes()
            where["actor_repr"] = _repr(instance)
            function_name = f"{type(instance).__name__}.{name.rpartition('.')[2]}"
            return RayTaskError.from_exception(exc, function_name, **where).to_bytes()

    @staticmethod
    def raise_task_error(obj: Any) -> BaseException:
        """Return the exception to raise for an error that was stored as a task's result."""
        from .exceptions import RayTaskError

        if isinstance(obj, RayTaskError):
            return obj.as_instanceof_cause()
        if isinstance(obj, BaseException):
            return obj
        return TypeError(f"expected the error of a task, got {type(obj)}")

    @staticmethod
    def system_error(code: int, json_text: str) -> BaseException:
        """Return the exception for an error that the engine reports."""
        import json

        # The module that the classes name must be loaded: cloudpickle would take them apart else.
        from . import exceptions as _exceptions  # noqa: F401

        fields = json.loads(json_text)
        text = fields.pop("message", "")
        if fields.get("actor_id"):
            fields["actor_id"] = _actor_hex(int(fields["actor_id"], 16))
        if fields.get("object"):
            fields["object"] = _object_hex(int(fields["object"], 16))
        from ._system_error import system_error

        return system_error(code, text, fields)

    @staticmethod
    def retryable(exc: BaseException, tid: int) -> bool:
        """Return whether a task's exception is of a class that its `retry_exceptions` lists."""
        from ._templates import retry_classes

        return isinstance(exc, retry_classes(tid))

    @staticmethod
    def undecodable(exc: Exception) -> BaseException:
        """Return the exception for a value that can't be unpickled here."""
        from .exceptions import RayError, RaySystemError

        if isinstance(exc, RayError):
            return exc
        import traceback

        error = RaySystemError(exc, "".join(traceback.format_exception(exc)))
        error.__cause__ = exc
        return error

    @staticmethod
    def enter_context(task: int, lasting: bool) -> Callable[[], None]:
        """Set the environment up for the GPUs and CPUs of a task that is about to run."""
        from ._accelerators import enter

        return enter(task, lasting)

    @staticmethod
    def load(kind: int, name: str, blob: bytes) -> Any:
        """Return the callable, class or method name of a definition."""
        from ._definitions import CLASS, call_captured, load

        target = load(kind, name, blob)
        if kind != CLASS:
            return target
        from ._handle import equip

        if target is call_captured:
            return lambda body, *args, **kwargs: equip(body)(*args, **kwargs)
        return equip(target)


def _cancelled(exc: BaseException) -> BaseException:
    """Return what a task's interrupt means to those who wait for it."""
    from ._runtime_context import running_task_id
    from .exceptions import TaskCancelledError

    return TaskCancelledError(running_task_id()).with_traceback(exc.__traceback__)


def _actor_hex(handle: int) -> str:
    from ._ids import actor_id

    return actor_id(_core.session(), handle).hex()


def _object_hex(handle: int) -> str:
    ref: Any = _core._restore_ref(handle, _core.session())
    return str(ref.hex())


def _repr(instance: Any) -> str:
    try:
        return repr(instance)
    except Exception:  # noqa: BLE001
        # The user's own; its failure must not hide the error that is being told.
        return f"<{type(instance).__name__} in process {os.getpid()}>"


def _unfinished_repr(exc: BaseException) -> str | None:
    """Show the instance whose constructor raised; None where no constructor in Python did."""
    trace = exc.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_name == "__init__" and code.co_argcount:
            instance = trace.tb_frame.f_locals.get(code.co_varnames[0])
            return None if instance is None else _repr(instance)
        trace = trace.tb_next
    return None


_core.install(Hooks)
