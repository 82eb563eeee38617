"""An executor of `concurrent.futures` whose calls are tasks."""

from __future__ import annotations

import itertools
import threading
import time
import weakref
from collections import deque
from concurrent.futures import BrokenExecutor, Future
from concurrent.futures import Executor as _StandardExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from . import _core
from ._futures import when_ready

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ._remote import RemoteFunction

T = TypeVar("T")

# How much work is handed to the engine ahead, in seconds of it and in calls for each CPU: what has
# been handed over can't be cancelled any more, as with ProcessPoolExecutor.
_AHEAD_S = 0.005
_AHEAD_MAX = 256
_NAMES_MAX = 1_000

_tokens = itertools.count(1)
_initialized: set[tuple[int, int]] = set()  # in a worker: executors whose initializer has run
_keep: set[_Dispatcher] = set()  # those with calls, whose executor may be gone
_exiting = False


class _InitializerFailed(Exception):
    """The initializer raised in a worker."""


class Executor(_StandardExecutor):
    """Runs calls as tasks, with the interface of `concurrent.futures`.

    Programs that use `ThreadPoolExecutor` or `ProcessPoolExecutor` run on all cores and machines of
    the session by changing one name; `concurrent.futures.wait`, `as_completed` and
    `asyncio.wrap_future` take its futures, which are the standard type. A session is started when
    there is none.

    Parameters
    ----------
    max_workers : int, optional
        Most calls that run at the same time. By default as many as the session's resources allow,
        one for each CPU. With more than there are CPUs, calls ask for no CPU unless an option says
        otherwise: such a pool is for calls that wait.
    initializer : callable, optional
        Called once in each worker process before the first call of this executor there. Worker
        processes also run other tasks of the session. When it raises, the executor is broken.
    initargs : tuple
        Arguments of `initializer`.
    max_tasks_per_child : int, optional
        Calls after which a worker process is replaced; by default it stays.
    **options
        Options of the tasks, as for `remote`: `num_cpus`, `resources`, `max_retries`, and others.

    Raises
    ------
    ValueError
        `max_workers` or `max_tasks_per_child` is not above 0, or an option is out of its limits.
    TypeError
        `initializer` can't be called, or an option has a wrong type.

    Notes
    -----
    A call whose worker process dies is run again, up to `max_retries` (3) times; then its future
    has a `WorkerCrashedError`. An exception of the call itself is the future's exception; its cause
    is the error with the remote traceback. Functions that are pickled by value (lambdas, those of
    ``__main__``) are pickled once: what they refer to is captured at their first submission.

    Examples
    --------
    >>> import thornback
    >>> with thornback.Executor() as pool:
    ...     print(list(pool.map(pow, [2, 3], [5, 2])))
    [32, 9]
    """

    def __init__(
        self,
        max_workers: int | None = None,
        *,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        max_tasks_per_child: int | None = None,
        **options: Any,
    ) -> None:
        if max_workers is not None and max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        if max_tasks_per_child is not None:
            if not isinstance(max_tasks_per_child, int):
                raise TypeError("max_tasks_per_child must be an integer")
            if max_tasks_per_child <= 0:
                raise ValueError("max_tasks_per_child must be >= 1")
            options["max_calls"] = max_tasks_per_child
        start = (initializer, initargs) if initializer is not None else None
        self._dispatcher = _Dispatcher(max_workers, start, options)

    @property
    def _broken(self) -> bool | str:
        """As the standard executors have it: False, or why nothing can be submitted."""
        return self._dispatcher.broken or False

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Schedule ``fn(*args, **kwargs)`` and return a future for its result.

        Raises
        ------
        RuntimeError
            After `shutdown`, or while the interpreter exits.
        BrokenExecutor
            The initializer has failed.
        """
        future: Future[T] = Future()
        self._dispatcher.add(future, fn, args, kwargs)
        return future

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        **more: Any,
    ) -> Iterator[T]:
        """Call `fn` with the items of the iterables, in parallel, and yield the results in order.

        Parameters
        ----------
        fn : callable
        *iterables : iterable
            Read at once, up to the shortest.
        timeout : float, optional
            Seconds from the call until each result must be there.
        chunksize : int
            Items that go into one task. With short calls more of them is faster.
        **more
            `buffersize` where the interpreter's own executors have it (3.14).

        Raises
        ------
        TimeoutError
            While iterating, when a result is not there in time.
        """
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        if chunksize == 1:
            return super().map(fn, *iterables, timeout=timeout, **more)
        chunks = _chunks(zip(*iterables, strict=False), chunksize)
        results = super().map(_CallChunk(fn), chunks, timeout=timeout, **more)
        return _chained(results)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no more calls; those accepted run on. The session stays.

        Parameters
        ----------
        wait : bool
            Return when all calls have ended.
        cancel_futures : bool
            Cancel the calls that have not been handed to the engine.
        """
        self._dispatcher.close(cancel_futures)
        if wait:
            self._dispatcher.join()


class _Dispatcher:
    """Hands calls to the engine, a bounded number at a time.

    Outlives its executor while it has calls.
    """

    def __init__(
        self,
        max_workers: int | None,
        start: tuple[Callable[..., object], tuple[Any, ...]] | None,
        options: Mapping[str, Any],
    ) -> None:
        self.broken: str | None = None
        self._max_workers = max_workers
        self._start = start
        self._token = next(_tokens)
        self._options = dict(options)
        self._remotes: dict[str, RemoteFunction[Any, Any]] = {}
        self._bodies: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
        self._session = 0
        self._cpus = 1
        self._ahead = 1
        self._last = 0.0
        self._interval = 0.0
        self._mutex = threading.Condition(threading.RLock())
        self._queue: deque[tuple[Future[Any], Any, Any, Any]] = deque()  # guarded by _mutex
        self._running = 0  # guarded by _mutex: handed over, not ended
        self._closed = False  # guarded by _mutex
        self._pumping = False  # guarded by _mutex
        if options:
            from ._options import check_task_options

            check_task_options(options, in_options=False)

    def add(self, future: Future[Any], fn: Any, args: Any, kwargs: Any) -> None:
        with self._mutex:
            if self.broken:
                raise BrokenExecutor(self.broken)
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            if _exiting:
                raise RuntimeError("cannot schedule new futures after interpreter shutdown")
            if not _core.session():
                from ._init import auto_init

                auto_init()
            if not self._running and not self._queue:
                _keep.add(self)
            self._queue.append((future, fn, args, kwargs))
        self._pump()

    def close(self, cancel: bool) -> None:
        with self._mutex:
            self._closed = True
            queued = list(self._queue) if cancel else []
            if cancel:
                self._queue.clear()
        for future, *_ in queued:
            future.cancel()
            future.set_running_or_notify_cancel()
        self._settle()

    def join(self) -> None:
        with self._mutex:
            self._mutex.wait_for(lambda: not self._running and not self._queue)

    def _pump(self) -> None:
        """Hand over what may run now. One thread at a time does it, so that calls go in order."""
        while True:
            with self._mutex:
                if self._pumping or not self._queue or self._running >= self._window():
                    return
                self._pumping = True
                work = self._queue.popleft()
                self._running += 1
            try:
                self._hand_over(*work)
            finally:
                del work
                with self._mutex:
                    self._pumping = False

    def _hand_over(self, future: Future[Any], fn: Any, args: Any, kwargs: Any) -> None:
        if not future.set_running_or_notify_cancel():
            self._ended()
            return
        try:
            ref = self._submit(fn, args, kwargs)
        except Exception as error:  # noqa: BLE001  # the call's own: it can't be pickled, or there is no session
            future.set_exception(error)
            self._ended()
            return
        when_ready(ref, _Completion(self, future))

    def _submit(self, fn: Any, args: Any, kwargs: Any) -> Any:
        session = _core.session()
        if not session:  # it is not started again for what was left when it was ended
            raise RuntimeError("the session has ended before the call could begin")
        if self._session != session:
            self._begin()
        remote = self._remote(getattr(fn, "__name__", type(fn).__name__))
        body = self._body(fn)
        if self._start is None:
            return remote.remote(body, *args, **kwargs)
        return remote.remote(body, (self._token, *self._start), *args, **kwargs)

    def _begin(self) -> None:
        """Learn what the session has."""
        from ._api import cluster_resources

        with self._mutex:
            self._cpus = max(1, int(cluster_resources().get("CPU", 1)))
            self._session = _core.session()
            self._bodies.clear()

    def _remote(self, name: str) -> RemoteFunction[Any, Any]:
        remote = self._remotes.get(name)
        if remote is None:
            from ._remote import remote as make

            if len(self._remotes) >= _NAMES_MAX:
                self._remotes.clear()
            options = {"name": name, **self._options}
            if self._max_workers is not None and self._max_workers > self._cpus:
                options.setdefault("num_cpus", 0)
            remote = make(**options)(_call if self._start is None else _call_initialized)
            self._remotes[name] = remote
        return remote

    def _body(self, fn: Any) -> Any:
        """Return what stands for a function: a reference when it is pickled by value, once."""
        by_value = getattr(fn, "__module__", None) == "__main__" or "<" in getattr(
            fn, "__qualname__", ""
        )
        if not by_value:
            return fn
        try:
            body = self._bodies.get(fn)
            if body is None:
                body = self._bodies[fn] = _core.put(fn)
        except TypeError:  # no weak references, or can't be a key
            return fn
        return body

    def _window(self) -> int:
        """Return how many calls may be with the engine. Preconditions: _mutex held."""
        if self._max_workers is not None and self._max_workers != self._cpus:
            return self._max_workers
        return self._cpus * self._ahead

    def _ended(self) -> None:
        now = time.perf_counter()
        with self._mutex:
            self._running -= 1
            if self._queue and self._last:
                # By how fast results come: short calls are handed over in numbers.
                self._interval += (now - self._last - self._interval) / 8
                ahead = int(_AHEAD_S / max(self._interval * self._cpus, 1e-6)) + 1
                self._ahead = max(1, min(_AHEAD_MAX, ahead, 2 * self._ahead))
            self._last = now if self._queue else 0.0
        self._settle()
        self._pump()

    def _settle(self) -> None:
        with self._mutex:
            if not self._running and not self._queue:
                _keep.discard(self)
                self._mutex.notify_all()

    def _break(self, why: str) -> None:
        with self._mutex:
            self.broken = why
            queued = list(self._queue)
            self._queue.clear()
        for future, *_ in queued:
            if future.set_running_or_notify_cancel():
                future.set_exception(BrokenExecutor(why))


class _Completion:
    """Gives a call's outcome to its future."""

    def __init__(self, dispatcher: _Dispatcher, future: Future[Any]) -> None:
        self._dispatcher = dispatcher
        self._future: Future[Any] | None = future

    def __call__(self, value: Any, error: BaseException | None) -> None:
        future, self._future = self._future, None
        assert future is not None
        cause = getattr(error, "cause", None)
        if error is None:
            future.set_result(value)
        elif isinstance(cause, _InitializerFailed):
            self._broken(future, cause)
        else:
            if isinstance(cause, BaseException) and cause is not error:
                cause.__cause__ = error
                error = cause
            future.set_exception(error)
        del future, value, error, cause
        self._dispatcher._ended()

    def _broken(self, future: Future[Any], cause: _InitializerFailed) -> None:
        import logging

        text = f"the initializer failed in a worker process:\n{cause}"
        logging.getLogger("concurrent.futures").critical("Exception in initializer:\n%s", cause)
        self._dispatcher._break(text)
        future.set_exception(BrokenExecutor(text))


def _call(fn: Any, /, *args: Any, **kwargs: Any) -> Any:
    return fn(*args, **kwargs)


def _call_initialized(fn: Any, start: Any, /, *args: Any, **kwargs: Any) -> Any:
    token, initializer, initargs = start
    key = (_core.session(), token)
    if key not in _initialized:
        try:
            initializer(*initargs)
        except BaseException:  # noqa: BLE001  # SystemExit too leaves this process unprepared
            import traceback

            raise _InitializerFailed(traceback.format_exc()) from None
        _initialized.add(key)
    return fn(*args, **kwargs)


class _CallChunk:
    """Calls a function with each of several sets of arguments."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        self._fn = fn
        self.__name__ = getattr(fn, "__name__", type(fn).__name__)

    def __call__(self, chunk: Sequence[Sequence[Any]]) -> list[Any]:
        return [self._fn(*args) for args in chunk]


def _chunks(items: Iterator[tuple[Any, ...]], size: int) -> Iterator[tuple[tuple[Any, ...], ...]]:
    while chunk := tuple(itertools.islice(items, size)):
        yield chunk


def _chained(results: Iterator[Any]) -> Iterator[Any]:
    for chunk in results:
        chunk.reverse()
        while chunk:
            yield chunk.pop()  # so that nothing here keeps a result


def _at_exit() -> None:
    """Wait for all calls before the session ends with the interpreter."""
    global _exiting
    _exiting = True
    for dispatcher in list(_keep):
        dispatcher.join()


# The standard executors' own way: before other threads and `atexit` end what the calls need.
threading._register_atexit(_at_exit)  # type: ignore[attr-defined]
