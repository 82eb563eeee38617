"""Tables and YAML of the command line."""

from __future__ import annotations

from typing import Any

import pytest

from thornback._cli._table import table, yaml, yaml_document

GOLDEN = """\
   NAME    COUNT  PARTS
0  a           1  CPU: 1.0
                  GPU: 2.0
1  longer    234
2              0  x
                  y"""


def test_table() -> None:
    rows = [
        ["a", 1, {"CPU": 1.0, "GPU": 2.0}],
        ["longer", 234, None],
        [None, 0, "x\ny"],
    ]
    assert table(["NAME", "COUNT", "PARTS"], rows, numbered=True) == GOLDEN


def test_table_without_rows() -> None:
    assert table(["A", "B"], []) == "A  B"


YAML_GOLDEN = """\
---
-   id: "01000000"
    name: f
    none: null
    yes: true
    parts:
        CPU: 1.0
        "node:": 2
    empty: {}
    list: []
    events:
        -   state: A
            at: "2026-01-01 00:00:00"
        -   state: B
            at: null
    text: "two\\nlines"
..."""


def test_yaml() -> None:
    value = [
        {
            "id": "01000000",
            "name": "f",
            "none": None,
            "yes": True,
            "parts": {"CPU": 1.0, "node:": 2},
            "empty": {},
            "list": [],
            "events": [
                {"state": "A", "at": "2026-01-01 00:00:00"},
                {"state": "B", "at": None},
            ],
            "text": "two\nlines",
        }
    ]
    assert yaml_document(value) == YAML_GOLDEN.replace("    yes:", '    "yes":')


_UNCLEAR = [
    "null",
    "True",
    "yes",
    "1",
    "1.5",
    "-1",
    "0x1f",
    "1e3",
    ".5",
    "~",
    "- a",
    "a: b",
    "a #b",
    "{a",
    "[a",
    "*a",
    "&a",
    "!a",
    "|",
    ">",
    "'a",
    '"a',
    "%a",
    "@a",
    "`a",
    "a:",
    "2026-01-01",
    "=",
    "<",
    "12:30",
]


@pytest.mark.parametrize("text", ["", " a", "a ", "line\n", "tab\t", *_UNCLEAR])
def test_texts_that_need_quotes(text: str) -> None:
    assert yaml(text).startswith('"')


@pytest.mark.parametrize("text", ["a", "A.b", "(put object) | x.py:f:3", "f-1", "node/x", "é"])
def test_texts_that_need_none(text: str) -> None:
    assert yaml(text) == text


@pytest.mark.parametrize(("value", "text"), [(1, "1"), (1.5, "1.5"), (False, "false")])
def test_scalars(value: Any, text: str) -> None:
    assert yaml(value) == text
