"""A fixed set of actors that share the work of many calls."""

from __future__ import annotations

from collections import deque
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any, TypeAlias

    from .._object_ref import ObjectRef

    # What a user's function gives for one call: usually one reference.
    Future: TypeAlias = ObjectRef[Any] | list[ObjectRef[Any]]
    Function: TypeAlias = Callable[[Any, Any], Future]

_TIMED_OUT = "Timed out waiting for result"
_EXHAUSTED = "No more results to get"


class ActorPool:
    """Hands calls to whichever of its actors is free.

    Parameters
    ----------
    actors : sequence of ActorHandle
        They belong to the pool while it works; each runs one call at a time.

    Examples
    --------
    >>> import thornback as ray
    >>> from thornback.util import ActorPool
    >>> @ray.remote
    ... class Doubler:
    ...     def double(self, v):
    ...         return 2 * v
    >>> pool = ActorPool([Doubler.remote(), Doubler.remote()])
    >>> list(pool.map(lambda a, v: a.double.remote(v), [1, 2, 3]))
    [2, 4, 6]
    """

    def __init__(self, actors: Sequence[Any]) -> None:
        # The names are Ray's: programs derive from this class.
        self._idle_actors = list(actors)
        self._future_to_actor: dict[Any, tuple[int, Any]] = {}
        self._index_to_future: dict[int, Future] = {}
        self._next_task_index = 0
        self._next_return_index = 0
        self._pending_submits: deque[tuple[Function, Any]] = deque()

    def map(self, fn: Function, values: Iterable[Any]) -> Iterator[Any]:
        """Call `fn` for all values and iterate over the results in the order of the values.

        Parameters
        ----------
        fn : callable
            ``fn(actor, value)`` calls a method and returns its reference.
        values : iterable

        Returns
        -------
        iterator
            Results are fetched as it goes on. Calls of before whose results nobody has taken are
            dropped.
        """
        while self.has_next():
            with suppress(TimeoutError):
                self.get_next(timeout=0, ignore_if_timedout=True)
        return self._map(fn, values, self.get_next)

    def map_unordered(self, fn: Function, values: Iterable[Any]) -> Iterator[Any]:
        """Call `fn` for all values and iterate over the results as they come.

        Parameters
        ----------
        fn, values
            As for `map`; but calls of before are waited for, and their results dropped.
        """
        while self.has_next():
            self.get_next_unordered()
        return self._map(fn, values, self.get_next_unordered)

    def _map(self, fn: Function, values: Iterable[Any], take: Callable[[], Any]) -> Iterator[Any]:
        for value in values:
            self.submit(fn, value)
        return self._rest(take)

    def _rest(self, take: Callable[[], Any]) -> Iterator[Any]:
        while self.has_next():
            yield take()

    def submit(self, fn: Function, value: Any) -> None:
        """Call `fn` with a free actor, now or when one becomes free.

        Parameters
        ----------
        fn : callable
            As for `map`.
        value : object
        """
        if not self._idle_actors:
            self._pending_submits.append((fn, value))
            return
        actor = self._idle_actors.pop()
        future = fn(actor, value)
        index = self._next_task_index
        self._future_to_actor[_key(future)] = (index, actor)
        self._index_to_future[index] = future
        self._next_task_index = index + 1

    def has_next(self) -> bool:
        """Whether there are results that nobody has taken."""
        return bool(self._future_to_actor)

    def get_next(self, timeout: float | None = None, ignore_if_timedout: bool = False) -> Any:
        """Return the next result in the order of submission.

        Parameters
        ----------
        timeout : float or None, seconds
            None waits for ever.
        ignore_if_timedout : bool
            Whether a call that is not ready in time is dropped, and its actor used for others.

        Raises
        ------
        StopIteration
            All results are taken.
        TimeoutError
            It is not ready in time.
        ValueError
            `get_next_unordered` has taken a later one.
        """
        if not self.has_next():
            raise StopIteration(_EXHAUSTED)
        if self._next_return_index >= self._next_task_index:
            raise ValueError("It is not allowed to call get_next() after get_next_unordered().")
        future = self._index_to_future[self._next_return_index]
        late = timeout is not None and not self._ready([future], timeout)
        if late and not ignore_if_timedout:
            raise TimeoutError(_TIMED_OUT)
        del self._index_to_future[self._next_return_index]
        self._next_return_index += 1
        _, actor = self._future_to_actor.pop(_key(future))
        return self._finish(future, actor, late)

    def get_next_unordered(
        self, timeout: float | None = None, ignore_if_timedout: bool = False
    ) -> Any:
        """Return any result that is ready.

        Parameters
        ----------
        timeout, ignore_if_timedout
            As for `get_next`.

        Raises
        ------
        StopIteration
            All results are taken.
        TimeoutError
            None is ready in time.
        """
        if not self.has_next():
            raise StopIteration(_EXHAUSTED)
        waiting = list(self._future_to_actor)
        ready = self._ready(waiting, timeout)
        late = not ready
        if late and not ignore_if_timedout:
            raise TimeoutError(_TIMED_OUT)
        # Ray leaves the call that is dropped open; the oldest has had the most time.
        future = waiting[0] if late else ready[0]
        index, actor = self._future_to_actor.pop(future)
        del self._index_to_future[index]
        self._next_return_index = max(self._next_return_index, index + 1)
        return self._finish(future, actor, late)

    def _ready(self, futures: list[Any], timeout: float | None) -> list[Any]:
        from .._api import wait

        ready: list[Any] = wait(futures, timeout=timeout)[0]
        return ready

    def _finish(self, future: Future, actor: Any, late: bool) -> Any:
        if late:
            self._return_actor(actor)
            raise TimeoutError(f"{_TIMED_OUT}. The task {future} has been ignored.")
        from .._api import get
        from .._exceptions import ActorDiedError

        is_alive = True
        try:
            return get(future)
        except ActorDiedError:
            is_alive = False
            raise
        finally:
            self._return_actor(actor, is_alive)

    def _return_actor(self, actor: Any, is_alive: bool = True) -> None:
        if is_alive:
            self._idle_actors.append(actor)
        if self._pending_submits and self._idle_actors:
            self.submit(*self._pending_submits.popleft())

    def has_free(self) -> bool:
        """Whether an actor is idle and nothing waits for it."""
        return bool(self._idle_actors) and not self._pending_submits

    def pop_idle(self) -> Any:
        """Take an idle actor out of the pool.

        Returns
        -------
        ActorHandle or None
            None when there is none.
        """
        return self._idle_actors.pop() if self.has_free() else None

    def push(self, actor: Any) -> None:
        """Add an actor to the pool.

        Raises
        ------
        ValueError
            It is in the pool.
        """
        busy = (known for _, known in self._future_to_actor.values())
        if actor in self._idle_actors or actor in busy:
            raise ValueError("Actor already belongs to current ActorPool")
        self._return_actor(actor)


def _key(future: Future) -> Any:
    return tuple(future) if isinstance(future, list) else future
