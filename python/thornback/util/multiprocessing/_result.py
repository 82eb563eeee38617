"""Results of a pool's calls, on their way."""

from __future__ import annotations

import threading
from multiprocessing import TimeoutError as PoolTimeoutError

from ..._futures import when_ready
from ._actor import PoolTaskError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ..._object_ref import ObjectRef


class RemoteTraceback(Exception):
    """The text of a traceback in another process: the cause of what is raised here."""

    def __str__(self) -> str:
        return str(self.args[0])


class AsyncResult:
    """What the pool's asynchronous calls return.

    Not to be made by hand.
    """

    __module__ = "thornback.util.multiprocessing.pool"  # where Ray has it; texts show it

    def __init__(
        self,
        chunk_object_refs: Sequence[ObjectRef[list[Any]]],
        callback: Callable[[Any], Any] | None = None,
        error_callback: Callable[[Exception], Any] | None = None,
        single_result: bool = False,
        lost: Callable[[Exception], None] | None = None,
    ) -> None:
        self._refs = list(chunk_object_refs)
        self._single_result = single_result
        self._lost = lost
        self._batches: list[list[Any]] | None = None
        self._called: _Callbacks | None = None
        if callback is not None or error_callback is not None:
            self._called = _Callbacks(self, callback, error_callback)

    def wait(self, timeout: float | None = None) -> None:
        """Return when the result is there, or after `timeout` seconds."""
        if self._called is not None:
            self._called.done.wait(timeout)
        elif self._refs:
            from ..._api import wait

            timeout = None if timeout is None else max(timeout, 0)
            wait(self._refs, num_returns=len(self._refs), timeout=timeout)

    def get(self, timeout: float | None = None) -> Any:
        """Return the result.

        Parameters
        ----------
        timeout : float or None, seconds

        Raises
        ------
        multiprocessing.TimeoutError
            It is not there in time.
        Exception
            What a task raised, the first in their order.
        """
        if timeout is not None:
            self.wait(timeout)
            if not self.ready():
                raise PoolTimeoutError
        results: list[Any] = []
        for batch in self._collect():
            for result in batch:
                if isinstance(result, Exception):
                    raise_result(result)
            results += batch
        return results[0] if self._single_result else results

    def ready(self) -> bool:
        """Whether the result is there, and callbacks have been called."""
        if self._called is not None:
            return self._called.done.is_set()
        if self._batches is not None or not self._refs:
            return True
        from ..._api import wait

        return not wait(self._refs, num_returns=len(self._refs), timeout=0)[1]

    def successful(self) -> bool:
        """Whether no task raised an exception.

        Raises
        ------
        ValueError
            The result is not there yet.
        """
        if not self.ready():
            raise ValueError(f"{self!r} not ready")
        return not any(isinstance(r, Exception) for batch in self._collect() for r in batch)

    def _collect(self) -> list[list[Any]]:
        if self._batches is None:
            self._batches = self._fetch()
            self._refs = []
        return self._batches

    def _fetch(self) -> list[list[Any]]:
        from ..._api import get
        from ..._exceptions import RayError

        try:
            return get(self._refs)
        except RayError:
            # A worker died: its chunks hold that error, all others their results.
            return [fetch_batch(ref, self._lost) for ref in self._refs]


class _Callbacks:
    """Calls the user's functions when chunks are done, on the thread that sees it first."""

    def __init__(
        self,
        result: AsyncResult,
        callback: Callable[[Any], Any] | None,
        error_callback: Callable[[Exception], Any] | None,
    ) -> None:
        self.done = threading.Event()
        self._result = result
        self._callback = callback
        self._error_callback = error_callback
        self._mutex = threading.Lock()
        self._left = len(result._refs)  # guarded by _mutex
        self._failed = False  # guarded by _mutex
        if not self._left:
            self._finish()
        for ref in result._refs:
            when_ready(ref, self._on_chunk)

    def _on_chunk(self, value: Any, error: BaseException | None) -> None:
        batch: list[Any] = [error] if error is not None else value
        if isinstance(error, Exception) and self._result._lost is not None:
            self._result._lost(error)
        failure = next((r for r in batch if isinstance(r, Exception)), None)
        with self._mutex:
            first = failure is not None and not self._failed
            self._failed = self._failed or failure is not None
            self._left -= 1
            last = self._left == 0
        if first and failure is not None and self._error_callback is not None:
            self._error_callback(failure)
        if last:
            self._finish()

    def _finish(self) -> None:
        try:
            if not self._failed and self._callback is not None:
                results = [r for batch in self._result._collect() for r in batch]
                self._callback(results[0] if self._result._single_result else results)
        finally:
            self.done.set()


def fetch_batch(ref: ObjectRef[list[Any]], lost: Callable[[Exception], None] | None) -> list[Any]:
    """Return a chunk's results, or in their place the error that its worker ended with."""
    from ..._api import get
    from ..._exceptions import RayError

    try:
        return get(ref)
    except RayError as error:
        if lost is not None:
            lost(error)
        return [error]


def raise_result(result: Exception) -> None:
    """Raise what a task raised, with its traceback there as the cause."""
    if isinstance(result, PoolTaskError):
        raise result.underlying from RemoteTraceback(f'\n"""\n{result.traceback}"""')
    raise result
