"""Measure thornback against real Ray and the other peers, and write the table.

    python benchmarks/run.py                    everything, writes RESULTS.md and results.json
    python benchmarks/run.py --quick            the main rows against Ray, prints the table
    python benchmarks/run.py --rows task_sync,put_small --repeats 5

Each engine runs each script in a process of its own, in turn, several times over; the floors
are measured in between. Rows that thornback loses stay in the table.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environments
import launch
import machine
import report
import rows

_FULL = {"repeats": 3, "seconds": 1.0, "samples": 2, "limit_s": 600.0}
_QUICK = {"repeats": 2, "seconds": 0.5, "samples": 1, "limit_s": 120.0}
# One process for all of these in a quick run: each start of real Ray takes seconds.
_TOGETHER = frozenset(
    ["task_overhead", "actor_overhead", "chain", "wait_refs", "object_small", "actor_lifecycle"]
)


@dataclass(frozen=True)
class Job:
    """One process to run: an engine, a script, the questions and rows it answers."""

    engine: str
    script: str
    questions: tuple[str, ...]
    rows: tuple[str, ...]
    repeat: int

    def arguments(self, options: argparse.Namespace) -> list[str]:
        """Return the script's command line."""
        engine = rows.OURS if self.engine == rows.BEFORE else self.engine
        command = [*self.questions, "--engine", engine, "--rows", ",".join(self.rows)]
        command += ["--seconds", str(options.seconds), "--samples", str(options.samples)]
        return [*command, "--seed", str(options.seed), *(["--quick"] if options.quick else [])]


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="main rows against Ray, under three minutes")
    add("--repeats", type=int, help="processes per engine and script")
    add("--seconds", type=float, help="length of one sample")
    add("--samples", type=int, help="samples per row in one process")
    add("--rows", default="", help="only these rows of thornback's, comma between them")
    add("--peers", help="comma between them, of: " + ",".join(environments.PEERS))
    # Absolute, since the scripts run elsewhere; a link of an environment must not be resolved.
    add("--thornback-python", default=sys.executable, metavar="PATH", type=os.path.abspath)
    add(
        "--before-python",
        metavar="PATH",
        type=os.path.abspath,
        help="an environment with another build of thornback, measured in the same run",
    )
    add("--without-thornback", action="store_true", help="the peers alone")
    add("--venvs", type=Path, default=launch.HERE.parent / ".venvs", metavar="FOLDER")
    add("--write", action="store_true", help="write the files after a partial run too")
    add("--out", type=Path, default=launch.HERE, metavar="FOLDER", help="where they go")
    add("--seed", type=int, default=1)
    options = parser.parse_args()
    for name, value in (_QUICK if options.quick else _FULL).items():
        if getattr(options, name, None) is None:
            setattr(options, name, value)
    if options.peers is None:
        options.peers = "ray" if options.quick else ",".join(environments.PEERS)
    options.peers = list(filter(None, options.peers.split(",")))
    options.rows = list(filter(None, options.rows.split(",")))
    for what, given, known in (
        ("peer", options.peers, environments.PEERS),
        ("row", options.rows, {goal.row for goal in rows.GOALS}),
    ):
        if unknown := set(given) - set(known):
            names, all_names = ", ".join(sorted(unknown)), ", ".join(sorted(known))
            parser.error(f"no such {what}: {names}; there are: {all_names}")
    options.partial = bool(options.quick or options.rows or options.without_thornback) or (
        set(options.peers) != set(environments.PEERS)
    )
    return options


def _goals(options: argparse.Namespace) -> list[rows.Goal]:
    """Return the goals that this run answers.

    A goal whose peer is left out stays when it is a limit on our own figure, or when that is
    compared with the build before.
    """
    return [
        goal
        for goal in rows.GOALS
        if (goal.quick or not options.quick)
        and (not options.rows or goal.row in options.rows)
        and (
            goal.peer in options.peers
            or (goal.peer == "ray" and (goal.kind != "ratio" or options.before_python))
        )
    ]


def _plan(options: argparse.Namespace, goals: list[rows.Goal]) -> list[Job]:
    """Return the jobs: in each repeat the scripts, and for each script the engines in turn.

    The engine that goes first changes from repeat to repeat, so that none always meets
    the machine as the other left it.
    """
    ours = [] if options.without_thornback else [rows.OURS]
    engines = [*ours, *([rows.BEFORE] if options.before_python else []), *options.peers]
    jobs = []
    for repeat in range(options.repeats):
        turn = engines[repeat % len(engines) :] + engines[: repeat % len(engines)]
        per_engine = {
            engine: _scripts(rows.wanted(engine, goals), options.quick) for engine in turn
        }
        scripts = dict.fromkeys(script for found in per_engine.values() for script in found)
        for script in scripts:
            for engine in turn:
                if script in per_engine[engine]:
                    questions, keys = per_engine[engine][script]
                    jobs.append(Job(engine, script, questions, keys, repeat))
    return jobs


def _scripts(
    wanted: dict[str, list[str]], quick: bool
) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return the scripts to start, each with the questions it is given and its rows."""
    together = tuple(q for q in wanted if quick and q in _TOGETHER)
    scripts: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    for question, keys in wanted.items():
        if question not in together:
            scripts[question] = ((), tuple(keys))
        elif "together" not in scripts:
            scripts["together"] = together, tuple(k for q in together for k in wanted[q])
    return scripts


def _carry_out(
    jobs: list[Job], pythons: dict[str, str], options: argparse.Namespace
) -> tuple[list[report.Sample], report.Floors, list[dict[str, Any]]]:
    """Run the jobs; the floors before the first and after each repeat."""
    samples: list[report.Sample] = []
    failures: list[dict[str, Any]] = []
    floors: report.Floors = {}
    for index, job in enumerate(jobs):
        if index == 0 or jobs[index - 1].repeat != job.repeat:
            _measure_floors(pythons, floors, failures, options)
        start = time.monotonic()
        outcome = launch.run(
            pythons[job.engine], job.script, job.arguments(options), options.limit_s
        )
        about = {"engine": job.engine, "script": job.script, "repeat": job.repeat}
        samples += [about | sample for sample in outcome.samples]
        if not outcome.failure and (lost := set(job.rows) - {s["row"] for s in outcome.samples}):
            outcome.failure = f"no sample of {', '.join(sorted(lost))}"
        if outcome.failure:
            tail = outcome.tail.replace(str(options.venvs), ".venvs")  # a path of this machine
            failures.append(about | {"reason": outcome.failure, "tail": tail})
        if outcome.leftovers:
            text = f"{outcome.leftovers} processes were left and had to be killed"
            failures.append(about | {"reason": text, "leftovers": outcome.leftovers})
        print(
            f"[{index + 1}/{len(jobs)}] {job.script} {job.engine} "
            f"{time.monotonic() - start:.1f} s {outcome.failure}",
            file=sys.stderr,
            flush=True,
        )
    return samples, floors, failures


def _measure_floors(
    pythons: dict[str, str],
    floors: report.Floors,
    failures: list[dict[str, Any]],
    options: argparse.Namespace,
) -> None:
    """Add one run's samples of the floors."""
    outcome = launch.run(next(iter(pythons.values())), "floors", [], options.limit_s)
    for sample in outcome.samples:
        floors.setdefault(sample["row"], []).append(sample["value"])
    if outcome.failure:
        about = {"engine": "floors", "script": "floors"}
        failures.append(about | {"reason": outcome.failure, "tail": outcome.tail})


def main() -> int:
    """Run, print the table, write the files; 1 when a script failed."""
    options = _parse()
    goals = _goals(options)
    launch.adopt_orphans()
    pythons = {} if options.without_thornback else {rows.OURS: options.thornback_python}
    if options.before_python:
        pythons[rows.BEFORE] = options.before_python
    for peer in options.peers:
        pythons[peer] = environments.make(peer, options.venvs, options.thornback_python)
    versions = {engine: environments.versions(path) for engine, path in pythons.items()}
    if "numpy" not in versions.get(rows.OURS, {"numpy": ""}):
        print(
            f"error: {options.thornback_python} has no numpy, which the large objects are made "
            f"of: install {environments.REQUIREMENTS.name} there",
            file=sys.stderr,
        )
        return 2
    facts: dict[str, Any] = {
        "started": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "command": shlex.join(["python", "benchmarks/run.py", *_shown(sys.argv[1:])]),
        "machine": machine.facts(),
        "code": machine.commit(launch.HERE.parent),
        "versions": versions,
        "seed": options.seed,
        "repeats": options.repeats,
        "sample_seconds": options.seconds,
        "samples_per_process": options.samples,
    }
    start, others = time.monotonic(), machine.busy_seconds() - machine.own_seconds()
    samples, floors, failures = _carry_out(_plan(options, goals), pythons, options)
    took_s = time.monotonic() - start
    others = machine.busy_seconds() - machine.own_seconds() - others
    facts |= {"took_s": round(took_s, 1), "failures": failures}
    # What other programs took away: figures with much of it are not worth keeping.
    facts["others_cpu_share"] = round(max(0.0, others) / took_s / facts["machine"]["cores"], 3)
    results = report.Results(samples, floors)
    text = report.markdown(facts, results, goals)
    if options.write or not options.partial:
        raw = facts | {
            "summary": report.summary(results, goals),
            "floors": floors,
            "samples": samples,
        }
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "RESULTS.md").write_text(text, encoding="utf-8")
        raw_text = json.dumps(raw, indent=1) + "\n"
        (options.out / "results.json").write_text(raw_text, encoding="utf-8")
    print(text)
    if report.disturbed(facts):
        print("other programs were busy: these figures are not worth keeping", file=sys.stderr)
    # What a peer leaves behind is told, but is not our failure.
    return int(any(f["engine"] == rows.OURS or "leftovers" not in f for f in failures))


def _shown(arguments: list[str]) -> list[str]:
    """Return the arguments without paths, which say nothing outside this machine."""
    shown, skip = [], False
    for argument in arguments:
        name = argument.split("=")[0]
        if skip or name in ("--thornback-python", "--before-python", "--venvs", "--out"):
            skip = not skip and "=" not in argument
            continue
        shown.append(argument)
    return shown


if __name__ == "__main__":
    sys.exit(main())
