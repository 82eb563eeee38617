"""Ray's newer debugger; here the same as `thornback.util.rpdb`, because nothing may listen."""

from __future__ import annotations

from .rpdb import set_trace as set_trace
