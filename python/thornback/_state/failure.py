"""What a failed task's encoded error says, without making the exception.

The one who lists tasks need not have the modules of the errors, and must not run their code.
"""

from __future__ import annotations

import base64
import io
import json
import pickle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_TAG_ERROR = 10  # XR_TAG_* of codec.h
_TAG_SYSERR = 11


class _TextOnly(pickle.Unpickler):
    """Reads what `RayError.to_bytes` wrote, and takes the text out."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("thornback._ray_error", "_unpack"):
            return lambda text, *_: text
        raise pickle.UnpicklingError(f"{module}.{name} is not expected here")


def error_text(encoded: str) -> str | None:
    """Return the text of an error, as the state API shows it.

    Parameters
    ----------
    encoded : str
        Base64 of the blob.
    """
    blob = base64.b64decode(encoded)
    if blob[:1] == bytes([_TAG_SYSERR]):
        return str(json.loads(blob[8:]).get("message", ""))
    if blob[:1] != bytes([_TAG_ERROR]):
        return None
    try:
        text = _TextOnly(io.BytesIO(blob[1:])).load()
    except Exception:  # noqa: BLE001 - a broken pickle raises anything
        return None
    if not isinstance(text, str):
        return None
    # `to_bytes` writes the exception with its class in front; users know it without.
    return "User exception:\n" + text.partition(": ")[2].rstrip("\n")
