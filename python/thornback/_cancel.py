"""Cancelling tasks."""

from __future__ import annotations

from . import _core, _fork

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._generator import ObjectRefGenerator
    from ._object_ref import ObjectRef

# XR_ECANCEL of thornback.h.
_REFUSED = -13


def cancel(
    ray_waitable: ObjectRef[Any] | ObjectRefGenerator[Any],
    *,
    force: bool = False,
    recursive: bool = True,
    interrupt: bool = False,
    restart: bool = False,
) -> None:
    """Cancel the task that makes an object; no effect once the object is there.

    A task that has not begun never does. In one that runs `KeyboardInterrupt` is raised: it may
    tidy up, or catch it and go on, and then its result counts. A call of an actor's method is only
    told, through ``get_runtime_context().is_canceled()``, and an async one by asyncio's
    `CancelledError`; it fails whatever it returns. A cancelled task is never tried again.

    Parameters
    ----------
    ray_waitable : ObjectRef or ObjectRefGenerator
    force : bool
        End the task's process at once instead. Not for calls of actors.
    recursive : bool
        Cancel what the task has submitted, too.
    interrupt : bool
        Raise `KeyboardInterrupt` in a running call of a sync actor's method as well. Thornback's
        own. The exception can come between any two steps of the method: the actor's state is what
        the method has made of it by then.
    restart : bool
        End the process of the actor that runs the call: the actor is made again by its constructor,
        within its `max_restarts`, and what state it had is lost. Other calls that it has not
        answered are tried again within their `max_task_retries`, or raise `ActorUnavailableError`.
        Thornback's own.

    Raises
    ------
    TypeError
        Not a reference to an object.
    ValueError
        `force` for a call of an actor, `restart` for one that has no restarts left or for a task,
        or a reference of another session.

    Notes
    -----
    `get` of what was cancelled raises `TaskCancelledError`.
    """
    if isinstance(ray_waitable, _core.Stream):
        ray_waitable = ray_waitable._generator_ref
    if not isinstance(ray_waitable, _core.ObjectRef):
        raise TypeError(
            "ray.cancel() only supported for object refs. For actors, try ray.kill(). "
            f"Got: {type(ray_waitable)}."
        )
    _fork.check()
    if ray_waitable.session != _core.session():
        now = _core.session()
        running = f"but the session running is {now:x}" if now else "no session is running"
        raise ValueError(f"the ObjectRef belongs to session {ray_waitable.session:x}, {running}")
    import json

    request = {
        "object": ray_waitable.handle,
        "force": bool(force),
        "recursive": bool(recursive),
        "interrupt": bool(interrupt),
        "restart": bool(restart),
    }
    try:
        _core.control("cancel", json.dumps(request).encode())
    except RuntimeError as error:
        if getattr(error, "code", None) != _REFUSED:
            raise
        raise ValueError(f"{error}.") from None
