"""Remote functions, for programs that name the type."""

from __future__ import annotations

from ._remote import RemoteFunction as RemoteFunction
