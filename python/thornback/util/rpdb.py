"""A debugger for tasks and actors: ``ray.util.pdb.set_trace()``, or `breakpoint` in a worker.

The worker waits, and says so in its output, until ``thornback debug`` in a terminal of the same
user attaches; there it is the standard library's debugger. In a driver that starts at once.
"""

from __future__ import annotations

import pdb  # noqa: T100
import sys
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from types import FrameType
    from typing import Any


def set_trace(breakpoint_uuid: bytes | None = None) -> None:
    """Stop here and wait for a debugger.

    Parameters
    ----------
    breakpoint_uuid : bytes, optional
        Without effect.
    """
    del breakpoint_uuid
    stop(sys._getframe().f_back)


def stop(frame: FrameType | None) -> None:
    """Stop at a frame and wait for a debugger."""
    from .. import _breakpoint, _worker

    if frame is None:
        return
    if _worker.index() < 0:
        pdb.Pdb().set_trace(frame)
        return
    where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
    print(f"breakpoint at {where}: run `thornback debug` to attach", file=sys.stderr, flush=True)
    folder = str(_worker.boot().get("session_dir", ""))
    _RemotePdb(_breakpoint.wait_for_terminal(folder, frame)).set_trace(frame)


class _RemotePdb(pdb.Pdb):
    """The standard library's debugger over a connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        # Two files: one for both forgets what it has read ahead when it is written to.
        reader, writer = connection.makefile("r"), connection.makefile("w")
        super().__init__(stdin=reader, stdout=writer, nosigint=True)
        self._files = (reader, writer)

    def do_continue(self, arg: str) -> Any:
        """Go on; the terminal is let go unless there are breakpoints."""
        result = super().do_continue(arg)
        if not self.get_all_breaks():
            self._close()
        return result

    do_c = do_cont = do_continue

    def do_quit(self, arg: str) -> Any:
        """Raise an exception where the program stands."""
        result = super().do_quit(arg)
        self._close()
        return result

    do_q = do_exit = do_quit

    def do_EOF(self, arg: str) -> Any:
        """Go on without breakpoints: the terminal is gone."""
        self.clear_all_breaks()
        return self.do_continue(arg)

    def _close(self) -> None:
        for file in (*self._files, self._connection):
            with suppress(OSError):  # the other side has gone before
                file.close()
