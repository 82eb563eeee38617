"""What notebooks show of a session, a reference, an actor."""

from __future__ import annotations

import json

from . import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ._context import RayContext
    from ._handle import ActorHandle

_GIB = 2**30


def context(shown: RayContext) -> str:
    """Return a table of a session: versions, and its resources while it runs."""
    rows: dict[str, Any] = {
        "Python": shown.python_version,
        "Thornback": shown.ray_commit.removeprefix("thornback-"),
        "Ray's API": shown.ray_version,
        "Session": shown.address_info.get("session_dir"),
    }
    if not _core.session():
        return _table("Session that has ended", rows)
    answer = json.loads(_core.control("resources", b"{}"))
    for name, total in sorted(answer["total"].items()):
        free = answer["available"].get(name, 0)
        if name in ("memory", "object_store_memory"):
            rows[name] = f"{free / _GIB:.1f} of {total / _GIB:.1f} GiB free"
        elif not name.startswith("node:"):
            rows[name] = f"{free:g} of {total:g} free"
    return _table("Running session", rows)


def reference(ref: _core.ObjectRef[Any], hex_id: str) -> str:
    """Return a table of a reference: whether its object is there. Does not wait."""
    rows = {"Id": hex_id, "State": _state(ref)}
    return _table("ObjectRef", rows)


def actor(handle: ActorHandle[Any]) -> str:
    """Return a table of an actor: its state, its process, the calls it has not answered."""
    table = handle._table
    rows = {"Class": table.qualified_name, "Id": handle._actor_id.hex()}
    ref = handle._ref
    if ref.session == _core.session():
        info = json.loads(_core.control("actor.info", json.dumps({"actor": ref.handle}).encode()))
        rows["State"] = info["state"]
        rows["Process"] = info["pid"] or "none"
        rows["Calls not answered"] = info["pending_calls"]
    else:
        rows["State"] = "of a session that has ended"
    names = [name for name in table.specs if not name.startswith("__")]
    rows["Methods"] = ", ".join(sorted(names))
    return _table("Actor", rows)


def _state(ref: _core.ObjectRef[Any]) -> str:
    if not _core.session() or ref.session != _core.session():
        return "of a session that has ended"
    ready, _ = _core.wait([ref], 1, 0, True)
    return "ready" if ready else "pending"


def _table(title: str, rows: Mapping[str, Any]) -> str:
    from html import escape

    cells = "".join(
        f'<tr><th style="text-align: left">{escape(name)}</th>'
        f'<td style="text-align: left">{escape(str(value))}</td></tr>'
        for name, value in rows.items()
        if value is not None
    )
    return f"<div><strong>{escape(title)}</strong><table>{cells}</table></div>"
