"""Find out what keeps a value from being pickled, and print the way to it."""

from __future__ import annotations

import inspect
import sys
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

_RULE_MAX = 80
_COLOURS = ("\x1b[31m", "\x1b[39m", "\x1b[1m", "\x1b[0m")
_NOT_FOUND = (
    "WARNING: Did not find non-serializable object in {}. This may be because the object is only "
    "non-serializable when combined with other objects, or because cloudpickle and the traversal "
    "disagree{}. Try calling `ray.util.inspect_serializability` {}"
)


class FailureTuple:
    """Something that can't be pickled, and where it was found.

    Attributes
    ----------
    obj : object
    path : tuple of str
        Names of variables and attributes that lead to it.
    parent : object
        What refers to it.
    """

    def __init__(self, obj: Any, path: tuple[str, ...], parent: Any) -> None:
        self.obj = obj
        self.path = path
        self.parent = parent

    def __repr__(self) -> str:
        path = [str(step) for step in self.path]
        name = path[-1] if path else "unknown"
        way = " -> ".join(path)
        return f"FailTuple({name} [path={way}, obj={self.obj}, parent={self.parent}])"


def inspect_serializability(
    base_obj: Any, name: str | None = None, depth: int = 3, print_file: Any = None
) -> tuple[bool, set[FailureTuple]]:
    """Say whether a value can be pickled, and print what of it can't.

    Parameters
    ----------
    base_obj : object
    name : str, optional
        What it is called in the output.
    depth : int
        So many steps are followed from it: variables of functions, attributes of objects.
    print_file : file, optional
        Standard output when not given.

    Returns
    -------
    bool
        Whether it can.
    set of FailureTuple
        The culprits that were found, at least one when it can't.
    """
    return _Inspection(print_file).run(base_obj, name, depth)


class _Inspection:
    def __init__(self, file: Any) -> None:
        self._file = file
        # As colorama does: no colours where standard output is a file.
        colours = file is not None or sys.stdout.isatty()
        self._red, self._default, self._bright, self._normal = _COLOURS if colours else ("",) * 4
        self._level = 0
        self._failures: set[FailureTuple] = set()

    def run(self, obj: Any, name: str | None, depth: int) -> tuple[bool, set[FailureTuple]]:
        title = f"Checking Serializability of {obj}"
        rule = "=" * min(len(title), _RULE_MAX)
        for line in (rule, title, rule):
            self._print(line)
        good = self._passes(obj)
        if not good:
            self._descend(obj, name, depth, None, ())
            if depth > 0:
                self._summary(rule)
        return good, self._failures

    def _print(self, text: str) -> None:
        print("    " * self._level + text, file=self._file)

    @contextmanager
    def _indented(self) -> Iterator[None]:
        self._level += 1
        yield
        self._level -= 1

    def _passes(self, obj: Any) -> bool:
        import cloudpickle

        try:
            cloudpickle.dumps(obj)
        except Exception as error:  # noqa: BLE001  # whatever the user's code raises
            self._print(f"{self._red}!!! FAIL{self._default} serialization: {error}")
            return False
        return True

    def _check(self, obj: Any, name: str, depth: int, parent: Any, path: tuple[str, ...]) -> bool:
        self._print(f"Serializing '{name}' {obj}...")
        good = self._passes(obj)
        if not good:
            self._descend(obj, name, depth, parent, path)
        return good

    def _descend(
        self, obj: Any, name: str | None, depth: int, parent: Any, path: tuple[str, ...]
    ) -> None:
        """Look for the culprit in the parts of `obj`, which can't be pickled."""
        here = path if name is None else (*path, name)
        if depth <= 0:
            if depth == 0:
                self._failures.add(FailureTuple(obj, here, parent))
            return
        if inspect.isfunction(obj):
            self._function(obj, depth, here)
        else:
            self._object(obj, depth, here)
        if not self._failures:
            self._failures.add(FailureTuple(obj, here, parent))

    def _function(self, function: Any, depth: int, path: tuple[str, ...]) -> None:
        self._print(f"Inspecting closure of '{function.__qualname__}':")
        closure = inspect.getclosurevars(function)
        found = False
        for kind, variables in (("global", closure.globals), ("nonlocal", closure.nonlocals)):
            if not variables:
                continue
            self._print(f"Detected {len(variables)} {kind} variables. Checking serializability...")
            with self._indented():
                found = self._first(variables, depth, function, path) or found
        if not found:
            advice = (
                "directly on the suspected object, or simplify the closure to isolate the cause."
            )
            why = " on which object causes the failure"
            self._print(_NOT_FOUND.format(function.__qualname__, why, advice))

    def _object(self, obj: Any, depth: int, path: tuple[str, ...]) -> None:
        found = False
        for members in (_functions(obj), _members(obj)):
            with self._indented():
                found = self._first(members, depth, obj, path) or found
        if not found:
            what = obj.__name__ if inspect.isclass(obj) else f"{type(obj).__name__} instance"
            advice = "on individual attributes to isolate the cause."
            self._print(_NOT_FOUND.format(what, "", advice))

    def _first(
        self, parts: Mapping[str, Any], depth: int, parent: Any, path: tuple[str, ...]
    ) -> bool:
        """Check parts up to the first that fails; return whether there was one."""
        return any(
            not self._check(part, name, depth - 1, parent, path) for name, part in parts.items()
        )

    def _summary(self, rule: str) -> None:
        culprits = "\n".join(str(failure) for failure in self._failures)
        self._print(rule)
        self._print(
            f"Variable: \n\n\t{self._bright}{culprits}{self._normal}\n\nwas found to be "
            "non-serializable. There may be multiple other undetected variables that were "
            "non-serializable. "
        )
        self._print(
            "Consider either removing the instantiation/imports of these variables or moving the "
            "instantiation into the scope of the function/class. "
        )
        self._print(rule)


def _functions(obj: Any) -> dict[str, Any]:
    return dict(inspect.getmembers(obj, predicate=inspect.isfunction))


def _members(obj: Any) -> dict[str, Any]:
    return {
        name: value
        for name, value in inspect.getmembers(obj)
        if not (name.startswith("__") and name.endswith("__")) and not inspect.isbuiltin(value)
    }
