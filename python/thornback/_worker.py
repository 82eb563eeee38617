"""The Python side of a worker: what is set up between the fork and the first task."""

from __future__ import annotations

import os
import signal
import sys

from . import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

_boot: Mapping[str, Any] = {}
_index = -1


def main(order: Mapping[str, Any], fds: Sequence[int], boot: Mapping[str, Any]) -> int:
    """Run a worker, in a process that was just forked for it.

    Parameters
    ----------
    order : mapping
        The node's message: `worker`, `arena_bytes`, `session`.
    fds : sequence of int
        Channel, board, arena.
    boot : mapping
        What the driver told the zygote.

    Returns
    -------
    int
        Exit status for the process, which must end by `os._exit`.
    """
    global _boot, _index
    import faulthandler

    from . import _accelerators, _named, _output, _stacks

    _boot, _index = boot, order["worker"]
    _core.kill_point("worker", "forked")
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _output.open_streams()
    if boot.get("logging"):
        from ._logging_config import LoggingConfig

        LoggingConfig.from_dict(boot["logging"])._apply()
    faulthandler.enable(file=2)
    sys.breakpointhook = _breakpoint
    _stacks.arm(order["session"], _index)
    _be_nice()
    _accelerators.begin_worker()
    _reseed()
    _named.set_namespace(boot["namespace"])
    _named.set_lifetime(boot["lifetime"])
    channel, board, arena = fds
    status = 1
    try:
        status = _core.worker_run(channel, board, arena, order["arena_bytes"], order["session"])
    except SystemExit as leaving:
        status = _exit_status(leaving)
    finally:
        _leave()
    return status


def boot() -> Mapping[str, Any]:
    """Return what the driver told the zygote; empty in a driver."""
    return _boot


def index() -> int:
    """Return this worker's number at its node, -1 in a driver."""
    return _index


def _breakpoint(*args: Any, **kwargs: Any) -> None:
    """Do what `breakpoint` does, in a process that has no terminal."""
    del args, kwargs
    from .util.rpdb import stop

    stop(sys._getframe(1))


def _be_nice() -> None:
    """Lower the priority, as RAY_worker_niceness asks; children inherit it."""
    niceness = os.environ.get("RAY_worker_niceness", "")  # noqa: SIM112 - Ray's name
    if niceness.isascii() and niceness.isdecimal():
        os.nice(int(niceness))


def _reseed() -> None:
    """Give each worker random numbers of its own; Python's own generator does so by itself."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()


def _exit_status(leaving: SystemExit) -> int:
    """Return the status that Python would end with, after printing what it would print."""
    if leaving.code is None:
        return 0
    if isinstance(leaving.code, int):
        return leaving.code & 0xFF
    print(leaving.code, file=sys.stderr)
    return 1


def _leave() -> None:
    """Run what the user registered for the process's end, and write out what streams hold back."""
    import atexit

    from . import _output

    threading = sys.modules.get("threading")
    if threading is not None:
        # Waits for threads that are no daemons, as the interpreter's end does.
        threading._shutdown()
    atexit._run_exitfuncs()
    _output.flush()
