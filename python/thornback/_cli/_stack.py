"""``thornback stack``: what all processes of a session are doing at the moment."""

from __future__ import annotations

from ._session import add_session_options
from ._table import add_format_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

_TIMEOUT_S = 5.0


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser."""
    parser = commands.add_parser(
        "stack",
        help="print the Python stacks of the driver and of all workers",
        description="Print the stacks of all threads, and of the tasks of event loops, of the "
        "driver and of every worker. A process that does not answer in time is told as such.",
    )
    parser.add_argument("--pid", type=int, help="of this process only")
    add_format_option(parser)
    add_session_options(parser)
    parser.set_defaults(run=_run, timeout=_TIMEOUT_S)


def _run(options: argparse.Namespace) -> int:
    import json

    from .._peer import find
    from .._state.stacks import collect
    from ._table import yaml_document

    folder = find(options.address)
    found = collect(folder, options.timeout)
    if options.pid is not None:
        found = [process for process in found if process["pid"] == options.pid]
        if not found:
            raise ValueError(f"no process of this session has pid {options.pid}")
    _add_tasks(found, folder, options.timeout)
    if options.format == "json":
        print(json.dumps(found, indent=2))
    elif options.format == "yaml":
        print(yaml_document(found))
    else:
        print("\n\n".join("\n".join(_lines(process)) for process in found))
    return 1 if any(process["problem"] for process in found) else 0


def _add_tasks(found: list[dict[str, Any]], folder: str, timeout: float) -> None:
    """Add which tasks each process runs, if the node answers."""
    from .. import _ids
    from .._peer import NoSessionError, Peer

    session, rows = 0, []
    by_pid: dict[Any, list[dict[str, str]]] = {}
    running = [{"column": "state", "equal": True, "value": "RUNNING"}]
    try:
        with Peer(folder, min(timeout, 1.0)) as peer:
            session = peer.ask("session")["session"]
            rows = peer.ask("tasks", filters=running, limit=10_000, detail=False)["rows"]
    except NoSessionError:
        pass  # its driver may be what hangs
    for row in rows:
        handle = row["task_id"]
        id = _ids.task_id(session, int(handle.rstrip("-")), handle.endswith("-")).hex()
        by_pid.setdefault(row["worker_pid"], []).append({"name": row["name"], "task_id": id})
    for process in found:
        process["runs"] = by_pid.get(process["pid"], [])


def _lines(process: dict[str, Any]) -> list[str]:
    what = f"Stack dump for {process['process']} {process['pid']}"
    if process["runs"]:
        runs = [f"{task['name']} ({task['task_id']})" for task in process["runs"][:3]]
        more = len(process["runs"]) - len(runs)
        what += " running " + ", ".join(runs) + (f" and {more} more" if more else "")
    if process["problem"]:
        return [what, f"    {process['problem']}"]
    lines = [f"{what}, Python {process['python']}"]
    if process["by"] == "faulthandler":
        lines.append("(its main thread is outside Python)")
    for thread in process["threads"]:
        name = f' "{thread["name"]}"' if thread["name"] else ""
        lines += [f"Thread {thread['id']:#x}{name}", *_frames(thread)]
    for task in process["async_tasks"]:
        lines += [f'Task "{task["name"]}" {task["coroutine"]}', *_frames(task)]
    return lines


def _frames(stack: dict[str, Any]) -> list[str]:
    lines = [f"    {f['function']} ({f['file']}:{f['line']})" for f in stack["frames"]]
    if stack["omitted"]:
        lines.append(f"    ... at least {stack['omitted']} more")
    return lines or ["    (no Python frame)"]
