"""The states that the state API returns: one class for each kind of thing."""

# The calls in the classes make fields, by a wrapper of dataclasses.field.
# ruff: noqa: RUF009

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

DEFAULT_RPC_TIMEOUT = 30
DEFAULT_LIMIT = 100
DEFAULT_LOG_LIMIT = 1000


def state_column(*, filterable: bool, detail: bool = False, **more: Any) -> Any:
    """Return a dataclass's field that says whether it can be filtered, or needs `detail`."""
    if detail:
        more.setdefault("default", None)
    return field(metadata={"filterable": filterable, "detail": detail}, **more)


def _column(default: Any = None, *, show: Any = None) -> Any:
    return field(default=default, metadata={"filterable": True, "detail": False, "show": show})


def _plain(default: Any = None, *, show: Any = None) -> Any:
    return field(default=default, metadata={"filterable": False, "detail": False, "show": show})


def _detail(default: Any = None, *, filterable: bool = False, show: Any = None) -> Any:
    return field(default=default, metadata={"filterable": filterable, "detail": True, "show": show})


def _timestamp(ms: float) -> str:
    import datetime

    return str(datetime.datetime.fromtimestamp(ms / 1000)) if ms else ""


def _memory(size: float) -> str:
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size >= factor:
            return f"{size / factor:.3f} {unit}"
    return f"{size:.3f} B"


def _resources(resources: dict[str, float]) -> dict[str, Any]:
    return {
        name: _memory(amount) if "memory" in name else amount for name, amount in resources.items()
    }


def _events(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**event, "created_ms": _timestamp(event["created_ms"])} for event in events]


@dataclass
class StateSchema:
    """What all states can do: attributes can be had like items of a dict."""

    @classmethod
    def list_columns(cls, detail: bool = True) -> list[str]:
        """Return the names of the columns, in their order."""
        return [f.name for f in fields(cls) if detail or not f.metadata.get("detail")]

    @classmethod
    def columns(cls) -> set[str]:
        """Return the names of all columns."""
        return set(cls.list_columns())

    @classmethod
    def base_columns(cls) -> set[str]:
        """Return the names of the columns that are there without `detail`."""
        return set(cls.list_columns(detail=False))

    @classmethod
    def detail_columns(cls) -> set[str]:
        """Return the names of the columns that are there with `detail`: all."""
        return set(cls.list_columns(detail=True))

    @classmethod
    def filterable_columns(cls) -> set[str]:
        """Return the names of the columns that filters may name."""
        return {f.name for f in fields(cls) if f.metadata.get("filterable")}

    @classmethod
    def humanify(cls, state: dict[str, Any]) -> dict[str, Any]:
        """Return the state with times and sizes as people read them."""
        shown = dict(state)
        for f in fields(cls):
            show = f.metadata.get("show")
            if show is not None and shown.get(f.name) is not None:
                shown[f.name] = show(shown[f.name])
        return shown

    def asdict(self) -> dict[str, Any]:
        """Return the state as a dict."""
        return asdict(self)

    def get(self, key: str, default: Any = None) -> Any:
        """Return a column by its name."""
        return getattr(self, key, default)

    def __getitem__(self, key: str) -> Any:
        return getattr(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        setattr(self, key, value)


@dataclass
class TaskState(StateSchema):
    """A task, one attempt."""

    task_id: str = _column("")
    attempt_number: int = _column(0)
    name: str = _column("")
    state: str = _column("")
    job_id: str = _column("")
    actor_id: str | None = _column()
    type: str = _column("")
    func_or_class_name: str = _column("")
    parent_task_id: str = _column("")
    node_id: str | None = _column()
    worker_id: str | None = _column()
    worker_pid: int | None = _column()
    error_type: str | None = _column()
    language: str | None = _detail(filterable=True)
    required_resources: dict[str, float] | None = _detail()
    runtime_env_info: dict[str, Any] | None = _detail()
    placement_group_id: str | None = _detail(filterable=True)
    events: list[dict[str, Any]] | None = _detail(show=_events)
    profiling_data: dict[str, Any] | None = _detail()
    creation_time_ms: int | None = _detail(show=_timestamp)
    start_time_ms: int | None = _detail(show=_timestamp)
    end_time_ms: int | None = _detail(show=_timestamp)
    task_log_info: dict[str, Any] | None = _detail()
    error_message: str | None = _detail()
    is_debugger_paused: bool | None = _detail(filterable=True)
    call_site: str | None = _detail()
    label_selector: dict[str, str] | None = _detail()
    fallback_strategy: dict[str, Any] | None = _detail()


@dataclass
class ActorState(StateSchema):
    """An actor, also a dead one."""

    actor_id: str = _column("")
    class_name: str = _column("")
    state: str = _column("")
    job_id: str = _column("")
    name: str | None = _column()
    node_id: str | None = _column()
    pid: int | None = _column()
    ray_namespace: str | None = _column()
    serialized_runtime_env: str | None = _detail()
    required_resources: dict[str, float] | None = _detail()
    death_cause: dict[str, Any] | None = _detail()
    is_detached: bool | None = _detail()
    placement_group_id: str | None = _detail(filterable=True)
    repr_name: str | None = _detail(filterable=True)
    num_restarts: int | None = _detail()
    num_restarts_due_to_lineage_reconstruction: int | None = _detail()
    num_restarts_due_to_node_preemption: int | None = _detail()
    call_site: str | None = _detail()
    label_selector: dict[str, str] | None = _detail()
    fallback_strategy: dict[str, Any] | None = _detail()


@dataclass
class ObjectState(StateSchema):
    """An object and one process that holds it."""

    object_id: str = _column("")
    object_size: int = _column(-1, show=lambda size: "?" if size < 0 else _memory(size))
    task_status: str = _column("")
    attempt_number: int = _column(0)
    reference_type: str = _column("")
    call_site: str = _column("")
    type: str = _column("")
    pid: int | None = _column()
    ip: str = _column("")


@dataclass
class WorkerState(StateSchema):
    """A worker process, or the driver."""

    worker_id: str = _column("")
    is_alive: bool = _column(False)
    worker_type: str = _column("")
    exit_type: str | None = _column()
    node_id: str = _column("")
    ip: str = _column("")
    pid: int | None = _column()
    exit_detail: str | None = _detail()
    worker_launch_time_ms: int | None = _detail(show=_timestamp)
    worker_launched_time_ms: int | None = _detail(show=_timestamp)
    start_time_ms: int | None = _detail(show=_timestamp)
    end_time_ms: int | None = _detail(show=_timestamp)
    debugger_port: int | None = _detail(filterable=True)
    num_paused_threads: int | None = _detail(filterable=True)


@dataclass
class NodeState(StateSchema):
    """The machine."""

    node_id: str = _column("")
    node_ip: str = _column("")
    is_head_node: bool = _column(True)
    state: str = _column("")
    state_message: str | None = _plain()
    node_name: str = _column("")
    resources_total: dict[str, float] | None = _plain(show=_resources)
    labels: dict[str, str] | None = _plain()
    start_time_ms: int | None = _detail(show=_timestamp)
    end_time_ms: int | None = _detail(show=_timestamp)


@dataclass
class JobState(StateSchema):
    """A driver's run."""

    type: str = _column("")
    job_id: str = _column("")
    submission_id: str | None = _column()
    driver_info: dict[str, Any] | None = _plain()
    status: str = _column("")
    entrypoint: str = _column("")
    message: str | None = _plain()
    error_type: str | None = _column()
    start_time: int | None = _plain(show=_timestamp)
    end_time: int | None = _plain(show=_timestamp)
    metadata: dict[str, Any] | None = _detail()
    runtime_env: dict[str, Any] | None = _detail()
    driver_agent_http_address: str | None = _detail()
    driver_node_id: str | None = _detail()
    driver_exit_code: int | None = _detail()


@dataclass
class PlacementGroupState(StateSchema):
    """A placement group; there are none in this release."""

    placement_group_id: str = _column("")
    name: str = _column("")
    creator_job_id: str = _column("")
    state: str = _column("")
    bundles: list[dict[str, Any]] | None = _detail()
    is_detached: bool | None = _detail(filterable=True)
    stats: dict[str, Any] | None = _detail()


@dataclass
class RuntimeEnvState(StateSchema):
    """A runtime environment; there are none in this release."""

    runtime_env: dict[str, Any] | None = _column()
    success: bool = _column(False)
    creation_time_ms: float | None = _plain()
    node_id: str = _column("")
    ref_cnt: int | None = _detail()
    error: str | None = _detail(filterable=True)


@dataclass
class ClusterEventState(StateSchema):
    """Something that the cluster reports; there are none in this release."""

    severity: str = _column("")
    time: str = _plain("")
    source_type: str = _column("")
    message: str = _plain("")
    event_id: str = _column("")
    custom_fields: dict[str, Any] | None = _detail()


# The names of the command line and of StateApiClient.
SCHEMAS: dict[str, type[StateSchema]] = {
    "actors": ActorState,
    "jobs": JobState,
    "placement_groups": PlacementGroupState,
    "nodes": NodeState,
    "workers": WorkerState,
    "tasks": TaskState,
    "objects": ObjectState,
    "runtime_envs": RuntimeEnvState,
    "cluster_events": ClusterEventState,
}
