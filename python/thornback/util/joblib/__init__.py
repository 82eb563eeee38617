"""joblib's parallel loops on a session's actors."""

from __future__ import annotations

__all__ = ["register_ray"]


def register_ray() -> None:
    """Make ``joblib.parallel_config(backend="ray")`` mean this package.

    Examples
    --------
    >>> import joblib
    >>> from thornback.util.joblib import register_ray
    >>> register_ray()
    >>> with joblib.parallel_config("ray"):
    ...     joblib.Parallel(n_jobs=2)(joblib.delayed(abs)(-i) for i in range(3))
    [0, 1, 2]
    """
    from joblib.parallel import register_parallel_backend

    from .ray_backend import RayBackend

    register_parallel_backend("ray", RayBackend)
