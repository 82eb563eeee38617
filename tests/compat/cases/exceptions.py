from ray import exceptions

# == all_parents ==
import inspect
for name, cls in sorted(vars(exceptions).items()):
    if name.startswith("Dead"):
        continue  # of Thornback's own
    if inspect.isclass(cls) and issubclass(cls, BaseException) and cls.__module__.endswith("exceptions") and not name.startswith("_"):
        show(name, parents(cls)[1:])

# == no_arguments ==
for name in (
    "ActorDiedError", "RayActorError", "TaskCancelledError", "WorkerCrashedError", "LocalRayletDiedError", "RayError",
    "ActorPlacementGroupRemoved", "TaskPlacementGroupRemoved", "RuntimeEnvSetupError", "GetTimeoutError",
    "PlasmaObjectNotAvailable", "AsyncioActorExit", "PendingCallsLimitExceeded", "ObjectStoreFullError",
):
    attempt(name, lambda: str(getattr(exceptions, name)()).split(".")[0])

# == one_text ==
for name in (
    "ActorAlreadyExistsError", "ActorHandleNotFoundError", "GetTimeoutError", "PlasmaObjectNotAvailable", "RayError",
    "AsyncioActorExit", "PendingCallsLimitExceeded", "ObjectStoreFullError", "RuntimeEnvSetupError", "TaskUnschedulableError",
    "ActorUnschedulableError", "RaySystemError", "UserCodeException", "OutOfDiskError", "OutOfMemoryError", "NodeDiedError",
    "OufOfBandObjectRefSerializationException", "RayChannelError", "RayChannelTimeoutError", "RayCgraphCapacityExceeded",
):
    attempt(name, lambda: str(getattr(exceptions, name)("text")).splitlines()[:1])

# == actor_died_texts ==
from ray.exceptions import *
error = ActorDiedError()
show("plain", str(error), error.actor_id, error.actor_init_failed, error.preempted)
show("base", ActorDiedError.BASE_ERROR_MSG, RayActorError.BASE_ERROR_MSG)
show("actor error", str(RayActorError()), RayActorError().actor_id)
show("with text", str(RayActorError("id", "text")), RayActorError("id", "text").actor_id)

# == actor_unavailable_texts ==
from ray.exceptions import *
error = ActorUnavailableError("it is late", b"\1" * 16)
show("text", str(error))
show("id", error.actor_id)
attempt("without an id", lambda: str(ActorUnavailableError("late", None)))

# == cancelled_texts ==
from ray.exceptions import *
show("plain", str(TaskCancelledError()), TaskCancelledError().task_id)
show("with id", str(TaskCancelledError(ray.TaskID(b"\1" * 24))))
show("with message", str(TaskCancelledError(error_message="because")))

# == object_lost_texts ==
from ray.exceptions import *
for cls in (ObjectLostError, ObjectFetchTimedOutError, ReferenceCountingAssertionError, OwnerDiedError, ObjectFreedError):
    attempt(cls.__name__, lambda: [line.split(". ")[0].strip(".") for line in str(cls("00" * 28, "owner", "here")).splitlines()[:3]])
    error = cls("00" * 28, "owner", "here")
    show("  fields", error.object_ref_hex, error.owner_address, error.call_site)

# == system_texts ==
from ray.exceptions import *
attempt("system", lambda: str(RaySystemError("broken")))
attempt("with traceback", lambda: str(RaySystemError("broken", "trace")))
attempt("rpc", lambda: (str(RpcError("lost", 14)), RpcError("lost", 14).rpc_code))
attempt("env", lambda: (str(RuntimeEnvSetupError()), str(RuntimeEnvSetupError("why"))))
attempt("task", lambda: str(TaskUnschedulableError("why")))
attempt("actor", lambda: str(ActorUnschedulableError("why")))
attempt("pending", lambda: str(PendingCallsLimitExceeded("full")))
attempt("exists", lambda: str(ActorAlreadyExistsError("taken")))
attempt("handle", lambda: str(ActorHandleNotFoundError("gone")))
attempt("memory", lambda: str(OutOfMemoryError("all gone")))
attempt("node", lambda: str(NodeDiedError("dead")))
attempt("unserializable", lambda: str(UnserializableException("trace")).split(".")[0])

# == pickled ==
import pickle
from ray.exceptions import *
for error in (
    RayError("x"), GetTimeoutError("late"), WorkerCrashedError(), ActorDiedError(), ActorUnavailableError("late", b"\1" * 16),
    TaskCancelledError(), ObjectLostError("00" * 28, "o", "c"), RaySystemError("x"), ActorAlreadyExistsError("x"),
    OutOfMemoryError("x"), RuntimeEnvSetupError("x"), PendingCallsLimitExceeded("x"), RpcError("x", 1),
    TaskUnschedulableError("x"), ObjectStoreFullError("x"), NodeDiedError("x"),
):
    def both():
        back = pickle.loads(pickle.dumps(error))
        return type(back) is type(error), str(back) == str(error)
    attempt(type(error).__name__, both)

# == task_error_constructor ==
from ray.exceptions import RayTaskError
error = RayTaskError("f", "Traceback (most recent call last):\nValueError: v", ValueError("v"), proctitle="ray::f", pid=5, ip="1.2.3.4")
show("text", str(error).splitlines())
show("fields", error.function_name, error.proctitle, error.pid, error.ip, repr(error.cause))
dual = error.as_instanceof_cause()
show("dual", type(dual).__name__, isinstance(dual, ValueError), dual.args)
show("same text", str(dual) == str(error))

# == bytes ==
from ray.exceptions import *
kind("bytes", lambda: RayError.from_bytes(RayError("x").to_bytes()))
