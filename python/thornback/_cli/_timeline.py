"""``thornback timeline``: a Chrome trace of a session."""

from __future__ import annotations

from ._session import add_session_options, connect

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser."""
    parser = commands.add_parser(
        "timeline", help="write a trace for chrome://tracing or ui.perfetto.dev"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="(default: thornback-timeline-TIME.json)"
    )
    add_session_options(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    import time

    from .._state.timeline import trace, write

    path = options.output or time.strftime("thornback-timeline-%Y-%m-%d_%H-%M-%S.json")
    with connect(options) as peer:
        events = trace(peer.ask("timeline"))
    write(events, path)
    print(f"{len(events)} events are in {path}; open it in chrome://tracing or ui.perfetto.dev")
    return 0
