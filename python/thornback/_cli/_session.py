"""What all commands that ask a session share: which one, and how the answer is printed."""

from __future__ import annotations

from .._peer import TIMEOUT_S, Peer, find

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def add_session_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose the session."""
    parser.add_argument(
        "--address",
        "--session",
        dest="address",
        metavar="SESSION",
        help="folder or name of the session, or its driver's pid; the newest one when not given",
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=TIMEOUT_S,
        metavar="SECONDS",
        help="for an answer (default: %(default)g)",
    )


def settle(options: argparse.Namespace) -> None:
    """Where several sessions run and none is chosen, it is the newest, and that is told."""
    import os
    import sys

    from .._session import live_sessions

    if getattr(options, "address", "") is not None or os.environ.get("THORNBACK_SESSION"):
        return
    sessions = live_sessions()
    if len(sessions) > 1:
        options.address, pid = sessions[0]
        print(
            f"thornback: {len(sessions)} sessions run; this is the newest, "
            f"{os.path.basename(options.address)} (pid {pid}); --address chooses",
            file=sys.stderr,
        )


def connect(options: argparse.Namespace) -> Peer:
    """Connect to the session that the options mean.

    Raises
    ------
    NoSessionError
    """
    return Peer(find(options.address), options.timeout)
