"""``thornback logs``: what workers have printed."""

from __future__ import annotations

import sys

from ._session import add_session_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser."""
    parser = commands.add_parser(
        "logs",
        help="list the log files of a session, or print one",
        description="Without a file, list the log files. FILE is one of them or a pattern such as "
        "'worker-*.out'; a pattern that fits one file only prints it.",
    )
    parser.add_argument("file", nargs="?", metavar="FILE")
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument("--actor", metavar="ID", help="print what the actor's process has printed")
    whose.add_argument("--task", metavar="ID", help="print what the process that ran the task has")
    whose.add_argument("--pid", type=int, help="print what a worker process has printed")
    parser.add_argument("--err", action="store_true", help="standard error instead of output")
    parser.add_argument("--tail", type=int, default=1000, metavar="LINES", help="-1 for all lines")
    parser.add_argument("--follow", action="store_true", help="go on with what is added")
    add_session_options(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from .._state import logs

    whose = (options.actor, options.task, options.pid)
    name = options.file
    if whose == (None, None, None):
        found = logs.names(options.address, name, options.timeout)
        files = [file for names in found.values() for file in names]
        if name is None or len(files) > 1:
            for kind, names in found.items():
                print(f"{kind}:")
                print("\n".join(f"    {file}" for file in names))
            return 0
        name = files[0] if files else name
    suffix = "err" if options.err else "out"
    path = logs.find(options.address, options.timeout, name, *whose[:2], whose[2], suffix)
    try:
        for piece in logs.read(path, options.tail, options.follow):
            sys.stdout.write(piece.decode(errors="replace"))
            sys.stdout.flush()
    except KeyboardInterrupt:
        return 0
    return 0
