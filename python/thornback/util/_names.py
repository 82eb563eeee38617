"""Which named actors there are."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def list_named_actors(all_namespaces: bool = False) -> list[Any]:
    """Return the living actors that have names.

    Parameters
    ----------
    all_namespaces : bool
        Whether those of other namespaces are listed too.

    Returns
    -------
    list
        Of names; of dicts with `name` and `namespace` when `all_namespaces`.
    """
    import json

    from .. import _core, _named

    if not _core.session():
        from .._init import auto_init

        auto_init()
    own = _named.default_namespace()
    known = json.loads(_core.control("actor.names", b"{}"))["actors"]
    if all_namespaces:
        return [{"name": name, "namespace": space} for space, name in known]
    return [name for space, name in known if space == own]
