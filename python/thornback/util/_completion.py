"""Results in the order in which they come."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from .._object_ref import ObjectRef

_CHUNK = 10
_BACKPRESSURE = 100


def as_completed(
    refs: Sequence[ObjectRef[Any]],
    *,
    chunk_size: int = _CHUNK,
    yield_obj_refs: bool = False,
    **kwargs: Any,
) -> Iterator[Any]:
    """Iterate over results as they become ready.

    Parameters
    ----------
    refs : list of ObjectRef
    chunk_size : int, at least 1
        So many results are waited for at a time; 1 gives each as soon as it is there.
    yield_obj_refs : bool
        Whether references are given instead of their values.
    **kwargs
        For `wait`: `timeout`, `fetch_local`.

    Yields
    ------
    object
        Within a chunk in the order of `refs`.

    Raises
    ------
    ValueError
        `chunk_size` is below 1, or `num_returns` is given.

    Examples
    --------
    >>> for value in ray.util.as_completed(refs, chunk_size=1):
    ...     print(value)
    """
    _check_chunk(chunk_size)
    if "num_returns" in kwargs:
        raise ValueError("Use the `chunksize` argument instead of `num_returns`.")
    while refs:
        results, refs = _take(refs, chunk_size, yield_obj_refs, kwargs)
        yield from results


def map_unordered(
    fn: Any,
    items: Iterable[Any],
    *,
    backpressure_size: int | None = _BACKPRESSURE,
    chunk_size: int = _CHUNK,
    yield_obj_refs: bool = False,
    **kwargs: Any,
) -> Iterator[Any]:
    """Call a remote function for each item and iterate over the results as they become ready.

    Parameters
    ----------
    fn : RemoteFunction
    items : iterable
        Read as far ahead as `backpressure_size` allows.
    backpressure_size : int or None
        So many calls are under way at most; None sets no limit.
    chunk_size, yield_obj_refs, **kwargs
        As for `as_completed`.

    Raises
    ------
    ValueError
        A size is below 1, or `num_returns` is given.
    """
    limit = float("inf") if backpressure_size is None else backpressure_size
    if limit <= 0:
        raise ValueError("backpressure_size must be positive.")
    _check_chunk(chunk_size)
    if "num_returns" in kwargs:
        raise ValueError("Use the `chunk_size` argument instead of `num_returns`.")
    refs: list[ObjectRef[Any]] = []
    for item in items:
        refs.append(fn.remote(item))
        if len(refs) >= limit:
            results, refs = _take(refs, chunk_size, yield_obj_refs, kwargs)
            yield from results
    yield from as_completed(refs, chunk_size=chunk_size, yield_obj_refs=yield_obj_refs, **kwargs)


def _check_chunk(chunk_size: int) -> None:
    if chunk_size < 1:
        raise ValueError("`chunk_size` must be >= 1")


def _take(
    refs: Sequence[ObjectRef[Any]], chunk_size: int, as_refs: bool, how: dict[str, Any]
) -> tuple[list[Any], list[ObjectRef[Any]]]:
    from .._api import get, wait

    waiting: Any = refs  # a tuple is refused by wait, in its own words
    ready, rest = wait(waiting, num_returns=min(chunk_size, len(refs)), **how)
    return (list(ready) if as_refs else get(ready)), rest
