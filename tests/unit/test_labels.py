"""Labels of the node, and what selectors want of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from thornback import _labels

HERE = {"zone": "east", "tier": "gold"}


@pytest.fixture(autouse=True)
def no_labels() -> Iterator[None]:
    before = _labels._node
    yield
    _labels._node = before


@pytest.mark.parametrize(
    ("selector", "lacking"),
    [
        (None, []),
        ({}, []),
        ({"zone": "east"}, []),
        ({"zone": "west"}, ["zone"]),
        ({"zone": "!west"}, []),
        ({"zone": "!east"}, ["zone"]),
        ({"zone": "in(west, east)"}, []),
        ({"zone": "in(west,north)"}, ["zone"]),
        ({"zone": "(east)"}, []),
        ({"zone": "!in(west,east)"}, ["zone"]),
        ({"zone": "!in(west)"}, []),
        ({"other": "x"}, ["other"]),
        ({"other": "!x"}, []),
        ({"zone": "west", "tier": "tin"}, ["zone", "tier"]),
    ],
)
def test_what_a_selector_lacks(selector: Any, lacking: list[str]) -> None:
    assert _labels.lacking({"label_selector": selector}, HERE) == lacking


def test_fallbacks_stand_in_for_the_selector() -> None:
    options = {"label_selector": {"zone": "west"}}
    fits, not_either = {"label_selector": {"zone": "east"}}, {"label_selector": {"zone": "north"}}
    assert _labels.lacking({**options, "fallback_strategy": [not_either, fits]}, HERE) == []
    assert _labels.lacking({**options, "fallback_strategy": [not_either]}, HERE) == ["zone"]


@pytest.mark.parametrize("labels", [None, {}, HERE, {"a/b": "v"}, {"k": ""}])
def test_labels_of_a_node(labels: Any) -> None:
    _labels.set_node(labels)
    assert _labels.of_node() == (labels or {})


@pytest.mark.parametrize(
    ("labels", "error", "text"),
    [
        ("zone", TypeError, "mapping of str to str, got <class 'str'>"),
        ({"zone": 3}, TypeError, "got 'zone': 3"),
        ({3: "zone"}, TypeError, "got 3: 'zone'"),
        ({"a b": "v"}, ValueError, "Invalid label key name `a b`"),
        ({"k": "-"}, ValueError, "Invalid label key value `-`"),
        ({"k": "v" * 64}, ValueError, "Invalid label key value"),
    ],
)
def test_wrong_labels(labels: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        _labels.set_node(labels)
