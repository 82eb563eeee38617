"""Libraries that nobody here wrote, by alias: each program runs as `thornback run program.py`.

Run by `make test-libraries` in an environment of its own, where no Ray is installed; the name of
this file keeps it out of all other runs.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROGRAMS = sorted(path.name for path in HERE.glob("*_program.py"))
LIMIT_S = 120


def test_there_are_programs() -> None:
    assert len(PROGRAMS) >= 6


@pytest.mark.timeout(LIMIT_S + 10)
@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "thornback", "run", str(HERE / name)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        cwd=tmp_path,
        check=False,
    )
    text = f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert done.returncode == 0, text
    assert done.stdout.rstrip().endswith("passed on thornback"), text
