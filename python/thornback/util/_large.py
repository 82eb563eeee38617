"""Which values are worth a place in the object store of their own."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Smaller values travel with each call that uses them.
_BYTES_MIN = 64 << 10
# Has no size worth asking for.
_SMALL = frozenset({bool, bytes, dict, float, int, list, set, str, tuple, type(None)})


def is_large(argument: Any) -> bool:
    """Whether a value is a large array or table."""
    return type(argument) not in _SMALL and _size(argument) >= _BYTES_MIN


def _size(argument: Any) -> int:
    """Return about how many bytes an array or a table has; 0 for anything else."""
    size = getattr(argument, "nbytes", None)
    if size is None and hasattr(argument, "memory_usage"):
        usage = argument.memory_usage()
        size = usage.sum() if hasattr(usage, "sum") else usage
    try:
        return int(size or 0)
    except (TypeError, ValueError):
        return 0
