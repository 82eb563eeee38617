"""Objects and what the cluster has: `get`, `put`, `wait`, `kill` and their kin."""

from __future__ import annotations

from . import _core, _fork

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypeVar, overload

    from ._object_ref import ObjectRef

    T = TypeVar("T")
    # References and generators of them.
    W = TypeVar("W")
else:

    def overload(function: Any) -> Any:
        """Spare the import of `typing`."""
        return function


_get = _core.get


@overload
def get(
    object_refs: Sequence[ObjectRef[T]],
    *,
    timeout: float | None = None,
    _use_object_store: bool = False,
) -> list[T]: ...
@overload
def get(  # noqa: F811
    object_refs: ObjectRef[T], *, timeout: float | None = None, _use_object_store: bool = False
) -> T: ...
def get(  # noqa: F811
    object_refs: Any,
    *,
    timeout: float | None = None,
    _use_object_store: bool = False,
) -> Any:
    """Wait for objects and return their values.

    Parameters
    ----------
    object_refs : ObjectRef or list of ObjectRef
    timeout : float or None, seconds
        None and negative numbers wait for ever, 0 only looks.

    Returns
    -------
    object or list of object
        In the order of the references. Arrays and tables are views of the object store: read-only,
        and valid as long as they are held.

    Raises
    ------
    GetTimeoutError
        Not all were there in time.
    RayTaskError
        What the task raised; also an instance of the exception's own class. Of several references,
        the first error is raised without waiting for the rest.
    ValueError
        Not a reference or a list.
    TypeError
        Something in the list is no reference.
    """
    if not isinstance(object_refs, (_core.ObjectRef, list)):
        if isinstance(object_refs, _core.Stream):
            return object_refs  # as Ray does
        raise ValueError(
            f"Invalid type of object refs, {type(object_refs)}, is given. 'object_refs' must "
            "either be an ObjectRef or a list of ObjectRefs. "
        )
    if timeout is not None and timeout < 0:
        timeout = None
    return _get(object_refs, timeout)


def put(value: T, *, _owner: Any = None, _tensor_transport: str | None = None) -> ObjectRef[T]:
    """Store a value and return a reference to it.

    Parameters
    ----------
    value : object
        Copied now: later changes do not show.

    Raises
    ------
    TypeError
        It is a reference, or something in it can't be pickled; the message names what.
    ObjectStoreFullError
        There is no room.
    """
    if _owner is not None:
        raise ValueError(
            "The experimental `_owner` argument to `ray.put` has been removed in Ray 2.56."
        )
    if _tensor_transport is not None:
        raise NotImplementedError("put(_tensor_transport=...) is not available in this release")
    return _core.put(value)  # type: ignore[return-value]


@overload
def wait(
    ray_waitables: list[ObjectRef[T]],
    *,
    num_returns: int = 1,
    timeout: float | None = None,
    fetch_local: bool = True,
) -> tuple[list[ObjectRef[T]], list[ObjectRef[T]]]: ...
@overload
def wait(  # noqa: F811
    ray_waitables: list[W],
    *,
    num_returns: int = 1,
    timeout: float | None = None,
    fetch_local: bool = True,
) -> tuple[list[W], list[W]]: ...
def wait(  # noqa: F811
    ray_waitables: Any,
    *,
    num_returns: int = 1,
    timeout: float | None = None,
    fetch_local: bool = True,
) -> Any:
    """Wait until some of the objects are ready.

    Parameters
    ----------
    ray_waitables : list of ObjectRef, without duplicates
    num_returns : int, 1 <= num_returns <= len(ray_waitables)
    timeout : float or None, seconds
        None waits for ever, 0 only looks.
    fetch_local : bool
        Without effect on one machine.

    Returns
    -------
    ready, not_ready : list of ObjectRef
        Both in the order given; ``len(ready) <= num_returns``. An object that holds an error is
        ready.

    Raises
    ------
    TypeError, ValueError
        The arguments are none of the above.
    """
    if isinstance(ray_waitables, (_core.ObjectRef, _core.Stream)):
        raise TypeError(
            "wait() expected a list of ray.ObjectRef or ray.ObjectRefGenerator, got a single "
            f"ray.ObjectRef or ray.ObjectRefGenerator {ray_waitables}"
        )
    if not isinstance(ray_waitables, list):
        raise TypeError(
            "wait() expected a list of ray.ObjectRef or ray.ObjectRefGenerator, "
            f"got {type(ray_waitables)}"
        )
    if timeout is not None and timeout < 0:
        raise ValueError(f"The 'timeout' argument must be nonnegative. Received {timeout}")
    if not ray_waitables:
        return [], []
    # The extension checks the rest, and makes references of our own class.
    return _core.wait(ray_waitables, num_returns, timeout, fetch_local)


def kill(actor: Any, *, no_restart: bool = True) -> None:
    """End an actor at once; its running and waiting calls fail.

    Parameters
    ----------
    actor : ActorHandle
    no_restart : bool
        Whether an actor with restarts left ends for good.

    Raises
    ------
    ValueError
        Not an actor.
    ActorHandleNotFoundError
        The handle is of an earlier session.
    """
    if not isinstance(actor, _core.ActorHandleBase):
        raise ValueError(
            "ray.kill() only supported for actors. For tasks, try ray.cancel(). "
            f"Got: {type(actor)}."
        )
    _fork.check()
    ref = actor._ref
    if ref.session != _core.session():
        from ._exceptions import ActorHandleNotFoundError

        raise ActorHandleNotFoundError(
            f"ActorHandle {actor!r} is of a session that has ended; it can't be killed any more."
        )
    import json

    request = {"actor": ref.handle, "no_restart": no_restart}
    _core.control("kill", json.dumps(request).encode())


def cluster_resources() -> dict[str, float]:
    """Return what the session has in all: amounts by name, memory in bytes."""
    return {name: float(amount) for name, amount in _ask("resources")["total"].items()}


def available_resources() -> dict[str, float]:
    """Return what nobody holds now; a resource that is used up is not in it."""
    available = _ask("resources")["available"]
    return {name: float(amount) for name, amount in available.items() if amount > 0}


def nodes() -> list[dict[str, Any]]:
    """Return the session's nodes, each a dict with `NodeID`, `Alive`, `Resources` and more."""
    import socket

    from . import _ids, _labels

    ip = "127.0.0.1"
    node_id = _ids.node_id(_core.session()).hex()
    return [
        {
            "NodeID": node_id,
            "Alive": True,
            "alive": True,
            "NodeManagerAddress": ip,
            "NodeManagerHostname": socket.gethostname(),
            "NodeManagerPort": 0,
            "ObjectManagerPort": 0,
            "ObjectStoreSocketName": "",
            "RayletSocketName": "",
            "MetricsExportPort": -1,
            "NodeName": ip,
            "RuntimeEnvAgentPort": 0,
            "MetricsAgentPort": 0,
            "DashboardAgentListenPort": 0,
            "DeathReason": 0,
            "DeathReasonMessage": "",
            "Resources": cluster_resources(),
            "Labels": {**_labels.of_node(), "ray.io/node-id": node_id},
        }
    ]


def timeline(filename: str | None = None) -> list[dict[str, Any]] | None:
    """Return a Chrome trace of the tasks that have ended, or write it into a file.

    Parameters
    ----------
    filename : str, optional
        Where to write it, as JSON, for chrome://tracing or Perfetto.

    Returns
    -------
    list of dict, or None
        The trace's events, see `thornback._state.timeline.trace`; None when they went into a file.

    Raises
    ------
    RuntimeError
        There is no session.
    """
    if not _core.session():
        raise RuntimeError(
            "Ray has not been started yet. Timeline requires Ray to be initialized first."
        )
    from ._state.timeline import trace, write

    events = trace(_ask("timeline"))
    if filename is None:
        return events
    write(events, filename)
    return None


def _ask(op: str) -> Any:
    _fork.check()
    if not _core.session():
        from ._exceptions import RaySystemError

        raise RaySystemError(
            "Ray has not been started yet. Trying to use state API before ray.init() has been "
            "called."
        )
    import json

    return json.loads(_core.control(op, b"{}"))
