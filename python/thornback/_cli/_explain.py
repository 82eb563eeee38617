"""``thornback explain``: why a task, an object or an actor is not there yet."""

from __future__ import annotations

from ._session import add_session_options, connect

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of ``explain``."""
    parser = commands.add_parser(
        "explain", help="say why a task, object or actor waits, and for what"
    )
    parser.add_argument(
        "id",
        nargs="?",
        help="of a task, an object or an actor, in hexadecimal; what the driver waits for at "
        "present when not given",
    )
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="(default: text)"
    )
    add_session_options(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    import json

    from .._explain import Explanation

    with connect(options) as peer:
        session = peer.ask("session")["session"]
        what = {} if options.id is None else _meant(options.id, session)
        found = peer.ask("explain", **what)
    if options.format == "json":
        print(json.dumps(found, indent=2))
        return 0
    if not found:
        print("The driver waits for nothing.")
        return 0
    print("\n".join(str(Explanation(node)) for node in found))
    unknown = what and found[0]["code"] == "UNKNOWN"
    return 1 if unknown else 0


def _meant(text: str, session: int) -> dict[str, int]:
    """Return what an id as users see it means to the node.

    Raises
    ------
    ValueError
        It is none, or of another session.
    """
    from .. import _ids

    try:
        binary = bytes.fromhex(text)
    except ValueError:
        raise ValueError(f"{text!r} is no id: it is not hexadecimal") from None
    handle = int.from_bytes(binary[:8], "little")
    if len(binary) == _ids.ActorID.SIZE:
        if binary == _ids.actor_id(session, handle).binary():
            return {"object": handle}
    elif len(binary) in (_ids.TaskID.SIZE, _ids.TaskID.SIZE + 4):
        known = _ids.handle_of(binary[: _ids.TaskID.SIZE], session)
        if known is not None:
            return {"task" if known[1] else "object": known[0]}
    raise ValueError(f"{text} is no id of a task, an object or an actor of this session")
