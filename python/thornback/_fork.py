"""What is left of the engine in a child that was forked from a driver: nothing.

The child has the driver's memory, but neither its threads nor its node. The C extension refuses
every call there; this module keeps the Python side from ending a session that is the parent's.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` without its enums
import _thread
import os

_forked = False
# By thread: what was blocked before its fork.
_masks: dict[int, set[int]] = {}


def check() -> None:
    """Raise RuntimeError in such a child."""
    if _forked:
        raise RuntimeError(
            "this process was forked from one that had called init(), and the engine does not "
            "survive a fork: start it with multiprocessing's 'spawn' or 'forkserver' method, or "
            "call init() in it before the parent does"
        )


def _hold_end() -> None:
    """Block SIGTERM during a fork, when its handler is ours.

    Python drops the signals that a child gets before it can run handlers, and there a handler in
    Python may come too late anyway: for a child that has just begun to wait for a lock. So SIGTERM
    ends children as it would without us, from their first moment on. Multiprocessing's pools end
    theirs so, and wait for them.
    """
    from . import _init

    if _init.ends_by_signal():
        _masks[_thread.get_ident()] = _signal.pthread_sigmask(_signal.SIG_BLOCK, (_signal.SIGTERM,))


def _go_on() -> None:
    mask = _masks.pop(_thread.get_ident(), None)
    if mask is not None:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)


def _mark() -> None:
    global _forked
    from . import _init

    _forked = _init.forget()
    if _init.ends_by_signal():
        _signal.signal(_signal.SIGTERM, _signal.SIG_DFL)
    _go_on()


os.register_at_fork(before=_hold_end, after_in_parent=_go_on, after_in_child=_mark)
