"""Tools on top of the core, for users' programs."""

from __future__ import annotations
