"""Where the calling code runs: its session, node, process, task and actor."""

from __future__ import annotations

import os
import sys

from . import _core, _ids, _named
from ._definitions import module_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


_known: dict[tuple[int, str, int], Any] = {}
_KNOWN_MAX = 1000


class RuntimeContext:
    """What the calling code can know about itself. Ids are hexadecimal strings.

    Parameters
    ----------
    worker : object, optional
        For Ray's sake: there is one in a process.
    """

    def __init__(self, worker: Any = None) -> None:
        del worker

    @property
    def namespace(self) -> str:
        """The job's namespace, in which its actors have their names."""
        return _named.default_namespace()

    @property
    def current_actor(self) -> Any:
        """Handle of the actor whose method runs.

        Raises
        ------
        RuntimeError
            Outside actors.
        """
        instance, current = _core.actor_instance(), _core.current_task()
        if instance is None or current is None:
            raise RuntimeError("This method is only available in an actor.")
        from ._handle import ActorHandle, MethodTable

        ref = _core._restore_ref(current[2], _core.session())
        concurrency = sys.modules.get("thornback._concurrency")
        groups = concurrency.groups if concurrency is not None else None
        return ActorHandle(ref, MethodTable.of_class(type(instance), 0, groups))

    def get_job_id(self) -> str:
        """Return the id of the job."""
        return _ids.JOB.hex()

    def get_node_id(self) -> str:
        """Return the id of the node."""
        return _ids.node_id(_core.session()).hex()

    def get_worker_id(self) -> str:
        """Return the id of the process."""
        return _ids.worker_id(_core.session(), os.getpid()).hex()

    def get_task_id(self) -> str | None:
        """Return the id of the task that runs, None outside tasks."""
        id = running_task_id()
        return None if id is None else id.hex()

    def get_attempt_number(self) -> int | None:
        """Return how often the task that runs was tried before; None outside tasks.

        0 at first; one more for each time that its process died, or that it failed and is tried
        again. Thornback's own; in Ray, `worker.core_worker.get_current_task_attempt_number` is it.
        """
        current = _core.current_task()
        return None if current is None else current[3]

    def get_task_name(self) -> str | None:
        """Return the name of the task that runs, ``f`` or ``Counter.add``; None outside tasks."""
        about = _template()
        return None if about is None else str(about["name"])

    def get_task_function_name(self) -> str | None:
        """Return module and name of what runs, ``m.f`` or ``m.Counter.add``; None outside tasks."""
        about = _template()
        if about is None:
            return None
        instance = _core.actor_instance()
        if instance is None:
            return str(about["function"])
        return f"{module_name(type(instance).__module__)}.{about['function']}"

    def get_actor_name(self) -> str | None:
        """Return the name of the actor that runs the calling code: "" if it has none.

        None outside actors.
        """
        actor = _actor()
        return None if actor is None else str(actor["name"])

    def get_assigned_resources(self) -> dict[str, float]:
        """Return what the task or the actor has: amounts by name.

        Raises
        ------
        AssertionError
            In a driver.
        """
        _only_in_worker()
        actor = _actor()
        about = actor if actor is not None else _template() or {"resources": {}}
        resources = about["resources"]
        return {name: float(amount) for name, amount in sorted(resources.items())}

    def get_actor_id(self) -> str | None:
        """Return the id of the actor that runs the calling code, None outside actors."""
        current = _core.current_task()
        if current is None or not current[2]:
            return None
        return _ids.actor_id(_core.session(), current[2]).hex()

    @property
    def was_current_actor_reconstructed(self) -> bool:
        """Whether the actor that runs the calling code was made again after a death of its process.

        Raises
        ------
        AssertionError
            In a driver.
        RuntimeError
            In a task.
        """
        current = _core.current_task()
        if current is None:
            raise AssertionError(
                "This method is only available when the process is a worker. Current mode: 0"
            )
        if not current[2]:
            raise RuntimeError("This method is only available in an actor.")
        return _core.actor_restarts() > 0

    def is_canceled(self) -> bool:
        """Whether the task or the actor's call that runs here was cancelled.

        A sync method that takes long asks now and then, and ends early.

        Raises
        ------
        RuntimeError
            In the driver, and in async actors, where asyncio tells.
        """
        if _is_driver():
            raise RuntimeError(
                "This method is only available when the process is a worker. Current mode: 0"
            )
        if _in_loop():
            raise RuntimeError("This method is not supported in an async actor.")
        return _core.is_canceled()

    def get_accelerator_ids(self) -> dict[str, list[str]]:
        """Return the accelerators that the task or actor has: for each kind the names."""
        from ._accelerators import accelerator_ids

        return accelerator_ids()

    def get_resource_ids(self) -> dict[str, list[str]]:
        """Return the accelerators that the task or the actor has; deprecated in Ray."""
        _deprecated("get_accelerator_ids()")
        return self.get_accelerator_ids()

    @property
    def runtime_env(self) -> dict[str, Any]:
        """The runtime environment: empty, there are none in this release."""
        return {}

    def get_runtime_env_string(self) -> str:
        """Return the runtime environment as JSON."""
        return "{}"

    @property
    def gcs_address(self) -> str:
        """Where the cluster is managed: in this very process, or in the driver's."""
        return "local"

    def get_placement_group_id(self) -> str | None:
        """Return None: there are no placement groups in this release."""
        return None

    @property
    def should_capture_child_tasks_in_placement_group(self) -> bool:
        """False: there are no placement groups in this release."""
        return False

    def get_node_labels(self) -> dict[str, str]:
        """Return the labels of the node."""
        from . import _labels

        return {"ray.io/node-id": self.get_node_id(), **_labels.of_node()}

    @property
    def worker(self) -> Any:
        """The process, as Ray's private `global_worker` describes it."""
        from ._private.worker import global_worker

        return global_worker

    @property
    def job_id(self) -> _ids.JobID:
        """The job's id; deprecated in Ray."""
        _deprecated("get_job_id()")
        return _ids.JOB

    @property
    def node_id(self) -> _ids.NodeID:
        """The node's id; deprecated in Ray."""
        _deprecated("get_node_id()")
        return _ids.node_id(_core.session())

    @property
    def task_id(self) -> _ids.TaskID | None:
        """The running task's id; deprecated in Ray."""
        _deprecated("get_task_id()")
        _only_in_worker()
        return running_task_id()

    @property
    def actor_id(self) -> _ids.ActorID | None:
        """The id of the actor that runs the code, None outside actors; deprecated in Ray."""
        _deprecated("get_actor_id()")
        _only_in_worker()
        id = self.get_actor_id()
        return None if id is None else _ids.ActorID.from_hex(id)

    @property
    def current_placement_group_id(self) -> _ids.PlacementGroupID:
        """The nil id; deprecated in Ray."""
        _deprecated("get_placement_group_id()")
        return _ids.PlacementGroupID.nil()

    def get_session_name(self) -> str:
        """Return the name of the session's folder."""
        return os.path.basename(self._session_dir())

    def get_temp_dir(self) -> str:
        """Return the folder that holds the session's folder."""
        return os.path.dirname(self._session_dir())

    def get(self) -> dict[str, Any]:
        """Return the ids that there are here, by their names; deprecated in Ray."""
        _deprecated("get_xxx_id() methods to get relevant ids")
        actor = self.get_actor_id()
        values = {
            "job_id": _ids.JOB,
            "node_id": _ids.node_id(_core.session()),
            "namespace": self.namespace,
            "task_id": running_task_id(),
            "actor_id": None if actor is None else _ids.ActorID.from_hex(actor),
        }
        return {name: value for name, value in values.items() if value is not None}

    def _session_dir(self) -> str:
        from . import _init, _worker

        return _init.session_folder() or str(_worker.boot().get("session_dir", ""))


def running_task_id() -> _ids.TaskID | None:
    """Return the id of the task that runs the calling code, which its references name; or None."""
    current = _core.current_task()
    if current is None:
        return None
    object = _core.current_object()
    return _ids.task_id(_core.session(), object or current[0], not object)


def _only_in_worker() -> None:
    if _is_driver():
        raise AssertionError(
            "This method is only available when the process is a                 worker. Current "
            "mode: 0"
        )


def _deprecated(instead: str) -> None:
    import warnings

    from .util.annotations import RayDeprecationWarning

    warnings.warn(
        "This API is deprecated and may be removed in future Ray releases. You could suppress this "
        'warning by setting env variable PYTHONWARNINGS="ignore::DeprecationWarning"\n'
        f"Use {instead} instead",
        RayDeprecationWarning,
        stacklevel=3,
    )


def _template() -> Any:
    """Return what the node knows of the options that the running task has; None outside tasks."""
    current = _core.current_task()
    return None if current is None else _asked("template", "tid", current[4])


def _actor() -> Any:
    current = _core.current_task()
    if current is None or not current[2]:
        return None
    return _asked("actor", "actor", current[2])


def _asked(op: str, key: str, value: int) -> Any:
    """Ask the node once in a session for what does not change."""
    import json

    about = _known.get((_core.session(), op, value))
    if about is None:
        if len(_known) >= _KNOWN_MAX:
            _known.clear()
        about = json.loads(_core.control(op, json.dumps({key: value}).encode()))
        _known[_core.session(), op, value] = about
    return about


def _is_driver() -> bool:
    from . import _worker

    return _worker.index() < 0


def get_runtime_context() -> RuntimeContext:
    """Return what the calling code can know about itself; starts a session if there is none."""
    if not _core.session():
        from ._init import auto_init

        auto_init()
    return RuntimeContext()


def _in_loop() -> bool:
    """Return whether the calling code is an async actor's."""
    concurrency = sys.modules.get("thornback._concurrency")
    return concurrency is not None and concurrency.in_loop()
