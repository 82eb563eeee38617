"""Actors, for programs that name the types: ``from thornback.actor import ActorHandle``."""

from __future__ import annotations

import sys

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

    current = _core.current_task()
    if current is None or not current[2]:
        raise TypeError(
            f"exit_actor API is called on a non-actor worker, {int(current is not None)}. Call "
            "this API inside an actor methodsif you'd like to exit the actor gracefully."
        )
    _core.exit_actor()
    concurrency = sys.modules.get("thornback._concurrency")
    if concurrency is not None and concurrency.in_loop():
        from .exceptions import AsyncioActorExit

        raise AsyncioActorExit  # a SystemExit would end the event loop too
    raise SystemExit(0)
