"""The cases: small programs, many in one file of a theme.

A file is Python. Text before the first marker ``# == name ==`` belongs to each of its cases; a case
goes from its marker to the next one. Comments right below the marker say what the case is about;
one that reads ``# env: NAME=value`` sets a variable of the environment before the program starts.

The theme ``example_files`` are the programs of ``examples``, with nothing changed but the name that
they import; what they print is the outcome.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
CASES = HERE / "cases"
LIBRARY = HERE / "lib"
EXAMPLES = HERE.parents[1] / "examples"
EXAMPLE_FILES = "example_files"
# By name: a pattern of what depends on the order of events, in what the example prints.
_EXAMPLES = {
    "hello": "",
    "parameter_server": r" *\d+\.\d%",
    "pipeline_wait": "",
    "tree_reduce": "",
}
_MARKER = re.compile(r"^# == (\w+) ==$", re.MULTILINE)
_VARIABLE = re.compile(r"^# env: (\w+)=(.*)$", re.MULTILINE)
PRELUDE = "import ray\nfrom compat import *\n"


@dataclass(frozen=True)
class Case:
    """One program."""

    theme: str
    name: str
    source: str

    @property
    def id(self) -> str:
        return f"{self.theme}.{self.name}"

    @property
    def about(self) -> str:
        """The comment below the marker, or the name in words."""
        body = self.source.split(_mark(self.name), 1)[1].lstrip("\n")
        lines = []
        for line in body.splitlines():
            if not line.startswith("# "):
                break
            if not _VARIABLE.match(line):
                lines.append(line[2:].strip())
        return " ".join(lines) or self.name.replace("_", " ")

    @property
    def environment(self) -> dict[str, str]:
        """What the program finds in its environment."""
        return dict(_VARIABLE.findall(self.source))

    @property
    def digest(self) -> str:
        """Changes with the program, and with nothing else."""
        return hashlib.sha256(self.source.encode()).hexdigest()[:16]


def _mark(name: str) -> str:
    return f"# == {name} ==\n"


def themes() -> list[str]:
    """The names of the files, sorted."""
    return sorted([EXAMPLE_FILES, *(path.stem for path in CASES.glob("*.py"))])


def cases(theme: str) -> list[Case]:
    """The cases of a theme, in the order of its file."""
    if theme == EXAMPLE_FILES:
        return [_example(name, hidden) for name, hidden in _EXAMPLES.items()]
    text = (CASES / f"{theme}.py").read_text()
    parts = _MARKER.split(text)
    shared = PRELUDE + parts[0]
    found = [
        Case(theme, name, f"{shared}{_mark(name)}{body.strip()}\n")
        for name, body in zip(parts[1::2], parts[2::2], strict=True)
    ]
    names = [case.name for case in found]
    doubles = {name for name in names if names.count(name) > 1}
    if doubles:
        raise ValueError(f"{theme}: two cases have the name {sorted(doubles)}")
    return found


def _example(name: str, hidden: str) -> Case:
    text = (EXAMPLES / f"{name}.py").read_text()
    if text.count("import thornback as ray\n") != 1:
        raise ValueError(f"examples/{name}.py does not import thornback as ray")
    text = text.replace("import thornback as ray\n", "import ray\n")
    head = f"# `examples/{name}.py`, by alias\nfrom compat import printing\nprinting({hidden!r})\n"
    return Case(EXAMPLE_FILES, name, f"{_mark(name)}{head}{text}")


def all_cases() -> Iterator[Case]:
    """All cases of all themes."""
    for theme in themes():
        yield from cases(theme)
