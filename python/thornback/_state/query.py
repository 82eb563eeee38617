"""Filters and limits of a list: what is wrong with them, and what the node can judge."""

from __future__ import annotations

import os

from ..util.state.exception import RayStateApiException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ..util.state.common import StateSchema

    Filter = tuple[str, str, Any]

_LIMIT_MAX = 10_000
_SERVER = "API server internal error. See dashboard.log file for more details. Error: "


class Query:
    """A checked question for rows.

    Parameters
    ----------
    schema : type
        Of the rows.
    filters : sequence of (column, predicate, value), optional
        Predicates are "=" and "!="; all must hold. Texts are compared without regard to case.
    limit : int, 0 <= limit <= RAY_MAX_LIMIT_FROM_API_SERVER (10,000)
    detail : bool
        Whether the rows have all columns.

    Raises
    ------
    ValueError
        A filter is no such tuple.
    RayStateApiException
        A column can't be filtered, a value has the wrong type, or the limit is too large.
    """

    def __init__(
        self, schema: type[StateSchema], filters: Sequence[Filter] | None, limit: int, detail: bool
    ) -> None:
        self.schema = schema
        self.limit = _checked_limit(limit)
        self.detail = detail
        self.filters = [_checked(schema, one) for one in _tuples(filters)]

    def matches(self, row: dict[str, Any], columns: Sequence[str] | None = None) -> bool:
        """Whether a row passes the filters, those on `columns` alone if given."""
        return all(
            _equal(row.get(column), value) == (predicate == "=")
            for column, predicate, value in self.filters
            if columns is None or column in columns
        )

    def for_node(self, columns: Sequence[str]) -> list[dict[str, Any]]:
        """Return the filters on columns that the node has."""
        return [
            {"column": column, "equal": predicate == "=", "value": _text(value)}
            for column, predicate, value in self.filters
            if column in columns
        ]

    def state(self, row: dict[str, Any]) -> StateSchema:
        """Return the row as the user gets it."""
        names = self.schema.list_columns(self.detail)
        return self.schema(**{name: row.get(name) for name in names})


def _checked_limit(limit: Any) -> int:
    if type(limit) is not int:
        raise ValueError(f"limit must be an integer, got {limit!r}")
    most = int(os.environ.get("RAY_MAX_LIMIT_FROM_API_SERVER", _LIMIT_MAX))
    if limit > most:
        raise RayStateApiException(
            f"{_SERVER}Given limit {limit} exceeds the supported limit {most}. Use a lower limit, "
            "or set the `RAY_MAX_LIMIT_FROM_API_SERVER` environment variable to a larger value."
        )
    if limit < 0:
        raise RayStateApiException(f"{_SERVER}The limit must not be negative, got {limit}.")
    return limit


def _tuples(filters: Any) -> list[Filter]:
    if filters is None:
        return []
    if isinstance(filters, str):
        raise ValueError(
            f"filters must be a list of tuples (key, predicate, value), got {filters!r}"
        )
    checked = []
    for one in filters:
        if not isinstance(one, (tuple, list)) or len(one) != 3:
            raise ValueError(f"a filter must be a tuple (key, predicate, value), got {one!r}")
        column, predicate, value = one
        if predicate not in ("=", "!="):
            raise ValueError(
                f"Unsupported filter predicate {predicate} is given. Available predicates: =, !=."
            )
        checked.append((str(column), predicate, value))
    return checked


def _checked(schema: type[StateSchema], one: Filter) -> Filter:
    column, predicate, value = one
    column = column.lower()
    if column not in schema.filterable_columns():
        raise RayStateApiException(
            f"{_SERVER}The given filter column {column} is not supported. Enter filters with "
            "\u2013-filter key=value or \u2013-filter key!=value Supported filter columns: "
            f"{schema.filterable_columns()}"
        )
    kind = schema.__annotations__[column].split()[0]
    if kind == "int" and isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            raise RayStateApiException(
                f"{_SERVER}Invalid filter `--filter {column} {value}` for a int type column. "
                f"Please provide an integer filter `--filter {column} [int]`"
            ) from None
    if kind == "bool" and isinstance(value, str):
        if value.lower() not in ("true", "false", "1", "0"):
            raise RayStateApiException(
                f"{_SERVER}Invalid filter `--filter {column} {value}` for a boolean type column. "
                f"Please provide `--filter {column} [True|true|1]` for True or `--filter {column} "
                "[False|false|0]` for False."
            )
        value = value.lower() in ("true", "1")
    return column, predicate, value


def _equal(have: Any, wanted: Any) -> bool:
    if isinstance(have, str) and isinstance(wanted, str):
        return have.lower() == wanted.lower()
    return bool(have == wanted)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
