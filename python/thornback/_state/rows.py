"""The node's rows with Ray's columns and ids."""

from __future__ import annotations

from .. import _ids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from .query import Query
    from .source import Source

    # Rows, how many there are, how many match, how many more were there and are forgotten.
    Rows = tuple[list[dict[str, Any]], int, int, int]

# Columns of which the node knows handles; users know ids.
_NOBODY = "-"


def tasks(source: Source, query: Query) -> Rows:
    """Return tasks; of those that have ended, the newest."""
    session = source.session
    constant = {
        "job_id": _ids.JOB.hex(),
        "language": "PYTHON",
        "placement_group_id": None,
        "is_debugger_paused": None,
        "node_id": _ids.node_id(session["session"]).hex(),
    }
    translate = {
        "task_id": ("task_id", _task_filter),
        "parent_task_id": ("parent_task_id", _task_filter),
        "actor_id": ("actor_id", _actor_filter),
        "worker_id": ("worker_pid", _worker_filter),
    }
    answer = _ask(source, query, "tasks", constant, translate)
    if answer is None:
        return [], 0, 0, 0
    for row in answer["rows"]:
        _complete_task(row, constant, session)
    return answer["rows"], answer["total"], answer["matched"], answer["dropped"]


def _complete_task(row: dict[str, Any], constant: dict[str, Any], session: dict[str, Any]) -> None:
    number = session["session"]
    row["task_id"] = _task_hex(number, row["task_id"])
    parent = row["parent_task_id"]
    row["parent_task_id"] = (
        _ids.driver_task_id().hex() if parent == "0" else _task_hex(number, parent)
    )
    row.update(constant)
    if row["actor_id"] is not None:
        row["actor_id"] = _ids.actor_id(number, row["actor_id"]).hex()
    pid = row["worker_pid"]
    row["worker_id"] = None if pid is None else _ids.worker_id(number, pid).hex()
    if pid is None:
        row["node_id"] = None
    events = row.get("events")
    if events is None:
        return
    times = {event["state"]: int(event["created_ms"]) for event in events}
    row["creation_time_ms"] = times.get("PENDING_ARGS_AVAIL")
    row["start_time_ms"] = times.get("RUNNING")
    row["end_time_ms"] = times.get("FINISHED", times.get("FAILED"))
    row["runtime_env_info"] = {"serialized_runtime_env": "{}"}
    row["label_selector"] = {}
    row["required_resources"] = _floats(row["required_resources"])
    error = row.pop("error", None)
    if error is not None:
        from .failure import error_text

        row["error_message"] = error_text(error)


def actors(source: Source, query: Query) -> Rows:
    """Return actors, dead ones too."""
    session = source.session
    constant = {
        "job_id": _ids.JOB.hex(),
        "node_id": _ids.node_id(session["session"]).hex(),
        "placement_group_id": None,
        "repr_name": "",
    }
    answer = _ask(source, query, "actors", constant, {"actor_id": ("actor_id", _actor_filter)})
    if answer is None:
        return [], 0, 0, 0
    for row in answer["rows"]:
        row["actor_id"] = _ids.actor_id(session["session"], row["actor_id"]).hex()
        row.update(constant)
        row["num_restarts"] = row.get("num_restarts", 0)
        row["num_restarts_due_to_lineage_reconstruction"] = 0
        row["num_restarts_due_to_node_preemption"] = 0
        row["serialized_runtime_env"] = "{}"
        row["label_selector"] = {}
        row["required_resources"] = _floats(row.get("required_resources") or {})
    return answer["rows"], answer["total"], answer["matched"], 0


def objects(source: Source, query: Query) -> Rows:
    """Return objects, one row for each process that holds one."""
    session = source.session
    constant = {"ip": session["node_ip"]}
    answer = _ask(source, query, "objects", constant, {"object_id": ("object_id", _object_filter)})
    if answer is None:
        return [], 0, 0, 0
    for row in answer["rows"]:
        row["object_id"] = object_hex(session["session"], row["object_id"])
        row.update(constant)
    return answer["rows"], answer["total"], answer["matched"], 0


def object_hex(session: int, handle: int) -> str:
    """Return the id of an object as its references show it."""
    return _ids.task_id(session, handle).hex() + (1).to_bytes(4, "little").hex()


def workers(source: Source, query: Query) -> Rows:
    """Return the worker processes, those that are gone too, and the driver."""
    session = source.session
    number = session["session"]
    common = {"node_id": _ids.node_id(number).hex(), "ip": session["node_ip"]}
    rows = [
        {
            "worker_id": _ids.worker_id(number, session["pid"]).hex(),
            "is_alive": True,
            "worker_type": "DRIVER",
            "pid": session["pid"],
            "start_time_ms": session["started_ms"],
            "end_time_ms": 0,
            **common,
        }
    ]
    for process in source.ask("processes"):
        if not process["pid"]:
            continue
        rows.append(
            {
                "worker_id": _ids.worker_id(number, process["pid"]).hex(),
                "is_alive": process["alive"],
                "worker_type": "WORKER",
                "exit_type": None if process["alive"] else _exit_type(process),
                "exit_detail": process["exit"] or None,
                "pid": process["pid"],
                "worker_launch_time_ms": process["asked_ms"],
                "worker_launched_time_ms": process["forked_ms"],
                "start_time_ms": process["ready_ms"],
                "end_time_ms": process["ended_ms"] or 0,
                **common,
            }
        )
    return _here(rows, query)


def _exit_type(process: dict[str, Any]) -> str:
    if process["wanted"]:
        return "INTENDED_SYSTEM_EXIT"
    return "INTENDED_USER_EXIT" if process["exit"] == "exit code 0" else "SYSTEM_ERROR"


def nodes(source: Source, query: Query) -> Rows:
    """Return the one node."""
    session = source.session
    node_id = _ids.node_id(session["session"]).hex()
    total = source.ask("resources")["total"]
    row = {
        "node_id": node_id,
        "node_ip": session["node_ip"],
        "is_head_node": True,
        "state": "ALIVE",
        "node_name": session["node_ip"],
        "resources_total": _floats(total),
        "labels": {"ray.io/node-id": node_id},
        "start_time_ms": session["started_ms"],
        "end_time_ms": 0,
    }
    return _here([row], query)


def jobs(source: Source, query: Query) -> Rows:
    """Return the one job."""
    session = source.session
    job = _ids.JOB.hex()
    row = {
        "type": "DRIVER",
        "job_id": job,
        "driver_info": {
            "id": job,
            "node_ip_address": session["node_ip"],
            "pid": str(session["pid"]),
        },
        "status": "RUNNING",
        "entrypoint": session["entrypoint"],
        "start_time": session["started_ms"],
        "end_time": 0,
        "metadata": {},
        "runtime_env": {},
        "driver_node_id": _ids.node_id(session["session"]).hex(),
    }
    return _here([row], query)


def nothing(source: Source, query: Query) -> Rows:
    """Return no rows: there is nothing of this kind in this release."""
    del source, query
    return [], 0, 0, 0


# Plural name, as in the command line -> rows.
KINDS: dict[str, Callable[[Source, Query], Rows]] = {
    "actors": actors,
    "jobs": jobs,
    "placement_groups": nothing,
    "nodes": nodes,
    "workers": workers,
    "tasks": tasks,
    "objects": objects,
    "runtime_envs": nothing,
    "cluster_events": nothing,
}


def _floats(amounts: dict[str, Any]) -> dict[str, float]:
    return {name: float(amount) for name, amount in sorted(amounts.items())}


def _here(rows: list[dict[str, Any]], query: Query) -> Rows:
    """Filter rows in this process: there are few."""
    matching = [row for row in rows if query.matches(row)]
    return matching[: query.limit], len(rows), len(matching), 0


def _ask(
    source: Source,
    query: Query,
    op: str,
    constant: dict[str, Any],
    translate: Mapping[str, tuple[str, Callable[[str, int], str]]],
) -> Any:
    """Ask the node for rows; None when no row can match."""
    if not query.matches(constant, list(constant)):
        return None
    columns = [name for name in query.schema.columns() if name not in constant]
    filters = query.for_node([name for name in columns if name not in translate])
    for one in query.for_node(list(translate)):
        column, make = translate[one["column"]]
        value = make(one["value"], source.session["session"])
        filters.append({"column": column, "equal": one["equal"], "value": value})
    return source.ask(op, filters=filters, limit=query.limit, detail=query.detail)


def _task_hex(session: int, text: str) -> str:
    return _ids.task_id(session, int(text.rstrip("-")), text.endswith("-")).hex()


def _bytes(text: str, size: int) -> bytes:
    try:
        id = bytes.fromhex(text)
    except ValueError:
        return b""
    return id if len(id) == size else b""


def _task_filter(text: str, session: int) -> str:
    id = _bytes(text, _ids.TaskID.SIZE)
    if id == _ids.driver_task_id().binary():
        return "0"
    known = _ids.handle_of(id, session) if id else None
    if known is None:
        return _NOBODY
    return f"{known[0]}-" if known[1] else str(known[0])


def _object_filter(text: str, session: int) -> str:
    id = _bytes(text, 28)
    known = _ids.handle_of(id, session) if id else None
    return _NOBODY if known is None else str(known[0])


def _actor_filter(text: str, session: int) -> str:
    id = _bytes(text, _ids.ActorID.SIZE)
    if not id or id != _ids.actor_id(session, int.from_bytes(id[:8], "little")).binary():
        return _NOBODY
    return str(int.from_bytes(id[:8], "little"))


def _worker_filter(text: str, session: int) -> str:
    id = _bytes(text, _ids.WorkerID.SIZE)
    if not id or id != _ids.worker_id(session, int.from_bytes(id[12:20], "little")).binary():
        return _NOBODY
    return str(int.from_bytes(id[12:20], "little"))
