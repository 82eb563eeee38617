"""The place of an optimisation that current releases of Dask have no use for."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def dataframe_optimize(dsk: Any, keys: Any, **kwargs: Any) -> None:
    """Do nothing, and warn, as Ray does with Dask 2025.1 and later."""
    import warnings

    import dask

    del dsk, keys, kwargs
    warnings.warn(
        "Custom dataframe shuffle optimization only works on dask>=2024.11.0,<2025.1.0, you are "
        f"on version {dask.__version__}.Doing no additional optimization aside from the default "
        "one.",
        stacklevel=2,
    )
