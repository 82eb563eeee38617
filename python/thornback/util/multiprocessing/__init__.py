"""`multiprocessing.Pool` on a session's actors; names as in `ray.util.multiprocessing`."""

from __future__ import annotations

from multiprocessing import JoinableQueue as JoinableQueue
from multiprocessing import TimeoutError as TimeoutError

from .pool import Pool as Pool

__all__ = ["JoinableQueue", "Pool", "TimeoutError"]
