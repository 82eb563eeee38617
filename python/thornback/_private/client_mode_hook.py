"""Marks with which libraries wrap functions for Ray Client, which is not available here."""

from __future__ import annotations

from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    F = TypeVar("F", bound=Callable[..., object])


def client_mode_hook(function: F) -> F:
    """Return the function itself."""
    return function


def client_mode_should_convert() -> bool:
    """Whether calls go to a client's server: never."""
    return False


@contextmanager
def disable_client_hook() -> Iterator[None]:
    """Do nothing around a block."""
    yield
