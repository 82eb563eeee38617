"""Dask's tasks as tasks of the session: how they are submitted, and what runs in the worker."""

from __future__ import annotations

from types import BuiltinFunctionType, FunctionType

from dask._task_spec import GraphNode, Task, TaskRef
from dask.utils import key_split

from ... import _core
from ..._definitions import FUNCTION, Definition
from ..._remote import RemoteFunction
from ..._signature import ANYTHING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

# How a function is called in the worker.
_PLAIN, _NESTED = range(2)


class Submitter:
    """Submits tasks of one graph; a function travels once, whatever number of tasks call it.

    Parameters
    ----------
    callbacks : tuple of (list, list), optional
        Functions for before and after each task, in the worker.
    """

    def __init__(self, callbacks: Any = None) -> None:
        self._callbacks: Any = None
        if callbacks is not None:
            from ..._api import put

            self._callbacks = put(callbacks)
        self._functions: dict[Any, RemoteFunction[..., Any]] = {}
        self._kept: list[Any] = []  # so that ids stay theirs

    def submit(
        self, key: Any, task: Task, values: Mapping[Any, Any], options: dict[str, Any]
    ) -> Any:
        """Submit a task.

        Parameters
        ----------
        key : hashable
        task : Task
        values : mapping
            Of the keys that it depends on: references or values.
        options : dict
            Of the remote function.

        Returns
        -------
        ObjectRef
        """
        if self._callbacks is None and type(task) is Task and _is_flat(task):
            args = [values[a.key] if type(a) is TaskRef else a for a in task.args]
            kwargs = {
                name: values[a.key] if type(a) is TaskRef else a for name, a in task.kwargs.items()
            }
            function = self._function(task.func, key, options, _PLAIN)
            return function.remote(*args, **kwargs)
        names = sorted(task.dependencies, key=lambda name: not _is_reference(values[name]))
        found = [values[name] for name in names]
        if self._callbacks is not None:
            function = self._function(_run_watched, key, options, _PLAIN)
            references = sum(map(_is_reference, found))
            return function.remote(task, key, names, self._callbacks, references, *found)
        if type(task) is not Task:
            return self._function(_run_node, key, options, _PLAIN).remote(task, names, *found)
        function = self._function(task.func, key, options, _NESTED)
        return function.remote(list(task.args), task.kwargs, names, *found)

    def _function(
        self, target: Callable[..., Any], key: Any, options: dict[str, Any], kind: int
    ) -> RemoteFunction[..., Any]:
        prefix = key_split(key)
        token = (id(target), prefix, id(options), kind)
        function = self._functions.get(token)
        if function is None:
            function = self._functions[token] = self._make(target, prefix, options, kind)
            self._kept += [target, options]
        return function

    def _make(
        self, target: Callable[..., Any], prefix: str, options: dict[str, Any], kind: int
    ) -> RemoteFunction[..., Any]:
        name = getattr(target, "__name__", type(target).__name__)
        if kind == _NESTED:
            target = _Nested(target)
        elif not isinstance(target, (FunctionType, BuiltinFunctionType)):
            target = _Call(target)
        function: RemoteFunction[..., Any] = RemoteFunction(
            Definition(FUNCTION, name, target), ANYTHING, False, {}
        )
        return function.options(**{"name": f"dask:{prefix}", **options})


def _is_reference(value: Any) -> bool:
    return isinstance(value, _core.ObjectRef)


def _is_flat(task: Task) -> bool:
    """Whether no argument has to be computed in the worker, or looked into."""
    for argument in task.args:
        if isinstance(argument, (GraphNode, list, tuple, dict)):
            return False
    return not task.kwargs or not any(
        isinstance(argument, (GraphNode, list, tuple, dict)) for argument in task.kwargs.values()
    )


class _Call:
    """A callable object as a function, so that each task gets a copy that none has changed."""

    def __init__(self, target: Callable[..., Any]) -> None:
        self._target = target

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._target(*args, **kwargs)


class _Nested:
    """A function whose arguments have nodes inside, which are computed where it runs."""

    def __init__(self, target: Callable[..., Any]) -> None:
        self._target = target

    def __call__(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], names: Sequence[Any], *found: Any
    ) -> Any:
        values = dict(zip(names, map(fetched, found), strict=True))
        return self._target(
            *(_computed(a, values) for a in args),
            **{name: _computed(a, values) for name, a in kwargs.items()},
        )


def _run_node(task: Task, names: Sequence[Any], *found: Any) -> Any:
    """Compute a node of another kind, such as a list of others."""
    return task(dict(zip(names, map(fetched, found), strict=True)))


def _run_watched(
    task: Task,
    key: Any,
    names: Sequence[Any],
    callbacks: tuple[Any, Any],
    references: int,
    *found: Any,
) -> Any:
    """Compute a task between the functions of callbacks, which see what came by reference."""
    before, after = callbacks
    seen = found[:references]
    states = [None if function is None else function(key, seen) for function in before or ()]
    values = dict(zip(names, map(fetched, found), strict=True))
    if type(task) is Task:
        args = [_computed(a, values) for a in task.args]
        kwargs = {name: _computed(a, values) for name, a in task.kwargs.items()}
        result = task.func(*args, **kwargs)
    else:
        result = task(values)
    for function, state in zip(after or (), states, strict=False):
        if function is not None:
            function(key, result, state)
    return result


def _computed(argument: Any, values: Mapping[Any, Any]) -> Any:
    if isinstance(argument, GraphNode):
        return argument({name: values[name] for name in argument.dependencies})
    if isinstance(argument, TaskRef):
        return values[argument.key]
    return fetched(argument)


def fetched(value: Any) -> Any:
    """Return a value with what references in it refer to in their places."""
    if isinstance(value, _core.ObjectRef):
        from ..._api import get

        return get(value)  # type: ignore[call-overload]
    kind = type(value)
    if kind in (list, tuple, set):
        return kind(fetched(part) for part in value)
    if kind is dict:
        return {fetched(name): fetched(part) for name, part in value.items()}
    return value
