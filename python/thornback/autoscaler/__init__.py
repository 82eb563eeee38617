"""Growing and shrinking clusters: on one machine there is nothing to do, see `sdk`."""

from __future__ import annotations
