"""Where objects are."""

from __future__ import annotations

from .. import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .._object_ref import ObjectRef


def get_object_locations(
    obj_refs: Sequence[ObjectRef[Any]], timeout_ms: int = -1
) -> dict[ObjectRef[Any], dict[str, Any]]:
    """Return where objects are.

    Parameters
    ----------
    obj_refs : list of ObjectRef
    timeout_ms : int
        Without effect: the answer is at hand.

    Returns
    -------
    dict
        For each reference `node_ids`, a list of nodes that hold it in shared memory, empty for
        small objects and those not ready; and `object_size` in bytes, None when not ready.

    Raises
    ------
    RuntimeError
        There is no session.
    """
    del timeout_ms
    return get_local_object_locations(obj_refs)


def get_local_object_locations(
    obj_refs: Sequence[ObjectRef[Any]],
) -> dict[ObjectRef[Any], dict[str, Any]]:
    """Return where objects are; the same as `get_object_locations` on one machine."""
    if not _core.session():
        raise RuntimeError("Ray hasn't been initialized.")
    import json

    from .. import _ids

    node = _ids.node_id(_core.session()).hex()
    request = json.dumps({"objects": [ref.handle for ref in obj_refs]}).encode()
    answers = json.loads(_core.control("object.where", request))["objects"]
    return {
        ref: {
            "node_ids": [node] if answer["stored"] else [],
            "object_size": answer["bytes"] if answer["ready"] else None,
            "did_spill": False,
        }
        for ref, answer in zip(obj_refs, answers, strict=True)
    }
