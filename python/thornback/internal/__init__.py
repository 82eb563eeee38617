"""Empty in Ray, too."""

from __future__ import annotations

__all__: list[str] = []
