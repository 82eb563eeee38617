"""References to objects."""

from __future__ import annotations

from . import _core, _ids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from concurrent.futures import Future
    from typing import Any, TypeVar

    T = TypeVar("T")
    _Base = _core.ObjectRef
else:
    # The base class, without the import of `typing`, which takes longer than all of ours.
    T = "T"
    _Base = {T: _core.ObjectRef}


class ObjectRef(_Base[T]):
    """Reference to an object that exists now or will, somewhere in the session.

    References come from `put` and from ``.remote()``; they are never made by hand. As long as any
    process holds one, the object stays.
    """

    __slots__ = ()

    if not TYPE_CHECKING:
        __class_getitem__ = classmethod(type(list[int]))

    def binary(self) -> bytes:
        """Return the id, 28 bytes: those of `task_id`, then the index among the task's results."""
        return self.task_id().binary() + (1).to_bytes(4, "little")

    def hex(self) -> str:
        """Return the id in hexadecimal, 56 digits."""
        return self.binary().hex()

    def task_id(self) -> _ids.TaskID:
        """Return the id of the task that makes the object."""
        return _ids.task_id(self.session, self.handle)

    def job_id(self) -> _ids.JobID:
        """Return the id of the job that the object belongs to."""
        return _ids.JOB

    def is_nil(self) -> bool:
        """Whether this refers to nothing; never, for a reference that the engine gave."""
        return False

    @classmethod
    def size(cls) -> int:
        """Return the length of an id in bytes."""
        return 28

    def future(self) -> Future[T]:
        """Return a future that gets the object's value, or its error, when it is ready.

        Returns
        -------
        concurrent.futures.Future
            Cancelling it does not cancel the task.
        """
        from ._futures import future_of

        return future_of(self)

    def __await__(self) -> Generator[Any, None, T]:
        import asyncio

        return asyncio.wrap_future(self.future()).__await__()

    def __repr__(self) -> str:
        return f"ObjectRef({self.hex()})"
