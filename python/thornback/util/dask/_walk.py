"""The keys of a graph, each after those that it depends on."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any


def in_order(graph: Mapping[Any, Any], first: Iterable[Any]) -> list[Any]:
    """Return all keys in an order of submission, what `first` needs at the beginning.

    What belongs to one result comes together, depth first, so that intermediate values are needed
    for a short time only.

    Parameters
    ----------
    graph : mapping of keys to nodes of Dask's

    Raises
    ------
    RuntimeError
        The graph has a cycle.
    """
    done: set[Any] = set()
    order: list[Any] = []
    for root in (*first, *graph):
        if root not in done:
            _visit(graph, root, done, order)
    return order


def _visit(graph: Mapping[Any, Any], root: Any, done: set[Any], order: list[Any]) -> None:
    # A dict keeps the path in its order and finds a key in it at once.
    path: dict[Any, Iterator[Any]] = {root: iter(graph[root].dependencies)}
    while path:
        key = next(reversed(path))
        for dependency in path[key]:
            if dependency in done or dependency not in graph:
                continue
            if dependency in path:
                raise RuntimeError(_cycle(list(path), dependency))
            path[dependency] = iter(graph[dependency].dependencies)
            break
        else:
            del path[key]
            done.add(key)
            order.append(key)


def _cycle(path: list[Any], begin: Any) -> str:
    keys = [*path[path.index(begin) :], begin]
    lines = "\n".join(f"  -> {key}" for key in reversed(keys))
    return f"Cycle detected between the following keys:\n{lines}"
