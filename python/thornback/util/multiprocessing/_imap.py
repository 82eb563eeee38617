"""Iterators over a pool's results, which read their input as they go."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Iterator
from multiprocessing import TimeoutError as PoolTimeoutError

from ._result import fetch_batch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Self

    from ..._object_ref import ObjectRef
    from .pool import Pool


class IMapIterator:
    """Base of the iterators: one chunk is under way for each of the pool's actors.

    The input is read on the thread that calls `next`: a chunk whenever one is done, so what is read
    may run far ahead of a slow item, and an ordered iterator keeps the results that overtake it.
    """

    def __init__(
        self,
        pool: Pool,
        func: Callable[..., Any],
        iterable: Iterable[Any],
        chunksize: int | None = None,
    ) -> None:
        if chunksize is None:
            lazy = isinstance(iterable, Iterator) or not hasattr(iterable, "__len__")
            chunksize = 1 if lazy else pool._calculate_chunksize(iterable)
        if chunksize < 1:
            raise ValueError(f"Chunksize must be 1+, not {chunksize}")
        self._pool = pool
        self._chunks = pool._chunks(iterable, chunksize)
        self._function = pool._function(func)
        self._exhausted = False
        self._submitted = 0
        self._running: dict[ObjectRef[list[Any]], tuple[int, int]] = {}  # to chunk and actor
        self._ready: deque[Any] = deque()
        for actor_index in range(len(pool._actor_pool)):
            self._submit(actor_index)

    def _submit(self, actor_index: int) -> None:
        if self._exhausted:
            return
        chunk = next(self._chunks, None)
        if chunk is None:
            self._exhausted = True
            self._function.forget()
            return
        ref = self._function.run(actor_index, False, chunk)
        self._running[ref] = (self._submitted, actor_index)
        self._submitted += 1

    def _wait(self, deadline: float | None) -> tuple[int, list[Any]]:
        """Return number and results of a chunk that is done, and submit the next one."""
        from ..._api import wait

        timeout = None if deadline is None else max(deadline - time.monotonic(), 0)
        ready, _ = wait(list(self._running), timeout=timeout)
        if not ready:
            raise PoolTimeoutError
        index, actor_index = self._running.pop(ready[0])
        batch = fetch_batch(ready[0], self._pool._lost)
        if self._pool._running():
            self._submit(actor_index)
        else:
            self._exhausted = True
        return index, batch

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        return self.next()

    def next(self, timeout: float | None = None) -> Any:
        """Return the next result.

        Parameters
        ----------
        timeout : float or None, seconds

        Raises
        ------
        StopIteration
            There are no more.
        multiprocessing.TimeoutError
            It is not there in time.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._ready:
            self._advance(deadline)
        return self._ready.popleft()

    def _advance(self, deadline: float | None) -> None:
        raise NotImplementedError


class OrderedIMapIterator(IMapIterator):
    """Gives results in the order of the input; a task's exception stands among them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._next = 0
        self._early: dict[int, list[Any]] = {}
        super().__init__(*args, **kwargs)

    def _advance(self, deadline: float | None) -> None:
        while self._next not in self._early:
            if not self._running:
                raise StopIteration
            index, batch = self._wait(deadline)
            self._early[index] = batch
        self._ready.extend(self._early.pop(self._next))
        self._next += 1


class UnorderedIMapIterator(IMapIterator):
    """Gives results as they come; a task's exception stands among them."""

    def _advance(self, deadline: float | None) -> None:
        if not self._running:
            raise StopIteration
        self._ready.extend(self._wait(deadline)[1])


def chunks_of(iterable: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Yield lists of `size` items; the last may be shorter."""
    iterator = iter(iterable)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk
