"""Log messages that are worth saying once."""

from __future__ import annotations

import time

_PERIOD_S = 60.0

_logged: set[str] = set()
_disabled = False
_periodic = False
_last = 0.0


def log_once(key: str) -> bool:
    """Whether this is the first call with `key` in this process.

    Parameters
    ----------
    key : str
        Names the place in the program.
    """
    global _last
    if _disabled:
        return False
    if key not in _logged:
        _logged.add(key)
        _last = time.time()
        return True
    if _periodic and time.time() - _last > _PERIOD_S:
        _logged.clear()
        _last = time.time()
    return False


def disable_log_once_globally() -> None:
    """Make `log_once` say no from now on."""
    global _disabled
    _disabled = True


def enable_periodic_logging() -> None:
    """Make `log_once` forget what it has seen a minute after it last said yes."""
    global _periodic
    _periodic = True


def reset_log_once(key: str | None = None) -> None:
    """Make `log_once` forget a key, or all when None."""
    if key is None:
        _logged.clear()
    else:
        _logged.discard(key)
