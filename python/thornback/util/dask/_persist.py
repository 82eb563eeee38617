"""Results of Dask's collections that stay in the session."""

from __future__ import annotations

import functools

import dask
from dask.base import DaskMethodsMixin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_dask_persist = dask.persist
_mixin_persist = DaskMethodsMixin.persist


@functools.wraps(_dask_persist)
def ray_dask_persist(*args: Any, **kwargs: Any) -> Any:
    """Compute collections and leave the results where they are, as references."""
    kwargs["ray_persist"] = True
    return _dask_persist(*args, **kwargs)


@functools.wraps(_mixin_persist)
def _persist(self: Any, **kwargs: Any) -> Any:
    kwargs["ray_persist"] = True
    return _mixin_persist(self, **kwargs)


def patch_dask() -> None:
    """Make Dask's own `persist` tell the scheduler what it wants; others ignore it."""
    dask.persist = ray_dask_persist
    DaskMethodsMixin.persist = _persist
