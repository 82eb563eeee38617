"""The C extension: references, submission, waiting, codec, and the worker's loop.

Only private modules of this package use it. In a driver it calls the Go library; in a worker
it speaks over the worker's rings; the functions are the same in both.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from typing_extensions import disjoint_base

_T = TypeVar("_T")

@disjoint_base
class ObjectRef(Generic[_T]):
    """Reference to an object (base class; `thornback.ObjectRef` derives from it in Python).

    Equality and hash go by (session, handle). Deallocation tells the owner. `__reduce__` gives
    `(_restore_ref, (handle, session))` and notes the handle for the value being encoded; pickled
    outside any encoding of the engine, the object is kept for the rest of the session.
    """

    handle: int  # read-only
    session: int  # read-only

@disjoint_base
class TaskFunction:
    """Base of RemoteFunction: what `.remote` needs, in C.

    `remote` checks the number of arguments against `set_arity` (no keywords and
    minimum <= n <= maximum is accepted in C; else `self._check_arguments(args, kwargs)` is
    called), calls `self._export()` when no template of the running session is set, encodes the
    arguments and submits. `_export()` either sets a template and returns None, or sets none and
    returns a callable: `remote` then returns what that gives for the same arguments.
    Returns None, an ObjectRef, or a list for 0, 1, n > 1 returns.
    """

    def remote(self, *args: Any, **kwargs: Any) -> Any: ...
    def set_arity(self, minimum: int, maximum: int) -> None: ...
    def set_template(self, tid: int, returns: int) -> None: ...

@disjoint_base
class ActorHandleBase:
    """Base of ActorHandle: holds the actor's ObjectRef and the table of its methods.

    Attribute access finds, in this order, attributes of the type (not starting a lookup among
    methods) and then `methods[name]`, and gives a new ActorMethod that holds this handle; otherwise
    AttributeError. Constructed as ActorHandleBase(ref, methods, class_name).
    """

    def __init__(
        self, ref: ObjectRef[Any], methods: dict[str, MethodSpec], class_name: str
    ) -> None: ...
    _ref: ObjectRef[Any]
    _methods: dict[str, MethodSpec]
    _class_name: str

@disjoint_base
class MethodSpec:
    """One method of an actor class: name, arity and, per session, its template."""

    def __init__(
        self, name: str, minimum: int, maximum: int, export: Callable[[MethodSpec], None]
    ) -> None: ...
    name: str
    def set_template(self, tid: int, returns: int) -> None: ...

@disjoint_base
class ActorMethod:
    """Base of the Python class ActorMethod, which is what attribute access on a handle gives."""

    def __init__(self, handle: ActorHandleBase, spec: MethodSpec) -> None: ...
    _handle: ActorHandleBase
    _spec: MethodSpec
    def remote(self, *args: Any, **kwargs: Any) -> Any: ...

def install(hooks: object) -> None:
    """Give the extension the Python parts it calls (see `_hooks.py`), by attribute name.

    object_ref                                   the final class of references
    actor_method                                 the final class of methods
    auto_init() -> None                          called when there is no session
    dumps(obj, buffer_callback, label) -> bytes  cloudpickle; raises TypeError naming the culprit
    arrow_write(obj) -> tuple[int, int, Callable[[memoryview], None]] | None
                                                 (kind, bytes, writer into that many bytes)
    arrow_read(kind, buffer) -> Any
    error_of(exc) -> bytes                       pickle stream of a RayTaskError for an exception
                                                 caught in the worker (current task's name is in
                                                 current_task())
    raise_task_error(obj) -> BaseException       what to raise for an unpickled RayTaskError
    system_error(code, json_text) -> BaseException
    undecodable(exc) -> BaseException            what to raise when unpickling a value raised exc
    load(kind, name, blob) -> Any                a definition: callable, class, or method name
    check_signature failures come from `_check_arguments` of the objects themselves.
    """

def open(library: str, options: bytes) -> int:
    """Load the Go library once, open the session, start the drainer thread.

    Returns the session's number.
    """

def close() -> None: ...
def session() -> int:
    """The running session's number, 0 when there is none."""

def get(refs: ObjectRef[_T] | Sequence[ObjectRef[_T]], timeout: float | None) -> Any:
    """One value or a list of values; raises the hooks' errors.

    At the timeout it is a subclass of TimeoutError, from hooks.system_error(13).
    """

def put(value: Any) -> ObjectRef[Any]: ...
def wait(
    refs: list[ObjectRef[Any]], num_returns: int, timeout: float | None, fetch_local: bool
) -> tuple[list[ObjectRef[Any]], list[ObjectRef[Any]]]: ...
def define(kind: int, name: str, blob: bytes, digest: bytes) -> int: ...
def template(options: bytes) -> int: ...
def submit(
    tid: int,
    returns: int,
    actor: ObjectRef[Any] | None,
    args: tuple[Any, ...],
    kwargs: dict[str, Any] | None,
) -> Any:
    """The general submission: actors' creation, `_remote`, options.

    Same results as TaskFunction.remote.
    """

def control(op: str, request: bytes) -> bytes:
    """Slow-path call, JSON both ways.

    Engine errors raise RuntimeError with `code` and `text` (hooks turn them).
    """

def encode(value: Any) -> bytes:
    """The blob of a value (tests)."""

def decode(blob: bytes) -> Any: ...
def worker_run(
    channel_fd: int, board_fd: int, arena_fd: int, arena_bytes: int, session: int
) -> int:
    """The worker's loop; returns the exit status when told to leave."""

def current_task() -> tuple[int, str, int, int, int] | None:
    """(task handle, name, actor handle, attempt, tid) of the task that this thread's worker runs.

    None outside a task.
    """

def actor_instance() -> Any:
    """The actor object living in this worker, or None."""

def exit_actor() -> None:
    """Mark that this actor's process ends after the current call (XR_DONE_EXIT)."""

def set_pdeathsig(signal: int) -> None:
    """Have this signal sent to the process when its parent dies; 0: none."""

def _restore_ref(handle: int, session: int) -> ObjectRef[Any]: ...
