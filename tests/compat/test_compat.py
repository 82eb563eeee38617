"""Programs see on Thornback what they saw on Ray 2.60; `programs` says what a case is."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from tests.compat import engines, outcomes
from tests.compat.programs import all_cases

CASES = {case.id: case for case in all_cases()}
DIFFERENCES = outcomes.differences()
# More than there are CPUs: programs also wait, for processes to start and for times to pass.
JOBS = (os.cpu_count() or 1) + 1
# What a program raises by its own mistake, and the cases that are about just that.
MISTAKE = re.compile(
    r"raises (RayTaskError\()?"
    r"(AttributeError|GetTimeoutError|ImportError|IndentationError|ModuleNotFoundError|NameError|"
    r"NotImplementedError|SyntaxError|UnboundLocalError)\b"
)
ABOUT_IT = {
    "actors.static_and_class_methods",
    "actors.unknown_names",
    "errors.class_of_the_cause",
    "errors.syntax_and_import_errors",
    "generators.closing_and_sending",
    "generators.yield_from_an_iterator",
    "ids.from_hex",
    "metrics.metrics_definitions_refused",
    "named.methods_through_get_actor",
    "objects.get_timeouts",
    "session.context_attributes",
    "pools.queue_shutdown",
}


@pytest.fixture(scope="session")
def outcome_of(request: pytest.FixtureRequest) -> Iterator[Callable[[str], engines.Outcome]]:
    """Our outcomes; all cases that were selected run in the background, in order."""
    names = [
        item.callspec.params["name"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == "test_same_as_ray"
    ]
    with ThreadPoolExecutor(JOBS) as pool:
        running: dict[str, Future[engines.Outcome]] = {
            name: pool.submit(engines.run_on_thornback, CASES[name]) for name in names
        }
        yield lambda name: running[name].result()
        pool.shutdown(cancel_futures=True)


@pytest.mark.timeout(150)
@pytest.mark.parametrize("name", CASES)
def test_same_as_ray(name: str, outcome_of: Callable[[str], engines.Outcome]) -> None:
    case = CASES[name]
    recorded = outcomes.load(case.theme).get(case.name)
    assert recorded is not None, "`make compat` records Ray's outcome"
    assert recorded.digest == case.digest, "the program has changed: `make compat` records it"
    ours = outcome_of(name)
    known = DIFFERENCES.get(name)
    if known is None:
        assert ours.same_as(recorded.outcome), compared(recorded.outcome, ours, "Ray")
        return
    text = f"{name} prints what Ray does: take it out of differences.toml"
    assert not ours.same_as(recorded.outcome), text
    if known.outcome is not None:
        text = compared(known.outcome, ours, "differences.toml")
        assert ours.same_as(known.outcome), text


def compared(expected: engines.Outcome, ours: engines.Outcome, of: str) -> str:
    """Both outcomes as a diff, and what we wrote to stderr."""
    left = [*expected.lines, f"exit status {expected.exit}"]
    right = [*ours.lines, f"exit status {ours.exit}"]
    lines = difflib.unified_diff(left, right, of, "Thornback", lineterm="", n=2)
    return "\n".join([*lines, "--- our stderr", ours.stderr[-3000:]])


def test_differences_are_of_cases() -> None:
    assert not DIFFERENCES.keys() - CASES.keys()


@pytest.mark.parametrize("name", DIFFERENCES)
def test_difference_is_explained(name: str) -> None:
    known = DIFFERENCES[name]
    assert known.state in (outcomes.DIFFERS, outcomes.NOT_YET)
    assert len(known.reason.split()) >= 4, "a reason is a sentence"
    meant = known.state == outcomes.DIFFERS
    assert (known.outcome is not None) == meant, "what is meant is written down, and only that"
    assert known.outcome is None or known.outcome.exit == 0, "a program of ours that fails"


def test_outcomes_are_of_cases() -> None:
    known = {f"{case.theme}.{case.name}" for case in CASES.values()}
    files = {path.stem for path in outcomes.OUTCOMES.glob("*.json")}
    recorded = {f"{theme}.{name}" for theme in files for name in outcomes.load(theme)}
    assert not recorded - known, "outcomes of cases that are gone: `make compat` drops them"


def test_cases_say_something() -> None:
    quiet = [
        f"{theme}.{name}"
        for theme in {case.theme for case in CASES.values()}
        for name, entry in outcomes.load(theme).items()
        if not entry.outcome.lines
    ]
    assert not quiet


def test_cases_end_well_on_ray() -> None:
    """A program that fails on Ray by its own mistake tests nothing."""
    failed = [
        f"{theme}.{name}"
        for theme in {case.theme for case in CASES.values()}
        for name, entry in outcomes.load(theme).items()
        if entry.outcome.exit != 0
    ]
    assert not failed


def test_errors_are_what_cases_are_about() -> None:
    """Both engines would agree on an error that is the program's own mistake."""
    found = {
        f"{theme}.{name}"
        for theme in {case.theme for case in CASES.values()}
        for name, entry in outcomes.load(theme).items()
        if any(MISTAKE.search(line) for line in entry.outcome.lines)
    }
    assert found == ABOUT_IT
