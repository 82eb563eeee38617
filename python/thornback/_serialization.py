"""Values that the C pickler can't take: cloudpickle, and the search for what nothing can pickle."""

from __future__ import annotations

import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from types import CodeType, FunctionType
    from typing import Any

# The search pickles parts again and again: it gives up, with what it has, at the first of these.
_TRIALS_MAX = 2_000
_SEARCH_S_MAX = 2.0
_DEPTH_MAX = 30
_REPR_CHARS_MAX = 40
_WORDS = {"value": "the put value", "result": "the result"}


class _State(threading.local):
    depth = 0


_state = _State()


class _Encoding:
    """Marks that this thread pickles for the engine, so that functions may go by their id."""

    def __enter__(self) -> None:
        _state.depth += 1

    def __exit__(self, *exc: object) -> None:
        _state.depth -= 1


def encoding() -> AbstractContextManager[None]:
    """Return a context in which what is pickled is for this session's processes only."""
    return _Encoding()


def is_encoding() -> bool:
    """Whether this thread pickles for the engine, not for a file or another program."""
    return _state.depth > 0


def dumps(obj: Any, buffer_callback: Callable[[Any], Any] | None, label: str) -> bytes:
    """Pickle with cloudpickle.

    Parameters
    ----------
    obj : object
    buffer_callback : callable or None
        As for `pickle.dumps` with protocol 5.
    label : str
        What the value is to the user: ``args[0]`` or ``kwargs['k']`` of a call, ``value`` of `put`,
        ``result`` of a task; begins the path in the error.

    Raises
    ------
    TypeError
        When something in it can't be pickled; the message names the path to it.
    Exception
        What else the pickling of the user's classes raises; its `__cause__` names the path.
    """
    from . import _pickler

    with encoding():
        try:
            return _pickler.dumps(obj, buffer_callback)
        except TypeError as error:
            raise explain(obj, _in_words(label), error) from error
        except Exception as error:
            # What the user's own code raises keeps its class; where it was stands before it.
            raise error from explain(obj, _in_words(label), error)


def _in_words(label: str) -> str:
    return _WORDS.get(label) or f"the argument {label}"


def explain(obj: Any, label: str, error: Exception) -> TypeError:
    """Return the error that says which part of `obj` can't be pickled, and why."""
    path, culprit, reason = find_culprit(obj, label, error)
    text = f"Could not serialize {path}, of type {_type_name(culprit)}: {reason}."
    if culprit is not obj:
        text += f" It is part of {label}, of type {_type_name(obj)}."
    return TypeError(text)


def find_culprit(obj: Any, label: str, error: Exception) -> tuple[str, Any, Exception]:
    """Find the smallest part of `obj` that can't be pickled.

    Returns
    -------
    path : str
        Python's notation as far as there is one: ``args[0]['x'].lock``; variables of functions are
        ``f.<captured lock>`` or ``f.<global lock>``.
    culprit : object
    error : Exception
        What pickling the culprit alone raises.
    """
    search = _Search(obj)
    path = label
    for _ in range(_DEPTH_MAX):
        for suffix, part in _parts(obj):
            failure = search.failure(part)
            if failure is not None:
                path, obj, error = path + suffix, part, failure
                break
        else:
            break
    return path, obj, error


class _Search:
    def __init__(self, whole: Any) -> None:
        self._deadline = time.monotonic() + _SEARCH_S_MAX
        self._trials = 0
        # The parts themselves stand beside their ids, which could be used again otherwise.
        self._seen = {id(whole): whole}

    def failure(self, part: Any) -> Exception | None:
        """Return what pickling the part raises; None when it works or was tried before."""
        from . import _pickler

        if isinstance(part, (str, bytes, int, float, type(None))) or id(part) in self._seen:
            return None
        self._seen[id(part)] = part
        self._trials += 1
        if self._trials > _TRIALS_MAX or time.monotonic() > self._deadline:
            return None
        try:
            _pickler.dumps(part, lambda _: None)
        except Exception as error:  # noqa: BLE001  # whatever the user's code raises
            return error
        return None


def _parts(obj: Any) -> Iterator[tuple[str, Any]]:
    """Yield what pickling `obj` pickles, each with its step in the path."""
    from types import FunctionType, MethodType

    if isinstance(obj, dict):
        for key, value in obj.items():
            yield f"[{_short(key)}]", value
        for key in obj:
            yield f".<key {_short(key)}>", key
    elif isinstance(obj, (list, tuple)):
        for index, item in enumerate(obj):
            yield f"[{index}]", item
    elif isinstance(obj, (set, frozenset)):
        for item in obj:
            yield f".<item {_short(item)}>", item
    elif isinstance(obj, FunctionType):
        yield from _function_parts(obj)
    elif isinstance(obj, MethodType):
        yield ".__self__", obj.__self__
        yield ".__func__", obj.__func__
    elif isinstance(obj, type):
        yield from _class_parts(obj)
    else:
        yield from _state_parts(obj)


def _class_parts(cls: type) -> Iterator[tuple[str, Any]]:
    from types import FunctionType

    for name, value in list(vars(cls).items()):
        part = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
        if not name.startswith("__") or isinstance(part, FunctionType):
            yield f".{name}", part


def _function_parts(function: FunctionType) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield f".<captured {name}>", cell.cell_contents
        except ValueError:  # not bound yet
            continue
    for name in _global_names(function.__code__):
        if name in function.__globals__:
            yield f".<global {name}>", function.__globals__[name]
    for index, value in enumerate(function.__defaults__ or ()):
        yield f".__defaults__[{index}]", value
    for name, value in (function.__kwdefaults__ or {}).items():
        yield f".__kwdefaults__[{name!r}]", value
    for name, value in vars(function).items():
        yield f".{name}", value


def _global_names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, type(code)):
            yield from _global_names(constant)


def _state_parts(obj: Any) -> Iterator[tuple[str, Any]]:
    """Yield what the object's reduction holds, attributes under their names."""
    try:
        reduced = obj.__reduce_ex__(5)
    except Exception:  # noqa: BLE001
        # Unpicklable itself; a part may still be the reason.
        yield from _attributes(getattr(obj, "__dict__", None))
        return
    if isinstance(reduced, str):
        return
    arguments, state, items, pairs = (*reduced[1:], None, None, None, None)[:4]
    if isinstance(state, tuple) and len(state) == 2:
        yield from _attributes(state[0])
        yield from _attributes(state[1])
    elif state is not None and not isinstance(state, dict):
        yield ".<state>", state
    else:
        yield from _attributes(state)
    for index, item in enumerate(items or ()):
        yield f"[{index}]", item
    for key, value in pairs or ():
        yield f"[{_short(key)}]", value
    for index, argument in enumerate(arguments or ()):
        if not isinstance(argument, type):
            yield f".__reduce__()[1][{index}]", argument


def _attributes(state: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(state, dict):
        for name, value in state.items():
            yield f".{name}", value


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  # a broken __repr__
        text = f"<{_type_name(value)}>"
    return text if len(text) <= _REPR_CHARS_MAX else text[: _REPR_CHARS_MAX - 3] + "..."


def _type_name(obj: Any) -> str:
    cls = type(obj)
    prefix = "" if cls.__module__ == "builtins" else f"{cls.__module__}."
    return prefix + cls.__qualname__
