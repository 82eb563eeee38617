"""Run cases on real Ray and record what they print.

    python -m tests.compat.record --python .venv-ray/bin/python [--again] [--jobs 2] [CASE ...]

Only cases whose program is new or has changed run, unless ``--again`` asks for all. CASE is a theme
or ``theme.name``. Needs nothing but the standard library; Ray's environment is another one.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from . import engines, outcomes
from .programs import Case, all_cases, cases


def wanted(selected: list[str], again: bool) -> list[Case]:
    """The cases to run."""
    found = []
    for case in all_cases():
        if selected and case.theme not in selected and case.id not in selected:
            continue
        known = outcomes.load(case.theme).get(case.name)
        if again or known is None or known.digest != case.digest or known.outcome.exit != 0:
            found.append(case)
    return found


def main() -> int:
    """Record; returns how many cases did not end well, of which nothing is recorded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", required=True)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("selected", nargs="*", metavar="CASE")
    arguments = parser.parse_args()
    # Shells ignore it in the background, programs inherit that, and nothing could be cancelled.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Not resolved: the link to the interpreter is what names the environment.
    python = str(Path(arguments.python).absolute())
    todo = wanted(arguments.selected, arguments.again)
    print(f"{len(todo)} cases to run on Ray", flush=True)
    failed = 0
    with ThreadPoolExecutor(arguments.jobs) as pool:
        running = {}
        for case in todo:
            running[pool.submit(_timed, case, python)] = case
        for done in as_completed(running):
            case = running[done]
            outcome, seconds = done.result()
            if outcome.exit != 0:
                # By its own mistake, or because Ray did not start: an outcome that says nothing.
                failed += 1
                how = "cut off" if outcome.exit == -1 else f"exit status {outcome.exit}"
                said = outcome.stderr[-2000:]
                print(f"{case.id}: {how} after {seconds:.0f} s\n{said}", flush=True)
                continue
            recorded = outcomes.load(case.theme)
            recorded[case.name] = outcomes.Recorded(case.digest, outcome)
            outcomes.store(case.theme, recorded, cases(case.theme))
            print(f"{case.id}: {seconds:.1f} s", flush=True)
    for theme in {case.theme for case in all_cases()}:
        # Without the outcomes of cases that are gone.
        outcomes.store(theme, outcomes.load(theme), cases(theme))
    return failed


def _timed(case: Case, python: str) -> tuple[engines.Outcome, float]:
    started = time.monotonic()
    outcome = engines.run_on_ray(case, python)
    return outcome, time.monotonic() - started


if __name__ == "__main__":
    sys.exit(main())
