"""Public names: Ray's are ours, with the same parameters and parents; COMPAT.md says so."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from tests.compat import names, outcomes, report


@pytest.fixture(scope="module")
def compared() -> list[names.Name]:
    return names.all_names()


def test_names_are_rays(compared: list[names.Name]) -> None:
    known = names.known_differences()
    unknown = [
        f"{name.path}: {name.difference}"
        for name in compared
        if name.difference and names.known(name, known) is None
    ]
    assert not unknown, "\n".join(unknown)


def test_listed_differences_are_there(compared: list[names.Name]) -> None:
    """What no longer differs must be taken out of differences.toml."""
    known = names.known_differences()
    different = {name.path for name in compared if name.difference}
    used = Counter(f"{name.module}.*" for name in compared if name.difference)
    stale = [path for path in known if path not in different and not used[path]]
    assert not stale


def test_listed_differences_have_reasons() -> None:
    for path, known in names.known_differences().items():
        assert known.state in (outcomes.DIFFERS, outcomes.NOT_YET), path
        assert len(known.reason.split()) >= 3, f"{path}: a reason is a sentence"


def test_inventory_is_whole() -> None:
    recorded = json.loads(names.RECORDED.read_text())
    assert len(recorded) > 20
    assert {"init", "get", "remote", "ObjectRef"} <= recorded["ray"].keys()
    assert recorded["ray"]["wait"]["signature"][0] == "ray_waitables"


@pytest.mark.parametrize(
    ("ours", "rays", "same"),
    [
        (["a", "b=1"], ["a", "b=1"], True),
        (["a", "b=1", "c=2"], ["a", "b=1"], True),
        (["a", "c", "b=1"], ["a", "b=1"], False),
        (["a", "b=2"], ["a", "b=1"], False),
        (["a", "b=None"], ["a", "b"], True),
        (["a", "b"], ["a", "b=1"], False),
        (["a", "*", "b=1"], ["a", "b=1"], False),
        (["a", "*", "b=1"], ["a", "*", "b=1"], True),
        (["a", "*", "b=1", "c=1"], ["a", "*", "b=1"], True),
        (["a", "*", "b=1", "c"], ["a", "*", "b=1"], False),
        (["x"], ["a"], False),
        (["a"], ["a", "**kwargs"], False),
        (["*args", "**kwargs"], ["*args", "**kwargs"], True),
    ],
)
def test_signatures_compared(ours: list[str], rays: list[str], same: bool) -> None:
    assert names._takes_as_much(ours, rays) is same


def test_compat_md_is_up_to_date() -> None:
    assert report.FILE.read_text() == report.text(), "`make compat-report` writes it"
