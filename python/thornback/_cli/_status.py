"""``thornback status``: what the session has, what is used, and what waits."""

from __future__ import annotations

from ._session import add_session_options, connect

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

_RULE = "-" * 63


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of ``status``."""
    parser = commands.add_parser(
        "status", help="show the resources of a session, those in use, and what waits"
    )
    add_session_options(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from .._session import live_sessions

    with connect(options) as peer:
        text = describe(
            session=peer.ask("session"),
            resources=peer.ask("resources"),
            demands=peer.ask("demands"),
            stats=peer.ask("stats"),
            now=_now(),
        )
    print(text)
    others = [f"{path} (pid {pid})" for path, pid in live_sessions() if path != peer.folder]
    if others:
        print("Other sessions (choose one with --session):")
        print("\n".join(f" {other}" for other in others))
    return 0


def _now() -> float:
    import time

    return time.time()


def describe(
    *,
    session: dict[str, Any],
    resources: dict[str, Any],
    demands: list[dict[str, Any]],
    stats: dict[str, int],
    now: float,
) -> str:
    """Return the report; the arguments are the node's answers, `now` is seconds since 1970."""
    import datetime

    from .._ids import node_id

    up = datetime.timedelta(seconds=int(now - session["started_ms"] / 1000))
    queued, running = stats["queued"], stats["running"]
    lines = [
        f"======== Session status: {datetime.datetime.fromtimestamp(now)} ========",
        f"{session['folder']} (pid {session['pid']}, up {up})",
        "Node status",
        _RULE,
        "Active:",
        f" 1 node_{node_id(session['session']).hex()}",
        "Pending:",
        " (no pending nodes)",
        "Recent failures:",
        " (no failures)",
        "",
        "Resources",
        _RULE,
        "Total Usage:",
        *(f" {usage}" for usage in _usages(resources, stats)),
        "",
        "Pending Demands:",
        *(_demands(demands) or [" (no resource demands)"]),
        "",
        "Tasks, actors, objects",
        _RULE,
        f" {stats['tasks']} tasks not ended: {queued} queued, {running} with workers",
        f" {stats['actors']} actors, {stats['workers']} worker processes",
        f" {stats['objects']} objects; the object store holds {memory(stats['store_used_bytes'])}",
    ]
    return "\n".join(lines)


def _usages(resources: dict[str, Any], stats: dict[str, int]) -> list[str]:
    lines = []
    for name, total in sorted(resources["total"].items()):
        if name.startswith("node:"):
            continue
        used = total - resources["available"].get(name, 0.0)
        if name == "object_store_memory":
            used = stats["store_used_bytes"]
        if name.endswith("memory"):
            lines.append(f"{memory(used)}/{memory(total)} {name}")
        else:
            lines.append(f"{round(float(used), 4)}/{float(total)} {name}")
    return lines


def _demands(demands: list[dict[str, Any]]) -> list[str]:
    lines = []
    for demand in demands:
        amounts = {name: float(amount) for name, amount in sorted(demand["resources"].items())}
        lines.append(f" {amounts}: {demand['count']}+ pending tasks/actors")
    return lines


def memory(size: float) -> str:
    """Return a number of bytes as Ray's status shows it, such as ``15.56GiB``."""
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size >= factor:
            return f"{size / factor:.2f}{unit}"
    return f"{size:.0f}B"
