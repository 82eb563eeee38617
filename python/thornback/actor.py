"""Actors, for programs that name the types: ``from thornback.actor import ActorHandle``."""

from __future__ import annotations

from ._actor import ActorClass as ActorClass
from ._actor import ActorClassInheritanceException as ActorClassInheritanceException
from ._actor import method as method
from ._handle import ActorHandle as ActorHandle
from ._handle import ActorMethod as ActorMethod


def exit_actor() -> None:
    """End the actor whose method calls this; the call itself and what waits behind it fail.

    Raises
    ------
    TypeError
        Outside actors.
    """
    from . import _core

    if _core.actor_instance() is None:
        raise TypeError("exit_actor called on a non-actor worker.")
    _core.exit_actor()
    raise SystemExit(0)
