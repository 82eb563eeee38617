"""Generators: the references that a task or a method yields, one after another."""

from __future__ import annotations

from . import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ._object_ref import ObjectRef
    from ._typing import Stream as _Base
    from ._typing import T_co
else:
    T_co = "T_co"
    _Base = {T_co: _core.Stream}

# So long may a generator that never waits keep its event loop from others.
_TURN_S = 0.002
_NO_PICKLE = (
    "You cannot return or pass a generator to other task. Serializing a ObjectRefGenerator is "
    "not allowed."
)


class ObjectRefGenerator(_Base[T_co]):
    """Iterator over references to what a generator task yields, as soon as each is there.

    Comes from ``.remote()`` of generator functions and methods; never made by hand. The task's
    error, if it fails, is what the last reference holds. Works in ``for`` and in ``async for``, and
    can stand in the list of `wait`: ready when the next reference can be taken without waiting.

    When neither the generator nor the reference of `completed` is held any more, the task is
    stopped: its function is closed at the next ``yield``.
    """

    __slots__ = ()

    _generator_ref: ObjectRef[None]

    if not TYPE_CHECKING:
        __class_getitem__ = classmethod(type(list[int]))

    def completed(self) -> ObjectRef[None]:
        """Return a reference that is ready, with None, when the task has ended.

        An error that the function raised is not in it, but in the last item; an error of the
        engine, such as the death of the worker, is in both.
        """
        return self._generator_ref

    def next_ready(self) -> bool:
        """Whether the next reference can be taken without waiting; False at the end."""
        if self.exhausted():
            return False
        ready, _ = _core.wait([self.peek()], 1, 0, True)
        return bool(ready) and not self.exhausted()

    def is_finished(self) -> bool:
        """Whether all references have been taken and none will come."""
        return self.exhausted()

    def _next_sync(self, timeout_s: float | None = None) -> ObjectRef[T_co]:
        """Return the next reference, or a nil one when there is none in time.

        Parameters
        ----------
        timeout_s : float or None, seconds
            None and -1 wait for ever, 0 only looks.

        Raises
        ------
        StopIteration
            The task has ended and all were taken.
        """
        item = self.take(None if timeout_s is None or timeout_s < 0 else timeout_s)
        return _nil() if item is None else item  # type: ignore[return-value]

    async def _next_async(self, timeout_s: float | None = None) -> ObjectRef[T_co]:
        """Return the next reference like `_next_sync`; the end is StopAsyncIteration."""
        import asyncio

        timeout = None if timeout_s is None or timeout_s < 0 else timeout_s
        while True:
            try:
                item = self.take(0)
            except StopIteration:
                raise StopAsyncIteration from None
            if item is not None:
                return item  # type: ignore[return-value]
            arrival = asyncio.ensure_future(_arrival(self.peek()))
            done, _ = await asyncio.wait([arrival], timeout=timeout)
            if not done:
                arrival.cancel()
                return _nil()

    def __iter__(self) -> ObjectRefGenerator[T_co]:
        return self

    def __aiter__(self) -> ObjectRefGenerator[T_co]:
        return self

    async def __anext__(self) -> ObjectRef[T_co]:
        return await self._next_async()

    def send(self, value: Any) -> Any:
        """Not supported: the function runs elsewhere."""
        raise NotImplementedError("`gen.send` is not supported.")

    def throw(self, value: Any) -> Any:
        """Not supported: the function runs elsewhere."""
        raise NotImplementedError("`gen.throw` is not supported.")

    def close(self) -> None:
        """Not supported: drop the generator instead."""
        raise NotImplementedError("`gen.close` is not supported.")

    async def asend(self, value: Any) -> Any:
        """Not supported: the function runs elsewhere."""
        raise NotImplementedError("`gen.asend` is not supported.")

    async def athrow(self, value: Any) -> Any:
        """Not supported: the function runs elsewhere."""
        raise NotImplementedError("`gen.athrow` is not supported.")

    async def aclose(self) -> None:
        """Not supported: drop the generator instead."""
        raise NotImplementedError("`gen.aclose` is not supported.")

    def __reduce__(self) -> Any:
        raise TypeError(_NO_PICKLE)


class DynamicObjectRefGenerator:
    """What the reference of a task with ``num_returns="dynamic"`` holds: its items' references.

    Each is given once: iterating takes them away.

    Parameters
    ----------
    refs : sequence of ObjectRef
    """

    def __init__(self, refs: Any) -> None:
        from collections import deque

        self._refs: Any = deque(refs)

    def __iter__(self) -> Iterator[ObjectRef[Any]]:
        while self._refs:
            yield self._refs.popleft()

    def __len__(self) -> int:
        return len(self._refs)


async def produce(generator: Any, out: _core.Items) -> None:
    """Run a generator to its end in the event loop; the extension calls it, in the actor's process.

    Raises
    ------
    BaseException
        What the generator raised, which is its last item.
    """
    import asyncio

    loop = asyncio.get_running_loop()
    is_async = hasattr(generator, "__anext__")
    turn = loop.time()
    try:
        while True:
            try:
                item = await generator.__anext__() if is_async else next(generator)
            except (StopAsyncIteration, StopIteration):
                return
            if not out.send(item):
                room = asyncio.Event()
                # The news may come by another thread, which has read it for us.
                while out.pause(lambda room=room: loop.call_soon_threadsafe(room.set)):  # type: ignore[misc]
                    await room.wait()
                    room.clear()
                if out.stopped():
                    return
            if loop.time() - turn > _TURN_S:  # others want to run too
                await asyncio.sleep(0)
                turn = loop.time()
    finally:
        if is_async:
            await generator.aclose()
        else:
            generator.close()


async def _arrival(ref: _core.ObjectRef[Any]) -> None:
    """Wait until there is something, whatever it is."""
    from contextlib import suppress

    with suppress(Exception):  # the item's own error, or the end
        await ref  # type: ignore[misc]


def _nil() -> ObjectRef[Any]:
    return _core._restore_ref(0, 0)  # type: ignore[return-value]
