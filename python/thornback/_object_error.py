"""The errors of objects: no room for them, or no copy of them left."""

from __future__ import annotations

from ._ray_error import RayError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar


class ObjectStoreFullError(RayError):
    """The object store has no room for the object; nothing stored before is lost.

    Parameters
    ----------
    message : str
    size, used, capacity : str, optional
        Bytes: of the object that found no room, in use, in all.
    holders : str, optional
        What uses the store: one line for each kind.
    """

    def __init__(
        self,
        message: str = "",
        *,
        size: str = "",
        used: str = "",
        capacity: str = "",
        holders: str = "",
    ) -> None:
        super().__init__(message)
        self.size = int(size) if size else None
        self.used = int(used) if used else None
        self.capacity = int(capacity) if capacity else None
        self.holders = holders

    def __str__(self) -> str:
        lines = [super().__str__()]
        if self.size is not None:
            lines.append(f"The object needs {_bytes_text(self.size)}.")
        if self.used is not None and self.capacity:
            share = 100 * self.used / self.capacity
            lines.append(
                f"The store holds {_bytes_text(self.used)} of {_bytes_text(self.capacity)} "
                f"({share:.0f} %)" + (", used by:" if self.holders else ".")
            )
        if self.holders:
            lines.extend(f"  {line}" for line in self.holders.strip().splitlines())
        lines.append(
            "The local object store is full of objects that are still in "
            "scope and cannot be evicted. Drop references that are no longer needed, or give "
            "init() a larger object_store_memory."
        )
        return "\n".join(lines)


class OutOfDiskError(RayError):
    """Neither the object store nor the disk that it spills to has room."""

    def __str__(self) -> str:
        return (
            super().__str__() + "\n"
            "The object cannot be created because the local object store"
            " is full and the local disk's utilization is over capacity"
            " (95% by default)."
        )


class ObjectLostError(RayError):
    """All copies of the object are gone.

    Parameters
    ----------
    object_ref_hex : str
    owner_address : bytes, str or None
        Who owns the object, when known.
    call_site : str
        Where the reference was made, when recorded.
    """

    _WHY = "All copies of {ref} have been lost due to node failure."

    def __init__(
        self, object_ref_hex: str, owner_address: bytes | str | None = None, call_site: str = ""
    ) -> None:
        super().__init__(object_ref_hex, owner_address, call_site)
        self.object_ref_hex = object_ref_hex
        self.owner_address = owner_address
        self.call_site = call_site
        #: What the engine knows beyond the fields.
        self.detail = ""

    def _base_str(self) -> str:
        text = f"Failed to retrieve object {self.object_ref_hex}. "
        if self.call_site:
            text += f"The ObjectRef was created at: {self.call_site}"
        return text

    def __str__(self) -> str:
        text = f"{self._base_str()}\n\n{self._WHY.format(ref=self.object_ref_hex)}"
        if isinstance(self.owner_address, str) and self.owner_address:
            text += f"\n\nowner address: {self.owner_address}"
        return f"{text}\n{self.detail}" if self.detail else text


class ObjectFetchTimedOutError(ObjectLostError):
    """Nobody was found who has a copy of the object."""

    _WHY = "Fetch for object {ref} timed out because no locations were found for the object."


class ReferenceCountingAssertionError(ObjectLostError, AssertionError):
    """The object was deleted though a reference to it is left; a bug of the engine's."""

    _WHY = (
        "The object has already been deleted by the reference counting protocol. "
        "This should not happen."
    )


class ObjectFreedError(ObjectLostError):
    """The program freed the object by hand."""

    _WHY = (
        "The object was manually freed using the internal `free` call. Please ensure that "
        "`free` is only called once the object is no longer needed."
    )


class OwnerDiedError(ObjectLostError):
    """The process that owns the object is gone."""

    _WHY = (
        "The object's owner has exited. This is the Python worker that first created the "
        "ObjectRef via `.remote()` or `put()`."
    )


class ObjectReconstructionFailedError(ObjectLostError):
    """All copies are gone, and the object can't be computed again.

    Parameters
    ----------
    object_ref_hex : str
    reason : str, optional
        A key of `REASON_MESSAGES`.
    reason_message : str, optional
        Instead of that entry's text.
    owner_address, call_site
        As for `ObjectLostError`.
    """

    REASON_MESSAGES: ClassVar[dict[str, str]] = {
        "OBJECT_UNRECONSTRUCTABLE_MAX_ATTEMPTS_EXCEEDED": (
            "The object cannot be reconstructed because the maximum number of task retries has "
            "been exceeded. Consider increasing the number of retries using "
            "`@ray.remote(max_retries=N)`."
        ),
        "OBJECT_UNRECONSTRUCTABLE_LINEAGE_EVICTED": (
            "The object cannot be reconstructed because its lineage has been evicted to reduce "
            "memory pressure."
        ),
        "OBJECT_UNRECONSTRUCTABLE_PUT": (
            "The object cannot be reconstructed because it was created by ray.put(), which has "
            "no task lineage. To prevent this error, return the value from a task instead."
        ),
        "OBJECT_UNRECONSTRUCTABLE_RETRIES_DISABLED": (
            "The object cannot be reconstructed because the task was created with max_retries=0. "
            "Consider enabling retries using `@ray.remote(max_retries=N)`."
        ),
        "OBJECT_UNRECONSTRUCTABLE_BORROWED": (
            "The object cannot be reconstructed because it crossed an ownership boundary. Only "
            "the owner of an object can trigger reconstruction."
        ),
        "OBJECT_UNRECONSTRUCTABLE_REF_NOT_FOUND": (
            "The object cannot be reconstructed because its reference was not found in the "
            "reference counter."
        ),
        "OBJECT_UNRECONSTRUCTABLE_TASK_CANCELLED": (
            "The object cannot be reconstructed because the task that would produce it was "
            "cancelled."
        ),
        "OBJECT_UNRECONSTRUCTABLE_LINEAGE_DISABLED": (
            "The object cannot be reconstructed because lineage reconstruction is disabled "
            "system-wide."
        ),
    }

    def __init__(
        self,
        object_ref_hex: str,
        reason: str | None = None,
        reason_message: str | None = None,
        owner_address: bytes | str | None = None,
        call_site: str = "",
    ) -> None:
        super().__init__(object_ref_hex, owner_address, call_site)
        self.args = (object_ref_hex, reason, reason_message, owner_address, call_site)
        self.reason = reason
        self.reason_message = reason_message or self.REASON_MESSAGES.get(
            reason or "", "Unknown error reason."
        )

    def __str__(self) -> str:
        return f"{self._base_str()}\n\n[{self.reason or 'UNKNOWN'}] {self.reason_message}"


class PlasmaObjectNotAvailable(RayError):
    """The object was not in the store within the time given."""


def _bytes_text(count: int) -> str:
    for power, unit in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if count >= 1024**power:
            return f"{count / 1024**power:.1f} {unit}"
    return f"{count} bytes"
