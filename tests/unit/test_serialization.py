"""The pickler of last resort, and how it names what can't be pickled."""

from __future__ import annotations

import collections
import dataclasses
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest

from thornback import _serialization

LOCK = threading.Lock()


class Holder:
    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class Slots:
    __slots__ = ("inside",)

    def __init__(self, inside: Any) -> None:
        self.inside = inside


@dataclasses.dataclass
class Data:
    name: str
    lock: Any


class Broken:
    def __reduce__(self) -> Any:
        raise RuntimeError("not today")

    def __repr__(self) -> str:
        raise RuntimeError("nor this")


def capturing() -> Callable[[], Any]:
    captured = [LOCK]
    return lambda: captured


def with_default(x: Any = LOCK) -> Any:
    return x


def with_keyword_default(*, x: Any = LOCK) -> Any:
    return x


class Method:
    def __init__(self) -> None:
        self.lock = LOCK

    def run(self) -> None: ...


def local_class() -> type:
    return type("Local", (), {"shared": {"k": LOCK}})


@pytest.mark.parametrize(
    "value, path",
    [
        (LOCK, "args[0]"),
        ([1, [2, LOCK]], "args[0][1][1]"),
        ({"x": Holder(lock=LOCK)}, "args[0]['x'].lock"),
        ({("a", 1): (LOCK,)}, "args[0][('a', 1)][0]"),
        ({LOCK: 1}, "args[0].<key "),
        ({1, LOCK}, "args[0].<item "),
        (Slots([LOCK]), "args[0].inside[0]"),
        (Data("n", LOCK), "args[0].lock"),
        (collections.deque([1, LOCK]), "args[0][1]"),
        (collections.OrderedDict(a=LOCK), "args[0]['a']"),
        (collections.defaultdict(list, a=[LOCK]), "args[0]['a'][0]"),
        (capturing(), "args[0].<captured captured>[0]"),
        (lambda: LOCK, "args[0].<global LOCK>"),
        (lambda: [LOCK for _ in "x"], "args[0].<global LOCK>"),
        (Method().run, "args[0].__self__.lock"),
        (local_class(), "args[0].shared['k']"),
        (local_class()(), "args[0]"),
        ([Broken()], "args[0][0]"),
        ({1: Broken(), Broken(): 1}, "args[0][1]"),
        (Holder(a=1, b=iter([Holder(c=LOCK)])), "args[0].b"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_path_to_the_culprit(value: Any, path: str) -> None:
    with pytest.raises((TypeError, RuntimeError)) as caught:
        _serialization.dumps(value, None, "args[0]")
    # What the user's own code raises keeps its class; its cause is ours.
    error = caught.value if isinstance(caught.value, TypeError) else caught.value.__cause__
    assert f"Could not serialize the argument {path}" in str(error)


@pytest.mark.parametrize("function", [with_default, with_keyword_default])
def test_defaults_of_a_function_sent_by_value(
    function: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(function, "__module__", "__main__")
    with pytest.raises(TypeError, match=r"Could not serialize the put value\.__(kw)?defaults__\["):
        _serialization.dumps(function, None, "value")


def test_the_message_names_type_reason_and_whole() -> None:
    with pytest.raises(TypeError) as caught:
        _serialization.dumps({"x": [LOCK]}, None, "args[0]")
    assert str(caught.value) == (
        "Could not serialize the argument args[0]['x'][0], of type _thread.lock: cannot pickle "
        "'_thread.lock' object. It is part of the argument args[0], of type dict."
    )
    assert isinstance(caught.value.__cause__, TypeError)


def test_the_search_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_serialization, "_TRIALS_MAX", 10)
    many = [[i] for i in range(1000)]
    with pytest.raises(TypeError, match=r"Could not serialize the result, of type list"):
        _serialization.dumps([*many, [LOCK]], None, "result")


def test_a_cycle_is_no_trap() -> None:
    cycle: list[Any] = [LOCK]
    cycle.insert(0, cycle)
    with pytest.raises(TypeError, match=r"Could not serialize the argument kwargs\['k'\]\[1\]"):
        _serialization.dumps(cycle, None, "kwargs['k']")


def test_what_it_can_pickle() -> None:
    buffers: list[pickle.PickleBuffer] = []
    big = pickle.PickleBuffer(bytearray(b"x" * 100_000))
    data = _serialization.dumps((lambda x: x + 1, big), buffers.append, "value")
    assert len(data) < 10_000
    function, back = pickle.loads(data, buffers=buffers)
    assert function(1) == 2
    assert bytes(back) == b"x" * 100_000


def test_it_knows_when_it_pickles_for_the_engine() -> None:
    seen = []

    class Spy:
        def __reduce__(self) -> Any:
            seen.append(_serialization.is_encoding())
            return (int, ())

    pickle.dumps(Spy())
    _serialization.dumps([Spy()], None, "value")
    with pytest.raises(TypeError):
        _serialization.dumps([LOCK], None, "value")
    pickle.dumps(Spy())
    assert seen == [False, True, False]
