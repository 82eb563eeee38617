"""What all nodes of a graph have in common."""

from __future__ import annotations

import uuid

from ._scan import Scan
from ._text import node_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any, NoReturn


class Execution:
    """One execution of a graph: what it was given, and the nodes' values so far, by their ids."""

    def __init__(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self.args = args
        self.kwargs = kwargs
        self.values: dict[str, Any] = {}


class DAGNode:
    """A call, a creation, an input or an output in a graph, with what it depends on.

    Nodes are made by ``.bind()`` and never change. Nodes among the arguments, at any depth, are
    what this one depends on.

    Parameters
    ----------
    args, kwargs
        Arguments of the call.
    options : mapping
        Those of ``.options()``.
    other_args_to_resolve : mapping
        What it depends on besides.
    """

    def __init__(
        self,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        options: Mapping[str, Any],
        other_args_to_resolve: Mapping[str, Any] | None = None,
    ) -> None:
        self._bound_args = args or ()
        self._bound_kwargs = dict(kwargs or {})
        self._bound_options = dict(options or {})
        self._bound_other_args_to_resolve = dict(other_args_to_resolve or {})
        self._stable_uuid = uuid.uuid4().hex
        self._scan = Scan((self._bound_args, self._bound_kwargs))
        others = Scan(list(self._bound_other_args_to_resolve.values())).nodes
        self._upstream_nodes = list(dict.fromkeys([*self._scan.nodes, *others]))
        self.cache_from_last_execute: dict[str, Any] = {}

    def get_args(self) -> Any:
        """Return the positional arguments."""
        return self._bound_args

    def get_kwargs(self) -> dict[str, Any]:
        """Return the keyword arguments."""
        return self._bound_kwargs.copy()

    def get_options(self) -> dict[str, Any]:
        """Return the options."""
        return self._bound_options.copy()

    def get_other_args_to_resolve(self) -> dict[str, Any]:
        """Return what the node depends on besides its arguments."""
        return self._bound_other_args_to_resolve.copy()

    def get_stable_uuid(self) -> str:
        """Return the node's id, which it keeps when it is pickled."""
        return self._stable_uuid

    def clear_cache(self) -> None:
        """Forget what ``execute(_ray_cache_refs=True)`` has kept."""
        self.cache_from_last_execute = {}

    async def get_object_refs_from_last_execute(self) -> dict[str, Any]:
        """Return the results of ``execute(_ray_cache_refs=True)`` by the nodes' ids."""
        return dict(self.cache_from_last_execute)

    def execute(self, *args: Any, _ray_cache_refs: bool = False, **kwargs: Any) -> Any:
        """Submit all calls that this node depends on, then this one.

        Parameters
        ----------
        *args, **kwargs
            The graph's input, see `InputNode`.
        _ray_cache_refs : bool
            Whether the nodes' results are kept in `cache_from_last_execute`.

        Returns
        -------
        ObjectRef, list of ObjectRef or ActorHandle
            At once. Actors are created once in each execution and end when what uses them does.
        """
        import warnings

        from ..util.annotations import RayDeprecationWarning

        warnings.warn(
            "DAGNode.execute() is deprecated and will be removed in a future release.",
            RayDeprecationWarning,
            stacklevel=2,
        )
        run = Execution(args, kwargs)
        values = run.values
        source: DAGNode | None = None
        for node in _in_order(self):
            if node._is_source():
                if source is not None:
                    raise AssertionError("Each DAG should only have one unique InputNode.")
                source = node
            node_args, node_kwargs = node._scan.replaced(values)
            values[node._stable_uuid] = node._submit(run, node_args, node_kwargs)
        if _ray_cache_refs:
            self.cache_from_last_execute = values
        return values[self._stable_uuid]

    def experimental_compile(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Prepare the graph for many executions; not available in this release.

        Raises
        ------
        NotImplementedError
        """
        del args, kwargs
        raise NotImplementedError(
            "experimental_compile() is not available in this release; execute() runs the graph"
        )

    def with_tensor_transport(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Choose how tensors travel in a compiled graph; not available in this release.

        Raises
        ------
        NotImplementedError
        """
        del args, kwargs
        raise NotImplementedError("with_tensor_transport() is not available in this release")

    def _is_source(self) -> bool:
        return False

    def _submit(self, run: Execution, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Return this node's value, `args` and `kwargs` being those of the nodes before it."""
        raise NotImplementedError

    def _body_text(self) -> str:
        return type(self).__name__

    def __str__(self) -> str:
        return node_text(self, self._body_text())

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore, (type(self), self.__dict__))

    def __getattr__(self, attr: str) -> Any:
        if attr == "bind":
            raise AttributeError(f".bind() cannot be used again on {type(self)} ")
        if attr == "remote":
            raise AttributeError(
                f".remote() cannot be used on {type(self)}. To execute the task graph for this "
                "node, use .execute()."
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {attr!r}")


class BodyNode(DAGNode):
    """The call of something that ``remote`` has decorated, or will.

    Parameters
    ----------
    body : callable, type, or an object of `kind`
    kind : type
        What ``remote`` makes of such a body.
    args, kwargs, options, other_args_to_resolve
        See `DAGNode`.
    """

    def __init__(
        self,
        body: Any,
        kind: type,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        options: Mapping[str, Any],
        other_args_to_resolve: Mapping[str, Any] | None,
    ) -> None:
        if not isinstance(body, kind):
            from .._remote import remote

            body = remote(body)
            if options:
                body = body.options(**options)
        # Set first: __getattr__ of a subclass asks for it.
        self._remote = body
        super().__init__(args, kwargs, options, other_args_to_resolve)

    @property
    def _body(self) -> Any:
        raise NotImplementedError

    def _submit(self, run: Execution, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        del run
        return self._remote.remote(*args, **kwargs)

    def _body_text(self) -> str:
        return str(self._body)


def _in_order(root: DAGNode) -> Iterator[DAGNode]:
    """Yield each node that `root` depends on before those that depend on it; `root` last."""
    seen = {root._stable_uuid}
    stack = [(root, iter(root._upstream_nodes))]
    while stack:
        node, rest = stack[-1]
        for before in rest:
            if before._stable_uuid not in seen:
                seen.add(before._stable_uuid)
                stack.append((before, iter(before._upstream_nodes)))
                break
        else:
            stack.pop()
            yield node


def _restore(cls: type[DAGNode], state: dict[str, Any]) -> DAGNode:
    node = cls.__new__(cls)
    node.__dict__.update(state)
    return node
