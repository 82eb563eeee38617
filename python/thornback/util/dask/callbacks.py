"""What programs can watch while a graph is submitted and run."""

from __future__ import annotations

import contextlib
from collections import defaultdict, namedtuple
from datetime import datetime

from dask.callbacks import Callback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from typing import Any, Self

# Names of the functions that a callback may have, as arguments; methods have a leading underscore.
CBS = (
    "ray_presubmit",
    "ray_postsubmit",
    "ray_pretask",
    "ray_posttask",
    "ray_postsubmit_all",
    "ray_finish",
)
# Those of all callbacks stand beside one another, so that a task's second finds its first's result.
_PAIRED = frozenset({"ray_pretask", "ray_posttask"})

if TYPE_CHECKING:
    RayCallback: Any
    RayCallbacks: Any
else:
    RayCallback = namedtuple("RayCallback", CBS)
    RayCallbacks = namedtuple("RayCallbacks", [f"{name}_cbs" for name in CBS])

PROGRESS_ACTOR = "_dask_on_ray_pb"


class RayDaskCallback(Callback):  # type: ignore[misc]
    """Watches graphs while it is active, as a context manager or registered.

    Give functions, or derive a class with methods of these names and a leading underscore:

    - ``ray_presubmit(task, key, deps)`` before a task is submitted; what it returns, if not None,
      is the key's value, and nothing is submitted;
    - ``ray_postsubmit(task, key, deps, object_ref)`` afterwards;
    - ``ray_pretask(key, values)`` in the worker before the task runs;
    - ``ray_posttask(key, result, pre_state)`` there afterwards, with what ray_pretask returned;
    - ``ray_postsubmit_all(object_refs, dsk)`` when all are submitted;
    - ``ray_finish(result)`` with the result.

    Those of `dask.callbacks.Callback` are called at the submission.
    """

    ray_active: set[Any] = set()  # noqa: RUF012

    def __init__(self, **kwargs: Any) -> None:
        for name in CBS:
            function = kwargs.pop(name, None)
            if function is not None:
                setattr(self, f"_{name}", function)
        super().__init__(**kwargs)

    @property
    def _ray_callback(self) -> Any:
        return RayCallback(*(getattr(self, f"_{name}", None) for name in CBS))

    def __enter__(self) -> Self:
        self._ray_context = add_ray_callbacks(self)
        super().__enter__()
        return self

    def __exit__(self, *args: object) -> None:
        super().__exit__(*args)
        self._ray_context.__exit__(*args)

    def __getstate__(self) -> dict[str, Any]:
        # Workers need no contexts, which refer to this object: a cycle that would keep its actor.
        contexts = ("_ray_context", "_cm")
        return {name: value for name, value in self.__dict__.items() if name not in contexts}

    def register(self) -> None:
        """Be active from now on."""
        type(self).ray_active.add(self._ray_callback)
        super().register()

    def unregister(self) -> None:
        """Be active no more."""
        type(self).ray_active.remove(self._ray_callback)
        super().unregister()


class add_ray_callbacks:
    """Makes callbacks active until its end."""

    def __init__(self, *callbacks: Any) -> None:
        self.callbacks = [normalize_ray_callback(callback) for callback in callbacks]
        RayDaskCallback.ray_active.update(self.callbacks)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        for callback in self.callbacks:
            RayDaskCallback.ray_active.discard(callback)


def normalize_ray_callback(cb: Any) -> Any:
    """Return the functions of a callback.

    Raises
    ------
    TypeError
        It is none.
    """
    if isinstance(cb, RayDaskCallback):
        return cb._ray_callback
    if isinstance(cb, RayCallback):
        return cb
    raise TypeError("Callbacks must be either 'RayDaskCallback' or 'RayCallback' namedtuple")


def unpack_ray_callbacks(cbs: Collection[Any]) -> Any:
    """Return the functions of all callbacks by their kinds; None where there are none."""
    if not cbs:
        return RayCallbacks(*([()] * len(CBS)))
    kinds: list[list[Callable[..., Any]] | None] = []
    for name, functions in zip(CBS, zip(*cbs, strict=True), strict=True):
        kept = [f for f in functions if f or name in _PAIRED]
        kinds.append(kept or None)
    return RayCallbacks(*kinds)


@contextlib.contextmanager
def local_ray_callbacks(callbacks: Any = None) -> Iterator[Any]:
    """Give the callbacks that count for a graph; a graph within it has those given to it only."""
    is_global = callbacks is None
    if is_global:
        callbacks, RayDaskCallback.ray_active = RayDaskCallback.ray_active, set()
    try:
        yield callbacks or ()
    finally:
        if is_global:
            RayDaskCallback.ray_active = callbacks


class ProgressBarCallback(RayDaskCallback):
    """Lets a named actor count what is submitted, started and finished.

    With ``_ray_enable_progress_bar=True``, `ray_dask_get` draws the bar.
    """

    def __init__(self) -> None:
        from ..._api import get
        from ..._named import get_actor
        from ..._remote import remote

        super().__init__()
        try:
            self.pb = get_actor(PROGRESS_ACTOR)
            get(self.pb.reset.remote())
        except ValueError:
            options = {"name": PROGRESS_ACTOR, "num_cpus": 0}
            self.pb = remote(_Progress).options(**options).remote()
            get(self.pb.ready.remote())

    def _ray_postsubmit(
        self, task: Any, key: Any, deps: Mapping[Any, Any], object_ref: Any
    ) -> None:
        del task, object_ref
        self.pb.submit.remote(key, dict.fromkeys(deps), datetime.now())

    def _ray_pretask(self, key: Any, object_refs: Any) -> None:
        del object_refs
        self.pb.task_scheduled.remote(key, datetime.now())

    def _ray_posttask(self, key: Any, result: Any, pre_state: Any) -> None:
        del result, pre_state
        self.pb.finish.remote(key, datetime.now())

    def _ray_finish(self, result: Any) -> None:
        del result
        print("All tasks are completed.")


class _Progress:
    """Counts the tasks of a graph, as an actor."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._order: list[tuple[Any, datetime]] = []
        self._submitted: dict[Any, datetime] = {}
        self._scheduled: dict[Any, datetime] = {}
        self._finished: dict[Any, datetime] = {}
        self._deps: dict[Any, set[Any]] = defaultdict(set)

    def ready(self) -> None:
        """Return when the actor has started."""

    def submit(self, key: Any, deps: Mapping[Any, Any], now: datetime) -> None:
        self._deps[key].update(deps)
        self._submitted[key] = now
        self._order.append((key, now))

    def task_scheduled(self, key: Any, now: datetime) -> None:
        self._scheduled[key] = now

    def finish(self, key: Any, now: datetime) -> None:
        self._finished[key] = now

    def result(self) -> tuple[int, int]:
        return len(self._submitted), len(self._finished)

    def report(self) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        for key, finished in self._finished.items():
            # Messages of the driver and of workers come in any order.
            scheduled = self._scheduled.get(key, finished)
            submitted = self._submitted.get(key, scheduled)
            result[key] = {
                "execution_time": (finished - scheduled).total_seconds(),
                "scheduling_time": (scheduled - submitted).total_seconds(),
            }
        result["submission_order"] = self._order
        return result
