"""How answers are printed: tables for people, JSON and YAML for programs."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from typing import Any

# Texts that YAML would read as something else than a text, in lower case.
_YAML_WORDS = frozenset({"", "null", "~", "true", "false", "yes", "no", "on", "off", "y", "n"})


def add_format_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--format``."""
    parser.add_argument(
        "--format",
        choices=("default", "table", "json", "yaml"),
        default="default",
        help="how the answer is printed",
    )


def table(headers: Sequence[str], rows: Sequence[Sequence[Any]], *, numbered: bool = False) -> str:
    """Return a table with its columns aligned: numbers to the right, texts to the left.

    Parameters
    ----------
    headers : sequence of str
    rows : sequence of sequences, each as long as `headers`
        None is shown as nothing; what has several lines takes several.
    numbered : bool
        Whether a column with the rows' numbers comes first.
    """
    if numbered:
        headers = ["", *headers]
        rows = [[i, *row] for i, row in enumerate(rows)]
    cells = [[_lines(value) for value in row] for row in rows]
    right = [
        bool(rows) and all(isinstance(row[i], (int, float, type(None))) for row in rows)
        for i in range(len(headers))
    ]
    widths = [
        max([len(header), *(len(line) for row in cells for line in row[i])])
        for i, header in enumerate(headers)
    ]
    out = [_line(headers, widths, right)]
    for row in cells:
        for i in range(max(map(len, row))):
            texts = [cell[i] if i < len(cell) else "" for cell in row]
            out.append(_line(texts, widths, right))
    return "\n".join(out)


def _line(texts: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    parts = (
        text.rjust(width) if to_right else text.ljust(width)
        for text, width, to_right in zip(texts, widths, right, strict=True)
    )
    return "  ".join(parts).rstrip()


def _lines(value: Any) -> list[str]:
    if value is None:
        return [""]
    if isinstance(value, dict):
        return [f"{key}: {item}" for key, item in value.items()] or [""]
    if isinstance(value, list):
        return [str(item) for item in value] or [""]
    if isinstance(value, float):
        return [f"{value:.3f}"]
    return str(value).splitlines() or [""]


def yaml(value: Any) -> str:
    """Return a value of dicts, lists, texts and numbers as YAML, in block style."""
    return "\n".join(_yaml_lines(value))


def yaml_document(value: Any) -> str:
    """Return the value as a whole YAML document."""
    return f"---\n{yaml(value)}\n..."


def _yaml_lines(value: Any) -> list[str]:
    if isinstance(value, dict) and value:
        lines = []
        for key, item in value.items():
            inner = _yaml_lines(item)
            if isinstance(item, (dict, list)) and item:
                lines.append(f"{_scalar(key)}:")
                lines += [f"    {line}" for line in inner]
            else:
                lines.append(f"{_scalar(key)}: {inner[0]}")
        return lines
    if isinstance(value, list) and value:
        lines = []
        for item in value:
            first, *rest = _yaml_lines(item)
            lines.append(f"-   {first}")
            lines += [f"    {line}" for line in rest]
        return lines
    return [_scalar(value)]


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if not isinstance(value, str):
        return json.dumps(value)
    return value if _is_plain(value) else json.dumps(value)


def _is_plain(text: str) -> bool:
    """Whether YAML reads the text without quotes as the same text."""
    if text.lower() in _YAML_WORDS or not text.isprintable() or text != text.strip():
        return False
    if text[0] in "-?:,[]{}#&*!|>'\"%@`=<" or ": " in text or " #" in text or text.endswith(":"):
        return False
    return not _looks_like_number(text)


def _looks_like_number(text: str) -> bool:
    """Whether some reader of YAML could take it for a number or a time."""
    return text[0].isdigit() or (text[0] in "+." and text[1:2].isdigit())


def section(title: str, stats: str, body: str, *, group: str = "") -> str:
    """Return a report in the form of Ray's: a title with the time, figures, a table."""
    import datetime

    rule = "-" * 30
    return (
        f"\n======== {title}: {datetime.datetime.now()} ========\nStats:\n{rule}\n{stats}\n\n"
        f"Table{group}:\n{rule}\n{body}\n"
    )
