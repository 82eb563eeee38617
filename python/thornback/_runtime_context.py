"""Where the calling code runs: its session, node, process, task and actor."""

from __future__ import annotations

import os

from . import _core, _ids, _named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class RuntimeContext:
    """What the calling code can know about itself. Ids are hexadecimal strings."""

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
        return ActorHandle(ref, MethodTable.of_class(type(instance), 0))

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
        current = _core.current_task()
        return None if current is None else _ids.task_id(_core.session(), current[0]).hex()

    def get_task_name(self) -> str | None:
        """Return the name of the task that runs, ``f`` or ``Counter.add``; None outside tasks."""
        current = _core.current_task()
        if current is None:
            return None
        instance = _core.actor_instance()
        return current[1] if instance is None else f"{type(instance).__name__}.{current[1]}"

    def get_actor_id(self) -> str | None:
        """Return the id of the actor that runs the calling code, None outside actors."""
        current = _core.current_task()
        if current is None or not current[2]:
            return None
        return _ids.actor_id(_core.session(), current[2]).hex()

    def get_session_name(self) -> str:
        """Return the name of the session's folder."""
        return os.path.basename(self._session_dir())

    def get_temp_dir(self) -> str:
        """Return the folder that holds the session's folder."""
        return os.path.dirname(self._session_dir())

    def get(self) -> dict[str, Any]:
        """Return the ids that there are here, by their names."""
        values = {
            "job_id": self.get_job_id(),
            "node_id": self.get_node_id(),
            "namespace": self.namespace,
            "task_id": self.get_task_id(),
            "actor_id": self.get_actor_id(),
        }
        return {name: value for name, value in values.items() if value is not None}

    def _session_dir(self) -> str:
        from . import _init, _worker

        return _init.session_folder() or str(_worker.boot().get("session_dir", ""))


def get_runtime_context() -> RuntimeContext:
    """Return what the calling code can know about itself; starts a session if there is none."""
    if not _core.session():
        from ._init import auto_init

        auto_init()
    return RuntimeContext()
