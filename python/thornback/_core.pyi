"""The C extension: references, submission, waiting, codec, and the worker's loop.

Only private modules of this package use it. In a driver it calls the Go library; in a worker
it speaks over the worker's rings; the functions are the same in both.
"""

from collections.abc import Callable, Coroutine, Sequence
from contextvars import ContextVar
from typing import Any, Generic, TypeVar, final

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
    Returns None, an ObjectRef, or a list for 0, 1, n > 1 returns; a Stream for 2**32 - 1.
    """

    def remote(self, *args: Any, **kwargs: Any) -> Any: ...
    def set_arity(self, minimum: int, maximum: int) -> None: ...
    def set_template(self, tid: int, returns: int, timeout: int = 0, deadline: int = 0) -> None:
        """Set how calls are made; timeout: ns, deadline: ns of the monotonic clock, 0: none."""

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
    def set_template(self, tid: int, returns: int, timeout: int = 0, deadline: int = 0) -> None:
        """Set how calls are made; timeout: ns, deadline: ns of the monotonic clock, 0: none."""

@disjoint_base
class ActorMethod:
    """Base of the Python class ActorMethod, which is what attribute access on a handle gives."""

    def __init__(self, handle: ActorHandleBase, spec: MethodSpec) -> None: ...
    _handle: ActorHandleBase
    _spec: MethodSpec
    def remote(self, *args: Any, **kwargs: Any) -> Any: ...

@disjoint_base
class Stream:
    """Base of ObjectRefGenerator: the items of a generator as references, in order.

    Iteration waits for each. When it and `_generator_ref` are gone, the generator is stopped.
    """

    _generator_ref: ObjectRef[Any]
    def __iter__(self) -> Stream: ...
    def __next__(self) -> ObjectRef[Any]: ...
    def take(self, timeout: float | None) -> ObjectRef[Any] | None:
        """The next item, None when there is none in time; StopIteration at the end."""

    def peek(self) -> ObjectRef[Any]:
        """What comes next: ready when there is an item, which is still to be taken, or the end."""

    def exhausted(self) -> bool:
        """Whether no item is there and none will come."""

@final
class Items:
    """Where a generator that runs in an event loop puts its items."""

    def send(self, item: Any) -> bool:
        """Say an item; whether the next one may come at once."""

    def pause(self, wake: Callable[[], object]) -> bool:
        """Whether there is no room; `wake` is called when there is news of that."""

    def stopped(self) -> bool:
        """Whether nobody wants more."""

def install(hooks: object) -> None:
    """Give the extension the Python parts it calls (see `_hooks.py`), by attribute name.

    object_ref                                   the final class of references
    actor_method                                 the final class of methods
    generator                                    the final class of streams
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
    retryable(exc, tid) -> bool                  whether an exception of a task whose template lists
                                                 classes is of one of them
    undecodable(exc) -> BaseException            what to raise when unpickling a value raised exc
    load(kind, name, blob) -> Any                a definition: callable, class, or method name
    enter_context(task, lasting) -> callable     sets the environment up for what a task has; the
                                                 result undoes it, unless it is to last
    check_signature failures come from `_check_arguments` of the objects themselves.
    """

def open(library: str, options: bytes) -> int:
    """Load the Go library once, open the session, start the drainer thread.

    Returns the session's number.
    """

def close() -> None: ...
def session() -> int:
    """The running session's number, 0 when there is none."""

def names() -> int | None:
    """In a driver, a number that changes when an actor gets a name or loses it; None elsewhere."""

def get(refs: ObjectRef[_T] | Sequence[ObjectRef[_T]], timeout: float | None) -> Any:
    """One value or a list of values; raises the hooks' errors.

    At the timeout it is a subclass of TimeoutError, from hooks.system_error(13).
    """

def put(value: Any) -> ObjectRef[Any]: ...
def wait(
    refs: list[ObjectRef[Any]], num_returns: int, timeout: float | None, fetch_local: bool
) -> tuple[list[ObjectRef[Any]], list[ObjectRef[Any]]]: ...
def watch(ref: ObjectRef[Any]) -> None:
    """Have `watched` tell, once, when the object is ready."""

def watched(timeout: float | None) -> list[int]:
    """Wait for watched objects that are ready and return their handles; none at the timeout.

    One thread at a time. In a worker, `get` with timeout 0 has their values until the next call.
    """

def define(kind: int, name: str, blob: bytes, digest: bytes) -> int: ...
def template(options: bytes) -> int: ...
def submit(
    tid: int,
    returns: int,
    actor: ObjectRef[Any] | None,
    args: tuple[Any, ...],
    kwargs: dict[str, Any] | None,
    deadline: int = 0,
) -> Any:
    """The general submission: actors' creation, `_remote`, options.

    Same results as TaskFunction.remote.
    """

def control(op: str, request: bytes) -> bytes:
    """Slow-path call, JSON both ways.

    Engine errors raise RuntimeError with `code` and `text` (hooks turn them).
    """

def set_pickler(dumps: Callable[..., bytes] | None, types: dict[type, Any]) -> None:
    """Use `dumps` in place of the C pickler's, and for values of `types` in place of all else.

    None goes back to the C pickler's.
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

def current_object() -> int:
    """Handle of the first result of the task that runs; 0 outside tasks and without results."""

def actor_instance() -> Any:
    """The actor object living in this worker, or None."""

def actor_restarts() -> int:
    """How often the actor of this process was made again, after a death of its process."""

def exit_actor() -> None:
    """Mark that this actor's process ends after the current call (XR_DONE_EXIT)."""

def kill_point(group: str, step: str) -> None:
    """Die here, in a worker, when THORNBACK_TEST_KILL says so; see kill_point.h."""

def output_lost(reason: int) -> None:
    """Have the driver told, once, that what workers print can't be written; reason: errno."""

def is_canceled() -> bool:
    """Whether the task that runs here was cancelled; False outside tasks."""

def crew_hand(group: int) -> None:
    """Run calls of a concurrency group on the calling thread, which was started for it."""

def loop_begin(
    begin: list[Callable[[Coroutine[Any, Any, Any]], object]],
    current: ContextVar[Any],
    construct: Callable[..., Any],
) -> None:
    """Begin the creation of an async actor, in its main loop, and be ready for calls.

    `begin` makes a coroutine a task of a group's loop, in the order of the groups; `current` is set
    to the call in its task; `construct(cls, args, kwargs)` gives the instance, or a coroutine that
    does.
    """

def loop_pump(timeout: float) -> int:
    """Begin the calls that have come; wait for some, or for `loop_wake`, when there are none.

    Seconds, negative without limit. Returns 1 when the loop is to stop, plus 2 when `watched` would
    give something.
    """

def loop_wake() -> None:
    """Let `loop_pump` return; from any thread."""

def loop_watch_bell() -> int:
    """Return a descriptor that gets readable when `loop_pump` would have something to do."""

def set_pdeathsig(signal: int) -> None:
    """Have this signal sent to the process when its parent dies; 0: none."""

def set_scopes(variable: object) -> None:
    """Tell the ContextVar of the handle of the scope that code is in, 0 for none."""

def adopt(handle: int) -> ObjectRef[Any]:
    """A reference that takes over one hold on the handle."""

def _restore_ref(handle: int, session: int) -> ObjectRef[Any]: ...
