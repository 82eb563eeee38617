"""The header, the Go exports and the symbols of the built libraries are the same set."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEADER = ROOT / "capi" / "thornback.h"
BORDER = ROOT / "core" / "border"
# What the C extension may show besides its init function.
EXTENSION_EXPORTS = {"PyInit__core"}

COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
# A declaration: a result type, the name, an open parenthesis. Not `(*name)(`, a function pointer.
DECLARED = re.compile(r"^[a-z][\w\s]*?[\s*](xr_\w+)\s*\(", re.MULTILINE)
EXPORTED = re.compile(r"^//export\s+(\w+)\s*$", re.MULTILINE)


def declared() -> set[str]:
    return set(DECLARED.findall(COMMENT.sub("", HEADER.read_text())))


def exported() -> set[str]:
    return {name for path in BORDER.glob("*.go") for name in EXPORTED.findall(path.read_text())}


def installed(name: str) -> Path:
    """Return a file of the installed package, without importing it."""
    spec = importlib.util.find_spec("thornback")
    assert spec is not None
    assert spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0]) / name
    assert path.exists(), f"{path} is missing: the tests run against the installed wheel"
    return path


def dynamic_symbols(path: Path) -> set[str]:
    """Return the names that a shared library gives to others."""
    shown = subprocess.run(
        ["nm", "-D", "--defined-only", "--format=posix", path],
        check=True,
        capture_output=True,
        text=True,
    )
    return {line.split()[0] for line in shown.stdout.splitlines() if line}


def test_header_declares_functions() -> None:
    assert len(declared()) > 5


def test_header_and_go_exports_agree() -> None:
    assert declared() == exported()


def test_library_exports_what_the_header_declares() -> None:
    symbols = {
        name for name in dynamic_symbols(installed("libthornback.so")) if name.startswith("xr_")
    }
    assert symbols == declared()


def test_extension_exports_its_init_function_only() -> None:
    assert dynamic_symbols(installed("_core.abi3.so")) == EXTENSION_EXPORTS


@pytest.mark.parametrize("name", ["libthornback.so", "_core.abi3.so"])
def test_binding_is_lazy(name: str) -> None:
    """A library bound at load would fail where GPU libraries are absent."""
    shown = subprocess.run(
        ["readelf", "-d", installed(name)], check=True, capture_output=True, text=True
    )
    if name == "libthornback.so":
        assert "BIND_NOW" not in shown.stdout
        assert not re.search(r"FLAGS_1.*\bNOW\b", shown.stdout)
    # The extension opens the Go library itself, later: workers never load it.
    assert not re.search(r"NEEDED.*libthornback", shown.stdout)
