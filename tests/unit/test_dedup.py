"""Like lines of several workers are printed once, and counted."""

from __future__ import annotations

import pytest

from thornback._dedup import Deduplicator, configured


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    Deduplicator._advised = True
    return Clock()


@pytest.fixture
def dedup(clock: Clock) -> Deduplicator:
    return Deduplicator(5.0, "never me", "skip me", clock)


def test_like_lines_of_others_are_counted(dedup: Deduplicator, clock: Clock) -> None:
    assert dedup.add("1", "(f pid=1)", "at 17 of 20") == [("(f pid=1)", "at 17 of 20")]
    assert dedup.patience() == 5.0
    assert dedup.add("2", "(f pid=2)", "at 18 of 20") == []
    assert dedup.add("3", "(f pid=3)", "at 0x1f of 20") == []
    assert dedup.expire() == []
    clock.now += 5
    assert dedup.patience() == 0.0
    (line,) = dedup.expire()
    assert line == ("(f pid=3)", "at 0x1f of 20\x1b[32m [repeated 2x across cluster]\x1b[0m")
    # It goes on: the next window counts, without printing one first.
    assert dedup.add("1", "(f pid=1)", "at 19 of 20") == []
    clock.now += 5
    assert dedup.expire() == [("(f pid=1)", "at 19 of 20")]  # one alone is just late
    assert dedup.patience() is None


def test_one_process_repeats_itself(dedup: Deduplicator) -> None:
    for _ in range(3):
        assert dedup.add("1", "p", "again") == [("p", "again")]


def test_rules(dedup: Deduplicator) -> None:
    for source in "123":
        assert dedup.add(source, "p", "never me, skip me") == [("p", "never me, skip me")]
        assert dedup.add(source, "p", "skip me") == []
        assert dedup.add(source, "p", "1 2 3") == [("p", "1 2 3")]  # nothing but numbers
        assert dedup.add(source, "p", "") == [("p", "")]


def test_flush(dedup: Deduplicator) -> None:
    for source in "123":
        dedup.add(source, "p", "same")
    dedup.add("1", "p", "other")
    assert [text.partition("\x1b")[0] for _, text in dedup.flush()] == ["same"]
    assert dedup.flush() == []


def test_the_advice_comes_once(clock: Clock) -> None:
    Deduplicator._advised = False
    dedup = Deduplicator(5.0, clock=clock)
    for text in ("a", "b"):
        for source in "123":
            dedup.add(source, "p", text)
    first, second = dedup.flush()
    assert "Set RAY_DEDUP_LOGS=0 to disable log deduplication" in first[1]
    assert "RAY_DEDUP_LOGS" not in second[1]


def test_variables() -> None:
    assert configured({"RAY_DEDUP_LOGS": "0"}) is None
    assert configured({"RAY_DEDUP_LOGS": "false"}) is None
    made = configured(
        {
            "RAY_DEDUP_LOGS_AGG_WINDOW_S": "2",
            "RAY_DEDUP_LOGS_ALLOW_REGEX": "keep",
            "RAY_DEDUP_LOGS_SKIP_REGEX": "drop",
        }
    )
    assert made is not None
    assert made._window_s == 2.0
    assert made.add("1", "p", "drop") == []
    assert made.add("1", "p", "keep drop") == [("p", "keep drop")]
    broken = configured({"RAY_DEDUP_LOGS_AGG_WINDOW_S": "soon"})
    assert broken is not None
    assert broken._window_s == 5.0
