"""How the process of an actor runs several calls at a time."""

from __future__ import annotations

import asyncio
import selectors
import threading
from contextvars import ContextVar

from . import _core, _futures

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from typing import Any

_STOP, _READY = 1, 2  # of loop_pump

# Limits of this actor's concurrency groups, by name.
groups: dict[str, int] = {}
# The call that code belongs to, with the asyncio tasks that it has started.
_current: ContextVar[Any] = ContextVar("thornback_call", default=None)


def ask(template: int) -> tuple[bool, list[int], list[str]]:
    """Return how the actor works that is created with this template.

    Returns
    -------
    is_async : bool
    limits : list of int
        How many calls run at a time, by concurrency group, the default one first.
    names : list of str
        Of the groups.
    """
    import json

    global groups
    answer = json.loads(_core.control("concurrency", json.dumps({"template": template}).encode()))
    groups = dict(zip(answer["names"][1:], answer["limits"][1:], strict=True))
    return answer["asyncio"], answer["limits"], answer["names"]


class BellSelector(selectors.EpollSelector):
    """Waits at the bell of the worker's rings, and begins the calls that come.

    The kernel is asked only when there are descriptors besides the loop's own, which wakes it from
    other threads and is not needed here, or signal handlers of the loop, which use it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loop: BellLoop | None = None
        self.in_kernel = 0  # reasons to ask the kernel
        self._bell: int | None = None

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Watch a descriptor."""
        key = super().register(fileobj, events, data)
        self.in_kernel += self.loop is not None
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Watch it no more."""
        key = super().unregister(fileobj)
        self.in_kernel -= self.loop is not None
        return key

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for descriptors and for calls, which are begun here."""
        if not self.in_kernel:
            self._pump(-1.0 if timeout is None else timeout)
            return []
        return self._select_in_kernel(timeout)

    def _select_in_kernel(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        loop = self.loop
        assert loop is not None
        if timeout is None or timeout > 0:
            bell = _core.loop_watch_bell()
            if bell != self._bell:
                self._bell = bell
                super().register(bell, selectors.EVENT_READ)
        self._pump(0.0)
        if loop.has_ready():
            timeout = 0
        events = super().select(timeout)
        if self._bell is not None:
            events = [event for event in events if event[0].fd != self._bell]
        self._pump(0.0)
        return events

    def _pump(self, timeout: float) -> None:
        flags = _core.loop_pump(timeout)
        if flags:
            if flags & _READY:
                _futures.deliver_ready()
            if flags & _STOP and self.loop is not None:
                self.loop.stop()


class BellLoop(asyncio.SelectorEventLoop):
    """The event loop on the thread that reads the worker's rings."""

    def __init__(self) -> None:
        self.bell_selector = BellSelector()
        super().__init__(self.bell_selector)
        self.bell_selector.loop = self

    def has_ready(self) -> bool:
        """Return whether callbacks wait for their turn."""
        return bool(self._ready)  # type: ignore[attr-defined]

    def is_quiet(self) -> bool:
        """Return whether only the node can make something go on in this process.

        No callback waits, no timer, no descriptor or signal handler of the loop, and no other
        thread, Python's or not, which could call back.
        """
        if self._ready or self._scheduled or self.bell_selector.in_kernel:  # type: ignore[attr-defined]
            return False
        import os

        return len(os.listdir("/proc/self/task")) == 1

    def _write_to_self(self) -> None:
        _core.loop_wake()

    def add_signal_handler(  # type: ignore[override]
        self, sig: int, callback: Callable[..., object], *args: Any
    ) -> None:
        """Call back on a signal; the kernel tells of it by the loop's own descriptor."""
        super().add_signal_handler(sig, callback, *args)
        self.bell_selector.in_kernel += 1

    def remove_signal_handler(self, sig: int) -> bool:
        """End that."""
        removed = super().remove_signal_handler(sig)
        self.bell_selector.in_kernel -= removed
        return removed


def serve(names: Sequence[str]) -> None:
    """Run the event loops of an async actor until its process is to end.

    Parameters
    ----------
    names : sequence of str
        Of the concurrency groups, the default one first. Each other one has a loop and a thread of
        its own.

    Raises
    ------
    SystemExit
        Something else than a call, such as a task that a call has left behind, ends the process.
    """
    threading.current_thread().name = "AsyncIO Thread: default"
    loop = BellLoop()
    asyncio.set_event_loop(loop)
    _futures.serve_loop(loop)
    begin: list[Callable[[Coroutine[Any, Any, Any]], object]] = [loop.create_task]
    begin += [_side_loop(name) for name in names[1:]]
    loop.call_soon(_core.loop_begin, begin, _current, _construct)
    while True:
        try:
            loop.run_forever()
            return
        except KeyboardInterrupt:
            # Of a task that no call waits for; the loop is the calls' too.
            import traceback

            traceback.print_exc()


def _side_loop(name: str) -> Callable[[Coroutine[Any, Any, Any]], object]:
    """Start the loop of a group; return what begins a coroutine in it from any thread."""
    loop = asyncio.new_event_loop()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_forever()

    threading.Thread(target=run, name=f"AsyncIO Thread: {name}", daemon=True).start()

    def start(call: Any) -> None:
        call.task = loop.create_task(call)

    def begin(call: Coroutine[Any, Any, Any]) -> None:
        loop.call_soon_threadsafe(start, call)

    return begin


def cancel(task: asyncio.Task[Any]) -> None:
    """Cancel the task that a call is, from any thread."""
    task.get_loop().call_soon_threadsafe(task.cancel)


def in_loop() -> bool:
    """Return whether the calling code runs in an event loop."""
    return asyncio._get_running_loop() is not None


def warn_blocking() -> None:
    """Warn of a `get` that keeps an event loop from running."""
    import logging
    import os

    if os.environ.get("RAY_WARN_BLOCKING_GET_INSIDE_ASYNC", "1") not in ("0", "false", "False"):
        logging.getLogger("thornback").warning(
            "Using blocking ray.get inside async actor. This blocks the event loop. Please use "
            "`await` on object ref with asyncio.gather if you want to yield execution to the event "
            "loop instead."
        )


def call_error(error: BaseException) -> BaseException:
    """Return the error of a call that ended by `error`: its cancellation, for asyncio's."""
    if not isinstance(error, asyncio.CancelledError):
        return error
    from ._runtime_context import running_task_id
    from .exceptions import TaskCancelledError

    cancelled = TaskCancelledError(running_task_id())
    cancelled.__context__ = error
    return cancelled


def _construct(cls: type, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None) -> Any:
    """Return an instance, or a coroutine that gives it, where the constructor is one."""
    if not asyncio.iscoroutinefunction(getattr(cls, "__init__", None)):
        return cls(*args, **(kwargs or {}))
    instance: Any = cls.__new__(cls, *args, **(kwargs or {}))

    async def construct() -> Any:
        await instance.__init__(*args, **(kwargs or {}))
        return instance

    return construct()
