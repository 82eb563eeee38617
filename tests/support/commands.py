"""The command ``thornback`` in a process of its own, beside a driver that runs in a room."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from .programs import Outcome, Room


def thornback(room: Room, *arguments: str, limit_s: float = 30.0) -> Outcome:
    """Run the command as a user would in another terminal with the same environment."""
    done = subprocess.run(
        [sys.executable, "-m", "thornback", *arguments],
        env=room.environment(),
        cwd=room.work,
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def answer(room: Room, *arguments: str) -> Any:
    """Run the command with ``--format json`` and return what it prints."""
    return json.loads(thornback(room, *arguments, "--format", "json").ok())
