"""What a graph is given when it is executed."""

from __future__ import annotations

from .dag_node import DAGNode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Self

    from .dag_node import Execution

_IN_CONTEXT = "__in_context_manager__"
_KEYS = "Please only use int index or str as first-level key to access fields of dag input."


class InputNode(DAGNode):
    """The input of a graph; there is one in each, made by a ``with`` statement.

    ``execute(x)`` gives x; several arguments or keywords are reached by ``inp[0]`` and
    ``inp.name``, which are nodes of their own. These also look into a single argument.

    Parameters
    ----------
    input_type : type or dict of types, optional
        Described to tools that build forms; without effect here.

    Examples
    --------
    >>> with InputNode() as inp:
    ...     dag = add.bind(inp[0], inp.y)
    >>> ray.get(dag.execute(1, y=2))
    """

    def __init__(
        self,
        *args: Any,
        input_type: Any = None,
        _other_args_to_resolve: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if args or kwargs:
            raise ValueError("InputNode should not take any args or kwargs.")
        # Set first: __getattr__ answers to every name.
        self.input_type = input_type
        self.input_attribute_nodes: dict[Any, InputAttributeNode] = {}
        super().__init__((), {}, {}, _other_args_to_resolve)

    def __enter__(self) -> Self:
        self._bound_other_args_to_resolve[_IN_CONTEXT] = True
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def __getattr__(self, key: str) -> Any:
        if key.startswith("__") or "input_attribute_nodes" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {key!r}")
        return self._attribute(key, "__getattr__")

    def __getitem__(self, key: int | str) -> InputAttributeNode:
        if not isinstance(key, (str, int)):
            raise AssertionError(_KEYS)
        return self._attribute(key, "__getitem__")

    def _attribute(self, key: int | str, accessor: str) -> InputAttributeNode:
        node = self.input_attribute_nodes.get(key)
        if node is None:
            node = self.input_attribute_nodes[key] = InputAttributeNode(self, key, accessor)
        return node

    def _is_source(self) -> bool:
        return True

    def _submit(self, run: Execution, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        del args, kwargs
        if not self._bound_other_args_to_resolve.get(_IN_CONTEXT):
            raise AssertionError(
                "InputNode is a singleton instance that should be only used in context manager "
                "for dag building and execution. See the docstring of class InputNode for "
                "examples."
            )
        if len(run.args) == 1 and not run.kwargs:
            return run.args[0]
        return DAGInputData(*run.args, **run.kwargs)

    def _body_text(self) -> str:
        return "__InputNode__"


class InputAttributeNode(DAGNode):
    """A part of the input: an argument by position or name, or what is in a single argument."""

    def __init__(
        self,
        dag_input_node: InputNode,
        key: int | str,
        accessor_method: str,
        input_type: str | None = None,
    ) -> None:
        self._key = key
        self._accessor_method = accessor_method
        self._source = dag_input_node
        others = {
            "dag_input_node": dag_input_node,
            "key": key,
            "accessor_method": accessor_method,
            "result_type_string": input_type,
        }
        super().__init__((), {}, {}, others)

    @property
    def key(self) -> int | str:
        """The position or name."""
        return self._key

    def _submit(self, run: Execution, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        del args, kwargs
        whole = run.values[self._source.get_stable_uuid()]
        by_name = self._accessor_method == "__getattr__" and not isinstance(whole, DAGInputData)
        return getattr(whole, str(self._key)) if by_name else whole[self._key]

    def _body_text(self) -> str:
        return f'["{self._key}"]'


class DAGInputData:
    """Several arguments of ``execute``: ``data[0]``, ``data["name"]``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._args = list(args)
        self._kwargs = kwargs

    def __getitem__(self, key: int | str) -> Any:
        if isinstance(key, int):
            return self._args[key]
        if isinstance(key, str):
            return self._kwargs[key]
        raise ValueError(_KEYS)
