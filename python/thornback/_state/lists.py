"""Lists, single things and counts of a session, for the state API and the command line."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..util.state.common import SCHEMAS
from ..util.state.exception import RayStateApiException
from . import rows
from .query import Query
from .source import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..util.state.common import StateSchema

# Rows that one answer may have when things are counted, or those of one id are looked for.
ROWS_MAX = 10_000
# The length in bytes of the ids by which single things are found, and their columns.
_IDS = {
    "actors": ("actor_id", 16),
    "nodes": ("node_id", 28),
    "workers": ("worker_id", 28),
    "tasks": ("task_id", 24),
    "objects": ("object_id", 28),
    "placement_groups": ("placement_group_id", 18),
    "jobs": ("job_id", 0),
}


class Listing(NamedTuple):
    """States, and what is missing among them.

    Attributes
    ----------
    states : list
    matched : int
        How many pass the filters, whether or not the limit lets them in.
    total : int
        How many the node knows.
    dropped : int
        How many more there were, which it has forgotten.
    """

    states: list[Any]
    matched: int
    total: int
    dropped: int

    def check(self, kind: str) -> None:
        """Raise when something is forgotten.

        Raises
        ------
        RayStateApiException
        """
        check_missing(kind, self.total, self.dropped)

    def warnings(self, kind: str) -> list[str]:
        """Return what is to be known about what is missing."""
        texts = []
        if self.dropped:
            texts.append(
                "The returned data may contain incomplete result. "
                f"{self.total} ({self.total + self.dropped} total from the cluster) {kind} are "
                f"retrieved from the data source. {self.dropped} entries have been truncated. Max "
                f"of {self.total} entries are retrieved from data source to prevent over-sized "
                "payloads."
            )
        if self.matched > len(self.states):
            texts.append(
                f"Limit last {len(self.states)} entries (Total {self.matched}). Use `--filter` to "
                "reduce the amount of data to return or setting a higher limit with `--limit` to "
                "see all data. "
            )
        return texts


def check_missing(kind: str, known: int, missing: int) -> None:
    """Raise when some are left out.

    Raises
    ------
    RayStateApiException
    """
    if missing:
        raise RayStateApiException(
            f"Failed to retrieve all {known + missing} {kind} from the cluster because they are "
            "not reachable due to data truncation. It happens when the returned data is too large "
            f"(> {known}) To avoid raising an exception and allow having missing output, set "
            "`raise_on_missing_output=False`. "
        )


def list_states(
    kind: str,
    address: str | None,
    filters: Sequence[tuple[str, str, Any]] | None,
    limit: int,
    timeout: float,
    detail: bool,
) -> Listing:
    """Return states of one kind.

    Parameters
    ----------
    kind : str
        A key of `SCHEMAS`.
    """
    query = Query(SCHEMAS[kind], filters, limit, detail)
    with Source(address, timeout) as source:
        found, total, matched, dropped = rows.KINDS[kind](source, query)
    return Listing([query.state(row) for row in found], matched, total, dropped)


def get_states(kind: str, id: str, address: str | None, timeout: float) -> list[StateSchema]:
    """Return the states of the thing with an id: a task's attempts, an object's holders.

    Raises
    ------
    RayStateApiException
        The text is no id of this kind.
    """
    column, size = _IDS[kind]
    if size:
        _check_id(id, size)
    return list_states(kind, address, [(column, "=", id)], ROWS_MAX, timeout, True).states


def _check_id(id: str, size: int) -> None:
    try:
        length = len(bytes.fromhex(id))
    except ValueError as error:
        raise RayStateApiException(
            f"API server internal error. See dashboard.log file for more details. Error: {error}"
        ) from None
    if length != size:
        raise RayStateApiException(
            "API server internal error. See dashboard.log file for more details. Error: ID string "
            f"needs to have length {size}, got {length}"
        )


def summary(kind: str, address: str | None, timeout: float) -> tuple[dict[str, Any], int, int]:
    """Count tasks, actors or objects.

    Returns
    -------
    counts : dict
        In the form of Ray's summaries.
    known, missing : int
        How many are counted, and how many are left out: tasks that the node has forgotten, actors
        or objects beyond the first 10,000.
    """
    if kind == "tasks":
        with Source(address, timeout) as source:
            answer = source.ask("summary")
        known = sum(row["count"] for row in answer["rows"])
        return _task_summary(answer["rows"]), known, answer["dropped"]
    found = list_states(kind, address, None, ROWS_MAX, timeout, False)
    counts = (_actor_summary if kind == "actors" else _object_summary)(found.states)
    return counts, len(found.states), found.matched - len(found.states)


def _task_summary(counted: list[dict[str, Any]]) -> dict[str, Any]:
    totals = {"NORMAL_TASK": 0, "ACTOR_TASK": 0, "ACTOR_CREATION_TASK": 0}
    names: dict[str, Any] = {}
    for row in sorted(counted, key=lambda row: (row["name"], row["state"])):
        one = names.setdefault(
            row["name"],
            {"func_or_class_name": row["name"], "type": row["type"], "state_counts": {}},
        )
        states = one["state_counts"]
        states[row["state"]] = states.get(row["state"], 0) + row["count"]
        totals[row["type"]] += row["count"]
    return {
        "summary": names,
        "total_tasks": totals["NORMAL_TASK"],
        "total_actor_tasks": totals["ACTOR_TASK"],
        "total_actor_scheduled": totals["ACTOR_CREATION_TASK"],
        "summary_by": "func_name",
    }


def _actor_summary(actors: list[StateSchema]) -> dict[str, Any]:
    classes: dict[str, Any] = {}
    for actor in actors:
        name = actor["class_name"]
        one = classes.setdefault(name, {"class_name": name, "state_counts": {}})
        _count(one["state_counts"], actor["state"])
    return {"summary": classes, "total_actors": len(actors), "summary_by": "class"}


def _object_summary(objects: list[StateSchema]) -> dict[str, Any]:
    sites: dict[str, Any] = {}
    holders: dict[str, set[Any]] = {}
    total_mb = 0.0
    for one in objects:
        site = one["call_site"]
        entry = sites.setdefault(
            site,
            {
                "total_objects": 0,
                "total_size_mb": 0.0,
                "total_num_workers": 0,
                "total_num_nodes": 1,
                "task_state_counts": {},
                "task_attempt_number_counts": {},
                "ref_type_counts": {},
            },
        )
        entry["total_objects"] += 1
        _count(entry["task_state_counts"], one["task_status"])
        _count(entry["task_attempt_number_counts"], str(one["attempt_number"]))
        _count(entry["ref_type_counts"], one["reference_type"])
        size_mb = max(0, one["object_size"]) / 2**20
        entry["total_size_mb"] += size_mb
        total_mb += size_mb
        holders.setdefault(site, set()).add(one["pid"])
        entry["total_num_workers"] = len(holders[site])
    return {
        "summary": sites,
        "total_objects": len(objects),
        "total_size_mb": total_mb,
        "callsite_enabled": "disabled" not in sites,
        "summary_by": "callsite",
    }


def _count(counts: dict[str, int], key: str) -> None:
    counts[key] = counts.get(key, 0) + 1
