"""A shard of a parallel iterator."""

from __future__ import annotations

import time
from collections import defaultdict, deque

from ._local_iterator import LocalIterator
from .iter_metrics import SharedMetrics

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any


class ParallelIteratorWorker:
    """What an actor must be to hold a shard; actors for `from_actors` derive from it.

    Parameters
    ----------
    item_generator : iterable or callable
        A function that returns an iterable, for those that can't be pickled.
    repeat : bool
        Whether it begins again at its end, for ever.
    """

    def __init__(self, item_generator: Any, repeat: bool) -> None:
        self.item_generator: Any = (
            _repeated(item_generator) if repeat else _items_of(item_generator)
        )
        self.local_it: Iterator[Any] | None = None
        self._slices: dict[int, deque[Any]] = defaultdict(deque)

    def par_iter_init(self, transforms: Iterable[Callable[[LocalIterator], LocalIterator]]) -> None:
        """Begin to iterate, with these transformations."""
        items = LocalIterator(lambda _timeout: self.item_generator, SharedMetrics())
        for transform in transforms:
            items = transform(items)
        self.local_it = iter(items)

    def _next(self) -> Any:
        if self.local_it is None:
            raise AssertionError("must call par_iter_init()")
        return next(self.local_it)

    def par_iter_next(self) -> Any:
        """Return the next item."""
        return self._next()

    def par_iter_next_batch(self, batch_ms: int) -> list[Any]:
        """Return the items of the next `batch_ms` milliseconds; one when 0."""
        return _batch(self.par_iter_next, batch_ms)

    def par_iter_slice(self, step: int, start: int) -> Any:
        """Return the next of every `step` items, beginning with number `start`."""
        own = self._slices[start]
        if not own:
            for index in range(step):
                try:
                    self._slices[index].append(self._next())
                except StopIteration:
                    break
        if not own:
            raise StopIteration
        return own.popleft()

    def par_iter_slice_batch(self, step: int, start: int, batch_ms: int) -> list[Any]:
        """Return such items of the next `batch_ms` milliseconds; one when 0."""
        return _batch(lambda: self.par_iter_slice(step, start), batch_ms)


def _batch(take: Callable[[], Any], batch_ms: int) -> list[Any]:
    """Return at least one item, or raise StopIteration."""
    batch = [take()]
    end = time.monotonic() + batch_ms / 1000
    while time.monotonic() < end:
        try:
            batch.append(take())
        except StopIteration:
            break
    return batch


def _items_of(source: Any) -> Any:
    return source() if callable(source) else source


def _repeated(source: Any) -> Iterator[Any]:
    while True:
        items = iter(_items_of(source))
        if items is source:
            raise ValueError(
                f"Cannot iterate over {source} multiple times. Please pass in the base iterable "
                f"or lambda: {source} instead."
            )
        yield from items
