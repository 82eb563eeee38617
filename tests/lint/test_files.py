"""Sizes of source files, and the contents of the installed package."""

from __future__ import annotations

import importlib.metadata
import inspect
from pathlib import Path

import pytest

import thornback

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "python" / "thornback"

LINES_MAX = 600
SOURCE_FOLDERS = ["core", "capi", "python", "tests", "benchmarks", "examples", "tools"]
SOURCE_SUFFIXES = {".c", ".go", ".h", ".py", ".pyi", ".sh"}

BUILT = {"thornback/libthornback.so", "thornback/_core.abi3.so"}
WRITTEN_BY_PIP = {"INSTALLER", "REQUESTED", "direct_url.json"}
METADATA = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE", "top_level.txt"}


def sources() -> list[Path]:
    return [
        path
        for folder in SOURCE_FOLDERS
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in SOURCE_SUFFIXES
        and path.is_file()
        and not any(p.startswith(".") for p in path.parts)
    ]


def test_files_are_short() -> None:
    found = sources()
    assert len(found) > 10
    long = {
        str(path.relative_to(ROOT)): n
        for path in found
        if (n := len(path.read_text().splitlines())) > LINES_MAX
    }
    assert not long


def test_installed_package_has_every_source_and_nothing_else() -> None:
    kept = {
        str(path.relative_to(PACKAGE.parent))
        for path in PACKAGE.rglob("*")
        if path.suffix in {".py", ".pyi"} or path.name == "py.typed"
    }
    assert "thornback/py.typed" in kept
    files = importlib.metadata.files("thornback")
    assert files is not None
    shipped = {str(f) for f in files if f.parts[0] == "thornback" and f.suffix != ".pyc"}
    assert shipped == kept | BUILT


def test_installed_metadata() -> None:
    files = importlib.metadata.files("thornback")
    assert files is not None
    info = {"/".join(f.parts[1:]) for f in files if f.parts[0].endswith(".dist-info")}
    assert info - WRITTEN_BY_PIP == METADATA
    requires = importlib.metadata.requires("thornback") or []
    assert [r for r in requires if "extra ==" not in r] == ["cloudpickle>=3.0"]
    wheel = importlib.metadata.distribution("thornback").read_text("WHEEL")
    assert wheel is not None
    assert "Tag: cp311-abi3-linux_" in wheel


def public_names() -> list[str]:
    return sorted(
        name
        for name, value in vars(thornback).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or inspect.isroutine(value))
        and value.__module__.startswith("thornback")
    )


@pytest.mark.parametrize("name", public_names())
def test_public_name_has_a_docstring(name: str) -> None:
    """Ruff cannot see this: to it everything in a module `_x.py` is private."""
    value = getattr(thornback, name)
    assert (value.__doc__ or "").strip(), f"thornback.{name} has no docstring"
