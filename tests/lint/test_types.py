"""What mypy and pyright say of the files in tests/typing.

There ``reveal_type(x)  # R: int`` names the type that both have to reveal, written without modules,
and ``# E`` marks a line where both have to report an error; they may report none elsewhere.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TYPING = Path(__file__).parent.parent / "typing"
FILES = sorted(TYPING.glob("*.py"))
# Names without their modules: thornback._object_ref.ObjectRef.
MODULES = re.compile(r"\b(?:[a-z_]\w*\.)+(?=[A-Z])")

pytestmark = pytest.mark.timeout(180)


def expected(path: Path) -> tuple[dict[int, str], set[int]]:
    """Return the types by line, and the lines with errors."""
    types, errors = {}, set()
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if "  # R: " in line:
            types[number] = line.partition("  # R: ")[2]
        elif line.endswith("  # E"):
            errors.add(number)
    return types, errors


def package_root() -> str:
    """Return the folder that the package under test lies in."""
    import thornback

    return str(Path(thornback.__file__).parent.parent)


def mypy(path: Path) -> tuple[dict[int, str], set[int]]:
    """Return what mypy reveals and reports."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--config-file="]
    # An installed package is found by itself, and mypy refuses its folder as a path.
    root = package_root()
    environment = {**os.environ, "MYPYPATH": "" if "site-packages" in root else root}
    done = subprocess.run(
        [*command, path.name],
        cwd=TYPING,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr + done.stdout
    types, errors = {}, set()
    for line in done.stdout.splitlines():
        match = re.match(rf"{path.name}:(\d+): (\w+): (.*)", line)
        if match and match[2] == "error":
            errors.add(int(match[1]))
        elif match and match[3].startswith("Revealed type is "):
            types[int(match[1])] = match[3].split('"')[1]
    return types, errors


def pyright(path: Path) -> tuple[dict[int, str], set[int]]:
    """Return what pyright reveals and reports."""
    program = shutil.which("pyright", path=str(Path(sys.executable).parent))
    assert program, "pyright is one of the test requirements"
    done = subprocess.run(
        [program, "--outputjson", "--pythonpath", sys.executable, path.name],
        cwd=TYPING,
        env={**os.environ, "PYTHONPATH": package_root(), "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr + done.stdout
    types, errors = {}, set()
    for found in json.loads(done.stdout[done.stdout.index("{") :])["generalDiagnostics"]:
        number = found["range"]["start"]["line"] + 1
        if found["severity"] == "error":
            errors.add(number)
        elif match := re.match(r'Type of "(?:.*)" is "(.*)"$', found["message"], re.DOTALL):
            types[number] = match[1]
    return types, errors


@pytest.mark.parametrize("checker", [mypy, pyright], ids=["mypy", "pyright"])
@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_types(path: Path, checker: object) -> None:
    types, errors = checker(path)  # type: ignore[operator]
    wanted_types, wanted_errors = expected(path)
    shown = {number: MODULES.sub("", text) for number, text in types.items()}
    assert shown == wanted_types
    assert errors == wanted_errors


def test_there_are_enough_lines() -> None:
    assert sum(len(expected(path)[0]) for path in FILES) >= 60
