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

    from . import _named, _output

    _boot, _index = boot, order["worker"]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _output.open_streams()
    faulthandler.enable(file=2)
    # As Ray does: libraries that would use all cores use as many as a task has.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    _reseed()
    _named.set_namespace(boot["namespace"])
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
