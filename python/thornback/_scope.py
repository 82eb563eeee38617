"""Structured concurrency: blocks that nothing they submit outlives."""

from __future__ import annotations

from contextvars import ContextVar

from . import _core, _fork

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from contextvars import Token
    from types import TracebackType
    from typing import Any, Self

    from ._object_ref import ObjectRef

# Handle of the scope that code is in; 0: none.
_here: ContextVar[int] = ContextVar("thornback_scope", default=0)


class Scope:
    """A block that nothing it submits outlives; `ray.scope()`.

    ``with ray.scope():`` and, in coroutines, ``async with ray.scope():``. To it belong the tasks
    and calls that the block submits, all that these submit, and the actors that any of them
    creates, except detached ones. Leaving the block waits until the tasks and calls have ended,
    then ends the actors.

    The first error of what the block itself has submitted cancels the rest as `ray.cancel` does,
    and ends the actors; so does an exception in the block. A `get` or `wait` of the block that
    waits then, or would, raises the error at once; in ``async with`` the block is cancelled as
    `asyncio.TaskGroup` does. What runs on is waited for: a task that takes long to tidy up, a call
    of a sync actor that is not of the block, which can't be interrupted, a generator with
    backpressure whose items nobody takes.

    The block raises its own exception, if it has one. Else it raises the first error as `get`
    would, so ``except ValueError`` and ``except* ValueError`` both catch it. Errors that came after
    it are in the exception's attribute `others`, a tuple. An error that the block has caught from a
    `get` counts all the same: a task that may fail has to catch that itself. That something was
    cancelled is no error. Errors of what the tasks have submitted are the tasks' own affair.

    Each thread and each asyncio task has its own scopes: what another thread submits, which the
    block has started, belongs only if it runs in a copy of the block's context, as with
    `asyncio.to_thread`. Code that outlives the block so gets a `RuntimeError` when it submits. A
    block in a block belongs to it. References are used after the block as ever.

    A second Ctrl-C while the block's end waits ends the processes of its tasks; a third leaves
    without waiting on.

    Examples
    --------
    >>> with ray.scope():  # doctest: +SKIP
    ...     parts = [load.remote(path) for path in paths]
    ...     table = ray.get(merge.remote(*parts))
    """

    def __init__(self) -> None:
        self._ref: ObjectRef[Any] | None = None
        self._used = False
        self._cancelled = False
        self._token: Token[int] | None = None
        self._watch: _Watch | None = None

    def cancel(self) -> None:
        """Cancel all that is in the scope, and what comes yet; the block itself goes on.

        A `get` or `wait` in the block that would have to wait raises `TaskCancelledError`, which
        ends at the block's end; the block then raises no error of this.
        """
        if self._ref is None or self._ref.session != _core.session():
            raise RuntimeError("the scope is not open")
        self._cancelled = True
        _ask("scope.close", scope=self._ref.handle, cancel=True)

    def _open(self, alarm: bool) -> int:
        if self._used:
            raise RuntimeError("a scope is used once: make another by ray.scope()")
        _fork.check()
        if not _core.session():
            from ._init import auto_init

            auto_init()
        self._used = True
        answer = _ask("scope.open", within=_here.get(), alarm=alarm)
        self._ref = _core.adopt(answer["scope"])  # type: ignore[assignment]
        _core.set_scopes(_here)
        self._token = _here.set(answer["scope"])
        return int(answer["alarm"])

    def _close(self, cancel: bool) -> bool:
        """Leave: nothing more can be submitted. False: the session has ended, and all in it."""
        assert self._token is not None
        import contextlib

        # In another context when a generator that held the block was closed elsewhere.
        with contextlib.suppress(ValueError):
            _here.reset(self._token)
        if self._ref is None or self._ref.session != _core.session():
            return False
        _ask("scope.close", scope=self._handle, leave=True, cancel=cancel)
        return True

    @property
    def _handle(self) -> int:
        assert self._ref is not None
        return self._ref.handle

    def __enter__(self) -> Self:
        self._open(False)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if not self._close(error is not None):
            return False
        assert self._ref is not None
        interrupts = _Interrupts(self._handle, error)
        while True:
            try:
                _core.get(self._ref, None)
                break
            except KeyboardInterrupt as interrupt:
                if not interrupts.count(interrupt):
                    raise
        return self._conclude(error, interrupts.first)

    async def __aenter__(self) -> Self:
        self._watch = _Watch(_core.adopt(self._open(True)))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        import asyncio

        watch = self._watch
        assert watch is not None
        assert self._ref is not None
        is_there = self._close(error is not None)
        ours = watch.end(error)
        if not is_there:
            return False
        interrupts = _Interrupts(self._handle, error)
        while True:
            try:
                await self._ref
                break
            except asyncio.CancelledError as interrupt:
                if watch.is_due():  # the block's cancellation, which it had no time to see
                    ours = True
                else:
                    interrupts.count(interrupt)
        return self._conclude(None if ours and error is not None else error, interrupts.first, ours)

    def _conclude(
        self,
        error: BaseException | None,
        interrupt: BaseException | None,
        ours: bool = False,
    ) -> bool:
        """Raise what the block raises. True: nothing, though there was an exception in it."""
        from ._exceptions import TaskCancelledError

        errors = _errors(self._handle)
        if isinstance(error, TaskCancelledError) and (errors or self._cancelled):
            error, ours = None, True  # it was, because of what the others are about
        errors = _without(errors, error)
        if interrupt is not None:
            _attach(interrupt, errors)
            raise interrupt
        if error is not None:
            _attach(error, errors)
            return False
        if errors:
            _attach(errors[0], errors[1:])
            raise errors[0]
        return ours

    def __reduce__(self) -> Any:
        raise TypeError("a scope can't be pickled: it is a block of one program")


class _Interrupts:
    """What a block's end that is interrupted while it waits does about it."""

    def __init__(self, handle: int, error: BaseException | None) -> None:
        self._handle = handle
        self._level = 0 if error is None else 1  # 1: all is cancelled; 2: by ending processes
        self.first: BaseException | None = None

    def count(self, interrupt: BaseException) -> bool:
        """Cancel, with more force each time. False: that was all that can be done."""
        self.first = self.first or interrupt
        self._level += 1
        if self._level <= 2:
            _ask("scope.close", scope=self._handle, cancel=True, force=self._level == 2)
        return self._level <= 2


class _Watch:
    """Cancels the asyncio task that a block is in when the scope's alarm is given."""

    def __init__(self, alarm: Any) -> None:
        import asyncio

        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("async with ray.scope() needs an asyncio task")
        self._task: asyncio.Task[Any] = task
        self._before = task.cancelling()
        self._asked = self._over = False
        from ._futures import future_in_loop

        self._future = future_in_loop(alarm)
        self._future.add_done_callback(self._rings)

    def _rings(self, future: asyncio.Future[Any]) -> None:
        if not self._over and not future.cancelled():
            self._asked = True
            self._task.cancel()

    def end(self, error: BaseException | None) -> bool:
        """Stop watching. Return whether `error` is the cancellation that this has asked for."""
        import asyncio

        self._over = True
        self._future.cancel()
        if self._asked and isinstance(error, asyncio.CancelledError):
            self._asked = False
            return self._task.uncancel() <= self._before
        return False

    def is_due(self) -> bool:
        """Return, once, whether a cancellation was asked for that the block has not seen."""
        if not self._asked:
            return False
        self._asked = False
        return self._task.uncancel() <= self._before


def cause() -> BaseException:
    """Return the error for a wait in the block of a scope that is over."""
    handle = _here.get()
    errors = _errors(handle, 1) if handle else []
    if errors:
        return errors[0]
    from ._exceptions import TaskCancelledError

    return TaskCancelledError(None, "The scope was cancelled.")


def _ask(op: str, **request: Any) -> Any:
    import json

    return json.loads(_core.control(op, json.dumps(request).encode()))


def _errors(handle: int, most: int | None = None) -> list[BaseException]:
    """Return the errors of what the block has submitted, the first one first."""
    refs = [_core.adopt(h) for h in _ask("scope.errors", scope=handle)["errors"]]
    errors: list[BaseException] = []
    for ref in refs[:most]:
        try:
            _core.get(ref, 0)
        except BaseException as error:  # noqa: BLE001  # the task's own, whatever it is
            errors.append(error.with_traceback(None))
    return errors


def _without(errors: list[BaseException], error: BaseException | None) -> list[BaseException]:
    """Return the errors without the one that the block has raised, which `get` has made anew."""
    for i, other in enumerate(errors):
        if type(other) is type(error) and str(other) == str(error):
            return errors[:i] + errors[i + 1 :]
    return errors


def _attach(error: BaseException, others: list[BaseException]) -> None:
    if others:
        error.others = tuple(others)  # type: ignore[attr-defined]
        names = ", ".join(type(other).__name__ for other in others)
        error.add_note(f"and {len(others)} more in the same scope (attribute `others`): {names}")
