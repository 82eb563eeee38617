"""Nodes as text."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from .dag_node import DAGNode

_STEP = "    "


def node_text(node: DAGNode, body: str) -> str:
    """Return the node and what it depends on, each level indented."""
    others = node.get_other_args_to_resolve()
    parts = (
        f"body={body}",
        f"args={_block('[', list(_args(node.get_args())), ']')}",
        f"kwargs={_block('{', list(_items(node.get_kwargs())), '}')}",
        f"options={_block('{', [f'{k}: {v}' for k, v in node.get_options().items() if v], '}')}",
        f"other_args_to_resolve={_block('{', list(_items(others)), '}')}",
    )
    lines = [_STEP + line for part in parts for line in part.split("\n")]
    head = f"({type(node).__name__}, {node.get_stable_uuid()})("
    return "\n".join([head, *lines, ")"])


def _block(begin: str, lines: Sequence[str], end: str) -> str:
    return "\n".join([begin, *(_STEP + line for line in lines), end]) if lines else begin + end


def _args(args: Sequence[Any]) -> Iterator[str]:
    from .dag_node import DAGNode

    for arg in args:
        if isinstance(arg, DAGNode):
            yield from str(arg).split("\n")
        elif isinstance(arg, (list, dict)):
            for part in arg.values() if isinstance(arg, dict) else arg:
                yield from str(part).split("\n")
        else:
            yield f"{arg}, "


def _items(items: dict[str, Any]) -> Iterator[str]:
    for name, value in items.items():
        first, *rest = str(value).split("\n")
        yield f"{name}: {first}"
        yield from rest
