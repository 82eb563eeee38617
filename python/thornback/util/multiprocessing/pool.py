"""A pool of actors with the interface of `multiprocessing.Pool`."""

from __future__ import annotations

from ..._futures import when_ready
from ..._remote import remote
from ._actor import PoolActor as PoolActor
from ._actor import PoolTaskError as PoolTaskError
from ._function import Repeated, SharedFunction
from ._imap import IMapIterator as IMapIterator
from ._imap import OrderedIMapIterator as OrderedIMapIterator
from ._imap import UnorderedIMapIterator as UnorderedIMapIterator
from ._imap import chunks_of
from ._result import AsyncResult as AsyncResult

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any, Self

    from ..._object_ref import ObjectRef

# Actors that were replaced and still finish their work; more make who submits wait.
_STOPPING_MAX = 16


class Pool:
    """Actors that run calls; the interface is that of `multiprocessing.Pool`.

    Parameters
    ----------
    processes : int, optional
        The session's CPUs when not given. Without a session, one with so many CPUs is started.
    initializer : callable, optional
        Called by each actor when it starts, with `initargs`.
    initargs : iterable, optional
    maxtasksperchild : int, optional
        An actor is replaced after so many chunks.
    context : object, optional
        Without effect.
    ray_address : str, optional
        For `init`, when there is no session.
    ray_remote_args : dict, optional
        Options of the actors; they take no CPUs otherwise.

    Raises
    ------
    ValueError
        `processes` is below 1, or above the number of CPUs.
    """

    def __init__(
        self,
        processes: int | None = None,
        initializer: Callable[..., Any] | None = None,
        initargs: Iterable[Any] | None = None,
        maxtasksperchild: int | None = None,
        context: Any = None,
        ray_address: str | None = None,
        ray_remote_args: dict[str, Any] | None = None,
    ) -> None:
        self._closed = False
        self._initializer = initializer
        self._initargs = initargs
        self._maxtasksperchild = maxtasksperchild or -1
        self._stopping: list[ObjectRef[Any]] = []
        self._current_index = 0
        self._actor_class: Any = remote(**{"num_cpus": 0, **(ray_remote_args or {})})(PoolActor)
        if context:
            _warn_of_context()
        processes = _start_session(processes, ray_address)
        self._actor_pool = [(self._new_actor(), 0) for _ in range(processes)]
        self._repeated = Repeated(self)
        self._load = [0] * processes  # calls under way, of those by `_submit`
        from ..._api import get

        get([actor.ping.remote() for actor, _ in self._actor_pool])

    # --- actors -------------------------------------------------------------------------------

    def _new_actor(self) -> Any:
        return self._actor_class.remote(self._initializer, self._initargs)

    def _next_actor_index(self) -> int:
        self._current_index = (self._current_index + 1) % len(self._actor_pool)
        return self._current_index

    def _next_call(self, actor_index: int) -> Any:
        """Return the actor that the next call goes to."""
        return self._actor_pool[actor_index][0]

    def _called(self, actor_index: int, ref: ObjectRef[list[Any]]) -> ObjectRef[list[Any]]:
        """Count a call, and replace its actor when that was the last one."""
        if self._maxtasksperchild < 0:
            return ref
        actor, count = self._actor_pool[actor_index]
        if count + 1 < self._maxtasksperchild:
            self._actor_pool[actor_index] = (actor, count + 1)
        else:
            self._stop_actor(actor)
            self._actor_pool[actor_index] = (self._new_actor(), 0)
        return ref

    def _stop_actor(self, actor: Any) -> None:
        """Let an actor end after the calls that it has."""
        if len(self._stopping) >= _STOPPING_MAX:
            from ..._api import wait

            _, self._stopping = wait(self._stopping, num_returns=1)
        self._stopping.append(actor.__ray_terminate__.remote())

    def _lost(self, error: Exception) -> None:
        """Replace the actor that an error tells the death of."""
        from ..._exceptions import ActorDiedError

        if self._closed or not isinstance(error, ActorDiedError):
            return
        for index, (actor, _) in enumerate(self._actor_pool):
            if actor._actor_id.hex() == error.actor_id:
                self._actor_pool[index] = (self._new_actor(), 0)

    def _size(self) -> int:
        return len(self._actor_pool)

    def _is_idle(self) -> bool:
        """Whether the pool runs, and nothing in it."""
        return not self._closed and not any(self._load)

    # --- calls --------------------------------------------------------------------------------

    def apply(
        self,
        func: Callable[..., Any],
        args: Sequence[Any] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call a function in one of the actors and return its result."""
        return self.apply_async(func, args, kwargs).get()

    def apply_async(
        self,
        func: Callable[..., Any],
        args: Sequence[Any] | None = None,
        kwargs: dict[str, Any] | None = None,
        callback: Callable[[Any], Any] | None = None,
        error_callback: Callable[[Exception], Any] | None = None,
    ) -> AsyncResult:
        """Call a function in one of the actors.

        Parameters
        ----------
        func : callable
        args, kwargs : optional
        callback : callable, optional
            Called with the result, on another thread.
        error_callback : callable, optional
            Called with what the function raised, wrapped in `PoolTaskError`.
        """
        self._check_running()
        index = self._next_actor_index()
        args, kwargs = list(args or ()), kwargs or {}  # in a list, references arrive as such
        known = self._repeated.find(func)
        if known is not None:
            ref = known.apply(index, args, kwargs)
        else:
            ref = self._called(index, self._next_call(index).apply.remote(func, args, kwargs))
        return AsyncResult([ref], callback, error_callback, single_result=True, lost=self._lost)

    def _submit(
        self, function: SharedFunction, item: Any, tell: Callable[[Any, BaseException | None], Any]
    ) -> ObjectRef[list[Any]]:
        """Call a function in the actor that has least to do; for joblib.

        `tell` is called, on another thread, with a list that has the result, or the
        `PoolTaskError`, as its only element, and None; or with None and the engine's error.
        """
        self._check_running()
        load = self._load
        index = load.index(min(load))
        load[index] += 1
        ref = function.run(index, False, [item])

        def done(value: Any, error: BaseException | None) -> None:
            load[index] -= 1  # first: the next call may be submitted by what follows
            tell(value, error)

        when_ready(ref, done)
        return ref

    def map(
        self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int | None = None
    ) -> list[Any]:
        """Call a function for each item and return the results in their order.

        Parameters
        ----------
        func : callable
        iterable : iterable
        chunksize : int, optional
            So many items go to an actor at a time; when not given, so many that each actor gets
            four chunks.
        """
        result: list[Any] = self._map_async(func, iterable, chunksize).get()
        return result

    def map_async(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Any],
        chunksize: int | None = None,
        callback: Callable[[list[Any]], Any] | None = None,
        error_callback: Callable[[Exception], Any] | None = None,
    ) -> AsyncResult:
        """Do as `map`, without waiting; the callbacks are as for `apply_async`."""
        return self._map_async(func, iterable, chunksize, False, callback, error_callback)

    def starmap(
        self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int | None = None
    ) -> list[Any]:
        """Do as `map`, with the elements of each item as arguments."""
        result: list[Any] = self._map_async(func, iterable, chunksize, True).get()
        return result

    def starmap_async(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Any],
        callback: Callable[[list[Any]], Any] | None = None,
        error_callback: Callable[[Exception], Any] | None = None,
    ) -> AsyncResult:
        """Do as `starmap`, without waiting."""
        return self._map_async(func, iterable, None, True, callback, error_callback)

    def imap(
        self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int | None = 1
    ) -> OrderedIMapIterator:
        """Call a function for each item, with one chunk at a time for each actor.

        Returns
        -------
        iterator
            Over the results in the order of the items. What a call raised stands among them, as
            `PoolTaskError`.
        """
        self._check_running()
        return OrderedIMapIterator(self, func, iterable, chunksize=chunksize)

    def imap_unordered(
        self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int | None = 1
    ) -> UnorderedIMapIterator:
        """Do as `imap`, with the results in the order in which they come."""
        self._check_running()
        return UnorderedIMapIterator(self, func, iterable, chunksize=chunksize)

    def _map_async(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Any],
        chunksize: int | None,
        star: bool = False,
        callback: Callable[[list[Any]], Any] | None = None,
        error_callback: Callable[[Exception], Any] | None = None,
    ) -> AsyncResult:
        self._check_running()
        if not hasattr(iterable, "__len__"):
            iterable = list(iterable)
        if chunksize is None:
            chunksize = self._calculate_chunksize(iterable)
        elif chunksize < 1:
            raise ValueError(f"Chunksize must be 1+, not {chunksize}")
        function = self._function(func)
        actors = len(self._actor_pool)
        refs = [
            function.run(number % actors, star, chunk)
            for number, chunk in enumerate(self._chunks(iterable, chunksize))
        ]
        function.forget()
        return AsyncResult(refs, callback, error_callback, lost=self._lost)

    def _function(self, func: Callable[..., Any]) -> SharedFunction:
        return SharedFunction(self, func)

    def _chunks(self, iterable: Iterable[Any], size: int) -> Iterator[list[Any]]:
        return chunks_of(iterable, size)

    def _calculate_chunksize(self, iterable: Any) -> int:
        return max(1, -(-len(iterable) // (4 * len(self._actor_pool))))

    # --- end ----------------------------------------------------------------------------------

    def _running(self) -> bool:
        return not self._closed

    def _check_running(self) -> None:
        if self._closed:
            raise ValueError("Pool not running")

    def __enter__(self) -> Self:
        self._check_running()
        return self

    def __exit__(self, *exc: object) -> None:
        self.terminate()

    def close(self) -> None:
        """Take no more calls; those that were taken are finished."""
        if not self._closed:
            self._closed = True
            self._repeated.clear()
            for actor, _ in self._actor_pool:
                self._stop_actor(actor)

    def terminate(self) -> None:
        """End at once; calls that are not finished fail."""
        from ..._api import kill

        self._closed = True
        for actor, _ in self._actor_pool:
            kill(actor)
        self._actor_pool = []
        self._repeated.clear()

    def join(self) -> None:
        """Wait until the actors of a closed pool have ended.

        Raises
        ------
        ValueError
            It is not closed.
        """
        if not self._closed:
            raise ValueError("Pool is still running")
        if self._stopping:
            from ..._api import wait

            wait(self._stopping, num_returns=len(self._stopping))
            self._stopping = []


def _start_session(processes: int | None, address: str | None) -> int:
    """Start a session if there is none; return the number of actors."""
    import os

    from ..._api import cluster_resources
    from ..._init import init, is_initialized

    if not is_initialized():
        asked = address if address is not None else os.environ.get("RAY_ADDRESS")
        cpus = {"num_cpus": processes} if asked in (None, "local") else {}
        init(address=address, **cpus)  # type: ignore[arg-type]
    cpus_here = int(cluster_resources().get("CPU", 0))
    processes = cpus_here if processes is None else processes
    if processes <= 0:
        raise ValueError("Processes in the pool must be >0.")
    if cpus_here < processes:
        raise ValueError(
            f"Tried to start a pool with {processes} processes on an existing ray cluster, but "
            f"there are only {cpus_here} CPUs in the ray cluster."
        )
    return processes


def _warn_of_context() -> None:
    from ..debug import log_once

    if log_once("context_argument_warning"):
        import logging

        logging.getLogger("thornback").warning(
            "The 'context' argument is not supported using ray. Please refer to the documentation "
            "for how to control ray initialization."
        )
