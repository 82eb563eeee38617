"""Asking what a session is doing: lists, single things and counts, with Ray's names.

All work in the driver, in workers, and in any other process of the same user, which finds the
session without configuration; `address` is a session's folder, its name, or its driver's pid.

What all lists take: `filters`, tuples of a column, "=" or "!=", and a value, which all must hold
(texts are compared without regard to case); `limit`, 10,000 at most; `timeout` in seconds;
`detail`, whether all columns are filled. Of tasks that have ended the newest 100,000 are known
(RAY_task_events_max_num_task_in_gcs): when there were more, lists and summaries of tasks raise
`RayStateApiException`, as in Ray, unless ``raise_on_missing_output=False``. With ``_explain=True``
a warning tells what the limit leaves out.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from ..._state import lists, logs
from .common import (
    DEFAULT_LIMIT,
    DEFAULT_RPC_TIMEOUT,
    ActorState,
    ClusterEventState,
    JobState,
    NodeState,
    ObjectState,
    PlacementGroupState,
    RuntimeEnvState,
    TaskState,
    WorkerState,
)

Filters = Sequence[tuple[str, str, Any]]


class StateApiClient:
    """Asks one session.

    Parameters
    ----------
    address : str, optional
        When not given, this process's own session, else the newest of this user's.
    """

    def __init__(
        self, address: str | None = None, cookies: Any = None, headers: Any = None
    ) -> None:
        del cookies, headers  # of Ray's HTTP API
        self._address = address

    def list(
        self,
        resource: str,
        filters: Filters | None = None,
        limit: int = DEFAULT_LIMIT,
        timeout: float = DEFAULT_RPC_TIMEOUT,
        detail: bool = False,
        raise_on_missing_output: bool = False,
        _explain: bool = False,
    ) -> list[Any]:
        """Return states.

        Parameters
        ----------
        resource : str
            ``tasks``, ``actors``, ``objects``, ``workers``, ``nodes``, ``jobs`` ...
        filters : sequence of (column, "=" or "!=", value), optional
        limit : int, 0 <= limit <= 10,000
        timeout : float, seconds
        detail : bool
        raise_on_missing_output : bool
        _explain : bool
            Whether to warn of what the limit leaves out, and of what is forgotten.

        Raises
        ------
        RayStateApiException
            A filter or the limit is wrong; or, with `raise_on_missing_output`, the node has
            forgotten some.
        ConnectionError
            There is no session.
        """
        kind = resource.replace("-", "_")
        found = lists.list_states(kind, self._address, filters, limit, timeout, detail)
        if raise_on_missing_output:
            found.check(kind)
        if _explain:
            for text in found.warnings(kind):
                warnings.warn(text, stacklevel=3)
        return found.states

    def get(self, resource: str, id: str, timeout: float = DEFAULT_RPC_TIMEOUT) -> Any:
        """Return the state of one thing.

        Returns
        -------
        state, list of state, or None
            A list for a task with several attempts, and always for an object, which has one state
            for each process that holds it; None when there is nothing with this id.
        """
        found = lists.get_states(resource.replace("-", "_"), id, self._address, timeout)
        if not found:
            return None
        return found if resource == "objects" or len(found) > 1 else found[0]

    def summary(
        self,
        resource: str,
        timeout: float = DEFAULT_RPC_TIMEOUT,
        raise_on_missing_output: bool = False,
    ) -> dict[str, Any]:
        """Return counts of ``tasks``, ``actors`` or ``objects``."""
        counts, known, missing = lists.summary(resource, self._address, timeout)
        if raise_on_missing_output:
            lists.check_missing(resource, known, missing)
        return {"cluster": counts}


def list_actors(
    address: str | None = None,
    filters: Filters | None = None,
    limit: int = DEFAULT_LIMIT,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    detail: bool = False,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> list[ActorState]:
    """Return actors, dead ones too."""
    return StateApiClient(address).list(
        "actors", filters, limit, timeout, detail, raise_on_missing_output, _explain
    )


def list_placement_groups(
    address: str | None = None,
    filters: Filters | None = None,
    limit: int = DEFAULT_LIMIT,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    detail: bool = False,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> list[PlacementGroupState]:
    """Return placement groups: none in this release."""
    return StateApiClient(address).list(
        "placement_groups", filters, limit, timeout, detail, raise_on_missing_output, _explain
    )


def list_nodes(
    address: str | None = None,
    filters: Filters | None = None,
    limit: int = DEFAULT_LIMIT,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    detail: bool = False,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> list[NodeState]:
    """Return nodes."""
    return StateApiClient(address).list(
        "nodes", filters, limit, timeout, detail, raise_on_missing_output, _explain
    )


def list_jobs(
    address: str | None = None,
    filters: Filters | None = None,
    limit: int = DEFAULT_LIMIT,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    detail: bool = False,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> list[JobState]:
    """Return jobs: the one of the session."""
    return StateApiClient(address).list(
        "jobs", filters, limit, timeout, detail, raise_on_missing_output, _explain
    )


def list_workers(
    address: str | None = None,
    filters: Filters | None = None,
    limit: int = DEFAULT_LIMIT,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    detail: bool = False,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> list[WorkerState]:
    """Return worker processes, also those that are gone, and the driver."""
    return StateApiClient(address).list(
        "workers", filters, limit, timeout, detail, raise_on_missing_output, _explain
    )


def list_tasks(
    address: str | None = None,
    filters: Filters | None = None,
    limit: int = DEFAULT_LIMIT,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    detail: bool = False,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> list[TaskState]:
    """Return tasks: those that have not ended, then the others, the newest first."""
    return StateApiClient(address).list(
        "tasks", filters, limit, timeout, detail, raise_on_missing_output, _explain
    )


def list_objects(
    address: str | None = None,
    filters: Filters | None = None,
    limit: int = DEFAULT_LIMIT,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    detail: bool = False,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> list[ObjectState]:
    """Return objects, one state for each process that holds one."""
    return StateApiClient(address).list(
        "objects", filters, limit, timeout, detail, raise_on_missing_output, _explain
    )


def list_runtime_envs(
    address: str | None = None,
    filters: Filters | None = None,
    limit: int = DEFAULT_LIMIT,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    detail: bool = False,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> list[RuntimeEnvState]:
    """Return runtime environments: none in this release."""
    return StateApiClient(address).list(
        "runtime_envs", filters, limit, timeout, detail, raise_on_missing_output, _explain
    )


def list_cluster_events(
    address: str | None = None,
    filters: Filters | None = None,
    limit: int = DEFAULT_LIMIT,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    detail: bool = False,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> list[ClusterEventState]:
    """Return events of the cluster: none in this release."""
    return StateApiClient(address).list(
        "cluster_events", filters, limit, timeout, detail, raise_on_missing_output, _explain
    )


def get_actor(
    id: str,
    address: str | None = None,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    _explain: bool = False,
) -> ActorState | None:
    """Return the actor with an id in hexadecimal, None when there is none."""
    found: ActorState | None = StateApiClient(address).get("actors", id, timeout)
    return found


def get_job(
    id: str,
    address: str | None = None,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    _explain: bool = False,
) -> JobState | None:
    """Return the job with an id in hexadecimal, None when there is none."""
    found: JobState | None = StateApiClient(address).get("jobs", id, timeout)
    return found


def get_placement_group(
    id: str,
    address: str | None = None,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    _explain: bool = False,
) -> PlacementGroupState | None:
    """Return the placement group with an id in hexadecimal, None when there is none."""
    found: PlacementGroupState | None = StateApiClient(address).get("placement_groups", id, timeout)
    return found


def get_node(
    id: str,
    address: str | None = None,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    _explain: bool = False,
) -> NodeState | None:
    """Return the node with an id in hexadecimal, None when there is none."""
    found: NodeState | None = StateApiClient(address).get("nodes", id, timeout)
    return found


def get_worker(
    id: str,
    address: str | None = None,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    _explain: bool = False,
) -> WorkerState | None:
    """Return the worker or driver with an id in hexadecimal, None when there is none."""
    found: WorkerState | None = StateApiClient(address).get("workers", id, timeout)
    return found


def get_task(
    id: Any,
    address: str | None = None,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    _explain: bool = False,
) -> TaskState | list[TaskState] | None:
    """Return the task with an id, or the one that makes the object of a reference.

    Returns
    -------
    TaskState, list of TaskState, or None
        A list when it was tried several times.
    """
    text = id if isinstance(id, str) else id.task_id().hex()
    found: TaskState | list[TaskState] | None = StateApiClient(address).get("tasks", text, timeout)
    return found


def get_objects(
    id: str,
    address: str | None = None,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    _explain: bool = False,
) -> list[ObjectState] | None:
    """Return an object's states, one for each process that holds it; None when nobody does."""
    found: list[ObjectState] | None = StateApiClient(address).get("objects", id, timeout)
    return found


def summarize_tasks(
    address: str | None = None,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> dict[str, Any]:
    """Return counts of tasks by name and state."""
    return StateApiClient(address).summary("tasks", timeout, raise_on_missing_output)


def summarize_actors(
    address: str | None = None,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> dict[str, Any]:
    """Return counts of actors by class and state."""
    return StateApiClient(address).summary("actors", timeout, raise_on_missing_output)


def summarize_objects(
    address: str | None = None,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> dict[str, Any]:
    """Return counts of objects by where they were created."""
    return StateApiClient(address).summary("objects", timeout, raise_on_missing_output)


def list_logs(
    address: str | None = None,
    node_id: str | None = None,  # noqa: ARG001
    node_ip: str | None = None,  # noqa: ARG001
    glob_filter: str | None = None,
    timeout: int = DEFAULT_RPC_TIMEOUT,
) -> dict[str, list[str]]:
    """Return the names of the session's log files, by what wrote them.

    Parameters
    ----------
    glob_filter : str, optional
        Such as ``worker-*.out``.
    """
    return logs.names(address, glob_filter, timeout)


def get_log(
    address: str | None = None,
    node_id: str | None = None,  # noqa: ARG001
    node_ip: str | None = None,  # noqa: ARG001
    filename: str | None = None,
    actor_id: str | None = None,
    task_id: str | None = None,
    pid: int | None = None,
    follow: bool = False,
    tail: int = -1,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    suffix: str = "out",
    encoding: str | None = "utf-8",
    errors: str | None = "strict",
    submission_id: str | None = None,  # noqa: ARG001
    attempt_number: int = 0,  # noqa: ARG001
    _interval: float | None = None,
    filter_ansi_code: bool = False,
) -> Iterator[Any]:
    """Yield pieces of a log file.

    Parameters
    ----------
    filename, actor_id, task_id, pid
        One of them says which: a name of `list_logs`, or whose output.
    follow : bool
        Whether to go on with what is added, until the session ends.
    tail : int
        So many lines of the end; -1: all.
    suffix : str
        ``out`` or ``err``, unless there is a name.
    encoding : str or None
        None gives bytes.
    filter_ansi_code : bool
        Whether to leave out what sets colours.

    Raises
    ------
    ValueError
        None or several of them are given, or there is no such file.
    """
    path = logs.find(address, timeout, filename, actor_id, task_id, pid, suffix)
    pieces = logs.read(path, tail, follow, _interval)
    for piece in logs.without_colours(pieces) if filter_ansi_code else pieces:
        yield piece if encoding is None else piece.decode(encoding, errors or "strict")
