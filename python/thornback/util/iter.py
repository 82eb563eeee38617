"""Iterators whose parts are read by actors; deprecated in Ray.

from_range(100).for_each(lambda x: x * x).gather_async()
"""

from __future__ import annotations

from collections import deque

from ._iterator_worker import ParallelIteratorWorker as ParallelIteratorWorker
from ._local_iterator import LocalIterator as LocalIterator
from ._local_iterator import _NextValueNotReady
from .iter_metrics import SharedMetrics

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any, NoReturn, TypeAlias

    Transform: TypeAlias = Callable[[LocalIterator], LocalIterator]


def from_items(items: Sequence[Any], num_shards: int = 2, repeat: bool = False) -> ParallelIterator:
    """Return a parallel iterator of items, dealt out to the shards in turn.

    Parameters
    ----------
    items : list
    num_shards : int
        Number of actors.
    repeat : bool
        Whether it begins again at its end, for ever.
    """
    shards = [list(items[i::num_shards]) for i in range(num_shards)]
    kind = type(items[0]).__name__ if items else "None"
    name = f"from_items[{kind}, {len(items)}, shards={num_shards}{_repeats(repeat)}]"
    return from_iterators(shards, repeat=repeat, name=name)


def from_range(n: int, num_shards: int = 2, repeat: bool = False) -> ParallelIterator:
    """Return a parallel iterator of the numbers below `n`, a part for each shard.

    Parameters
    ----------
    n, num_shards : int
    repeat : bool
        Whether it begins again at its end, for ever.
    """
    size = n // num_shards
    ends = [*range(size, size * num_shards, size), n] if size else [0] * (num_shards - 1) + [n]
    shards = [range(i * size, end) for i, end in enumerate(ends)]
    return from_iterators(
        shards, repeat=repeat, name=f"from_range[{n}, shards={num_shards}{_repeats(repeat)}]"
    )


def from_iterators(
    generators: Sequence[Iterable[Any] | Callable[[], Iterable[Any]]],
    repeat: bool = False,
    name: str | None = None,
) -> ParallelIterator:
    """Return a parallel iterator with a shard for each iterable.

    Parameters
    ----------
    generators : list of iterables, or of functions that return one
    repeat : bool
        Whether each begins again at its end, for ever.
    name : str, optional
    """
    from .._remote import remote

    worker: Any = remote(ParallelIteratorWorker)
    actors = [worker.remote(generator, repeat) for generator in generators]
    return from_actors(
        actors, name or f"from_iterators[shards={len(generators)}{_repeats(repeat)}]"
    )


def from_actors(actors: Sequence[Any], name: str | None = None) -> ParallelIterator:
    """Return a parallel iterator with a shard for each actor.

    Parameters
    ----------
    actors : list of ActorHandle
        Of classes that derive from `ParallelIteratorWorker`.
    name : str, optional
    """
    return ParallelIterator(
        [_ActorSet(actors, [])], name or f"from_actors[shards={len(actors)}]", []
    )


def _repeats(repeat: bool) -> str:
    return ", repeat=True" if repeat else ""


class _ActorSet:
    """Actors, and what they do with their items."""

    def __init__(self, actors: Sequence[Any], transforms: Sequence[Transform]) -> None:
        self.actors = list(actors)
        self.transforms = list(transforms)

    def init_actors(self) -> None:
        from .._api import get

        get([actor.par_iter_init.remote(self.transforms) for actor in self.actors])

    def with_transform(self, transform: Transform) -> _ActorSet:
        return _ActorSet(self.actors, [*self.transforms, transform])


class ParallelIterator:
    """Items in the hands of actors, each of which reads its own, the shard.

    It can be pickled. Each shard is read by one process. Transformations run in the actors;
    `gather_sync`, `gather_async` and `get_shard` give an iterator that is read here.
    """

    def __init__(
        self,
        actor_sets: Sequence[_ActorSet],
        name: str,
        parent_iterators: Sequence[ParallelIterator],
    ) -> None:
        self.actor_sets = list(actor_sets)
        self.name = name
        # Their actors must live as long as this.
        self.parent_iterators = list(parent_iterators)

    def __iter__(self) -> NoReturn:
        raise TypeError(
            "You must use it.gather_sync() or it.gather_async() to iterate over the results of a "
            "ParallelIterator."
        )

    def __repr__(self) -> str:
        return f"ParallelIterator[{self.name}]"

    def _with(self, transform: Transform, name: str) -> ParallelIterator:
        sets = [actors.with_transform(transform) for actors in self.actor_sets]
        return ParallelIterator(sets, self.name + name, self.parent_iterators)

    def _started(self) -> list[Any]:
        """Let all actors begin; return them."""
        for actors in self.actor_sets:
            actors.init_actors()
        return [actor for actors in self.actor_sets for actor in actors.actors]

    # --- what the actors do -------------------------------------------------------------------

    def transform(self, fn: Callable[[Iterable[Any]], Iterable[Any]]) -> ParallelIterator:
        """Let each shard give the items of ``fn(items)``."""
        return self._with(lambda items: items.transform(fn), ".transform()")

    def for_each(
        self,
        fn: Callable[[Any], Any],
        max_concurrency: int = 1,
        resources: dict[str, Any] | None = None,
    ) -> ParallelIterator:
        """Let each shard give ``fn(item)``; parameters as of `LocalIterator.for_each`."""
        if max_concurrency < 0:
            raise AssertionError("max_concurrency must be non-negative.")
        return self._with(
            lambda items: items.for_each(fn, max_concurrency, resources), ".for_each()"
        )

    def filter(self, fn: Callable[[Any], bool]) -> ParallelIterator:
        """Let each shard give only items for which `fn` says yes."""
        return self._with(lambda items: items.filter(fn), ".filter()")

    def batch(self, n: int) -> ParallelIterator:
        """Let each shard give lists of `n` items."""
        return self._with(lambda items: items.batch(n), f".batch({n})")

    def flatten(self) -> ParallelIterator:
        """Let each shard give the items of its items."""
        return self._with(lambda items: items.flatten(), ".flatten()")

    def combine(self, fn: Callable[[Any], Iterable[Any]]) -> ParallelIterator:
        """Let each shard give the items of ``fn(item)``."""
        combined = self.for_each(fn).flatten()
        combined.name = f"{self.name}.combine()"
        return combined

    def local_shuffle(self, shuffle_buffer_size: int, seed: int | None = None) -> ParallelIterator:
        """Let each shard draw its items from the next `shuffle_buffer_size` ones."""
        name = f".local_shuffle(shuffle_buffer_size={shuffle_buffer_size}, seed={seed})"
        return self._with(lambda items: items.shuffle(shuffle_buffer_size, seed), name)

    def repartition(self, num_partitions: int, batch_ms: int = 0) -> ParallelIterator:
        """Deal the items out to another number of shards.

        Parameters
        ----------
        num_partitions : int
        batch_ms : int, milliseconds
            How long items are collected before they go to the next actor.
        """
        sources = self._started()

        def part(index: int) -> Callable[[], Iterator[Any]]:
            def ask(actor: Any) -> Any:
                return actor.par_iter_slice_batch.remote(
                    step=num_partitions, start=index, batch_ms=batch_ms
                )

            return lambda: _as_ready(sources, ask, 1, None)

        parts = [part(index) for index in range(num_partitions)]
        made = from_iterators(parts)
        name = f"{self.name}.repartition[num_partitions={num_partitions}]"
        return ParallelIterator(made.actor_sets, name, [self])

    def union(self, other: ParallelIterator) -> ParallelIterator:
        """Return the iterator with the shards of both.

        Raises
        ------
        TypeError
            `other` is none.
        """
        if not isinstance(other, ParallelIterator):
            raise TypeError(f"other must be of type ParallelIterator, got {type(other)}")
        return ParallelIterator(
            [*self.actor_sets, *other.actor_sets],
            f"ParallelUnion[{self}, {other}]",
            [*self.parent_iterators, *other.parent_iterators],
        )

    def select_shards(self, shards_to_keep: Sequence[int]) -> ParallelIterator:
        """Return the iterator with some of the shards.

        Raises
        ------
        ValueError
            None is selected, or the iterator is a union.
        """
        if len(self.actor_sets) > 1:
            raise ValueError("select_shards() is not allowed after union()")
        if not shards_to_keep:
            raise ValueError("at least one shard must be selected")
        (own,) = self.actor_sets
        actors = [actor for i, actor in enumerate(own.actors) if i in shards_to_keep]
        if len(actors) != len(shards_to_keep):
            raise AssertionError("Invalid actor index")
        name = f"{self}.select_shards({len(shards_to_keep)} total)"
        return ParallelIterator([_ActorSet(actors, own.transforms)], name, self.parent_iterators)

    # --- reading ------------------------------------------------------------------------------

    def num_shards(self) -> int:
        """Return the number of shards."""
        return sum(len(actors.actors) for actors in self.actor_sets)

    def batch_across_shards(self) -> LocalIterator:
        """Return the iterator of lists: an item of each shard that still has one."""

        def rounds(timeout: float | None = None) -> Iterator[Any]:
            active = self._started()
            asked = [(actor, actor.par_iter_next.remote()) for actor in active]
            while asked:
                if timeout is not None and not _all_ready([ref for _, ref in asked], timeout):
                    yield _NextValueNotReady()
                    continue
                items, rest = [], []
                for actor, ref in asked:
                    item = _item_of(ref)
                    if item is not _End:
                        items.append(item)
                        rest.append(actor)
                if items:
                    yield items
                asked = [(actor, actor.par_iter_next.remote()) for actor in rest]
                if timeout is not None:
                    yield _NextValueNotReady()

        return LocalIterator(rounds, SharedMetrics(), name=f"{self}.batch_across_shards()")

    def gather_sync(self) -> LocalIterator:
        """Return the iterator that reads an item of each shard in turn."""
        gathered = self.batch_across_shards().flatten()
        gathered.name = f"{self}.gather_sync()"
        return gathered

    def gather_async(self, batch_ms: int = 0, num_async: int = 1) -> LocalIterator:
        """Return the iterator that gives items as they are ready.

        Parameters
        ----------
        batch_ms : int, milliseconds
            How long an actor collects items before it sends them.
        num_async : int
            Number of requests under way for each actor.

        Raises
        ------
        ValueError
            A number is out of its limits.
        """
        if num_async < 1:
            raise ValueError("queue depth must be positive")
        if batch_ms < 0:
            raise ValueError("batch time must be positive")
        metrics = SharedMetrics()

        def note(actor: Any) -> None:
            metrics.get().current_actor = actor

        def items(timeout: float | None = None) -> Iterator[Any]:
            def ask(actor: Any) -> Any:
                return actor.par_iter_next_batch.remote(batch_ms)

            return _as_ready(self._started(), ask, num_async, timeout, note)

        return LocalIterator(items, metrics, name=f"{self}.gather_async()")

    def take(self, n: int) -> list[Any]:
        """Return the first items, `n` at most."""
        return self.gather_sync().take(n)

    def show(self, n: int = 20) -> None:
        """Print the first items, `n` at most."""
        self.gather_sync().show(n)

    def shards(self) -> list[LocalIterator]:
        """Return an iterator for each shard."""
        return [self.get_shard(index) for index in range(self.num_shards())]

    def get_shard(self, shard_index: int, batch_ms: int = 0, num_async: int = 1) -> LocalIterator:
        """Return the iterator of one shard's items.

        Parameters
        ----------
        shard_index : int
        batch_ms, num_async
            As for `gather_async`.

        Raises
        ------
        ValueError
            A number is out of its limits.
        """
        if num_async < 1:
            raise ValueError("num async must be positive")
        if batch_ms < 0:
            raise ValueError("batch time must be positive")
        shards = [(actor, s.transforms) for s in self.actor_sets for actor in s.actors]
        if shard_index >= len(shards):
            raise ValueError("Shard index out of range", shard_index, len(shards))
        actor, transforms = shards[shard_index]

        def items(timeout: float | None = None) -> Iterator[Any]:
            from .._api import get

            get(actor.par_iter_init.remote(transforms))
            asked = deque(actor.par_iter_next_batch.remote(batch_ms) for _ in range(num_async))
            while True:
                if timeout is not None and not _all_ready([asked[0]], timeout):
                    yield _NextValueNotReady()
                    continue
                batch = _item_of(asked.popleft())
                if batch is _End:
                    return
                asked.append(actor.par_iter_next_batch.remote(batch_ms))
                yield from batch
                if timeout is not None:
                    yield _NextValueNotReady()

        return LocalIterator(items, SharedMetrics(), name=f"{self.name}.shard[{shard_index}]")


class _End:
    """Stands for the end of an actor's items; a class, since functions with it are pickled."""


def _item_of(ref: Any) -> Any:
    """Return what an actor gave, `_End` when it has no more."""
    from .._api import get

    try:
        return get(ref)
    except StopIteration:
        return _End


def _all_ready(refs: list[Any], timeout: float) -> bool:
    from .._api import wait

    return not wait(refs, num_returns=len(refs), timeout=timeout)[1]


def _as_ready(
    actors: Sequence[Any],
    ask: Callable[[Any], Any],
    depth: int,
    timeout: float | None,
    note: Callable[[Any], None] | None = None,
) -> Iterator[Any]:
    """Yield the items of batches that actors are asked for, as they come."""
    from .._api import wait

    asked = {ask(actor): actor for _ in range(depth) for actor in actors}
    while asked:
        pending = list(asked)
        ready, _ = wait(pending, num_returns=len(pending), timeout=timeout or 0)
        if not ready and timeout is None:
            ready, _ = wait(pending, num_returns=1)
        for ref in ready:
            actor = asked.pop(ref)
            batch = _item_of(ref)
            if batch is _End:
                continue
            asked[ask(actor)] = actor
            for item in batch:
                if note is not None:
                    note(actor)
                yield item
        if timeout is not None:
            yield _NextValueNotReady()
