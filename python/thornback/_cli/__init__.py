"""The command ``thornback``.

Each module of this package is one noun. It has two functions: `add(commands)` adds the parsers of
its commands, each with the function that runs it as the default `run`; that function takes the
parsed options and returns the exit status. `_COMMANDS` names them, so that a command loads its own
module only.
"""

from __future__ import annotations

import sys

from .._version import RAY_RELEASE, VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

# Command -> module of this package.
_COMMANDS = {
    "run": "_run",
    "status": "_status",
    "list": "_list",
    "get": "_list",
    "summary": "_list",
    "memory": "_memory",
    "metrics": "_metrics",
    "timeline": "_timeline",
    "logs": "_logs",
    "explain": "_explain",
    "stack": "_stack",
    "debug": "_debug",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments after the command's name; those of the process when not given.

    Returns
    -------
    int
        Exit status: 1 when there is no session to ask or nothing is found, 2 for wrong usage. `run`
        ends as the program does: with its status, or by its exception.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["run"]:
        from ._run import main as run

        return run(arguments, _parser(["run"]))
    name = arguments[0] if arguments else None
    parser = _parser([name] if name in _COMMANDS else list(_COMMANDS))
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    return _guarded(options)


def _guarded(options: argparse.Namespace) -> int:
    """Run a command that asks a session; what goes wrong there is one line, not a traceback."""
    from .._peer import NoSessionError
    from ._session import settle

    try:
        if options.command != "status":  # that names them all
            settle(options)
        status: int = options.run(options)
    except NoSessionError as error:
        print(f"thornback: {error}", file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"thornback {options.command}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader, `head` for instance, has seen enough. Python would complain at its end else.
        import os

        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def _parser(names: Sequence[str]) -> argparse.ArgumentParser:
    import argparse
    from importlib import import_module

    parser = argparse.ArgumentParser(
        prog="thornback", description="A distributed compute engine with Ray's API."
    )
    parser.add_argument(
        "--version", action="version", version=f"thornback {VERSION} (API of Ray {RAY_RELEASE})"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for module in dict.fromkeys(_COMMANDS[name] for name in names):
        import_module(f"{__name__}.{module}").add(commands)
    return parser
