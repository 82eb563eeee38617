"""A pool that waits for joblib's next loop, since a short loop takes less time than a start."""

from __future__ import annotations

import threading

from ... import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..multiprocessing.pool import Pool


class Idle:
    """Keeps the pool of the last loop, if nobody has asked for special actors."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._kept: tuple[int, Pool] | None = None  # session and pool; guarded by _mutex

    def take(self, size: int, options: dict[str, Any] | None) -> Pool:
        """Return a pool of so many actors."""
        from ..multiprocessing.pool import Pool

        if not options:
            with self._mutex:
                kept, self._kept = self._kept, None
            if kept is not None and kept[0] == _core.session() and kept[1]._size() == size:
                return kept[1]
            if kept is not None and kept[0] == _core.session():
                kept[1].terminate()
        return Pool(size, ray_remote_args=options)

    def give(self, pool: Pool, options: dict[str, Any] | None) -> None:
        """Take a pool back; it ends unless it may be of use again."""
        if not options and pool._is_idle():
            with self._mutex:
                if self._kept is None:
                    self._kept = (_core.session(), pool)
                    return
        pool.terminate()

    def clear(self) -> None:
        """End the pool that is kept."""
        with self._mutex:
            kept, self._kept = self._kept, None
        if kept is not None and kept[0] == _core.session():
            kept[1].terminate()


idle = Idle()
