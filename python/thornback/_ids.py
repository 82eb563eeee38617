"""Identifiers: fixed numbers of bytes with the methods that Ray's have."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Self


class BaseID:
    """Bytes that name something; equal when type and bytes are.

    Parameters
    ----------
    id : bytes, of the type's length
    """

    SIZE = 28
    __slots__ = ("_bytes",)

    def __init__(self, id: bytes) -> None:
        if not isinstance(id, bytes):
            raise TypeError(f"Unsupported type: {type(id)}, expected bytes")
        if len(id) != self.SIZE:
            raise ValueError(f"ID string needs to have length {self.SIZE}, got {len(id)}")
        self._bytes = id

    @classmethod
    def size(cls) -> int:
        """Return the length in bytes."""
        return cls.SIZE

    @classmethod
    def nil(cls) -> Self:
        """Return the id of nothing, all bits set."""
        return cls(b"\xff" * cls.SIZE)

    @classmethod
    def from_hex(cls, hex_id: str) -> Self:
        """Return the id that `hex` gave."""
        return cls(bytes.fromhex(hex_id))

    @classmethod
    def from_binary(cls, id_bytes: bytes) -> Self:
        """Return the id that `binary` gave."""
        return cls(id_bytes)

    @classmethod
    def from_random(cls) -> Self:
        """Return a new id that no other is equal to."""
        import os

        return cls(os.urandom(cls.SIZE))

    def binary(self) -> bytes:
        """Return the bytes."""
        return self._bytes

    def hex(self) -> str:
        """Return the bytes in hexadecimal."""
        return self._bytes.hex()

    def is_nil(self) -> bool:
        """Whether this is the id of nothing."""
        return self._bytes == b"\xff" * self.SIZE

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._bytes == self._bytes

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._bytes))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.hex()})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self._bytes,))


class UniqueID(BaseID):
    """An id of no particular kind."""


class JobID(BaseID):
    """A driver's run."""

    SIZE = 4

    @classmethod
    def from_int(cls, value: int) -> Self:
        """Return the id of the job with this number."""
        return cls(value.to_bytes(4, "little"))

    def int(self) -> int:
        """Return the job's number."""
        return int.from_bytes(self._bytes, "little")


class ActorID(BaseID):
    """An actor; ends with its job's id."""

    SIZE = 16

    @property
    def job_id(self) -> JobID:
        """The job that created the actor."""
        return JobID(self._bytes[-4:])


class TaskID(BaseID):
    """A task; ends with the id of its actor, whose bits are set for a plain task."""

    SIZE = 24

    def actor_id(self) -> ActorID:
        """Return the id of the actor whose method the task is."""
        return ActorID(self._bytes[-16:])

    def job_id(self) -> JobID:
        """Return the job that submitted the task."""
        return JobID(self._bytes[-4:])


class NodeID(UniqueID):
    """A node."""


class WorkerID(UniqueID):
    """A worker process."""


class FunctionID(UniqueID):
    """A remote function."""


class ActorClassID(UniqueID):
    """An actor's class."""


class PlacementGroupID(BaseID):
    """A placement group; ends with its job's id."""

    SIZE = 18


JOB = JobID.from_int(1)
# What stands where Ray has the actor's part of a task's id.
_PLAIN = b"\xff" * 4
_BARE = b"\xfe" * 4


def task_id(session: int, handle: int, bare: bool = False) -> TaskID:
    """Return the id shown for a task of `session`.

    Parameters
    ----------
    handle : int
        The engine's, of the task's first result; for a task without results, `bare`, its own.
    """
    unique = handle.to_bytes(8, "little") + session.to_bytes(8, "little")
    return TaskID(unique + (_BARE if bare else _PLAIN) + JOB.binary())


def driver_task_id() -> TaskID:
    """Return the id shown as the parent of what the driver submits."""
    return TaskID(b"\xff" * 20 + JOB.binary())


def handle_of(id: bytes, session: int) -> tuple[int, bool] | None:
    """Return handle and `bare` of a task's or an object's id; None when of no such session."""
    if id[8:16] != session.to_bytes(8, "little") or id[16:20] not in (_BARE, _PLAIN):
        return None
    return int.from_bytes(id[:8], "little"), id[16:20] == _BARE


def actor_id(session: int, handle: int) -> ActorID:
    """Return the id shown for the actor whose object is `handle` in `session`."""
    unique = handle.to_bytes(8, "little") + (session & 0xFFFFFFFF).to_bytes(4, "little")
    return ActorID(unique + JOB.binary())


def node_id(session: int) -> NodeID:
    """Return the id of the node that runs `session`."""
    from ._context import node_bytes

    return NodeID(node_bytes(session))


def worker_id(session: int, pid: int) -> WorkerID:
    """Return the id of a process of `session`."""
    unique = b"worker".ljust(12, b"\0") + pid.to_bytes(8, "little")
    return WorkerID(unique + session.to_bytes(8, "little"))
