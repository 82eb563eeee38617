"""Iterators that are read where they are."""

from __future__ import annotations

import random
import threading
from collections import deque
from contextlib import contextmanager

from .iter_metrics import SharedMetrics

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any, TypeAlias

    from .iter_metrics import MetricsContext

    Transform: TypeAlias = Callable[[Iterable[Any]], Iterable[Any]]

# So many items a union takes at most from an iterator of weight "*" before it asks the others.
_PULL_MAX = 100


class _NextValueNotReady(Exception):
    """Stands among an iterator's items where there is none yet: somebody else may be asked."""


class LocalIterator:
    """Items, and what is done to each when it is read; made by `ParallelIterator`.

    It can be pickled until the first item is read, and is read by one process.

    Parameters
    ----------
    base_iterator : callable
        Takes a timeout in seconds, or None, and returns the items.
    shared_metrics : SharedMetrics
    local_transforms : list of callable, optional
        Each takes an iterable and returns one.
    timeout : float, seconds, optional
    name : str, optional
    """

    ON_FETCH_START_HOOK_NAME = "_on_fetch_start"

    thread_local = threading.local()

    def __init__(
        self,
        base_iterator: Callable[[Any], Iterable[Any]],
        shared_metrics: SharedMetrics,
        local_transforms: Sequence[Transform] | None = None,
        timeout: float | None = None,
        name: str | None = None,
    ) -> None:
        self.base_iterator = base_iterator
        self.built_iterator: Iterator[Any] | None = None
        self.local_transforms = list(local_transforms or ())
        self.shared_metrics = shared_metrics
        self.timeout = timeout
        self.name = name or "unknown"

    @staticmethod
    def get_metrics() -> MetricsContext:
        """Return the counters of the iterator whose function calls this.

        Raises
        ------
        ValueError
            Outside such functions.
        """
        metrics: MetricsContext | None = getattr(LocalIterator.thread_local, "metrics", None)
        if metrics is None:
            raise ValueError("Cannot access context outside an iterator.")
        return metrics

    @contextmanager
    def _metrics_context(self) -> Iterator[None]:
        """Let `get_metrics` find the counters."""
        self.thread_local.metrics = self.shared_metrics.get()
        try:
            yield
        finally:
            self.thread_local.metrics = None

    def _built(self) -> Iterator[Any]:
        if self.built_iterator is None:
            items: Iterable[Any] = self.base_iterator(self.timeout)
            for transform in self.local_transforms:
                items = transform(items)
            self.built_iterator = iter(items)
        return self.built_iterator

    def __iter__(self) -> Iterator[Any]:
        return self._built()

    def __next__(self) -> Any:
        return next(self._built())

    def __repr__(self) -> str:
        return f"LocalIterator[{self.name}]"

    def _with(self, transform: Transform, name: str) -> LocalIterator:
        transforms = [*self.local_transforms, transform]
        return LocalIterator(
            self.base_iterator, self.shared_metrics, transforms, name=self.name + name
        )

    def transform(self, fn: Transform) -> LocalIterator:
        """Return the iterator whose items are those of ``fn(items)``."""

        def apply(items: Iterable[Any]) -> Iterator[Any]:
            yield from fn(items)

        return self._with(apply, ".transform()")

    def for_each(
        self,
        fn: Callable[[Any], Any],
        max_concurrency: int = 1,
        resources: dict[str, Any] | None = None,
    ) -> LocalIterator:
        """Return the iterator of ``fn(item)``.

        Parameters
        ----------
        fn : callable
        max_concurrency : int
            1 calls it here. Otherwise so many calls run as tasks at a time, any number when 0, and
            results come as they are ready.
        resources : dict, optional
            Options of these tasks.
        """
        if max_concurrency == 1:
            transform = self._call_here(fn)
        else:
            transform = _call_in_tasks(fn, max_concurrency, resources or {})
        if hasattr(fn, LocalIterator.ON_FETCH_START_HOOK_NAME):
            transform = self._announced(transform, fn)
        return self._with(transform, ".for_each()")

    def _call_here(self, fn: Callable[[Any], Any]) -> Transform:
        def apply(items: Iterable[Any]) -> Iterator[Any]:
            for item in items:
                if isinstance(item, _NextValueNotReady):
                    yield item
                    continue
                ready = False
                while not ready:  # a function that can't answer yet is asked again
                    with self._metrics_context():
                        result = fn(item)
                    ready = not isinstance(result, _NextValueNotReady)
                    yield result

        return apply

    def _announced(self, transform: Transform, fn: Any) -> Transform:
        """Tell a function, by its method, whenever the wait for an item begins."""

        def apply(items: Iterable[Any]) -> Iterator[Any]:
            iterator, begins = iter(transform(items)), True
            while True:
                if begins:
                    with self._metrics_context():
                        fn._on_fetch_start()
                try:
                    item = next(iterator)
                except StopIteration:
                    return
                begins = not isinstance(item, _NextValueNotReady)
                yield item

        return apply

    def filter(self, fn: Callable[[Any], bool]) -> LocalIterator:
        """Return the iterator of those items for which `fn` says yes."""

        def apply(items: Iterable[Any]) -> Iterator[Any]:
            for item in items:
                kept = isinstance(item, _NextValueNotReady)
                if not kept:
                    with self._metrics_context():
                        kept = fn(item)
                if kept:
                    yield item

        return self._with(apply, ".filter()")

    def batch(self, n: int) -> LocalIterator:
        """Return the iterator of lists of `n` items; the last may be shorter."""

        def apply(items: Iterable[Any]) -> Iterator[Any]:
            batch = []
            for item in items:
                if isinstance(item, _NextValueNotReady):
                    yield item
                    continue
                batch.append(item)
                if len(batch) >= n:
                    yield batch
                    batch = []
            if batch:
                yield batch

        return self._with(apply, f".batch({n})")

    def flatten(self) -> LocalIterator:
        """Return the iterator of the items' items."""

        def apply(items: Iterable[Any]) -> Iterator[Any]:
            for item in items:
                if isinstance(item, _NextValueNotReady):
                    yield item
                else:
                    yield from item

        return self._with(apply, ".flatten()")

    def shuffle(self, shuffle_buffer_size: int, seed: int | None = None) -> LocalIterator:
        """Return the iterator that draws each item from the next `shuffle_buffer_size` ones."""
        chance = random.Random(seed)

        def apply(items: Iterable[Any]) -> Iterator[Any]:
            waiting: list[Any] = []
            for item in items:
                if isinstance(item, _NextValueNotReady):
                    yield item
                    continue
                waiting.append(item)
                if len(waiting) >= shuffle_buffer_size:
                    yield waiting.pop(chance.randint(0, len(waiting) - 1))
            while waiting:
                yield waiting.pop(chance.randint(0, len(waiting) - 1))

        name = f".shuffle(shuffle_buffer_size={shuffle_buffer_size}, seed={seed})"
        return self._with(apply, name)

    def combine(self, fn: Callable[[Any], Iterable[Any]]) -> LocalIterator:
        """Return the iterator of the items of ``fn(item)``."""
        combined = self.for_each(fn).flatten()
        combined.name = f"{self.name}.combine()"
        return combined

    def zip_with_source_actor(self) -> LocalIterator:
        """Return the iterator of pairs: the actor that an item came from, and the item."""

        def pair(item: Any) -> tuple[Any, Any]:
            actor = LocalIterator.get_metrics().current_actor
            if actor is None:
                raise ValueError("Could not identify source actor of item")
            return actor, item

        paired = self.for_each(pair)
        paired.name = f"{self.name}.zip_with_source_actor()"
        return paired

    def take(self, n: int) -> list[Any]:
        """Return the next items, `n` at most."""
        taken: list[Any] = []
        for item in self:
            taken.append(item)
            if len(taken) >= n:
                break
        return taken

    def show(self, n: int = 20) -> None:
        """Print the next items, `n` at most."""
        for item in self.take(n):
            print(item)

    def duplicate(self, n: int) -> list[LocalIterator]:
        """Return `n` iterators of the same items.

        Who has read most waits until the others have read as much, so that nothing piles up.

        Raises
        ------
        ValueError
            `n` is below 2.
        """
        if n < 2:
            raise ValueError("Number of copies must be >= 2")
        waiting: list[deque[Any]] = [deque() for _ in range(n)]

        def reader(own: deque[Any]) -> Callable[[Any], Iterator[Any]]:
            def items(timeout: float | None) -> Iterator[Any]:
                while True:
                    if len(own) < max(map(len, waiting)):
                        yield _NextValueNotReady()
                        continue
                    if not own:
                        self.timeout = timeout
                        try:
                            item = next(self)
                        except StopIteration:
                            return
                        for each in waiting:
                            each.append(item)
                    yield own.popleft()

            return items

        return [
            LocalIterator(reader(own), self.shared_metrics, name=f"{self.name}.duplicate[{i}]")
            for i, own in enumerate(waiting)
        ]

    def union(
        self,
        *others: LocalIterator,
        deterministic: bool = False,
        round_robin_weights: Sequence[Any] | None = None,
    ) -> LocalIterator:
        """Return the iterator of the items of this one and of others.

        Parameters
        ----------
        *others : LocalIterator
        deterministic : bool
            Whether all are read in turn; otherwise items come as they are ready.
        round_robin_weights : list of float or "*", optional
            How many items are read from each in its turn; all that are ready for "*".

        Raises
        ------
        ValueError
            Something is no such iterator, or the number of weights is wrong.
        """
        for other in others:
            if not isinstance(other, LocalIterator):
                raise ValueError(f"other must be of type LocalIterator, got {type(other)}")
        parents = [self, *others]
        if round_robin_weights and len(round_robin_weights) != len(parents):
            raise ValueError("Length of round robin weights must equal number of iterators total.")
        metrics = SharedMetrics(parents=[parent.shared_metrics for parent in parents])
        if round_robin_weights:
            weights = list(round_robin_weights)
            timeouts = [0 if weight == "*" else None for weight in weights]
        else:
            weights = [1] * len(parents)
            timeouts = [None if deterministic else 0] * len(parents)
        active = [
            (weight, LocalIterator(p.base_iterator, metrics, p.local_transforms, timeout=timeout))
            for weight, timeout, p in zip(weights, timeouts, parents, strict=True)
        ]
        name = f"LocalUnion[{self}, {', '.join(map(str, others))}]"
        return LocalIterator(lambda timeout: _in_turn(active, timeout), metrics, name=name)


def _call_in_tasks(fn: Callable[[Any], Any], limit: int, options: dict[str, Any]) -> Transform:
    def apply(items: Iterable[Any]) -> Iterator[Any]:
        from .._api import get, wait
        from .._remote import remote

        function: Any = remote(fn)
        function = function.options(**options)
        running: list[Any] = []
        for item in items:
            if isinstance(item, _NextValueNotReady):
                yield item
                continue
            if limit and len(running) >= limit:
                ready, running = wait(running)
                yield from get(ready)
            running.append(function.remote(item))
        while running:
            ready, running = wait(running)
            yield from get(ready)

    return apply


def _in_turn(active: list[tuple[Any, LocalIterator]], timeout: float | None) -> Iterator[Any]:
    while active:
        for member in list(active):
            weight, items = member
            for _ in range(_PULL_MAX if weight == "*" else _rounded(weight)):
                try:
                    item = next(items)
                except StopIteration:
                    active.remove(member)
                    break
                if not isinstance(item, _NextValueNotReady):
                    yield item
                    continue
                if timeout is not None:
                    yield item
                break


def _rounded(weight: float) -> int:
    """Return a whole number whose mean is the weight."""
    whole = int(weight)
    return whole + (random.random() < weight - whole)
