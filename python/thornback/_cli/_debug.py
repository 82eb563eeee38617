"""``thornback debug``: attach to a task or an actor that waits at a breakpoint."""

from __future__ import annotations

import os
import select
import sys

from ._session import add_session_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    import socket

_CHUNK = 1 << 16


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser."""
    parser = commands.add_parser(
        "debug",
        help="attach to a breakpoint of a task or an actor",
        description="Attach to what waits at `ray.util.pdb.set_trace()` or `breakpoint()`. When "
        "several wait, list them; BREAKPOINT chooses one.",
    )
    parser.add_argument("breakpoint", nargs="?", metavar="BREAKPOINT")
    add_session_options(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from .._breakpoint import connect, waiting
    from .._peer import find

    folder = find(options.address)
    found = waiting(folder)
    name = options.breakpoint
    if name is None and len(found) != 1:
        for each, note in found.items():
            print(f"{each}  {note['function']}  {note['file']}:{note['line']}")
        if not found:
            print("nothing waits at a breakpoint")
        return 0 if found else 1
    name = name if name is not None else next(iter(found))
    if name not in found:
        raise ValueError(f"nothing waits at a breakpoint {name!r}")
    with connect(folder, name) as connection:
        _talk(connection)
    return 0


def _talk(connection: socket.socket) -> None:
    """Carry what is typed to the debugger, and what it says to the terminal, until it ends."""
    sources = [connection.fileno(), sys.stdin.fileno()]
    while True:
        ready, _, _ = select.select(sources, [], [])
        if connection.fileno() in ready:
            data = connection.recv(_CHUNK)
            if not data:
                return
            sys.stdout.write(data.decode(errors="replace"))
            sys.stdout.flush()
        elif ready:
            data = os.read(ready[0], _CHUNK)
            if data:
                connection.sendall(data)
            else:
                # The debugger goes on by itself; what it still says is waited for.
                import socket as sockets

                connection.shutdown(sockets.SHUT_WR)
                sources.remove(ready[0])
