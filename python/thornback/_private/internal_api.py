"""Requests to the session as a whole."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def global_gc() -> None:
    """Run the garbage collector of this process."""
    import gc

    gc.collect()


def free(object_refs: Any, local_only: bool = False) -> None:  # noqa: ARG001 - Ray's
    """Make objects unusable that the program needs no more.

    Whoever asks for one gets an `ObjectFreedError` from now on; no task computes it again. Its
    memory goes with the last reference or view, because a view may still show it. An object that is
    not there yet is left alone.

    Parameters
    ----------
    object_refs : ObjectRef or list of ObjectRef
    local_only : bool
        Without effect on one machine.

    Raises
    ------
    TypeError
        Something else than references.
    """
    import json

    from thornback import _core

    refs = [object_refs] if isinstance(object_refs, _core.ObjectRef) else object_refs
    if not isinstance(refs, list):
        raise TypeError(f"free() expects a list of ObjectRef, got {type(object_refs)}")
    for ref in refs:
        if not isinstance(ref, _core.ObjectRef):
            raise TypeError(
                f"Attempting to call `free` on the value {ref}, which is not an ObjectRef."
            )
    if refs:
        request = {"objects": [ref.handle for ref in refs if ref.session == _core.session()]}
        _core.control("object.free", json.dumps(request).encode())
