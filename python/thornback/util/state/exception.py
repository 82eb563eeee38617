"""Errors of the state API, under Ray's names."""

from __future__ import annotations


class RayStateApiException(Exception):
    """A question to the state API could not be answered."""

    def __init__(self, err_msg: str, *args: object) -> None:
        super().__init__(f"{err_msg}", *args)


class DataSourceUnavailable(RayStateApiException):
    """The session does not answer."""
