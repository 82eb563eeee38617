"""A queue that a session's processes share: an actor holds the items."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Iterable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._object_ref import ObjectRef

_NEGATIVE = "'timeout' must be a non-negative number"


class Empty(queue.Empty):
    """Nothing is in the queue, or not so much."""


class Full(queue.Full):
    """There is no room in the queue."""


class Queue:
    """First in, first out, for tasks, actors and drivers; the object can be passed around.

    Parameters
    ----------
    maxsize : int
        0 for no limit.
    actor_options : dict, optional
        Options of the actor that holds the items.

    Examples
    --------
    >>> from thornback.util.queue import Queue
    >>> q = Queue(maxsize=10)
    >>> q.put(1)
    >>> q.get()
    1
    """

    def __init__(self, maxsize: int = 0, actor_options: dict[str, Any] | None = None) -> None:
        from .._remote import remote

        self.maxsize = maxsize
        actor_class: Any = remote(_QueueActor)
        self.actor: Any = actor_class.options(**(actor_options or {})).remote(maxsize)

    def __len__(self) -> int:
        return self.size()

    def size(self) -> int:
        """Return the number of items."""
        return int(_get(self.actor.qsize.remote()))

    def qsize(self) -> int:
        """Return the number of items."""
        return self.size()

    def empty(self) -> bool:
        """Whether there are no items."""
        return bool(_get(self.actor.empty.remote()))

    def full(self) -> bool:
        """Whether there is no room."""
        return bool(_get(self.actor.full.remote()))

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Add an item.

        Parameters
        ----------
        item : object
        block : bool
            Whether to wait for room.
        timeout : float or None, seconds
            None waits for ever.

        Raises
        ------
        Full
            There is no room, in time.
        ValueError
            `timeout` is negative.
        RayActorError
            The queue's actor is gone.
        """
        if block:
            _get(self.actor.put.remote(item, _checked(timeout)))
            return
        try:
            _get(self.actor.put_nowait.remote(item))
        except asyncio.QueueFull:
            raise Full from None

    async def put_async(self, item: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Add an item, as `put`, without blocking the event loop."""
        if block:
            await self.actor.put.remote(item, _checked(timeout))
            return
        try:
            await self.actor.put_nowait.remote(item)
        except asyncio.QueueFull:
            raise Full from None

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take an item out.

        Parameters
        ----------
        block : bool
            Whether to wait for one.
        timeout : float or None, seconds
            None waits for ever.

        Raises
        ------
        Empty
            There is none, in time.
        ValueError
            `timeout` is negative.
        RayActorError
            The queue's actor is gone.
        """
        if block:
            return _get(self.actor.get.remote(_checked(timeout)))
        try:
            return _get(self.actor.get_nowait.remote())
        except asyncio.QueueEmpty:
            raise Empty from None

    async def get_async(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: ASYNC109
        """Take an item out, as `get`, without blocking the event loop."""
        if block:
            return await self.actor.get.remote(_checked(timeout))
        try:
            return await self.actor.get_nowait.remote()
        except asyncio.QueueEmpty:
            raise Empty from None

    def put_nowait(self, item: Any) -> None:
        """Add an item, or raise `Full` at once."""
        self.put(item, block=False)

    def put_nowait_batch(self, items: Iterable[Any]) -> None:
        """Add items, all of them or none.

        Raises
        ------
        Full
            There is no room for all.
        TypeError
            `items` is not iterable.
        """
        if not isinstance(items, Iterable):
            raise TypeError("Argument 'items' must be an Iterable")
        _get(self.actor.put_nowait_batch.remote(items))

    def get_nowait(self) -> Any:
        """Take an item out, or raise `Empty` at once."""
        return self.get(block=False)

    def get_nowait_batch(self, num_items: int) -> list[Any]:
        """Take so many items out, or none.

        Raises
        ------
        Empty
            There are not so many.
        TypeError, ValueError
            `num_items` is no number, or negative.
        """
        if not isinstance(num_items, int):
            raise TypeError("Argument 'num_items' must be an int")
        if num_items < 0:
            raise ValueError("'num_items' must be nonnegative")
        items: list[Any] = _get(self.actor.get_nowait_batch.remote(num_items))
        return items

    def shutdown(self, force: bool = False, grace_period_s: int = 5) -> None:
        """End the queue's actor; the queue is of no use afterwards.

        Parameters
        ----------
        force : bool
            Whether it is killed at once.
        grace_period_s : int, seconds
            How long its calls may take before it is killed, when not `force`.
        """
        actor, self.actor = self.actor, None
        if actor is None:
            return
        from .._api import kill, wait

        if not force:
            ended, _ = wait([actor.__ray_terminate__.remote()], timeout=grace_period_s)
            if ended:
                return
        kill(actor, no_restart=True)


def _get(ref: ObjectRef[Any]) -> Any:
    from .._api import get

    return get(ref)


def _checked(timeout: float | None) -> float | None:
    if timeout is not None and timeout < 0:
        raise ValueError(_NEGATIVE)
    return timeout


class _QueueActor:
    """The items, in an actor whose event loop all callers share."""

    def __init__(self, maxsize: int) -> None:
        self.maxsize = maxsize
        self.queue: asyncio.Queue[Any] = asyncio.Queue(maxsize)

    def qsize(self) -> int:
        return self.queue.qsize()

    def empty(self) -> bool:
        return self.queue.empty()

    def full(self) -> bool:
        return self.queue.full()

    async def put(self, item: Any, timeout: float | None = None) -> None:  # noqa: ASYNC109
        try:
            await asyncio.wait_for(self.queue.put(item), timeout)
        except TimeoutError:
            raise Full from None

    async def get(self, timeout: float | None = None) -> Any:  # noqa: ASYNC109
        try:
            return await asyncio.wait_for(self.queue.get(), timeout)
        except TimeoutError:
            raise Empty from None

    def put_nowait(self, item: Any) -> None:
        self.queue.put_nowait(item)

    def put_nowait_batch(self, items: Iterable[Any]) -> None:
        items = list(items)
        if 0 < self.maxsize < len(items) + self.qsize():
            raise Full(
                f"Cannot add {len(items)} items to queue of size {self.qsize()} and maxsize "
                f"{self.maxsize}."
            )
        for item in items:
            self.queue.put_nowait(item)

    def get_nowait(self) -> Any:
        return self.queue.get_nowait()

    def get_nowait_batch(self, num_items: int) -> list[Any]:
        if num_items > self.qsize():
            raise Empty(f"Cannot get {num_items} items from queue of size {self.qsize()}.")
        return [self.queue.get_nowait() for _ in range(num_items)]
