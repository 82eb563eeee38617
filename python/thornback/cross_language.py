"""Functions and actors in other languages; not available in this release."""

from __future__ import annotations

from enum import Enum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


class Language(Enum):
    """Languages of workers. Those of this release are Python's."""

    PYTHON = 0
    JAVA = 1
    CPP = 2


def java_function(class_name: str, function_name: str) -> NoReturn:
    """Return a function written in Java; not available in this release.

    Raises
    ------
    NotImplementedError
    """
    raise _unavailable(f"java_function({class_name!r}, {function_name!r})")


def cpp_function(function_name: str) -> NoReturn:
    """Return a function written in C++; not available in this release.

    Raises
    ------
    NotImplementedError
    """
    raise _unavailable(f"cpp_function({function_name!r})")


def java_actor_class(class_name: str) -> NoReturn:
    """Return an actor class written in Java; not available in this release.

    Raises
    ------
    NotImplementedError
    """
    raise _unavailable(f"java_actor_class({class_name!r})")


def cpp_actor_class(create_function_name: str, class_name: str) -> NoReturn:
    """Return an actor class written in C++; not available in this release.

    Raises
    ------
    NotImplementedError
    """
    raise _unavailable(f"cpp_actor_class({create_function_name!r}, {class_name!r})")


def _unavailable(call: str) -> NotImplementedError:
    return NotImplementedError(f"{call}: functions and actors are Python's in this release")
