"""Namespaces of jobs that name none."""

from __future__ import annotations

import uuid

from thornback import _named


def test_a_namespace_that_nobody_has_is_a_random_uuid() -> None:
    seen = set()
    for _ in range(64):
        _named.set_namespace(None)
        made = _named.default_namespace()
        assert str(uuid.UUID(made)) == made
        assert uuid.UUID(made).version == 4
        seen.add(made)
    assert len(seen) == 64
