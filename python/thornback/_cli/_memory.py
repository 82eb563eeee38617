"""``thornback memory``: each object's size, who holds it, and where it was created."""

from __future__ import annotations

import json

from ._session import add_session_options
from ._table import add_format_option, section, table, yaml_document

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import Any

_UNITS = {"B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30}
_KINDS = (
    "LOCAL_REFERENCE",
    "USED_BY_PENDING_TASK",
    "CAPTURED_IN_OBJECT",
    "ACTOR_HANDLE",
)
_SORT: dict[str, Callable[[Any], Any]] = {
    "OBJECT_SIZE": lambda row: -row["object_size"],
    "PID": lambda row: row["pid"] or 0,
    "REFERENCE_TYPE": lambda row: row["reference_type"],
}
_NOTE = (
    "Small values that are put, and results of calls, have the function that made them, not its "
    "line: set RAY_record_ref_creation_sites=1 before the program starts to see lines everywhere."
)


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser."""
    parser = commands.add_parser(
        "memory", help="show each object's size, who holds it, and where it was created"
    )
    parser.add_argument(
        "--group-by",
        choices=("NODE_ADDRESS", "STACK_TRACE"),
        default="NODE_ADDRESS",
        type=str.upper,
    )
    parser.add_argument("--sort-by", choices=tuple(_SORT), default="OBJECT_SIZE", type=str.upper)
    parser.add_argument("--units", choices=tuple(_UNITS), default="B", type=str.upper)
    parser.add_argument("--stats-only", action="store_true", help="show sums alone")
    parser.add_argument(
        "-n", "--num-entries", type=int, metavar="N", help="show so many objects of each group"
    )
    add_format_option(parser)
    add_session_options(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from .._state.lists import ROWS_MAX
    from .._state.query import Query
    from .._state.rows import objects
    from .._state.source import Source
    from ..util.state.common import ObjectState

    with Source(options.address, options.timeout) as source:
        found, _, matched, _ = objects(source, Query(ObjectState, None, ROWS_MAX, True))
        stats = source.ask("stats")
    found.sort(key=_SORT[options.sort_by])
    if options.format == "json":
        print(json.dumps(found))
    elif options.format == "yaml":
        print(yaml_document(found))
    else:
        print(report(found, stats, options))
        if matched > len(found):
            print(f"These are {len(found)} of {matched} holds of objects.")
    return 0


def report(rows: list[dict[str, Any]], stats: dict[str, int], options: argparse.Namespace) -> str:
    """Return the report for people.

    Parameters
    ----------
    rows : list of dict
        As `thornback._state.rows.objects` gives them, in order.
    stats : dict
        The node's counts.
    options : namespace
        `group_by`, `units`, `stats_only`, `num_entries`.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by = row["ip"] if options.group_by == "NODE_ADDRESS" else row["call_site"]
        groups.setdefault(by, []).append(row)
    parts = []
    for by, members in groups.items():
        parts.append(f"--- {by} ---\n{_sums(members, options.units)}")
        if not options.stats_only:
            parts.append(_objects(members[: options.num_entries], options.units))
    capacity, used = stats["store_capacity"], stats["store_used_bytes"]
    percent = 100 * used / capacity if capacity else 0.0
    figures = (
        f"{stats['objects']} objects; the object store holds {_size(used, options.units)} "
        f"in {stats['store_extents']} pieces, {percent:.1f}% full"
    )
    body = "\n\n".join(parts) or "No objects."
    return section("Object references status", figures, body) + f"\n{_NOTE}"


def _sums(rows: list[dict[str, Any]], units: str) -> str:
    sums = {kind: [0, 0] for kind in _KINDS}
    sizes: dict[str, int] = {}
    for row in rows:
        size = max(0, row["object_size"])
        sizes[row["object_id"]] = size
        one = sums.setdefault(row["reference_type"], [0, 0])
        one[0] += 1
        one[1] += size
    headers = ["Mem Used by Objects", *(kind.replace("_", " ").capitalize() for kind in sums)]
    cells = [f"{count}, ({_size(size, units)})" for count, size in sums.values()]
    return table(headers, [[_size(sum(sizes.values()), units), *cells]])


def _objects(rows: list[dict[str, Any]], units: str) -> str:
    headers = ["Size", "Reference Type", "Held by", "PID", "Times", "Status", "Call Site", "Object"]
    return table(
        headers,
        [
            [
                "?" if row["object_size"] < 0 else _size(row["object_size"], units),
                row["reference_type"],
                row["type"].capitalize(),
                row["pid"],
                row["count"],
                "-" if row["task_status"] == "NIL" else row["task_status"],
                row["call_site"],
                row["object_id"],
            ]
            for row in rows
        ],
    )


def _size(size: float, units: str) -> str:
    return f"{size / _UNITS[units]:.{0 if units == 'B' else 2}f} {units}"
