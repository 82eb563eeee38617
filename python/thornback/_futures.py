"""Futures of references: one thread waits for all of them."""

from __future__ import annotations

import threading
from concurrent.futures import Future

from . import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._object_ref import ObjectRef

# How long a new future may stay unseen while the thread waits for older ones.
_SLICE_S = 0.01


class _Watcher:
    """Waits for references on a daemon thread, which lives while there are any."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._pending: dict[_core.ObjectRef[Any], list[Future[Any]]] = {}  # guarded by _mutex
        self._thread: threading.Thread | None = None  # guarded by _mutex

    def add(self, ref: ObjectRef[Any], future: Future[Any]) -> None:
        with self._mutex:
            self._pending.setdefault(ref, []).append(future)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="thornback-futures", daemon=True
                )
                self._thread.start()

    def _run(self) -> None:
        while True:
            with self._mutex:
                refs = list(self._pending)
                if not refs:
                    self._thread = None
                    return
            try:
                ready, _ = _core.wait(refs, 1, _SLICE_S, True)
            except Exception as error:  # noqa: BLE001
                # The session has ended: nothing of it becomes ready any more.
                self._take(refs, lambda futures, _, error=error: _fail(futures, error))
                continue
            self._take(ready, _resolve)

    def _take(self, refs: list[_core.ObjectRef[Any]], act: Any) -> None:
        for ref in refs:
            with self._mutex:
                futures = self._pending.pop(ref, [])
            act(futures, ref)


_watcher = _Watcher()


def future_of(ref: ObjectRef[Any]) -> Future[Any]:
    """Return a future for the object of `ref`."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    _watcher.add(ref, future)
    return future


def _resolve(futures: list[Future[Any]], ref: _core.ObjectRef[Any]) -> None:
    try:
        value = _core.get(ref, 0)
    except Exception as error:  # noqa: BLE001  # the object's own, whatever it is
        _fail(futures, error)
        return
    for future in futures:
        future.set_result(value)


def _fail(futures: list[Future[Any]], error: Exception) -> None:
    for future in futures:
        future.set_exception(error)
