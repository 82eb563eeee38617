"""The runtime context, for programs that name the type."""

from __future__ import annotations

from ._runtime_context import RuntimeContext as RuntimeContext
from ._runtime_context import get_runtime_context as get_runtime_context
