"""A small table of bytes that a session's processes share, for libraries.

Keys and values are bytes, or text that becomes UTF-8. A key with its namespace has at most 4 KiB, a
value 64 KiB, all together 64 MiB: large values belong into the object store.
"""

from __future__ import annotations

import base64
import json

from .. import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _internal_kv_initialized() -> bool:
    """Whether there is a session, and so a table."""
    return bool(_core.session())


def _internal_kv_put(
    key: str | bytes,
    value: str | bytes,
    overwrite: bool = True,
    *,
    namespace: str | bytes | None = None,
) -> bool:
    """Set a key's value.

    Parameters
    ----------
    key, value : bytes or str
    overwrite : bool
        Whether a value that is there is replaced.
    namespace : bytes or str, optional
        Keys of different namespaces are different.

    Returns
    -------
    bool
        Whether the key had a value.

    Raises
    ------
    AssertionError
        Something is of another type.
    ValueError
        Key, value or table would become too large.
    """
    if not isinstance(overwrite, bool):
        raise AssertionError(f"overwrite must be a bool, got {type(overwrite)}")
    fields = {"value": _packed(value, "value"), "overwrite": overwrite}
    return bool(_ask("kv.put", key, namespace, **fields)["existed"])


def _internal_kv_get(key: str | bytes, *, namespace: str | bytes | None = None) -> bytes | None:
    """Return a key's value, None when it has none."""
    answer = _ask("kv.get", key, namespace)
    return base64.b64decode(answer["value"] or "") if answer["exists"] else None


def _internal_kv_exists(key: str | bytes, *, namespace: str | bytes | None = None) -> bool:
    """Return whether a key has a value."""
    return bool(_ask("kv.get", key, namespace)["exists"])


def _internal_kv_del(
    key: str | bytes, *, del_by_prefix: bool = False, namespace: str | bytes | None = None
) -> int:
    """Remove a key, or all that begin with it.

    Returns
    -------
    int
        How many there were.
    """
    return int(_ask("kv.delete", key, namespace, prefix=del_by_prefix)["deleted"])


def _internal_kv_list(prefix: str | bytes, *, namespace: str | bytes | None = None) -> list[bytes]:
    """Return the keys that begin with `prefix`, in order."""
    keys: list[bytes] = []
    more = True
    while more:
        after = _packed(keys[-1] if keys else b"", "after")
        answer = _ask("kv.list", prefix, namespace, after=after)
        keys += [base64.b64decode(key) for key in answer["keys"] or ()]
        more = answer["more"]
    return keys


def _packed(value: str | bytes, what: str) -> str:
    if isinstance(value, str):
        value = value.encode()
    if not isinstance(value, bytes):
        raise AssertionError(f"{what} must be bytes or str, got {type(value)}")
    return base64.b64encode(value).decode()


def _ask(op: str, key: str | bytes, namespace: str | bytes | None, **fields: Any) -> Any:
    from .._exceptions import RaySystemError

    if not _core.session():
        raise RaySystemError("Ray has not been started yet. You can start Ray with 'ray.init()'.")
    fields["key"] = _packed(key, "key")
    fields["namespace"] = _packed(namespace or b"", "namespace")
    try:
        answer = _core.control(op, json.dumps(fields).encode())
    except RuntimeError as error:
        raise ValueError(str(error)) from None
    return json.loads(answer)
