"""Packages that decide do no I/O, and cgo stays at the border."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "core"
MODULE = "thornback/core/"

# Decide without I/O: events go in, effects come out. Those that do not exist yet are skipped.
DECIDERS = ["arena", "event", "kv", "metrics", "owner", "resources", "sched", "slab", "table"]
# What a decider may import of the core besides other deciders: memory and numbers, no I/O.
BELOW_DECIDERS = {"offheap", "wire"}
# A name stands for itself and for all packages under it.
FORBIDDEN_TO_DECIDERS = [
    "C",
    "golang.org/x/sys",
    "math/rand",
    "net",
    "os",
    "runtime",
    "syscall",
    "time",
]
MAY_USE_CGO = {"border"}

IMPORTS = re.compile(r'^import\s+(?:\(([^)]*)\)|(?:[\w.]+\s+)?"([^"]+)")', re.MULTILINE)
# Raw strings, strings, runes and comments, so that their text is not taken for code.
NO_CODE = re.compile(
    r'`[^`]*`|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'|//[^\n]*|/\*.*?\*/', re.DOTALL
)
GO_STATEMENT = re.compile(r"^\s*go\s+\S|[{;]\s*go\s+(?:func\b|\w[\w.]*\()", re.MULTILINE)


def go_files(package: Path) -> list[Path]:
    """Return the package's own sources, without its tests."""
    return sorted(p for p in package.glob("*.go") if not p.name.endswith("_test.go"))


def imports_of(source: str) -> set[str]:
    """Return the import paths of a Go file."""
    found: set[str] = set()
    for block, single in IMPORTS.findall(source):
        found |= (
            {single}
            if single
            else set(re.findall(r'^\s*(?:[\w.]+\s+)?"([^"]+)"', block, re.MULTILINE))
        )
    return found


def is_under(path: str, parents: list[str]) -> bool:
    return any(path == parent or path.startswith(parent + "/") for parent in parents)


def packages() -> list[str]:
    return sorted({str(p.parent.relative_to(CORE)) for p in CORE.rglob("*.go")})


def existing_deciders() -> list[str]:
    return [name for name in packages() if name.split("/")[0] in DECIDERS]


def test_the_parser_sees_what_it_must() -> None:
    source = (
        'package a\nimport "os"\nimport (\n\t"fmt"\n\tx "net/http" // why\n)\nvar s = "go f()"\n'
    )
    assert imports_of(source) == {"os", "fmt", "net/http"}
    assert is_under("net/http", ["net"])
    assert not is_under("network", ["net"])
    assert not GO_STATEMENT.search(
        NO_CODE.sub("", source + "// go f()\n/*\ngo f()\n*/\nvar go1 = 1\n")
    )
    assert GO_STATEMENT.search("func f() {\n\tgo g()\n}")
    assert GO_STATEMENT.search("func f() { go func() {}() }")


def test_there_are_packages() -> None:
    assert existing_deciders()


@pytest.mark.parametrize("package", existing_deciders())
def test_decider_imports_no_io(package: str) -> None:
    for path in go_files(CORE / package):
        for name in imports_of(path.read_text()):
            assert not is_under(name, FORBIDDEN_TO_DECIDERS), f"{path} imports {name}"
            if name.startswith(MODULE):
                below = name.removeprefix(MODULE).split("/")[0]
                assert below in {*DECIDERS, *BELOW_DECIDERS}, f"{path} imports {name}"


@pytest.mark.parametrize("package", existing_deciders())
def test_decider_starts_no_goroutine(package: str) -> None:
    for path in go_files(CORE / package):
        found = GO_STATEMENT.search(NO_CODE.sub("", path.read_text()))
        assert found is None, f"{path}: {found and found[0].strip()}"


@pytest.mark.parametrize("package", packages())
def test_only_the_border_uses_cgo(package: str) -> None:
    if package.split("/", maxsplit=1)[0] in MAY_USE_CGO:
        return
    for path in (CORE / package).glob("*.go"):
        assert "C" not in imports_of(path.read_text()), path
