"""A bar that shows how many of many objects are there."""

from __future__ import annotations

from . import _api

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, TypeVar

    from ._object_ref import ObjectRef

    T = TypeVar("T")


def progress(
    refs: Iterable[ObjectRef[T]],
    *,
    desc: str | None = None,
    timeout: float | None = None,
    **options: Any,
) -> list[T]:
    """Wait for objects behind a progress bar, and return their values in order.

    `get` with a bar, which tqdm draws: on the terminal's stderr, or as a widget in a notebook.

    Parameters
    ----------
    refs : iterable of ObjectRef
        Read at once; the same one may come twice.
    desc : str, optional
        Stands before the bar.
    timeout : float, optional
        Seconds for all of them together.
    **options
        For tqdm: `unit` ("task" here), `leave`, `disable`, `file`, and others.

    Returns
    -------
    list
        The values, in the order of `refs`.

    Raises
    ------
    ImportError
        tqdm is not installed.
    GetTimeoutError
        Not all are there in time.
    Exception
        The first error among the objects that have come so far, as `get` raises it: at once,
        without waiting for the others.

    Examples
    --------
    >>> import thornback as ray
    >>> @ray.remote
    ... def square(x):
    ...     return x * x
    >>> ray.progress([square.remote(i) for i in range(3)], disable=True)
    [0, 1, 4]
    """
    import time

    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ImportError("progress() draws its bar with tqdm: pip install tqdm") from error

    given = list(refs)
    left = list(dict.fromkeys(given))
    counts = dict.fromkeys(left, 0)
    for ref in given:
        counts[ref] += 1
    deadline = None if timeout is None else time.monotonic() + timeout
    with tqdm(total=len(given), desc=desc, **{"unit": "task", **options}) as bar:
        while left:
            remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready, left = _next(left, remaining)
            if not ready:
                from ._exceptions import GetTimeoutError

                raise GetTimeoutError(
                    f"Get timed out: {len(left)} of {len(counts)} objects are not ready after "
                    f"{timeout} s."
                )
            _api.get(ready)  # raises what one of them has to raise
            bar.update(sum(counts[ref] for ref in ready))
    return _api.get(given)


def _next(
    left: list[ObjectRef[Any]], timeout: float | None
) -> tuple[list[ObjectRef[Any]], list[ObjectRef[Any]]]:
    """Wait for one, and take all that are there by then."""
    ready, rest = _api.wait(left, num_returns=1, timeout=timeout)
    if ready and rest:
        more, rest = _api.wait(rest, num_returns=len(rest), timeout=0)
        ready += more
    return ready, rest
