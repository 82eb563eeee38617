"""What the engines printed: Ray's recorded outcomes, and the known differences from them."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from typing import Any

from .engines import Outcome
from .programs import HERE, Case

OUTCOMES = HERE / "outcomes"
DIFFERENCES = HERE / "differences.toml"
DIFFERS, NOT_YET = "differs", "not yet"


@dataclass(frozen=True)
class Recorded:
    """Ray's outcome, and the digest of the program that gave it."""

    digest: str
    outcome: Outcome


@dataclass(frozen=True)
class Difference:
    """Why our outcome is another one, and, where that is meant, which."""

    state: str
    reason: str
    outcome: Outcome | None


def load(theme: str) -> dict[str, Recorded]:
    """The recorded outcomes of a theme, by the names of its cases."""
    path = OUTCOMES / f"{theme}.json"
    if not path.exists():
        return {}
    return {
        name: Recorded(entry["program"], Outcome(entry["exit"], entry["lines"]))
        for name, entry in json.loads(path.read_text()).items()
    }


def store(theme: str, recorded: dict[str, Recorded], order: list[Case]) -> None:
    """Write the outcomes of a theme in the order of its cases; others are dropped."""
    content: dict[str, Any] = {}
    for case in order:
        entry = recorded.get(case.name)
        if entry is not None:
            content[case.name] = {
                "program": entry.digest,
                "exit": entry.outcome.exit,
                "lines": entry.outcome.lines,
            }
    OUTCOMES.mkdir(exist_ok=True)
    text = json.dumps(content, indent=1, ensure_ascii=False)
    (OUTCOMES / f"{theme}.json").write_text(text + "\n")


def differences() -> dict[str, Difference]:
    """The known differences, by the ids of the cases."""
    found = {}
    for theme, entries in tomllib.loads(DIFFERENCES.read_text()).items():
        if theme == "names":  # those of names, not of cases
            continue
        for name, entry in entries.items():
            outcome = Outcome(entry.get("exit", 0), entry["lines"]) if "lines" in entry else None
            found[f"{theme}.{name}"] = Difference(entry["state"], entry["reason"], outcome)
    return found
