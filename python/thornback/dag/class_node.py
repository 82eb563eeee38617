"""Actors and calls of their methods."""

from __future__ import annotations

import itertools

from .constants import (
    BIND_INDEX_KEY,
    IS_CLASS_METHOD_OUTPUT_KEY,
    PARENT_CLASS_NODE_KEY,
    PREV_CLASS_METHOD_CALL_KEY,
)
from .dag_node import BodyNode, DAGNode, _in_order
from .input_node import InputNode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from .dag_node import Execution


class ClassNode(BodyNode):
    """The creation of an actor: one each time the graph is executed.

    Attributes are its methods: ``node.method.bind(...)``.

    Parameters
    ----------
    cls : type or ActorClass
    cls_args, cls_kwargs
        For the constructor.
    cls_options : mapping

    Raises
    ------
    ValueError
        The arguments depend on the graph's input.
    """

    def __init__(
        self,
        cls: Any,
        cls_args: Sequence[Any],
        cls_kwargs: Mapping[str, Any],
        cls_options: Mapping[str, Any],
        other_args_to_resolve: Mapping[str, Any] | None = None,
    ) -> None:
        from .._actor import ActorClass

        super().__init__(cls, ActorClass, cls_args, cls_kwargs, cls_options, other_args_to_resolve)
        self._last_call: ClassMethodNode | None = None
        if any(isinstance(node, InputNode) for node in _in_order(self)):
            raise ValueError(
                "InputNode handles user dynamic input the DAG, and cannot be used as args, "
                "kwargs, or other_args_to_resolve in ClassNode constructor because it is not "
                "available at class construction or binding time."
            )

    @property
    def _body(self) -> Any:
        return self._remote._class

    def __getattr__(self, method_name: str) -> Any:
        if "_remote" not in self.__dict__ or method_name.startswith("__"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {method_name!r}")
        if method_name == "bind" and not hasattr(self._body, "bind"):
            raise AttributeError(f".bind() cannot be used again on {type(self)} ")
        getattr(self._body, method_name)  # says so when there is none
        return _UnboundClassMethodNode(self, method_name, {})


class _UnboundClassMethodNode:
    """A method of an actor that is not created yet."""

    def __init__(self, actor: ClassNode, method_name: str, options: Mapping[str, Any]) -> None:
        self._actor = actor
        self._method_name = method_name
        self._options = options

    def bind(self, *args: Any, **kwargs: Any) -> ClassMethodNode:
        """Return the node of a call; calls run in the order in which they are bound."""
        others = {
            PARENT_CLASS_NODE_KEY: self._actor,
            PREV_CLASS_METHOD_CALL_KEY: self._actor._last_call,
        }
        node = ClassMethodNode(self._method_name, args, kwargs, self._options, others)
        self._actor._last_call = node
        return node

    def options(self, **options: Any) -> _UnboundClassMethodNode:
        """Return the method with options for its calls."""
        self._options = options
        return self

    def __getattr__(self, attr: str) -> Any:
        if attr == "remote":
            raise AttributeError(
                ".remote() cannot be used on ClassMethodNodes. Use .bind() instead to express an "
                "symbolic actor call."
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {attr!r}")


class ClassMethodNode(DAGNode):
    """The call of an actor's method, or one of the several results of such a call.

    Parameters
    ----------
    method_name : str
    method_args, method_kwargs
        Arguments; for a result: the call's node and the index.
    method_options : mapping
    other_args_to_resolve : mapping
        The actor, a `ClassNode` or a handle, and the call that must come before.
    """

    def __init__(
        self,
        method_name: str,
        method_args: Sequence[Any],
        method_kwargs: Mapping[str, Any],
        method_options: Mapping[str, Any],
        other_args_to_resolve: Mapping[str, Any],
    ) -> None:
        self._method_name = method_name
        self._parent_class_node = other_args_to_resolve.get(PARENT_CLASS_NODE_KEY)
        self.is_class_method_output = bool(other_args_to_resolve.get(IS_CLASS_METHOD_OUTPUT_KEY))
        self.is_class_method_call = not self.is_class_method_output
        super().__init__(method_args, method_kwargs, method_options, other_args_to_resolve)

    def get_method_name(self) -> str:
        """Return the method's name."""
        return self._method_name

    @property
    def class_method_call(self) -> ClassMethodNode | None:
        """The call whose result this is; None when it is a call itself."""
        call: ClassMethodNode | None = self._bound_args[0] if self.is_class_method_output else None
        return call

    @property
    def output_idx(self) -> int | None:
        """The index among the call's results; None when it is a call itself."""
        index: int | None = self._bound_args[1] if self.is_class_method_output else None
        return index

    @property
    def num_returns(self) -> int:
        """The number of the call's results."""
        call = self.class_method_call or self
        return int(call._bound_options.get("num_returns") or 1)

    def _submit(self, run: Execution, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if self.is_class_method_output:
            return args[0][args[1]]
        actor = self._parent_class_node
        if isinstance(actor, DAGNode):
            actor = run.values[actor.get_stable_uuid()]
        method = getattr(actor, self._method_name)
        if self._bound_options:
            method = method.options(**self._bound_options)
        return method.remote(*args, **kwargs)

    def _body_text(self) -> str:
        return f"{self._method_name}()"

    def __repr__(self) -> str:
        return str(self)


# Numbers the calls that were bound to actors that exist, in their order.
_binds = itertools.count()


def bind_method(
    handle: Any,
    name: str,
    options: Mapping[str, Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> ClassMethodNode | tuple[ClassMethodNode, ...]:
    """Return the node of a call to an actor that exists, or the nodes of its several results."""
    returns = options.get("num_returns") or handle._table.options(name).get("num_returns") or 1
    others = {
        PARENT_CLASS_NODE_KEY: handle,
        PREV_CLASS_METHOD_CALL_KEY: None,
        BIND_INDEX_KEY: next(_binds),
    }
    node = ClassMethodNode(name, args, kwargs, options, others)
    if not isinstance(returns, int) or returns <= 1:
        return node
    output = {IS_CLASS_METHOD_OUTPUT_KEY: True, PARENT_CLASS_NODE_KEY: handle}
    return tuple(
        ClassMethodNode(f"return_idx_{i}", (node, i), {}, {}, output) for i in range(returns)
    )
