"""Actors with names."""

from __future__ import annotations

import os

from . import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What names meant when they were last asked for, in a driver, where it is known when that changes:
# session and count of changes, class, actor, methods. No handle, which would keep the actor.
_found: dict[tuple[str, str], tuple[tuple[int, int | None], Any, int, Any]] = {}
_FOUND_MAX = 1000

_default: str | None = None
_lifetime: str | None = None


def set_namespace(namespace: str | None) -> None:
    """Set the job's namespace; None gives it one that no other job has."""
    global _default
    if namespace is None:
        namespace = _random_uuid()
    elif not isinstance(namespace, str):
        raise TypeError(f"namespace must be a string, got {type(namespace)}.")
    elif not namespace:
        raise ValueError('"" is not a valid namespace. Pass None to not specify a namespace.')
    _default = namespace


def _random_uuid() -> str:
    """Return a UUID of version 4 in its usual form, without `uuid`, which takes 2 ms to import."""
    digits = (
        f"{int.from_bytes(os.urandom(16), 'big') & ~(0xF << 76 | 3 << 62) | 4 << 76 | 2 << 62:032x}"
    )
    return "-".join([digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]])


def default_namespace() -> str:
    """Return the job's namespace."""
    if _default is None:
        set_namespace(None)
    assert _default is not None
    return _default


def set_lifetime(lifetime: str | None) -> None:
    """Set the lifetime of actors that name none; None is the usual one, "non_detached"."""
    global _lifetime
    _lifetime = lifetime


def default_lifetime() -> str | None:
    """Return the lifetime of actors that name none."""
    return _lifetime


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
    if not isinstance(name, str):
        raise TypeError(f"the name of an actor must be a string, got {type(name)}")
    if namespace == "":
        raise ValueError('"" is not a valid namespace. Pass None to not specify a namespace.')
    if not _core.session():
        from ._init import auto_init

        auto_init()
    found = find_actor(name, namespace)
    if found is None:
        raise ValueError(
            f"Failed to look up actor with name '{name}'. This could because 1. You are trying to "
            "look up a named actor you didn't create. 2. The named actor died. 3. You did not use "
            "a namespace matching the namespace of the actor."
        )
    return found


def find_actor(name: str, namespace: str | None) -> Any:
    """Return a handle of the actor with this name, None when no living actor has it."""
    key = (namespace_of(namespace), name)
    now = (_core.session(), _core.names())
    found = _found.get(key)
    if found is None or found[0] != now:
        reply = _asked(name, key[0])
        if not reply["actor"]:
            return None
        from base64 import b64decode

        from ._handle import ActorHandle, MethodTable

        found = now, ActorHandle, reply["actor"], MethodTable.unpacked(b64decode(reply["table"]))
        if now[1] is not None:
            if len(_found) >= _FOUND_MAX:
                _found.clear()
            _found[key] = found
    return found[1](_core._restore_ref(found[2], now[0]), found[3])


def check_free(name: str, namespace: str, created: int = 0) -> None:
    """Raise ActorAlreadyExistsError when a living actor has the name.

    Parameters
    ----------
    name, namespace : str
    created : int
        Handle of an actor that was just submitted with the name: raise only when the engine did not
        create it, because another process was faster.
    """
    reply = _asked(name, namespace, created)
    if reply["refused"] if created else reply["actor"]:
        from ._exceptions import ActorAlreadyExistsError

        raise ActorAlreadyExistsError(
            f"The name {name} (namespace={namespace}) is already taken. Please use a different "
            "name or get the existing actor using "
            f"ray.get_actor('{name}', namespace='{namespace}')"
        )


def _asked(name: str, namespace: str, created: int = 0) -> dict[str, Any]:
    import json

    request = json.dumps({"name": name, "namespace": namespace, "created": created}).encode()
    reply: dict[str, Any] = json.loads(_core.control("actor.named", request))
    return reply
