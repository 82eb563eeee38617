"""Actors with names."""

from __future__ import annotations

from . import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_default: str | None = None


def set_namespace(namespace: str | None) -> None:
    """Set the job's namespace; None gives it one that no other job has."""
    global _default
    if namespace is None:
        import uuid

        namespace = str(uuid.uuid4())
    elif not isinstance(namespace, str):
        raise TypeError(f"namespace must be a string, got {type(namespace)}.")
    elif not namespace:
        raise ValueError('"" is not a valid namespace. Pass None to not specify a namespace.')
    _default = namespace


def default_namespace() -> str:
    """Return the job's namespace."""
    if _default is None:
        set_namespace(None)
    assert _default is not None
    return _default


def namespace_of(namespace: str | None) -> str:
    """Return the namespace meant by an option: the job's own when it is None."""
    return default_namespace() if namespace is None else namespace


def get_actor(name: str, namespace: str | None = None) -> Any:
    """Return a handle of the actor with this name.

    Parameters
    ----------
    name : str
    namespace : str, optional
        The job's own when not given.

    Returns
    -------
    ActorHandle

    Raises
    ------
    ValueError
        The name is empty, or no living actor has it.
    """
    if not name:
        raise ValueError("Please supply a non-empty value to get_actor")
    if namespace == "":
        raise ValueError('"" is not a valid namespace. Pass None to not specify a namespace.')
    if not _core.session():
        from ._init import auto_init

        auto_init()
    found = _look_up(name, namespace_of(namespace))
    if found is None:
        raise ValueError(
            f"Failed to look up actor with name '{name}'. This could because 1. You are trying to "
            "look up a named actor you didn't create. 2. The named actor died. 3. You did not use "
            "a namespace matching the namespace of the actor."
        )
    from base64 import b64decode

    from ._handle import ActorHandle, MethodTable

    ref = _core._restore_ref(found["actor"], _core.session())
    return ActorHandle(ref, MethodTable.unpacked(b64decode(found["table"])))


def check_free(name: str, namespace: str) -> None:
    """Raise ActorAlreadyExistsError when a living actor has the name."""
    if _look_up(name, namespace) is not None:
        from ._exceptions import ActorAlreadyExistsError

        raise ActorAlreadyExistsError(
            f"The name {name} (namespace={namespace}) is already taken. Please use a different "
            "name or get the existing actor using "
            f"ray.get_actor('{name}', namespace='{namespace}')"
        )


def _look_up(name: str, namespace: str) -> dict[str, Any] | None:
    import json

    request = json.dumps({"name": name, "namespace": namespace}).encode()
    reply: dict[str, Any] = json.loads(_core.control("actor.named", request))
    return reply if reply.get("actor") else None
