"""Calls of remote functions."""

from __future__ import annotations

from .dag_node import BodyNode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


class FunctionNode(BodyNode):
    """The call of a remote function.

    Parameters
    ----------
    func_body : callable or RemoteFunction
    func_args, func_kwargs
        Arguments.
    func_options : mapping
        Of the call, besides those of the function's decorator.
    """

    def __init__(
        self,
        func_body: Any,
        func_args: Sequence[Any],
        func_kwargs: Mapping[str, Any],
        func_options: Mapping[str, Any],
        other_args_to_resolve: Mapping[str, Any] | None = None,
    ) -> None:
        from .._remote import RemoteFunction

        super().__init__(
            func_body, RemoteFunction, func_args, func_kwargs, func_options, other_args_to_resolve
        )

    @property
    def _body(self) -> Any:
        return self._remote._function
