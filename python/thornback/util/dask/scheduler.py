"""Dask's scheduler interface: a graph and keys in, values out."""

from __future__ import annotations

from collections.abc import Mapping

import dask
from dask._task_spec import Alias, DataNode, TaskRef, convert_legacy_graph
from dask.callbacks import local_callbacks, unpack_callbacks
from dask.core import flatten

from ... import _core
from .._large import is_large
from ._task import Submitter, fetched
from ._walk import in_order
from .callbacks import PROGRESS_ACTOR, local_ray_callbacks, unpack_ray_callbacks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TOP_LEVEL_RESOURCES_ERR_MSG = (
    'Use ray_remote_args={"resources": {...}} instead of resources={...} to specify required Ray '
    "task resources; see https://docs.ray.io/en/master/ray-core/package-ref.html#ray-remote."
)
_NO_OPTIONS: dict[str, Any] = {}


def enable_dask_on_ray(
    shuffle: str | None = "tasks", use_shuffle_optimization: bool | None = True
) -> Any:
    """Make `ray_dask_get` Dask's scheduler: from now on, or within a ``with`` statement.

    Parameters
    ----------
    shuffle : str
        How Dask shuffles: "tasks" or "disk".
    use_shuffle_optimization : bool
        Without effect with current releases of Dask.
    """
    optimize: Any = None
    if use_shuffle_optimization:
        from .optimizations import dataframe_optimize

        optimize = dataframe_optimize
    return dask.config.set(scheduler=ray_dask_get, shuffle=shuffle, dataframe_optimize=optimize)


def disable_dask_on_ray() -> Any:
    """Undo `enable_dask_on_ray`."""
    return dask.config.set(scheduler=None, shuffle=None, dataframe_optimize=None)


def ray_dask_get(dsk: Any, keys: Any, **kwargs: Any) -> Any:
    """Compute keys of a graph, each of its tasks as a task of the session.

    Parameters
    ----------
    dsk : mapping or Dask expression
    keys : key or (nested) list of keys
    **kwargs
        `ray_remote_args`: options of all tasks. `ray_callbacks`: in place of those that are active.
        `ray_persist`: whether references are returned. `num_workers` and `pool` have no effect:
        nothing is gained by submitting from several threads.

    Returns
    -------
    object, list or tuple
        As Ray: a list for a flat list of keys, tuples for nested ones.

    Raises
    ------
    RayTaskError
        What a task raised; also an instance of the exception's own class.
    KeyError
        The graph has no such key.
    RuntimeError
        The graph has a cycle.
    ValueError
        `resources` are given as such, or an option is unknown.

    Examples
    --------
    >>> import dask, thornback
    >>> from thornback.util.dask import ray_dask_get
    >>> dask.compute(dask.delayed(sum)([1, 2]), scheduler=ray_dask_get)
    (3,)
    """
    if "resources" in kwargs:
        raise ValueError(TOP_LEVEL_RESOURCES_ERR_MSG)
    options = kwargs.pop("ray_remote_args", None) or _NO_OPTIONS
    annotations = dask.get_annotations()
    if "resources" in annotations:
        raise ValueError(TOP_LEVEL_RESOURCES_ERR_MSG)
    if not isinstance(dsk, Mapping):
        dsk = dsk._optimized_dsk if hasattr(dsk, "_optimized_dsk") else dsk.__dask_graph__()
    by_key = _options_by_key(dsk, annotations, options)
    with local_ray_callbacks(kwargs.pop("ray_callbacks", None)) as active:
        callbacks = unpack_ray_callbacks(active)
        run = _Run(convert_legacy_graph(dsk), callbacks, options, by_key)
        found = run.submit(keys, kwargs.pop("callbacks", None))
        for function in callbacks.ray_postsubmit_all_cbs or ():
            function(found, run.graph)
        del run  # and with it the references to what is not asked for
        result = found
        if not kwargs.pop("ray_persist", False):
            if kwargs.pop("_ray_enable_progress_bar", None):
                _draw_progress(found)
            result = _values(found)
        for function in callbacks.ray_finish_cbs or ():
            function(result)
    return result


def ray_dask_get_sync(dsk: Any, keys: Any, **kwargs: Any) -> Any:
    """Do as `ray_dask_get`, which submits on the calling thread in any case."""
    return ray_dask_get(dsk, keys, **kwargs)


class _Run:
    """The submission of one graph."""

    def __init__(
        self,
        graph: Mapping[Any, Any],
        callbacks: Any,
        options: dict[str, Any],
        by_key: Mapping[Any, dict[str, Any]],
    ) -> None:
        self.graph = graph
        self._options = options
        self._by_key = by_key
        self._presubmit = callbacks.ray_presubmit_cbs or ()
        self._postsubmit = callbacks.ray_postsubmit_cbs or ()
        pair = (callbacks.ray_pretask_cbs, callbacks.ray_posttask_cbs)
        watched = any(function for kind in pair for function in kind or ())
        self._submitter = Submitter(pair if watched else None)
        self._values: dict[Any, Any] = {}

    def submit(self, keys: Any, callbacks: Any) -> Any:
        """Submit all tasks; return references or values in the shape of `keys`."""
        wanted = set(flatten(keys)) if isinstance(keys, list) else {keys}
        for key in wanted:
            if key not in self.graph:
                raise KeyError(key)
        order = in_order(self.graph, wanted)
        users = self._count_users(wanted)
        with _Watchers(callbacks, self.graph, self._values) as watchers:
            for key in order:
                node = self.graph[key]
                is_data = isinstance(node, DataNode)
                if watchers and not is_data:
                    watchers.before(key)
                self._values[key] = self._value_of(key, node)
                if watchers and not is_data:
                    watchers.after(key)
                for dependency in node.dependencies:
                    users[dependency] -= 1
                    if not users[dependency]:
                        del self._values[dependency]
        return _shaped(keys, self._values)

    def _count_users(self, wanted: set[Any]) -> dict[Any, int]:
        """Return for each key how many still need its value."""
        users = dict.fromkeys(self.graph, 0)
        for node in self.graph.values():
            for dependency in node.dependencies:
                users[dependency] += 1
        for key in wanted:
            users[key] += 1
        return users

    def _value_of(self, key: Any, node: Any) -> Any:
        if isinstance(node, DataNode):
            value = node()
            if is_large(value):
                from ..._api import put

                return put(value)
            return value
        dependencies: dict[Any, Any] | None = None
        if self._presubmit or self._postsubmit:
            dependencies = {name: self._values[name] for name in node.dependencies}
        # All are asked, and the first that answers counts.
        answers = [function(node, key, dependencies) for function in self._presubmit]
        for answer in answers:
            if answer is not None:
                return answer
        if isinstance(node, Alias):
            target = node.target
            return self._values[target.key if isinstance(target, TaskRef) else target]
        options = self._by_key.get(key, self._options)
        ref = self._submitter.submit(key, node, self._values, options)
        for function in self._postsubmit:
            function(node, key, dependencies, ref)
        return ref


class _Watchers:
    """Dask's own callbacks, which see a task as finished when it is submitted."""

    def __init__(self, callbacks: Any, graph: Mapping[Any, Any], values: dict[Any, Any]) -> None:
        self._context = local_callbacks(callbacks)
        self._graph = graph
        self._values = values
        self._active: Any = ()
        self._state: dict[str, Any] = {}

    def __enter__(self) -> _Watchers:
        self._active = list(self._context.__enter__())
        _, _, self._pre, self._post, _ = unpack_callbacks(self._active)
        for start, *_ in self._active:
            if start:
                start(self._graph)
        if self._active:
            from dask.local import start_state_from_dask

            self._state = start_state_from_dask(dict(self._graph))
            self._state["cache"] = self._values
        for _, start_state, *_ in self._active:
            if start_state:
                start_state(self._graph, self._state)
        return self

    def __bool__(self) -> bool:
        return bool(self._active)

    def before(self, key: Any) -> None:
        """Tell that a task is about to be submitted."""
        self._state["waiting"].pop(key, None)
        if key in self._state["ready"]:
            self._state["ready"].remove(key)
        self._state["running"].add(key)
        for function in self._pre:
            function(key, self._graph, self._state)

    def after(self, key: Any) -> None:
        """Tell that a task has been submitted."""
        self._state["running"].discard(key)
        self._state["finished"].add(key)
        for function in self._post:
            function(key, self._values[key], self._graph, self._state, None)

    def __exit__(self, kind: Any, *exc: Any) -> None:
        for *_, finish in self._active:
            if finish:
                finish(self._graph, self._state, kind is not None)
        self._context.__exit__(kind, *exc)


def _shaped(keys: Any, values: Mapping[Any, Any]) -> Any:
    if isinstance(keys, list):
        return tuple(_shaped(key, values) for key in keys)
    return values[keys]


def _values(found: Any) -> Any:
    """Return values in the place of references: a list when these are all there is."""
    from ..._api import get

    if not isinstance(found, tuple):
        return fetched(found)
    refs = list(_refs_in(found))
    # In one call, so that the first error is raised at once.
    known = dict(zip(refs, get(refs), strict=True))
    if all(isinstance(part, _core.ObjectRef) for part in found):
        return [known[ref] for ref in found]
    return _replaced(found, known)


def _refs_in(found: Any) -> Any:
    if isinstance(found, _core.ObjectRef):
        yield found
    elif isinstance(found, tuple):
        for part in found:
            yield from _refs_in(part)


def _replaced(found: Any, known: Mapping[Any, Any]) -> Any:
    if isinstance(found, tuple):
        return tuple(_replaced(part, known) for part in found)
    return known[found] if isinstance(found, _core.ObjectRef) else fetched(found)


def _draw_progress(found: Any) -> None:
    """Draw what the actor of `ProgressBarCallback` counts, until all is done."""
    from pprint import pprint

    from tqdm import tqdm

    from ..._api import get, wait
    from ..._named import get_actor

    actor = get_actor(PROGRESS_ACTOR)
    total, finished = get(actor.result.remote())
    refs = list(dict.fromkeys(_refs_in(found)))
    with tqdm(total=total, position=0) as bar:
        while refs:
            _, refs = wait(refs, num_returns=len(refs), timeout=0.1)
            now = get(actor.result.remote())[1]
            bar.update(now - finished)
            finished = now
    pprint(get(actor.report.remote()))


def _options_by_key(
    dsk: Mapping[Any, Any], annotations: Mapping[str, Any], options: dict[str, Any]
) -> dict[Any, dict[str, Any]]:
    """Return the options of keys whose layers are annotated with `ray_remote_args`."""
    layers = getattr(dsk, "layers", None)
    if layers is None:
        if "ray_remote_args" not in annotations:
            return {}
        merged = {**options, **annotations["ray_remote_args"]}
        return dict.fromkeys(dsk, merged)
    found: dict[Any, dict[str, Any]] = {}
    for name in dsk._toposort_layers():  # type: ignore[attr-defined]
        layer = layers[name]
        own = layer.annotations or {}
        if "resources" in own:
            raise ValueError(TOP_LEVEL_RESOURCES_ERR_MSG)
        asked = own.get("ray_remote_args", annotations.get("ray_remote_args"))
        if asked is None:
            continue
        merged = {**options, **asked}
        for key in layer.get_output_keys():
            found.setdefault(key, merged)
    return found
