"""Futures of references, those of `concurrent.futures` and those that ``await ref`` makes.

The engine tells which watched objects are ready, many at a time: to one thread, or, in the process
of an async actor, to its event loop. Values are made on the thread that wants them.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future

from . import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Generator, Iterable
    from typing import Any, TypeAlias

    from ._object_ref import ObjectRef

    # A future, and its event loop; None for one of concurrent.futures, and for a notice.
    Sink: TypeAlias = tuple[Any, Any]

# After its last object the thread stays with the engine for so long, since programs that await in
# a loop have the next one soon; then it costs nobody anything.
_LINGER_S = 0.01
# What awaits more than this is no circle that anybody would understand.
_QUIET_MOST = 1000


class _Notice:
    """A function that is told: a future that nobody can wait for, at a fraction of its cost."""

    __slots__ = ("_tell",)

    def __init__(self, tell: Callable[[Any, BaseException | None], object]) -> None:
        self._tell = tell

    def done(self) -> bool:
        return False

    def settle(self, value: Any, error: BaseException | None) -> None:
        try:
            self._tell(value, error)
        except Exception:
            import logging

            logging.getLogger("thornback").exception("exception calling callback for a result")


class _Watcher:
    """Who waits for which objects."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._wanted = threading.Condition(self._mutex)
        # By handle: the reference, which holds the object, and who wants it. Guarded by _mutex.
        self._pending: dict[int, tuple[_core.ObjectRef[Any], list[Sink]]] = {}
        self._thread: threading.Thread | None = None  # guarded by _mutex
        self._rests = False  # the thread waits for _wanted; guarded by _mutex
        self.loop: Any = None  # the event loop that is told, instead of a thread

    def add(self, ref: _core.ObjectRef[Any], future: Any, loop: Any) -> None:
        """Settle a future when an object is ready."""
        handle = ref.handle
        with self._mutex:
            entry = self._pending.get(handle)
            if entry is not None and entry[0] == ref:
                entry[1].append((future, loop))
                return
            _core.watch(ref)
            self._pending[handle] = (ref, [(future, loop)])
            if self._rests:
                self._wanted.notify()
            elif self._thread is None and self.loop is None:
                self._thread = threading.Thread(
                    target=self._run, name="thornback-futures", daemon=True
                )
                self._thread.start()

    def deliver(self, handles: Iterable[int]) -> None:
        """Settle the futures of objects that are ready."""
        by_loop: dict[Any, list[tuple[_core.ObjectRef[Any], Any]]] = {}
        with self._mutex:
            for handle in handles:
                ref, sinks = self._pending.pop(handle, (None, ()))
                for future, loop in sinks:
                    by_loop.setdefault(loop, []).append((ref, future))  # type: ignore[arg-type]
        for loop, batch in by_loop.items():
            if loop is None or loop is self.loop:
                _settle(batch, loop)
            else:
                _call_in(loop, _settle, batch, loop)

    def tell_quiet(self) -> None:
        """Tell the node what this process awaits, if nothing else goes on in it.

        Then it may find that this is a circle; it asks by telling that object 0 is ready.
        """
        if self.loop is None or not self.loop.is_quiet():
            return
        with self._mutex:
            awaits = list(self._pending)
        if not 0 < len(awaits) <= _QUIET_MOST:
            return
        import contextlib
        import json

        # An error: the process has been told something meanwhile.
        with contextlib.suppress(RuntimeError):
            _core.control("loop.quiet", json.dumps({"awaits": awaits}).encode())

    def _run(self) -> None:
        while True:
            with self._mutex:
                while not self._pending:
                    self._rests = True
                    self._wanted.wait()
                    self._rests = False
            try:
                self._serve()
            except Exception as error:  # noqa: BLE001
                # The session has ended: nothing of it becomes ready any more.
                self._fail(error)

    def _serve(self) -> None:
        """Deliver until there has been nothing to wait for, for a while."""
        handles: list[int] = []
        while self._pending or handles:
            handles = _core.watched(_LINGER_S if not self._pending else None)
            self.deliver(handles)

    def _fail(self, error: Exception) -> None:
        with self._mutex:
            entries = list(self._pending.values())
            self._pending.clear()
        for _, sinks in entries:
            for future, loop in sinks:
                if loop is None:
                    _set(future, None, error)
                else:
                    _call_in(loop, _set, future, None, error)


_watcher = _Watcher()


def _forget() -> None:
    """Start anew in a forked child, where the thread isn't."""
    global _watcher
    _watcher = _Watcher()


os.register_at_fork(after_in_child=_forget)


def future_of(ref: ObjectRef[Any]) -> Future[Any]:
    """Return a future for the object of `ref`."""
    future: Future[Any] = Future()
    try:
        _watcher.add(ref, future, None)
    except Exception as error:  # noqa: BLE001  # of another session, or of none
        _set(future, None, error)
    return future


def when_ready(ref: ObjectRef[Any], tell: Callable[[Any, BaseException | None], object]) -> None:
    """Call a function with the object's value and None, or with None and its error, once.

    It is called on a thread that serves all, so it must not wait; or at once, on this one, when
    the reference is of another session.
    """
    notice = _Notice(tell)
    try:
        _watcher.add(ref, notice, None)
    except Exception as error:  # noqa: BLE001  # of another session, or of none
        notice.settle(None, error)


def future_in_loop(ref: _core.ObjectRef[Any]) -> asyncio.Future[Any]:
    """Return a future of the running event loop for the object of `ref`."""
    import asyncio

    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    _watcher.add(ref, future, loop)
    return future


def await_ref(ref: ObjectRef[Any]) -> Generator[Any, None, Any]:
    """Return what ``await ref`` iterates over."""
    return future_in_loop(ref).__await__()


def serve_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Let an event loop be told of ready objects, by `deliver_ready`."""
    _watcher.loop = loop


def deliver_ready() -> None:
    """Settle the futures of all that is ready, in that loop."""
    asked = False
    while handles := _core.watched(0):
        _watcher.deliver(handles)
        asked = asked or handles[-1] == 0
    if asked:
        _watcher.tell_quiet()


def _settle(batch: list[tuple[_core.ObjectRef[Any], Any]], loop: Any) -> None:
    from .exceptions import GetTimeoutError

    get = _core.get
    for ref, future in batch:
        if future.done():
            continue
        try:
            value = get(ref, 0)
        except BaseException as error:  # noqa: BLE001  # the object's own, whatever it is
            if type(error) is GetTimeoutError:  # lost meanwhile, and made again
                _watcher.add(ref, future, loop)
            else:
                # With its traceback, which has this frame, the error would keep itself alive, and
                # with it what the frames of those who await it hold.
                _set(future, None, error.with_traceback(None))
        else:
            _set(future, value, None)


def _call_in(loop: Any, function: Any, *args: Any) -> None:
    try:
        loop.call_soon_threadsafe(function, *args)
    except RuntimeError:
        if not loop.is_closed():
            raise


def _set(future: Any, value: Any, error: BaseException | None) -> None:
    """Give a future its outcome, unless it has one or was cancelled."""
    if type(future) is _Notice:
        future.settle(value, error)
        return
    if isinstance(future, Future):
        if not future.set_running_or_notify_cancel():
            return
    elif future.done():
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)
