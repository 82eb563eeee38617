"""The engine's numeric codes and the exceptions that they become."""

from __future__ import annotations

from . import _core, _ids
from . import _exceptions as exc
from ._task_error import RayTaskError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ._ray_error import RayError

    _Maker = Callable[[str, Mapping[str, str]], BaseException]

WORKER_CRASHED = 1
ACTOR_DIED = 2
ACTOR_UNAVAILABLE = 3
OBJECT_LOST = 4
OBJECT_FREED = 5
OWNER_DIED = 6
STORE_FULL = 7
OUT_OF_MEMORY = 8
TASK_CANCELLED = 9
UNSCHEDULABLE = 10
NODE_DIED = 11
INTERNAL = 12
GET_TIMEOUT = 13
PENDING_CALLS_LIMIT = 14
TASK_UNPICKLABLE = 15
RECONSTRUCTION = 20
DEADLOCK = 18
END_OF_STREAM = 16
SCOPE = 21
SCOPE_ENDED = 22
DEADLINE_EXCEEDED = 17


def system_error(code: int, text: str, fields: Mapping[str, str]) -> BaseException:
    """Return the exception for what the engine reports.

    Parameters
    ----------
    code : int
        One of this module's constants; any other gives a `RaySystemError`.
    text : str
        The engine's own words, may be empty.
    fields : mapping of str to str
        What the engine knows, each optional. Deaths: `task`, `pid`, `exit` (``"3"``, ``"-9"`` or a
        signal's name), `stderr`, `actor_class`, `actor_id`, `name`, `namespace`, `ip`,
        `never_started` (``"true"``). Objects: `object`, `owner`, `call_site`. The store: `size`,
        `used`, `capacity` in bytes, `holders`. Cancellation: `task_id`.

    Returns
    -------
    BaseException
        Not raised. A `RayError`, but for what a scope tells.
    """
    make = _MAKERS.get(code)
    if make is None:
        return exc.RaySystemError(text or f"unknown error code {code}")
    return make(text, fields)


def _pick(fields: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: fields[name] for name in names if name in fields}


def _worker_crashed(text: str, fields: Mapping[str, str]) -> RayError:
    return exc.WorkerCrashedError(text, **_pick(fields, "task", "pid", "exit", "stderr"))


def _actor_died(text: str, fields: Mapping[str, str]) -> RayError:
    known = _pick(
        fields, "actor_id", "pid", "name", "namespace", "ip", "exit", "stderr", "never_started"
    )
    if "pid" in known:
        known.setdefault("ip", "127.0.0.1")
    return exc.ActorDiedError(
        {"class_name": fields.get("actor_class", ""), "error_message": text, **known}
    )


def _actor_unavailable(text: str, fields: Mapping[str, str]) -> RayError:
    return exc.ActorUnavailableError(
        text or "its process is gone or does not answer",
        fields.get("actor_id"),
        fields.get("stderr", ""),
    )


def _object_error(cls: type[exc.ObjectLostError]) -> _Maker:
    def make(text: str, fields: Mapping[str, str]) -> RayError:
        error = cls(
            fields.get("object", "unknown"), fields.get("owner"), fields.get("call_site", "")
        )
        error.detail = text
        return error

    return make


def _reconstruction(text: str, fields: Mapping[str, str]) -> RayError:
    return exc.ObjectReconstructionFailedError(
        fields.get("object", "unknown"), fields.get("reason"), text or None
    )


def _store_full(text: str, fields: Mapping[str, str]) -> RayError:
    text = text or "Failed to put an object into the object store."
    return exc.ObjectStoreFullError(text, **_pick(fields, "size", "used", "capacity", "holders"))


def _cancelled(text: str, fields: Mapping[str, str]) -> RayError:
    task = fields.get("task_id")
    if "handle" in fields:
        own = _ids.task_id(_core.session(), int(fields["handle"])).hex()
        text = f"Task: {own} was cancelled."
        if "restarted" in fields:
            text += " Its actor was restarted for it, and the actor's state is lost."
        if "actor" in fields:
            actor = _ids.actor_id(_core.session(), int(fields["actor"], 16)).hex()
            text = f"The task {own} is canceled from an actor {actor} before it executes."
        if "on_loop" in fields:
            return _cancelled_on_loop(own, fields)
        return exc.TaskCancelledError(None, text)
    return exc.TaskCancelledError(task or fields.get("task"), text or None)


def _cancelled_on_loop(task: str, fields: Mapping[str, str]) -> RayError:
    """Return the error of an async actor's call: as in Ray, that of a task that raised it."""
    cause = exc.TaskCancelledError(_ids.TaskID.from_hex(task))
    kind = f"{type(cause).__module__}.TaskCancelledError"
    text = f"Traceback (most recent call last):\n{kind}: {cause}\n"
    name, pid = fields.get("task", "unknown"), int(fields.get("pid", "0"))
    return exc.RayTaskError(name, text, cause, pid=pid).as_instanceof_cause()


def _late(_text: str, fields: Mapping[str, str]) -> RayError:
    above = fields.get("ancestor")
    return exc.DeadlineExceeded(
        fields.get("task", "unknown"),
        _ids.task_id(_core.session(), int(fields.get("handle", "0"))).hex(),
        above,
        above and _ids.task_id(_core.session(), int(fields.get("ancestor_handle", "0"))).hex(),
    )


def _unschedulable(text: str, fields: Mapping[str, str]) -> RayError:
    if "actor_class" in fields or "actor_id" in fields:
        return exc.ActorUnschedulableError(text)
    return exc.TaskUnschedulableError(text)


def _scope(_text: str, _fields: Mapping[str, str]) -> BaseException:
    from ._scope import cause

    return cause()


def _unpicklable(text: str, fields: Mapping[str, str]) -> RayError:
    # The worker could not read the function or its arguments: to the user, a TypeError in the task.
    pid = fields.get("pid")
    error = RayTaskError(
        fields.get("task", "unknown"),
        f"TypeError: {text}",
        TypeError(text),
        pid=int(pid) if pid else None,
        ip=fields.get("ip"),
    )
    return error.as_instanceof_cause()


def _message(cls: Callable[[str], Exception], empty: str = "") -> _Maker:
    return lambda text, _fields: cls(text or empty)


_MAKERS: dict[int, _Maker] = {
    WORKER_CRASHED: _worker_crashed,
    ACTOR_DIED: _actor_died,
    ACTOR_UNAVAILABLE: _actor_unavailable,
    OBJECT_LOST: _object_error(exc.ObjectLostError),
    OBJECT_FREED: _object_error(exc.ObjectFreedError),
    OWNER_DIED: _object_error(exc.OwnerDiedError),
    STORE_FULL: _store_full,
    OUT_OF_MEMORY: _message(exc.OutOfMemoryError),
    TASK_CANCELLED: _cancelled,
    UNSCHEDULABLE: _unschedulable,
    NODE_DIED: _message(exc.NodeDiedError),
    INTERNAL: _message(exc.RaySystemError),
    GET_TIMEOUT: _message(exc.GetTimeoutError, "Get timed out: some object(s) not ready."),
    PENDING_CALLS_LIMIT: _message(exc.PendingCallsLimitExceeded),
    TASK_UNPICKLABLE: _unpicklable,
    RECONSTRUCTION: _reconstruction,
    DEADLOCK: _message(exc.DeadlockError),
    SCOPE: _scope,
    SCOPE_ENDED: _message(RuntimeError),
    END_OF_STREAM: _message(exc.ObjectRefStreamEndOfStreamError),
    DEADLINE_EXCEEDED: _late,
}
