"""References to objects."""

from __future__ import annotations

from . import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Generator
    from concurrent.futures import Future
    from typing import Any, TypeVar

    from . import _ids

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

    __module__ = "thornback"
    __slots__ = ()

    # References that the engine gives are made in C, which does not come here.
    def __new__(cls, id: bytes) -> ObjectRef[Any]:
        from ._named_ref import NamedRef

        return NamedRef.of_bytes(id)

    @classmethod
    def from_binary(cls, id_bytes: bytes) -> ObjectRef[Any]:
        """Return a reference by its id alone, which holds no object: it only compares and shows."""
        return cls(id_bytes)

    @classmethod
    def from_hex(cls, hex_id: str) -> ObjectRef[Any]:
        """Return a reference by its id in hexadecimal; as `from_binary`."""
        return cls(bytes.fromhex(hex_id))

    @classmethod
    def from_random(cls) -> ObjectRef[Any]:
        """Return a reference by an id that no other is equal to; as `from_binary`."""
        import os

        return cls(os.urandom(28))

    @classmethod
    def nil(cls) -> ObjectRef[Any]:
        """Return the reference to nothing."""
        return cls(b"\xff" * 28)

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
        from . import _ids

        return _ids.task_id(self.session, self.handle)

    def job_id(self) -> _ids.JobID:
        """Return the id of the job that the object belongs to."""
        from . import _ids

        return _ids.JOB

    def owner_address(self) -> bytes:
        """Return the address of the process that owns the object; empty, as there is only one."""
        return b""

    def call_site(self) -> str:
        """Return where in the program the object was created; empty where that isn't recorded."""
        return ""

    def tensor_transport(self) -> str | None:
        """Return how the object travels between devices; None: through the store."""
        return None

    def is_nil(self) -> bool:
        """Whether this refers to nothing; never, for a reference that the engine gave."""
        return self.handle == 0

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

    def as_future(self, _internal: bool = False) -> asyncio.Future[T]:
        """Return a future of the running event loop. Deprecated, as in Ray."""
        import asyncio

        if not _internal:
            import logging

            logging.getLogger("thornback").warning(
                "ref.as_future() is deprecated in favor of asyncio.wrap_future(ref.future())."
            )
        return asyncio.wrap_future(self.future())

    def _on_completed(self, callback: Callable[[Any], object]) -> None:
        """Call back with the object's value, or with its error, when it is ready."""

        def tell(future: Future[T]) -> None:
            error = future.exception()
            callback(future.result() if error is None else error)

        self.future().add_done_callback(tell)

    def __await__(self) -> Generator[Any, None, T]:
        from ._futures import await_ref

        return await_ref(self)

    def __repr__(self) -> str:
        return f"ObjectRef({self.hex()})"

    def _repr_html_(self) -> str:
        from . import _html

        return _html.reference(self, self.hex())


if not TYPE_CHECKING:
    # References are instances of the extension's own type, which gets here what is written above:
    # the garbage collector goes through every instance of a class that Python makes, and a program
    # may have a million references.
    for _name, _value in vars(ObjectRef).items():
        if _name != "__slots__":
            setattr(_core.ObjectRef, _name, _value)
    ObjectRef = _core.ObjectRef
