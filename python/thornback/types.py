"""Types for annotations: ``ObjectRef[int]``."""

from __future__ import annotations

from ._object_ref import ObjectRef as ObjectRef
