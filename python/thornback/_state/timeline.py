"""A Chrome trace of what was submitted, queued, run and waited for."""

from __future__ import annotations

from .. import _ids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Chrome's names of colours, as Ray uses them.
_SUBMIT, _QUEUE, _RUN, _FAILED, _WAIT, _EXECUTE = (
    "background_memory_dump",
    "rail_load",
    "generic_work",
    "terrible",
    "rail_idle",
    "rail_animation",
)


def trace(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the events of a trace, for chrome://tracing or Perfetto.

    Parameters
    ----------
    answer : dict
        The node's answer to "timeline".

    Returns
    -------
    list of dict
        Complete events ("ph": "X"), and pairs "b" and "e" for spans that may overlap; times are
        microseconds since 1970. Each attempt of a task has ``submit_task`` on its submitter's line,
        a moment; ``arguments``, if it waited for any; ``queue``, until it runs; and
        ``task::<name>`` with ``task:execute`` in it, on its worker's line, while the function does:
        what decoding the arguments and storing the results take is not told. Each time that
        somebody really waited in `get` or `wait` has ``ray.get`` or ``ray.wait``, on the line of
        who waited.
    """
    maker = _Maker(answer)
    where = {row[0]: row[9] for row in answer["tasks"]}
    # By their start, so that what runs at the same time can be told apart.
    tasks = sorted(answer["tasks"], key=lambda row: (row[6] - row[7], -row[6]))
    events = [event for row in tasks for event in maker.task(row, where)]
    events += [maker.wait(row) for row in answer["waits"]]
    return sorted(events, key=lambda event: event["ts"])


class _Maker:
    def __init__(self, answer: dict[str, Any]) -> None:
        self._session = answer["session"]
        self._origin_us = answer["origin_ns"] / 1000
        self._templates = answer["templates"]
        self._pids = answer["pids"]
        self._driver = f"driver:{_ids.worker_id(self._session, answer['driver_pid']).hex()}"
        self._ip = answer["node_ip"]
        self._lanes: dict[str, list[list[int]]] = {}  # ends of what runs, innermost last

    def task(self, row: list[Any], where: dict[str, int]) -> list[dict[str, Any]]:
        id, parent, _, submitted, ready, sent, ended, ran, template, worker, attempt, failed = row
        about = self._templates[str(template)]
        args = {
            "task_id": self._id(id),
            "name": about["name"],
            "function": about["function"],
            "attempt": attempt,
            "parent_task_id": _ids.driver_task_id().hex() if parent == "0" else self._id(parent),
        }
        submitter = self._line(where.get(parent, 0)) if parent != "0" else self._driver
        events = [self._span("submit_task", _SUBMIT, submitter, submitted, submitted, args)]
        waited = ready or ended
        if waited > submitted:
            events += self._long("arguments", submitter, submitted, waited, args)
        if not ready or not sent:
            return events
        start = ended - ran
        line = self._lane(self._line(worker), start, ended)
        events += self._long("queue", line, ready, max(ready, start), args)
        colour = _FAILED if failed else _RUN
        events.append(self._span(f"task::{about['name']}", colour, line, start, ended, args))
        events.append(self._span("task:execute", _EXECUTE, line, start, ended, {}))
        return events

    def wait(self, row: list[Any]) -> dict[str, Any]:
        id, begin, end, worker, is_wait = row
        name = "ray.wait" if is_wait else "ray.get"
        args = {} if id == "0" else {"task_id": self._id(id)}
        line = self._line(worker) if worker else self._driver
        return self._span(name, _WAIT, line, begin, end, args)

    def _lane(self, line: str, start: int, end: int) -> str:
        """Return the line, or one beside it when what runs there overlaps without being nested."""
        lanes = self._lanes.setdefault(line, [])
        for i, running in enumerate(lanes):
            while running and running[-1] <= start:
                running.pop()
            if not running or running[-1] >= end:
                running.append(end)
                return f"{line}:{i + 1}" if i else line
        lanes.append([end])
        return f"{line}:{len(lanes)}" if len(lanes) > 1 else line

    def _long(
        self, name: str, line: str, begin: int, end: int, args: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Return the two ends of a span that may overlap others of its line."""
        span = self._span(name, _QUEUE, line, begin, end, args)
        del span["dur"]
        span["id"] = f"{args['task_id']}:{args['attempt']}"
        return [{**span, "ph": "b"}, {**span, "ph": "e", "ts": self._origin_us + end / 1000}]

    def _id(self, text: str) -> str:
        return _ids.task_id(self._session, int(text.rstrip("-")), text.endswith("-")).hex()

    def _line(self, worker: int) -> str:
        pid = self._pids.get(str(worker))
        if pid is None:
            return f"worker:{worker}"
        return f"worker:{_ids.worker_id(self._session, pid).hex()}"

    def _span(
        self, name: str, colour: str, line: str, begin: int, end: int, args: dict[str, Any]
    ) -> dict[str, Any]:
        return {
            "cat": name,
            "name": name,
            "ph": "X",
            "pid": self._ip,
            "tid": line,
            "ts": self._origin_us + begin / 1000,
            "dur": max(0, end - begin) / 1000,
            "cname": colour,
            "args": args,
        }


def write(events: list[dict[str, Any]], path: str) -> None:
    """Write a trace into a file, as JSON."""
    import json

    with open(path, "w") as file:
        json.dump(events, file)
