"""The engine under test, `thornback` unless THORNBACK_TEST_ENGINE names another.

`THORNBACK_TEST_ENGINE=ray` runs the suite on Ray itself, which proves that a test asks for
Ray's behaviour and not for ours. Tests that ask for more than Ray gives carry the marker
`only_thornback`.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

NAME = os.environ.get("THORNBACK_TEST_ENGINE", "thornback")
IS_THORNBACK = NAME == "thornback"

ray: Any = importlib.import_module(NAME)

NUM_CPUS = 2
# Custom resources that every session of the suite has, for tests of placement.
RESOURCES = {"slot": 1.0, "share": 2.0}


def start(**options: Any) -> Any:
    """Start a session of our own, never one that another driver of this machine has left open."""
    merged: dict[str, Any] = {"num_cpus": NUM_CPUS, "resources": dict(RESOURCES)}
    merged.update(options)
    if not IS_THORNBACK:
        # Ray would join a cluster that it finds on the machine, and starts a dashboard.
        merged.setdefault("address", "local")
        merged.setdefault("include_dashboard", False)
    return ray.init(**merged)
