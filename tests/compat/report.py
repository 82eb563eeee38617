"""Write COMPAT.md: each public name of Ray and each case, with works, differs or not yet.

    python -m tests.compat.report

from the recorded names and outcomes, ``differences.toml`` and the names of this installation. It
runs no case: that the differences are those listed, and no others, is what the tests check.
"""

from __future__ import annotations

from . import names, outcomes
from .programs import HERE, Case, cases, themes

FILE = HERE.parents[1] / "COMPAT.md"
WORKS = "works"

HEAD = """\
# What of Ray's API works

Made by `make compat-report` from what is checked; don't edit it. Compared with Ray 2.60 twice:

- **Names**: every public name with its parameters, defaults, parent classes and members, read from
  both packages.
- **Cases**: small programs in `tests/compat/cases` that run unchanged on both engines, each in a
  process of its own. `make compat` runs them on Ray and records what they print; `make test`
  compares Thornback with that.

`works` means no difference; `differs` is meant, and says how and why; `not yet` is to come. What
Thornback has besides is not counted.
"""


def text() -> str:
    """The whole file."""
    parts = [HEAD, _totals(), "## Names\n", *_modules(), "## Cases\n", *_cases()]
    return "\n".join(parts).rstrip() + "\n"


def _totals() -> str:
    every = names.all_names()
    known = names.known_differences()
    states = [_state(name, known)[0] for name in every]
    different = outcomes.differences()
    ids = [case.id for theme in themes() for case in cases(theme)]
    case_states = [different[i].state if i in different else WORKS for i in ids]
    lines = ["| | works | differs | not yet | in all |", "|---|---|---|---|---|"]
    for what, found in (("names", states), ("cases", case_states)):
        counts = [found.count(s) for s in (WORKS, outcomes.DIFFERS, outcomes.NOT_YET)]
        lines.append(f"| {what} | {counts[0]} | {counts[1]} | {counts[2]} | {len(found)} |")
    return "\n".join(lines) + "\n"


def _modules() -> list[str]:
    known = names.known_differences()
    by_module: dict[str, list[names.Name]] = {}
    for name in names.all_names():
        by_module.setdefault(name.module, []).append(name)
    parts = []
    for module, found in by_module.items():
        whole = known.get(f"{module}.*")
        if whole is not None and all(n.difference and n.path not in known for n in found):
            listed = ", ".join(f"`{n.name}`" for n in found)
            parts.append(f"### {module}: {whole.state}\n\n{whole.reason} ({listed})\n")
            continue
        lines = [f"### {module}\n", "| name | | |", "|---|---|---|"]
        good = [n for n in found if not n.difference]
        if good:
            lines.append(f"| {', '.join(f'`{n.name}`' for n in good)} | {WORKS} | |")
        for name in found:
            if name.difference:
                state, why = _state(name, known)
                lines.append(f"| `{name.name}` | {state} | {_cell(why)} |")
        parts.append("\n".join(lines) + "\n")
    return parts


def _state(name: names.Name, known: dict[str, names.Known]) -> tuple[str, str]:
    if not name.difference:
        return WORKS, ""
    entry = names.known(name, known)
    if entry is None:
        return outcomes.NOT_YET, name.difference
    how = "" if name.difference == "missing" else f" ({name.difference})"
    return entry.state, f"{entry.reason}{how}"


def _cases() -> list[str]:
    different = outcomes.differences()
    parts = []
    for theme in themes():
        found = cases(theme)
        odd = [case for case in found if case.id in different]
        lines = [f"### {theme}: {len(found) - len(odd)} of {len(found)} work\n"]
        if odd:
            lines += ["| case | | |", "|---|---|---|"]
            lines += [_row(case, different[case.id]) for case in odd]
        parts.append("\n".join(lines) + "\n")
    return parts


def _row(case: Case, known: outcomes.Difference) -> str:
    return f"| {_cell(case.about)} (`{case.name}`) | {known.state} | {_cell(known.reason)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    FILE.write_text(text())
