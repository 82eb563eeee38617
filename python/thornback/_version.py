"""The two releases that programs ask for: our own, and Ray's that we are compatible with."""

from __future__ import annotations

VERSION = "0.1.0"
RAY_RELEASE = "2.60.0"
