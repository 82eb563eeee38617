"""Public names: Ray's, as recorded in ``names.json``, compared with ours."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from typing import Any

from .outcomes import DIFFERENCES
from .programs import HERE

RECORDED = HERE / "names.json"
# Parents that say how a class was written, not what it is.
_PLUMBING = {"Generic", "ABC", "Protocol", "BaseID", "DAGNode"}


@dataclass(frozen=True)
class Name:
    """One public name and how ours differs from Ray's, "" when it doesn't."""

    module: str
    name: str
    difference: str
    recorded: dict[str, Any]

    @property
    def path(self) -> str:
        return f"{self.module}.{self.name}" if self.name else self.module


@dataclass(frozen=True)
class Known:
    """Why a name, or with ``module.*`` a whole module, differs."""

    state: str
    reason: str


@functools.cache
def all_names() -> list[Name]:
    """Every public name of Ray, compared."""
    rays = json.loads(RECORDED.read_text())
    command = [sys.executable, str(HERE / "inventory.py"), "--thornback"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    ours = json.loads(done.stdout)
    found = []
    for module, names in rays.items():
        here = ours.get(module, {})
        gone = here.get("", {}).get("kind", "")
        for name, recorded in names.items():
            if recorded["kind"].startswith("missing"):
                continue
            mine = here.get(name)
            if gone or mine is None or mine["kind"].startswith("missing"):
                found.append(Name(module, name, "missing", recorded))
            else:
                found.append(Name(module, name, compare(mine, recorded), recorded))
    return found


def compare(ours: dict[str, Any], rays: dict[str, Any]) -> str:
    """In words, what of Ray's entry ours lacks; what we have besides does not count."""
    said = []
    # A class that is called like the function it stands for is no difference to a caller.
    kinds = {ours["kind"], rays["kind"]}
    if len(kinds) > 1 and kinds != {"class", "function"}:
        return f"a {ours['kind']}, in Ray a {rays['kind']}"
    if rays["kind"] == "constant" and ours["value"] != rays["value"]:
        said.append(f"{ours['value']}, in Ray {rays['value']}")
    said += _signatures("", ours.get("signature"), rays.get("signature"))
    lacking = [
        parent
        for parent in rays.get("parents", [])
        if parent not in ours.get("parents", []) and parent not in _PLUMBING
    ]
    if lacking:
        said.append(f"without the parents {', '.join(lacking)}")
    if rays["kind"] == "class" and ours["kind"] == "class":
        missing = [name for name in rays["members"] if name not in ours["members"]]
        if missing:
            said.append(f"without {', '.join(missing)}")
        for name, seen in rays["members"].items():
            if name in ours["members"]:
                said += _signatures(f".{name}", ours["members"][name], seen)
    return "; ".join(said)


def _signatures(of: str, ours: Any, rays: Any) -> list[str]:
    # Functions and classes written in C have none, on either side.
    if not isinstance(ours, list) or not isinstance(rays, list) or _takes_as_much(ours, rays):
        return []
    return [f"{of}({', '.join(ours)}), in Ray {of}({', '.join(rays)})"]


def _takes_as_much(ours: list[str], rays: list[str]) -> bool:
    """Every call that Ray's takes, ours takes with the same meaning."""
    (mine, more), (theirs, theirs_more) = _split(ours), _split(rays)
    named = {p.partition("=")[0]: p for p in (*mine, *more)}
    in_order = all(
        m.partition("=")[0] == t.partition("=")[0] for m, t in zip(mine, theirs, strict=False)
    )
    given = [named.get(t.partition("=")[0]) for t in (*theirs, *theirs_more)]
    same_defaults = all(
        m is not None and ("=" not in t or m == t)
        for m, t in zip(given, (*theirs, *theirs_more), strict=True)
    )
    wanted = {t.partition("=")[0] for t in (*theirs, *theirs_more)}
    needs_more = any("=" not in p for p in (*mine, *more) if p.partition("=")[0] not in wanted)
    stars = {"*args", "**kwargs"} & {*rays} <= {*ours}
    return len(mine) >= len(theirs) and in_order and same_defaults and not needs_more and stars


def _split(parameters: list[str]) -> tuple[list[str], list[str]]:
    """Those by position, those by keyword alone."""
    at = next((i for i, p in enumerate(parameters) if p in ("*", "*args")), len(parameters))
    rest = [p for p in parameters[at + 1 :] if p != "**kwargs"]
    return [p for p in parameters[:at] if p != "**kwargs"], rest


def known_differences() -> dict[str, Known]:
    """What ``differences.toml`` says of names, by path; ``module.*`` speaks for the rest of it."""
    content = tomllib.loads(DIFFERENCES.read_text()).get("names", {})
    return {path: Known(entry["state"], entry["reason"]) for path, entry in content.items()}


def known(name: Name, differences: dict[str, Known]) -> Known | None:
    """The entry that speaks for a name."""
    return differences.get(name.path) or differences.get(f"{name.module}.*")
