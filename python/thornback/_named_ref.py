"""References that a program makes of an id: they name an object and don't hold it."""

from __future__ import annotations

from . import _ids
from ._object_ref import ObjectRef

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class NamedRef(ObjectRef[object]):
    """An id in the form of a reference: it compares, hashes, shows and pickles.

    Its object can't be had: it belongs to no session, so `get` and the others refuse it.
    """

    __module__ = "thornback"
    __slots__ = ("_id",)

    _id: bytes

    @classmethod
    def of_bytes(cls, id: bytes) -> NamedRef:
        """Return the reference with these 28 bytes.

        Raises
        ------
        TypeError
            Not bytes.
        ValueError
            Another number of them.
        """
        if not isinstance(id, bytes):
            raise TypeError(f"Unsupported type: {type(id)}, expected bytes")
        if len(id) != cls.size():
            raise ValueError(f"ID string needs to have length {cls.size()}, got {len(id)}")
        self: NamedRef = object.__new__(cls)
        self._id = id
        return self

    def binary(self) -> bytes:
        """Return the id, 28 bytes."""
        return self._id

    def task_id(self) -> _ids.TaskID:
        """Return the first 24 bytes, which name the task."""
        return _ids.TaskID(self._id[:24])

    def job_id(self) -> _ids.JobID:
        """Return the part that names the job."""
        return self.task_id().job_id()

    def is_nil(self) -> bool:
        """Whether this is the reference to nothing."""
        return self._id == b"\xff" * 28

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectRef) and other.binary() == self._id

    def __hash__(self) -> int:
        return hash(self._id)

    def __reduce__(self) -> tuple[Any, ...]:
        return (ObjectRef, (self._id,))


# To programs it is a reference like any other.
NamedRef.__name__ = NamedRef.__qualname__ = "ObjectRef"
