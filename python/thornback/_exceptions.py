"""Every exception that the engine raises; those of objects and tasks come from their own modules.

Names, parents and first lines are Ray's, because programs match on them. What Ray doesn't tell, how
a worker died and what it wrote last, follows in further lines.
"""

from __future__ import annotations

from ._object_error import (
    ObjectFetchTimedOutError,
    ObjectFreedError,
    ObjectLostError,
    ObjectReconstructionFailedError,
    ObjectStoreFullError,
    OutOfDiskError,
    OwnerDiedError,
    PlasmaObjectNotAvailable,
    ReferenceCountingAssertionError,
)
from ._ray_error import PUBLIC_MODULE, RayError, UnserializableException
from ._task_error import RayTaskError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class CrossLanguageError(RayError):
    """Raised in a task written in another language.

    Parameters
    ----------
    ray_exception : object
        With `language` and `formatted_exception_string`, or just a text.
    """

    def __init__(self, ray_exception: Any) -> None:
        language = getattr(ray_exception, "language", "another language")
        text = getattr(ray_exception, "formatted_exception_string", ray_exception)
        super().__init__(f"An exception raised from {language}:\n{text}")

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore_message, (type(self), str(self)))


class TaskCancelledError(RayError):
    """The task was cancelled, or one that it depends on."""

    def __init__(self, task_id: object = None, error_message: str | None = None) -> None:
        super().__init__(task_id, error_message)
        self.task_id = task_id
        self.error_message = error_message

    def __str__(self) -> str:
        text = f"Task: {self.task_id} was cancelled. " if self.task_id else ""
        return text + (self.error_message or "")


class LocalRayletDiedError(RayError):
    """The node's own part of the engine died."""

    def __str__(self) -> str:
        return "The task's local raylet died. Check raylet.out for more information."


class WorkerCrashedError(RayError):
    """The worker process died while it ran the task.

    Parameters
    ----------
    message : str, optional
        What the engine knows beyond the fields.
    task, pid, exit, stderr : str, optional
        Name of the task, process id, exit code or signal, last lines that the process wrote.

    Attributes
    ----------
    exit_code : int or None
    signal : str or None
        Name, such as ``"SIGKILL"``, when a signal ended the process.
    """

    def __init__(
        self, message: str = "", *, task: str = "", pid: str = "", exit: str = "", stderr: str = ""
    ) -> None:
        super().__init__(*([message] if message else []))
        self.message = message
        self.task = task
        self.pid = int(pid) if pid else None
        self.exit_code, self.signal = _exit_parts(exit)
        self._details = _death_lines(message, exit, stderr)

    def __str__(self) -> str:
        lines = ["The worker died unexpectedly while executing this task."]
        if self.task:
            lines.append(f"\ttask: {self.task}")
        if self.pid:
            lines.append(f"\tpid: {self.pid}")
        return "\n".join([*lines, *self._details])


class RayActorError(RayError):
    """The actor is dead, or can't be reached now: see the two subclasses."""

    BASE_ERROR_MSG = "The actor experienced an error before finishing this task."

    def __init__(
        self,
        actor_id: str | None = None,
        error_msg: str = BASE_ERROR_MSG,
        actor_init_failed: bool = False,
        preempted: bool = False,
    ) -> None:
        super().__init__(actor_id, error_msg, actor_init_failed, preempted)
        self.actor_id = actor_id
        self.error_msg = error_msg
        self._actor_init_failed = actor_init_failed
        self._preempted = preempted

    def __str__(self) -> str:
        return self.error_msg

    @property
    def preempted(self) -> bool:
        """Whether the actor died because its node was taken away."""
        return self._preempted

    @property
    def actor_init_failed(self) -> bool:
        """Whether the actor's constructor raised."""
        return self._actor_init_failed


class ActorDiedError(RayActorError):
    """The actor died before it finished the call, or had died before the call.

    Parameters
    ----------
    cause : RayTaskError, mapping or None
        The error of its constructor; or what the engine knows about the death: `class_name`,
        `actor_id`, `pid`, `name`, `namespace`, `ip`, `error_message`, `exit`, `stderr`,
        `never_started`, `preempted`, all strings, each optional.

    Attributes
    ----------
    exit_code : int or None
    signal : str or None
        Name, such as ``"SIGKILL"``, when a signal ended the actor's process.
    """

    BASE_ERROR_MSG = "The actor died unexpectedly before finishing this task."

    def __init__(self, cause: RayTaskError | Mapping[str, str] | None = None) -> None:
        self.exit_code: int | None = None
        self.signal: str | None = None
        if isinstance(cause, RayTaskError):
            text = f"The actor died because of an error raised in its creation task, {cause}"
            super().__init__(cause._actor_id, text, True)
        elif cause:
            self.exit_code, self.signal = _exit_parts(cause.get("exit", ""))
            text = "\n".join(_actor_death_lines(self.BASE_ERROR_MSG, cause))
            preempted = cause.get("preempted") == "true"
            super().__init__(cause.get("actor_id"), text, preempted=preempted)
            cause = dict(cause)
        else:
            super().__init__(error_msg=self.BASE_ERROR_MSG)
        # What the constructor takes, so that pickle rebuilds it.
        self.args = () if cause is None else (cause,)

    @staticmethod
    def from_task_error(task_error: RayTaskError) -> ActorDiedError:
        """Return the error of calls to an actor whose constructor raised."""
        return ActorDiedError(task_error)


class ActorUnavailableError(RayActorError):
    """The actor can't be reached now, and may be later; the call may have run or not.

    Parameters
    ----------
    error_message : str
    actor_id : bytes, str or None
    stderr : str, optional
        Last lines that its process wrote.
    """

    def __init__(self, error_message: str, actor_id: bytes | str | None, stderr: str = "") -> None:
        name = actor_id.hex() if isinstance(actor_id, bytes) else actor_id
        text = (
            f"The actor {name} is unavailable: {error_message}. The task may or "
            "may not have been executed on the actor."
        )
        super().__init__(name, "\n".join([text, *_stderr_lines(stderr)]))
        self.args = (error_message, actor_id, stderr)


class RaySystemError(RayError):
    """The engine itself failed; a bug of ours or a machine in trouble."""

    def __init__(self, client_exc: object, traceback_str: str | None = None) -> None:
        super().__init__(client_exc, traceback_str)
        self.client_exc = client_exc
        self.traceback_str = traceback_str

    def __str__(self) -> str:
        text = f"System error: {self.client_exc}"
        return f"{text}\ntraceback: {self.traceback_str}" if self.traceback_str else text


class AuthenticationError(RayError):
    """The token is missing or isn't the cluster's."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.__suppress_context__ = True

    def __str__(self) -> str:
        return (
            f"{self.message}. Ensure that the token of the cluster is in a local file (default "
            "~/.ray/auth_token, else the one that RAY_AUTH_TOKEN_PATH names) or in the "
            "environment variable RAY_AUTH_TOKEN, on all nodes."
        )


class UserCodeException(RayError):
    """Wraps an exception of the user's code, where a library tells it from its own."""


class _MessageError(RayError):
    """An error that is its message."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message


class OutOfMemoryError(_MessageError):
    """The node ran low on memory, and the task was ended to free some."""


class NodeDiedError(_MessageError):
    """The node is dead or can't be reached."""


class RpcError(RayError):
    """A call between nodes failed."""

    def __init__(self, message: str, rpc_code: int | None = None) -> None:
        super().__init__(message, rpc_code)
        self.message = message
        self.rpc_code = rpc_code

    def __str__(self) -> str:
        return self.message


class DeadlineExceeded(RayError, TimeoutError):
    """A task was not done at its deadline, or at that of a task above it, and is cancelled.

    Thornback's own; the options `timeout` and `deadline` set it.

    Parameters
    ----------
    task, task_id : str
        Name and id of the task.
    ancestor, ancestor_id : str, optional
        Of the task whose deadline it was, when it is another: one that has submitted the task, at
        whatever distance.
    """

    def __init__(
        self,
        task: str,
        task_id: str = "",
        ancestor: str | None = None,
        ancestor_id: str | None = None,
    ) -> None:
        super().__init__(task, task_id, ancestor, ancestor_id)
        self.task = task
        self.task_id = task_id
        self.ancestor = ancestor
        self.ancestor_id = ancestor_id

    def __str__(self) -> str:
        own = f"The task {self.task} (TaskID({self.task_id}))"
        if self.ancestor is None:
            return f"{own} did not end by its deadline and was cancelled."
        return (
            f"{own} did not end by the deadline of {self.ancestor} (TaskID({self.ancestor_id})), "
            "which has submitted it, and was cancelled."
        )


class GetTimeoutError(RayError, TimeoutError):
    """`get` waited for its whole timeout."""


class AsyncioActorExit(RayError):
    """Raised inside an async actor that ends itself."""


class RuntimeEnvSetupError(RayError):
    """The environment that a task or an actor asked for can't be made."""

    def __init__(self, error_message: str | None = None) -> None:
        super().__init__(error_message)
        self.error_message = error_message

    def __str__(self) -> str:
        first = "Failed to set up runtime environment."
        return f"{first}\n{self.error_message}" if self.error_message else first


class TaskPlacementGroupRemoved(RayError):
    """The task's placement group was removed."""

    def __str__(self) -> str:
        return "The placement group corresponding to this task has been removed."


class ActorPlacementGroupRemoved(RayError):
    """The actor's placement group was removed."""

    def __str__(self) -> str:
        return "The placement group corresponding to this Actor has been removed."


class PendingCallsLimitExceeded(RayError):
    """More calls wait for the actor than its `max_pending_calls` allows."""


class DeadlockError(RayError):
    """Tasks and actors wait for each other in a circle, so that none of them could ever go on.

    Raised by the `get` or `wait`, in a task or method, that closed the circle; the message names
    all that are in it. Ours: Ray waits for ever.
    """


class TaskUnschedulableError(RayError):
    """No node can run the task, now or later."""

    def __init__(self, error_message: str) -> None:
        super().__init__(error_message)
        self.error_message = error_message

    def __str__(self) -> str:
        return f"The task is not schedulable: {self.error_message}"


class ActorUnschedulableError(RayError):
    """No node can run the actor, now or later."""

    def __init__(self, error_message: str) -> None:
        super().__init__(error_message)
        self.error_message = error_message

    def __str__(self) -> str:
        return f"The actor is not schedulable: {self.error_message}"


class ObjectRefStreamEndOfStreamError(RayError):
    """A generator's task has no more references."""


class StreamingGeneratorReplayInconsistentError(RaySystemError):
    """A generator that was run again gave another number of objects."""


class OufOfBandObjectRefSerializationException(RayError):
    """A reference was pickled outside any task, where that is forbidden."""


class RayChannelError(RaySystemError):
    """A channel of a compiled graph failed."""


class RayChannelTimeoutError(RayChannelError, TimeoutError):
    """A channel of a compiled graph waited for its whole timeout."""


class RayCgraphCapacityExceeded(RaySystemError):
    """The buffer of a compiled graph is full."""


class RayDirectTransportError(RaySystemError):
    """A transfer between devices failed."""


class _NamedActorError(ValueError, RayError):
    """ValueErrors of old that became errors of the engine's."""

    def __init__(self, error_message: str) -> None:
        super().__init__(error_message)
        self.error_message = error_message

    def __str__(self) -> str:
        return self.error_message


class ActorAlreadyExistsError(_NamedActorError):
    """An actor of this name exists in the namespace."""


class ActorHandleNotFoundError(_NamedActorError):
    """The handle is of an earlier session."""


def _restore_message(cls: type[RayError], text: str) -> RayError:
    error = cls.__new__(cls, text)
    error.args = (text,)
    return error


def _exit_parts(exit: str) -> tuple[int | None, str | None]:
    """Return (exit code, signal's name) of ``"3"``, ``"-9"`` or ``"SIGKILL"``.

    The engine says ``"exit code 3"`` and ``"signal SIGKILL"``.
    """
    exit = exit.removeprefix("exit code ").removeprefix("signal ")
    try:
        status = int(exit)
    except ValueError:
        return None, exit if exit.startswith("SIG") else None
    if status >= 0:
        return status, None
    import signal

    try:
        return None, signal.Signals(-status).name
    except ValueError:
        return None, f"signal {-status}"


def _death_lines(message: str, exit: str, stderr: str) -> list[str]:
    code, signal_name = _exit_parts(exit)
    lines = [message] if message else []
    if signal_name is not None:
        lines.append(f"The process was killed by {signal_name}.")
    elif code is not None:
        lines.append(f"The process exited with code {code}.")
    elif exit:
        lines.append(f"The process ended: {exit}.")
    return lines + _stderr_lines(stderr)


def _stderr_lines(stderr: str) -> list[str]:
    written = stderr.rstrip().splitlines()
    return ["The last lines of its stderr:", *(f"  {line}" for line in written)] if written else []


def _actor_death_lines(first: str, fields: Mapping[str, str]) -> list[str]:
    names = ("class_name", "actor_id", "pid", "name", "namespace", "ip")
    lines = [first, *(f"\t{name}: {fields[name]}" for name in names if fields.get(name))]
    lines += _death_lines(
        fields.get("error_message", ""), fields.get("exit", ""), fields.get("stderr", "")
    )
    if fields.get("never_started") == "true":
        lines.append("The actor never ran - it was cancelled before it started running.")
    return lines


# Programs iterate over it; the same list as `from thornback.exceptions import *` gives.
RAY_EXCEPTION_TYPES: list[type[RayError]] = []

__all__ = [  # noqa: RUF022 - in the order of the classes' parents
    "RayError",
    "CrossLanguageError",
    "TaskCancelledError",
    "RayTaskError",
    "LocalRayletDiedError",
    "WorkerCrashedError",
    "RayActorError",
    "ActorDiedError",
    "ActorUnavailableError",
    "RaySystemError",
    "AuthenticationError",
    "UserCodeException",
    "ObjectStoreFullError",
    "OutOfDiskError",
    "OutOfMemoryError",
    "NodeDiedError",
    "ObjectLostError",
    "ObjectFetchTimedOutError",
    "ReferenceCountingAssertionError",
    "ObjectFreedError",
    "OwnerDiedError",
    "ObjectReconstructionFailedError",
    "RpcError",
    "GetTimeoutError",
    "DeadlineExceeded",
    "PlasmaObjectNotAvailable",
    "AsyncioActorExit",
    "RuntimeEnvSetupError",
    "TaskPlacementGroupRemoved",
    "ActorPlacementGroupRemoved",
    "PendingCallsLimitExceeded",
    "TaskUnschedulableError",
    "ActorUnschedulableError",
    "DeadlockError",
    "ObjectRefStreamEndOfStreamError",
    "StreamingGeneratorReplayInconsistentError",
    "OufOfBandObjectRefSerializationException",
    "RayChannelError",
    "RayChannelTimeoutError",
    "RayCgraphCapacityExceeded",
    "RayDirectTransportError",
    "UnserializableException",
    "ActorAlreadyExistsError",
    "ActorHandleNotFoundError",
]

for _name in __all__:
    _cls: type[RayError] = globals()[_name]
    _cls.__module__ = PUBLIC_MODULE  # what tracebacks show and pickles name
    RAY_EXCEPTION_TYPES.append(_cls)
