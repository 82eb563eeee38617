"""What libraries ask Ray's worker object about the process that they run in."""

from __future__ import annotations

from .. import _core, _ids, _named
from .._api import get as get
from .._api import kill as kill
from .._api import put as put
from .._api import wait as wait
from .._init import init as init
from .._init import is_initialized as is_initialized
from .._init import shutdown as shutdown
from .._named import get_actor as get_actor
from .._remote import remote as remote
from .services import get_node_ip_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SCRIPT_MODE = 0
WORKER_MODE = 1
LOCAL_MODE = 2


class CoreWorker:
    """The few questions about the running task that libraries ask Ray's core."""

    def get_actor_id(self) -> _ids.ActorID:
        """Return the id of the actor that runs the calling code, nil outside actors."""
        current = _core.current_task()
        if current is None or not current[2]:
            return _ids.ActorID.nil()
        return _ids.actor_id(_core.session(), current[2])

    def get_current_task_id(self) -> _ids.TaskID:
        """Return the id of the task that runs the calling code, nil outside tasks."""
        from .._runtime_context import running_task_id

        return running_task_id() or _ids.TaskID.nil()

    def get_current_task_attempt_number(self) -> int:
        """Return how often the running task was tried before, 0 outside tasks."""
        current = _core.current_task()
        return 0 if current is None else current[3]

    def get_current_job_id(self) -> _ids.JobID:
        """Return the job's id."""
        return _ids.JOB

    def get_current_node_id(self) -> _ids.NodeID:
        """Return the node's id."""
        return _ids.node_id(_core.session())


class Worker:
    """The process, as Ray's private `global_worker` describes it."""

    def __init__(self) -> None:
        self.core_worker = CoreWorker()

    @property
    def mode(self) -> int | None:
        """SCRIPT_MODE in a driver, WORKER_MODE in a worker, None without a session."""
        if not self.connected:
            return None
        from .. import _worker

        return SCRIPT_MODE if _worker.index() < 0 else WORKER_MODE

    @property
    def connected(self) -> bool:
        """Whether there is a session."""
        return bool(_core.session())

    @property
    def current_job_id(self) -> _ids.JobID:
        """The job's id."""
        return _ids.JOB

    @property
    def current_task_id(self) -> _ids.TaskID:
        """The id of the running task, nil outside tasks."""
        return self.core_worker.get_current_task_id()

    @property
    def current_node_id(self) -> _ids.NodeID:
        """The node's id."""
        return self.core_worker.get_current_node_id()

    @property
    def actor_id(self) -> _ids.ActorID:
        """The id of the actor that runs the calling code, nil outside actors."""
        return self.core_worker.get_actor_id()

    @property
    def worker_id(self) -> bytes:
        """The process's id."""
        import os

        return _ids.worker_id(_core.session(), os.getpid()).binary()

    @property
    def namespace(self) -> str:
        """The job's namespace."""
        return _named.default_namespace()

    @property
    def node_ip_address(self) -> str:
        """The node's address."""
        return get_node_ip_address()

    def check_connected(self) -> None:
        """Raise when there is no session.

        Raises
        ------
        RaySystemError
        """
        if not self.connected:
            from .._exceptions import RaySystemError

            raise RaySystemError(
                "Ray has not been started yet. You can start Ray with 'ray.init()'."
            )

    def put_object(self, value: Any, **options: Any) -> Any:
        """Store a value, as `put` does."""
        return put(value, **options)

    def get_serialization_context(self) -> Any:
        """Return what registers serializers."""
        from .serialization import SerializationContext

        return SerializationContext()


global_worker = Worker()


def get_dashboard_url() -> None:
    """Return the dashboard's address: there is none."""
