"""What is left of the engine in a child that was forked from a driver: nothing.

The child has the driver's memory, but neither its threads nor its node. The C extension refuses
every call there; this module keeps the Python side from ending a session that is the parent's.
"""

from __future__ import annotations

import os

_forked = False


def check() -> None:
    """Raise RuntimeError in such a child."""
    if _forked:
        raise RuntimeError(
            "this process was forked from one that had called init(), and the engine does not "
            "survive a fork: start it with multiprocessing's 'spawn' or 'forkserver' method, or "
            "call init() in it before the parent does"
        )


def _mark() -> None:
    global _forked
    from . import _init

    _forked = _init.forget()


os.register_at_fork(after_in_child=_mark)
