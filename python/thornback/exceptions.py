"""The exceptions of the engine: ``from thornback.exceptions import RayTaskError``."""

from ._exceptions import *  # noqa: F403
from ._exceptions import RAY_EXCEPTION_TYPES as RAY_EXCEPTION_TYPES
