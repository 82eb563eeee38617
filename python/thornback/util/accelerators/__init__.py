"""Names of accelerators, for the option `accelerator_type`."""

from __future__ import annotations

from .accelerators import *  # noqa: F403
from .accelerators import NVIDIA_A100


def __getattr__(name: str) -> str:
    if name == "NVIDIA_TESLA_A100":
        import warnings

        from ..annotations import RayDeprecationWarning

        warnings.warn(
            "NVIDIA_TESLA_A100 is deprecated, use NVIDIA_A100 instead.",
            RayDeprecationWarning,
            stacklevel=2,
        )
        return NVIDIA_A100
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
