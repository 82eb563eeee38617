"""Dask's graphs as tasks of a session; names as in Ray's `ray.util.dask`.

Importing this makes ``dask.persist`` and ``.persist()`` of collections keep results in the session
when the scheduler is `ray_dask_get`.
"""

from __future__ import annotations

from ._persist import patch_dask
from ._persist import ray_dask_persist as ray_dask_persist
from .callbacks import ProgressBarCallback as ProgressBarCallback
from .callbacks import RayDaskCallback as RayDaskCallback
from .callbacks import local_ray_callbacks as local_ray_callbacks
from .callbacks import unpack_ray_callbacks as unpack_ray_callbacks
from .optimizations import dataframe_optimize as dataframe_optimize
from .scheduler import disable_dask_on_ray as disable_dask_on_ray
from .scheduler import enable_dask_on_ray as enable_dask_on_ray
from .scheduler import ray_dask_get as ray_dask_get
from .scheduler import ray_dask_get_sync as ray_dask_get_sync

__all__ = [
    "ProgressBarCallback",
    "RayDaskCallback",
    "dataframe_optimize",
    "disable_dask_on_ray",
    "enable_dask_on_ray",
    "local_ray_callbacks",
    "ray_dask_get",
    "ray_dask_get_sync",
    "ray_dask_persist",
    "unpack_ray_callbacks",
]

patch_dask()
