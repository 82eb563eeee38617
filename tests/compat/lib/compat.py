"""What the programs of the cases share; imported in drivers and workers of both engines.

What they see goes to a file of its own, since engines print too. Nothing here waits for a fixed
time: `until`, `Flag` and `Count` wait for something to happen.
"""

from __future__ import annotations

import io
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import ray

LIMIT_S = 40.0


def say(line: str) -> None:
    """Write a line of the outcome."""
    with open(os.environ["COMPAT_OUT"], "a") as file:
        file.write(f"{line}\n")


def start(**options: Any) -> Any:
    """Start a session with two CPUs, without a dashboard and without the workers' output."""
    defaults = {"num_cpus": 2, "include_dashboard": False, "log_to_driver": False}
    return ray.init(**{**defaults, **options})


def show(label: str, *values: Any) -> None:
    """Print what was seen."""
    say(" ".join([f"{label}:", *(repr(value) for value in values)]))


def printing(hidden: str = "") -> None:
    """Make of standard output the outcome, without what the pattern finds in a line."""
    sys.stdout = _Lines(hidden)


class _Lines(io.TextIOBase):
    def __init__(self, hidden: str) -> None:
        self._hidden = hidden
        self._begun = ""

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            say(re.sub(self._hidden, "<...>", line) if self._hidden else line)
        return len(text)


def first_line(error: BaseException) -> str:
    """The first line of an error's text that says something."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].strip() if lines else ""


def last_line(error: BaseException) -> str:
    """The last line of an error's text that says something."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


def describe(error: BaseException) -> str:
    """Class and first line; of a task's error the last, where its cause stands."""
    is_task_error = isinstance(error, ray.exceptions.RayTaskError)
    line = last_line(error) if is_task_error else first_line(error)
    return f"{type(error).__name__}: {line}"


def attempt(label: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call, and print the value or the error; returns the value or the error."""
    try:
        value = function(*args, **kwargs)
    except BaseException as error:  # noqa: BLE001 - is what the case is about
        say(f"{label} raises {describe(error)}")
        return error
    say(f"{label} = {value!r}")
    return value


def kind(label: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Like `attempt`, but of a value or an error only the class is printed."""
    try:
        value = function(*args, **kwargs)
    except BaseException as error:  # noqa: BLE001 - is what the case is about
        say(f"{label} raises {type(error).__name__}")
        return error
    say(f"{label} is a {type(value).__name__}")
    return value


def parents(cls: type) -> list[str]:
    """The names of a class and its parents, in order of resolution, without private ones."""
    return [c.__name__ for c in cls.__mro__ if not c.__name__.startswith("_")]


def until(condition: Callable[[], Any], limit_s: float = LIMIT_S) -> Any:
    """Wait until the condition is true; returns its value, or False after the limit."""
    deadline = time.monotonic() + limit_s
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value or False
        time.sleep(0.01)


class Flag:
    """Something that one process sets and another waits for: a file."""

    def __init__(self) -> None:
        self.path = tempfile.mktemp(prefix="flag", dir=os.getcwd())

    def set(self) -> None:
        with open(self.path, "a"):
            pass

    def is_set(self) -> bool:
        return os.path.exists(self.path)

    def wait(self) -> bool:
        return bool(until(self.is_set))


class Count:
    """A number that every process can raise: the length of a file."""

    def __init__(self) -> None:
        self.path = tempfile.mktemp(prefix="count", dir=os.getcwd())

    def add(self) -> int:
        """Add one and return the new number; exact when one process at a time adds."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, b".")
            return os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)

    def value(self) -> int:
        return os.path.getsize(self.path) if os.path.exists(self.path) else 0


class Notes:
    """Lines that any process appends to a file, in the order in which it did."""

    def __init__(self) -> None:
        self.path = tempfile.mktemp(prefix="notes", dir=os.getcwd())

    def add(self, line: Any) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, f"{line}\n".encode())
        finally:
            os.close(descriptor)

    def lines(self) -> list[str]:
        if not os.path.exists(self.path):
            return []
        with open(self.path) as file:
            return file.read().splitlines()
