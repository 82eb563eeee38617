"""Several results of one graph."""

from __future__ import annotations

from .dag_node import DAGNode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from .dag_node import Execution


class MultiOutputNode(DAGNode):
    """Gives the list of its nodes' results.

    Parameters
    ----------
    args : list or tuple of DAGNode

    Raises
    ------
    ValueError
        It is something else.
    """

    def __init__(self, args: Any, other_args_to_resolve: Mapping[str, Any] | None = None) -> None:
        if not isinstance(args, (list, tuple)):
            raise ValueError(f"Invalid input type for `args`, {type(args)}.")
        super().__init__(list(args), {}, {}, other_args_to_resolve)

    def _submit(self, run: Execution, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        del run, kwargs
        return list(args)

    def _body_text(self) -> str:
        return "__MultiOutputNode__"
