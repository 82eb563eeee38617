"""From raw samples to medians, verdicts and the table in Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rows import BEFORE, FLOORS, GOALS, OURS, ROWS, SHARES, Goal

_DISTURBED = 0.1
_KEPT = 0.9
Sample = dict[str, Any]
Floors = dict[str, list[float]]


@dataclass(frozen=True)
class Stat:
    """Median and spread of one row on one engine."""

    median: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, values: list[float]) -> Stat | None:
        """Return the statistics, None for no values."""
        if not values:
            return None
        return cls(statistics.median(values), min(values), max(values), len(values))


@dataclass(frozen=True)
class Verdict:
    """A goal with what came out.

    Attributes
    ----------
    ours, peer : Stat or None; None when it was not run or failed
    ratio : float or None, how many times better ours is than the peer's
    measure : float or None, what must and aim are compared with
    reached : "aim", "must", "missed" or "-"; "lost" beside or instead: worse than the peer
    note : str, what differs between the two, such as a smaller count
    """

    goal: Goal
    ours: Stat | None
    peer: Stat | None
    ratio: float | None
    measure: float | None
    reached: str
    note: str


class Results:
    """All samples of a run, and the questions that the table asks of them."""

    def __init__(self, samples: list[Sample], floors: Floors) -> None:
        self.samples = samples
        self.floors = floors

    def _of(self, engine: str, row: str) -> list[Sample]:
        return [s for s in self.samples if s["engine"] == engine and s["row"] == row]

    def stat(self, engine: str, row: str) -> Stat | None:
        """Return median and spread of a row on an engine."""
        return Stat.of([s["value"] for s in self._of(engine, row)])

    def cpu_per_operation(self, engine: str, row: str) -> float | None:
        """Return CPU seconds of the whole process tree for one operation, None if unknown."""
        known = [s for s in self._of(engine, row) if s.get("work") and "cpu_s" in s]
        work = sum(s["work"] for s in known)
        return sum(s["cpu_s"] for s in known) / work if work else None

    def floor(self, key: str) -> float | None:
        """Return the median of a floor."""
        return statistics.median(self.floors[key]) if self.floors.get(key) else None

    def share(self, row: str, floor: str) -> float | None:
        """Return our part of a floor, both as rates; 1.0 is as fast as the bare thing."""
        ours, bare = self.stat(OURS, row), self.floor(floor)
        if ours is None or bare is None:
            return None
        return ours.median * bare if FLOORS[floor][1] == "s" else ours.median / bare

    def verdict(self, goal: Goal) -> Verdict:
        """Compare ours with the peer's and with what must come out."""
        ours, peer = self.stat(OURS, goal.row), self.stat(goal.peer, goal.peer_row or goal.row)
        less = ROWS[goal.row].better == "less"
        ratio = None
        if ours and peer and ours.median > 0 and peer.median > 0:
            ratio = peer.median / ours.median if less else ours.median / peer.median
        measure = ratio
        if goal.kind == "limit":
            measure = ours.median if ours else None
        elif goal.kind == "floor":
            measure = self.share(goal.row, goal.floor)
        note = self._note(goal)
        reached = _reached(goal, measure)
        # Ratios of figures with different counts tell the size, not who is better.
        if ratio is not None and ratio < 1 and not (note and goal.kind == "limit"):
            reached = "lost" if goal.kind == "ratio" else f"{reached}, lost"
        return Verdict(goal, ours, peer, ratio, measure, reached, note)

    def _note(self, goal: Goal) -> str:
        counts = []
        for engine, row in ((OURS, goal.row), (goal.peer, goal.peer_row or goal.row)):
            found = {s["count"] for s in self._of(engine, row) if "count" in s}
            counts += [f"{engine} with {count:,}" for count in sorted(found)]
        return ", ".join(counts) if len({c.split()[-1] for c in counts}) > 1 else ""

    def engines(self) -> list[str]:
        """Return the engines that gave samples, ours first."""
        found = {s["engine"] for s in self.samples}
        return sorted(found, key=lambda engine: (engine != OURS, engine != "ray", engine))


def _reached(goal: Goal, measure: float | None) -> str:
    """Say how far a measure got: "aim", "must" or "missed", "-" where nothing must be."""
    if measure is None or goal.must is None:
        return "-"
    at_most = goal.kind == "limit"
    for name, bound in (("aim", goal.aim), ("must", goal.must)):
        if bound is not None and (measure <= bound if at_most else measure >= bound):
            return name
    return "missed"


def number(value: float, unit: str) -> str:
    """Return a figure with its unit and about three digits."""
    if unit == "s" and abs(value) < 1e-3:
        return f"{value * 1e6:.3g} us"
    if unit == "s" and abs(value) < 1:
        return f"{value * 1e3:.3g} ms"
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{text}{unit}" if unit in ("/s", "%") else f"{text} {unit}".strip()


def _stat_cell(stat: Stat | None, unit: str) -> str:
    if stat is None:
        return "not run"
    if stat.count == 1:
        return number(stat.median, unit)
    return f"{number(stat.median, unit)} ({number(stat.low, unit)} .. {number(stat.high, unit)})"


def _bound(goal: Goal, bound: float | None) -> str:
    if bound is None:
        return ""
    if goal.kind == "limit":
        return f"≤ {number(bound, ROWS[goal.row].unit)}"
    if goal.kind == "floor":
        return f"{bound:.0%} of {FLOORS[goal.floor][0]}"
    return f"{bound:g} x"


def _table(head: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    cells = [list(head), *map(list, lines)]
    text = ["| " + " | ".join(line) + " |" for line in cells]
    text.insert(1, "|" + "---|" * len(cells[0]))
    return "\n".join(text)


def _against(results: Results, goals: list[Goal], show_peer_row: bool) -> str:
    lines = []
    for goal in goals:
        verdict = results.verdict(goal)
        ours, theirs = ROWS[goal.row], ROWS[goal.peer_row or goal.row]
        title = f"{ours.title} / {theirs.title}" if show_peer_row else ours.title
        if verdict.note:
            title += f" ({verdict.note})"
        reached = verdict.reached
        if goal.kind == "floor" and verdict.measure is not None:
            reached += f" ({verdict.measure:.0%})"
        lines.append(
            [
                title,
                _stat_cell(verdict.ours, ours.unit),
                _stat_cell(verdict.peer, theirs.unit),
                f"{verdict.ratio:.3g} x" if verdict.ratio else "",
                _bound(goal, goal.must),
                _bound(goal, goal.aim),
                reached,
            ]
        )
    peer = "peer" if show_peer_row else "Ray"
    return _table(["row", OURS, peer, "ratio", "must", "aim", "reached"], lines)


def _before(results: Results) -> str:
    """Return the table of rows that were also run on another build of ours."""
    lines = []
    for key, row in ROWS.items():
        ours, before = results.stat(OURS, key), results.stat(BEFORE, key)
        if ours is None or before is None or not ours.median or not before.median:
            continue
        ratio = ours.median / before.median
        ratio = 1 / ratio if row.better == "less" else ratio
        cells = [row.title, _stat_cell(ours, row.unit), _stat_cell(before, row.unit)]
        lines.append([*cells, f"{ratio:.3g} x", "kept" if ratio >= _KEPT else "worse"])
    return _table(["row", OURS, "before", "ratio", f"at least {_KEPT:g} x"], lines)


def _floors(results: Results) -> str:
    lines = []
    for key, (title, unit) in FLOORS.items():
        shares = []
        for share in SHARES:
            part = results.share(share.row, key) if share.floor == key else None
            if part is not None:
                shares.append(f"{ROWS[share.row].title}: {part:.3g}")
        measured = _stat_cell(Stat.of(results.floors.get(key, [])), unit)
        lines.append([title, measured, "; ".join(shares)])
    return _table(["floor", "measured", "our share of it (1 = as fast as the bare thing)"], lines)


def _cost(results: Results) -> str:
    engines = results.engines()
    lines = []
    for key, row in ROWS.items():
        costs = [results.cpu_per_operation(engine, key) for engine in engines]
        if any(cost is not None for cost in costs):
            lines.append([row.title, *("" if c is None else f"{c * 1e6:,.1f}" for c in costs)])
    return _table(["CPU microseconds per operation (per GB for GB/s)", *engines], lines)


def _memory(results: Results) -> str:
    engines = results.engines()
    keys = dict.fromkeys(s["row"] for s in results.samples if s["row"].startswith("memory:"))
    lines = []
    for key in keys:
        cells = []
        for engine in engines:
            found = [s for s in results.samples if s["engine"] == engine and s["row"] == key]
            if found:
                size = statistics.median(s["value"] for s in found)
                cells.append(f"{size:,.0f} MB in {max(s['processes'] for s in found)}")
            else:
                cells.append("")
        lines.append([key.removeprefix("memory:"), *cells])
    return _table(["memory of all processes after the script, and their number", *engines], lines)


def disturbed(facts: dict[str, Any]) -> bool:
    """Say whether other programs took so much CPU time that the figures are worth little."""
    return bool(facts["others_cpu_share"] > _DISTURBED)


def markdown(facts: dict[str, Any], results: Results, goals: list[Goal] | None = None) -> str:
    """Return the whole report: machine, tables, failures."""
    goals = GOALS if goals is None else goals
    machine, code = facts["machine"], facts["code"]
    against_ray = [goal for goal in goals if goal.peer == "ray"]
    against_others = [goal for goal in goals if goal.peer != "ray"]
    versions = [
        f"- {engine}: " + ", ".join(f"{name} {version}" for name, version in found.items())
        for engine, found in facts["versions"].items()
    ]
    warning = " (too much: run it again on a quiet machine)" if disturbed(facts) else ""
    dirty = " with changes that are not committed" if code.get("dirty") else ""
    head = (
        f"`{facts['command']}`, {facts['started']}, seed {facts['seed']}, "
        f"{facts['repeats']} repeats of {facts['samples_per_process']} x "
        f"{facts['sample_seconds']} s, alternating; "
        f"commit {code.get('commit', 'unknown')}{dirty}.\n"
        f"Machine: {machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, "
        f"Linux {machine['kernel']}, load before the run {machine['load_before']:.2f}; "
        f"other programs took {facts['others_cpu_share']:.0%} of the CPU time meanwhile"
        f"{warning}. The run took {facts['took_s'] / 60:.1f} minutes."
    )
    legend = (
        "Figures are medians, the smallest and largest sample behind them; ratios are how many "
        'times better thornback is, from the same run. "lost" is worse than the peer.'
    )
    parts = [
        "# Measured",
        head,
        "\n".join(versions),
        legend,
    ]
    if against_ray:
        parts.append("## Against Ray\n\n" + _against(results, against_ray, show_peer_row=False))
    if against_others:
        parts.append("## Against the others\n\n" + _against(results, against_others, True))
    if BEFORE in results.engines():
        parts.append("## Against the build before\n\n" + _before(results))
    parts += [
        "## Floors\n\n" + _floors(results),
        "## CPU time\n\n" + _cost(results),
        "## Memory\n\n" + _memory(results),
    ]
    if facts["failures"]:
        lines = [f"- {f['engine']}, {f['script']}: {f['reason']}" for f in facts["failures"]]
        parts.append("## Failed\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def summary(results: Results, goals: list[Goal]) -> list[dict[str, Any]]:
    """Return the verdicts for results.json."""
    found = []
    for goal in goals:
        verdict = results.verdict(goal)
        found.append(
            {
                "row": goal.row,
                "peer": goal.peer,
                "peer_row": goal.peer_row or goal.row,
                "kind": goal.kind,
                "must": goal.must,
                "aim": goal.aim,
                "thornback": vars(verdict.ours) if verdict.ours else None,
                "theirs": vars(verdict.peer) if verdict.peer else None,
                "ratio": verdict.ratio,
                "measure": verdict.measure,
                "reached": verdict.reached,
                "note": verdict.note,
            }
        )
    return found
