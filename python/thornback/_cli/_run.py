"""``thornback run`` starts a program written for Ray, unchanged."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

_RUN_USAGE = "thornback run [-h] [-m MODULE | -c CODE | SCRIPT] [ARGS ...]"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of ``run``."""
    run = commands.add_parser(
        "run",
        usage=_RUN_USAGE,
        help="run a Python program in which `import ray` means thornback",
        description="Run a program as python does, with `import ray` meaning thornback in it and "
        "in its workers. SCRIPT is a file, a folder or archive with a __main__.py, or - for stdin.",
    )
    what = run.add_mutually_exclusive_group()
    what.add_argument("-m", dest="module", metavar="MODULE", help="run a module")
    what.add_argument("-c", dest="code", metavar="CODE", help="run code given as a text")


def main(arguments: list[str], parser: argparse.ArgumentParser) -> int:
    """Run a program; `arguments` begin with ``run``."""
    # What follows the script is the script's, so it must not reach argparse.
    own, rest = _split_run(arguments)
    options = parser.parse_args(own)
    if options.module is None and options.code is None and not rest:
        parser.parse_args(["run", "--help"])
    return _run(options, rest)


def _split_run(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Split at the end of what is ours: behind ``-m x`` or ``-c x``, or before the script."""
    for i, argument in enumerate(arguments[1:], start=1):
        if argument in ("-m", "-c"):
            return arguments[: i + 2], arguments[i + 2 :]
        if argument[:2] in ("-m", "-c"):
            return arguments[: i + 1], arguments[i + 1 :]
        if argument == "-" or not argument.startswith("-"):
            return arguments[:i], arguments[i:]
    return arguments, []


def _run(options: argparse.Namespace, rest: list[str]) -> int:
    from .._alias import install_as_ray
    from .._program import CannotOpenError, run_code, run_module, run_script

    install_as_ray()
    try:
        if options.module is not None:
            run_module(options.module, rest)
        elif options.code is not None:
            run_code(options.code, rest)
        else:
            run_script(rest[0], rest[1:])
    except CannotOpenError as error:
        print(f"thornback: {error}", file=sys.stderr)
        return 2
    return 0
