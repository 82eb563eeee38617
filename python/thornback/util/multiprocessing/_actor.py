"""A pool's worker."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any


class PoolTaskError(Exception):
    """What a task of a pool raised, on its way to who waits for it.

    Attributes
    ----------
    underlying : Exception
    """

    def __init__(self, underlying: Exception, traceback: str = "") -> None:
        super().__init__(underlying)
        self.underlying = underlying
        self.traceback = traceback


class PoolActor:
    """Runs a pool's chunks, one after the other.

    Parameters
    ----------
    initializer : callable, optional
    initargs : iterable, optional
    """

    __module__ = "thornback.util.multiprocessing.pool"  # where Ray has it; texts show it

    def __init__(
        self,
        initializer: Callable[..., Any] | None = None,
        initargs: Iterable[Any] | None = None,
    ) -> None:
        self._functions: dict[int, Callable[..., Any]] = {}
        if initializer:
            initializer(*(initargs or ()))

    def ping(self) -> None:
        """Return when the actor has started."""

    def learn(self, number: int, function: Callable[..., Any]) -> None:
        """Keep a function, which comes once and not with each chunk."""
        self._functions[number] = function

    def forget(self, number: int) -> None:
        """Undo `learn`."""
        self._functions.pop(number, None)

    def run_known(self, number: int, star: bool, items: Sequence[Any]) -> list[Any]:
        """Call a function that was learnt for each item."""
        return _run(self._functions[number], star, items)

    def run(self, function: Callable[..., Any], star: bool, items: Sequence[Any]) -> list[Any]:
        """Call a function for each item; for its elements as arguments when `star`."""
        return _run(function, star, items)

    def apply(
        self, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
    ) -> list[Any]:
        """Call a function once."""
        try:
            return [function(*args, **kwargs)]
        except Exception as error:  # noqa: BLE001  # the user's, for who waits
            return [_failed(error)]

    def apply_known(self, number: int, args: Sequence[Any], kwargs: dict[str, Any]) -> list[Any]:
        """Call a function that was learnt once."""
        return self.apply(self._functions[number], args, kwargs)


def _run(function: Callable[..., Any], star: bool, items: Sequence[Any]) -> list[Any]:
    results = []
    for item in items:
        try:
            results.append(function(*item) if star else function(item))
        except Exception as error:  # noqa: BLE001  # the user's, for who waits
            results.append(_failed(error))
    return results


def _failed(error: Exception) -> PoolTaskError:
    import traceback

    return PoolTaskError(error, traceback.format_exc())
