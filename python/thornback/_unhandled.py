"""Errors of tasks whose results nobody has asked for: told to the user, lest they go unseen."""

from __future__ import annotations

import os

_TAG_ERROR = 10  # XR_TAG_* of codec.h


def tell(blob: bytes) -> None:
    """Log the error in a blob, unless RAY_IGNORE_UNHANDLED_ERRORS is set."""
    if "RAY_IGNORE_UNHANDLED_ERRORS" in os.environ:
        return
    from ._loggers import engine_logger

    text = str(_exception(blob))
    engine_logger().error(
        "Unhandled error (suppress with 'RAY_IGNORE_UNHANDLED_ERRORS=1'): %s", text
    )


def _exception(blob: bytes) -> BaseException:
    """Return the exception that `get` would have raised."""
    from ._hooks import Hooks

    if blob[0] == _TAG_ERROR:
        import pickle

        try:
            return Hooks.raise_task_error(pickle.loads(blob[1:]))
        except Exception as error:  # noqa: BLE001 - the user's classes may raise anything
            return Hooks.undecodable(error)
    return Hooks.system_error(int.from_bytes(blob[4:8], "little"), blob[8:].decode())
