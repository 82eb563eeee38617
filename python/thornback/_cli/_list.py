"""``thornback list``, ``get`` and ``summary``: what a session is doing."""

from __future__ import annotations

import json
import sys

from ._session import add_session_options
from ._table import add_format_option, section, table, yaml, yaml_document

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from ..util.state.common import StateSchema

_KINDS = (
    "actors",
    "jobs",
    "placement-groups",
    "nodes",
    "workers",
    "tasks",
    "objects",
    "runtime-envs",
    "cluster-events",
)


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parsers."""
    listing = commands.add_parser("list", help="list tasks, actors, objects and more")
    listing.add_argument("resource", choices=_KINDS)
    listing.add_argument(
        "-f",
        "--filter",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="show only what has this value in a column, or with != has not; all given must hold",
    )
    listing.add_argument("--limit", type=int, default=100, help="(default: %(default)s)")
    listing.add_argument("--detail", action="store_true", help="show all columns, as yaml")
    add_format_option(listing)
    add_session_options(listing)
    listing.set_defaults(run=_list)

    get = commands.add_parser("get", help="show one task, actor, object or other thing")
    get.add_argument("resource", choices=_KINDS[:7])
    get.add_argument("id", nargs="?", help="in hexadecimal, as list shows it")
    add_format_option(get)
    add_session_options(get)
    get.set_defaults(run=_get)

    summary = commands.add_parser("summary", help="count tasks, actors or objects")
    summary.add_argument("resource", choices=("tasks", "actors", "objects"))
    add_format_option(summary)
    add_session_options(summary)
    summary.set_defaults(run=_summary)


def _list(options: argparse.Namespace) -> int:
    from .._state.lists import list_states
    from ..util.state.common import SCHEMAS

    kind = options.resource.replace("-", "_")
    filters = [_filter(text) for text in options.filter]
    found = _asked(
        lambda: list_states(
            kind, options.address, filters, options.limit, options.timeout, options.detail
        )
    )
    form = options.format
    if form == "default" and options.detail:
        form = "yaml"
    if not found.states and form in ("default", "table"):
        print("No resource in the cluster")
    else:
        print(show(SCHEMAS[kind], found.states, form, options.detail))
    for text in found.warnings(kind):
        print(f"thornback: {text.rstrip()}", file=sys.stderr)
    return 0


def _filter(text: str) -> tuple[str, str, str]:
    """Return a filter as the state API takes it.

    Raises
    ------
    ValueError
        Neither ``key=value`` nor ``key!=value``.
    """
    key, equals, value = text.partition("=")
    predicate = "="
    if key.endswith("!"):
        key, predicate = key[:-1], "!="
    if not (key and equals and value):
        raise ValueError(
            f"The given filter has incorrect input, {text}. Please provide key=value or key!=value "
            "string."
        )
    return key.strip(), predicate, value.strip()


def _get(options: argparse.Namespace) -> int:
    from .._state.lists import get_states
    from ..util.state.common import SCHEMAS

    kind = options.resource.replace("-", "_")
    if not options.id:
        raise ValueError(f"Missing argument 'ID'. Do you mean 'thornback list {options.resource}'?")
    found = _asked(lambda: get_states(kind, options.id, options.address, options.timeout))
    if not found:
        print(f"Resource with id={options.id} not found in the cluster.", file=sys.stderr)
        return 1
    form = "yaml" if options.format == "default" else options.format
    print(show(SCHEMAS[kind], found, form, True))
    return 0


def _asked(ask: Any) -> Any:
    """Ask, and take an error of the state API for one of usage."""
    from ..util.state.exception import RayStateApiException

    try:
        return ask()
    except RayStateApiException as error:
        raise ValueError(str(error).rpartition("details. Error: ")[2]) from error


def show(schema: type[StateSchema], found: list[Any], form: str, detail: bool) -> str:
    """Return states in one of the forms of ``--format``."""
    columns = schema.list_columns(detail)
    states = [{name: state[name] for name in columns} for state in found]
    if form == "json":
        return json.dumps(states)
    shown = [schema.humanify(state) for state in states]
    if form == "yaml":
        return yaml_document(shown)
    body = table(
        [name.upper() for name in columns],
        [[state[name] for name in columns] for state in shown],
        numbered=True,
    )
    return section("List", f"Total: {len(found)}", body)


def _summary(options: argparse.Namespace) -> int:
    from .._state.lists import summary

    counts, known, missing = summary(options.resource, options.address, options.timeout)
    if missing:
        print(
            f"thornback: {missing} of {known + missing} {options.resource} are not counted: only "
            f"{known} are known",
            file=sys.stderr,
        )
    if options.format == "json":
        print(json.dumps({"cluster": counts}))
    elif options.format == "yaml":
        print(yaml_document({"cluster": counts}))
    else:
        print(_summary_table(options.resource, counts))
    return 0


def _summary_table(resource: str, counts: dict[str, Any]) -> str:
    totals = {k: v for k, v in counts.items() if k not in ("summary", "summary_by")}
    groups = counts["summary"]
    by = counts["summary_by"]
    if resource == "objects":
        columns = list(next(iter(groups.values()), {}))
        rows = [[site, *(group[name] for name in columns)] for site, group in groups.items()]
        headers = [by.upper(), *(name.upper() for name in columns)]
    else:
        columns = sorted(next(iter(groups.values()), {}))
        rows = [[group[name] for name in columns] for group in groups.values()]
        headers = [name.upper() for name in columns]
    body = table(headers, rows, numbered=True) if rows else "No resource in the cluster"
    title = f"{resource.capitalize()} Summary"
    return section(title, yaml(totals), body, group=f" (group by {by})")
