"""Remote functions and actor classes as far as they go without a session."""

from __future__ import annotations

import functools
import pickle
import threading
from typing import Any

import cloudpickle
import pytest

import thornback as ray
from thornback import _definitions
from thornback._actor import ActorClass, ActorClassInheritanceException
from thornback._handle import MethodTable, equip
from thornback._remote import RemoteFunction


@ray.remote
def recursive(n: int) -> Any:
    """Refers to itself."""
    return recursive.remote(n - 1)


@ray.remote
class Plain:
    """An actor."""

    constant = 5

    def __init__(self, a: int, b: int = 2) -> None: ...

    def method(self, x: int) -> None: ...

    def make(self) -> Any:
        return Plain.remote(1)


# --- the decorator ------------------------------------------------------------------------------


def test_forms_of_the_decorator() -> None:
    def f() -> None:
        """Say nothing."""

    for made in (ray.remote(f), ray.remote(num_cpus=2)(f)):
        assert isinstance(made, RemoteFunction)
        assert made._function is f
        assert made.__doc__ == "Say nothing."
    assert isinstance(Plain, ActorClass)
    assert isinstance(ray.remote(num_cpus=0)(Plain._class), ActorClass)
    assert isinstance(ray.remote(len), RemoteFunction)
    assert isinstance(ray.remote("".join), RemoteFunction)


@pytest.mark.parametrize(
    "apply, error, text",
    [
        (lambda: ray.remote(), AssertionError, "must be applied either with no arguments"),
        (lambda: ray.remote(3), AssertionError, "must be applied either with no arguments"),
        (lambda: ray.remote(len, 2), AssertionError, "must be applied either with no arguments"),
        (lambda: ray.remote(recursive), TypeError, "either a function or a class"),
        (lambda: ray.remote(Plain), TypeError, "either a function or a class"),
        (lambda: ray.remote(num_cpus=1)(3), TypeError, "either a function or a class"),
        (lambda: ray.remote(nonsense=1)(len), ValueError, "Invalid option keyword nonsense"),
        (lambda: ray.remote(num_cpus="x")(len), TypeError, "num_cpus"),
        (lambda: ray.remote(num_cpus=-1)(Plain._class), ValueError, "negative"),
        (lambda: recursive.options(max_calls=1), ValueError, "max_calls"),
        (lambda: Plain.options(nonsense=1), ValueError, "Invalid option keyword nonsense"),
        (lambda: ray.method(1), AssertionError, "must be applied using no arguments"),
        (lambda: ray.method(nonsense=1)(len), AssertionError, "nonsense"),
        (lambda: recursive(1), TypeError, r"cannot be called directly.*recursive\.remote\(\)"),
        (lambda: Plain(1), TypeError, r"instantiated directly.*Plain\.remote\(\)"),
        (lambda: Plain.remote(), TypeError, "missing a required argument: 'a'"),
        (lambda: Plain.remote(1, 2, 3), TypeError, "too many positional arguments"),
        (lambda: recursive.remote(), TypeError, "missing a required argument: 'n'"),
        (lambda: recursive.remote(1, m=2), TypeError, "unexpected keyword argument 'm'"),
    ],
)
def test_wrong_use(apply: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        apply()
    assert not ray.is_initialized()


def test_async_functions_are_refused() -> None:
    async def f() -> None: ...

    with pytest.raises(ValueError, match="async def"):
        ray.remote(f)


def test_no_class_derives_from_an_actor_class() -> None:
    with pytest.raises(ActorClassInheritanceException, match="Inheriting from actor classes"):

        class Derived(Plain): ...  # type: ignore[misc, valid-type]


def test_attributes_of_the_class_are_seen() -> None:
    assert Plain.constant == 5
    with pytest.raises(AttributeError):
        Plain._private  # noqa: B018


def test_options_share_the_definition() -> None:
    changed = recursive.options(num_cpus=2, num_returns=3)
    assert changed._definition is recursive._definition
    assert (changed._options, recursive._options) == ({"num_cpus": 2, "num_returns": 3}, {})


# --- pickling outside a session -----------------------------------------------------------------


def test_a_recursive_function_goes_by_value() -> None:
    def local(n: int) -> Any:
        return again.remote(n)

    again = ray.remote(local)
    back = pickle.loads(cloudpickle.dumps(again.options(num_cpus=2)))
    assert back._options == {"num_cpus": 2}
    inner = back._function.__closure__[0].cell_contents
    assert isinstance(inner, RemoteFunction)
    assert inner._function is back._function


def test_an_actor_class_goes_by_value() -> None:
    class Local:
        def make(self) -> Any:
            return actor_class

        def pair(self, a: int, *, b: int) -> None: ...

    actor_class = ray.remote(num_cpus=0)(Local)
    back = pickle.loads(cloudpickle.dumps(actor_class))
    assert back._class.__name__ == "Local"
    assert back._options == {"num_cpus": 0}
    assert back._table.signature("pair").parameters == (("a", 1, False), ("b", 3, False))


def test_a_definition_that_captures_a_reference_is_told_apart() -> None:
    class Reference(ray.ObjectRef):  # type: ignore[type-arg]
        def __reduce__(self) -> Any:
            raise AssertionError("it must not be pickled")

    ref = object.__new__(Reference)
    captures = [ref]
    with pytest.raises(_definitions.CapturesReference):
        _definitions._pickle(lambda: captures)


def test_a_definition_that_nothing_can_pickle() -> None:
    lock = threading.Lock()
    definition = _definitions.Definition(_definitions.FUNCTION, "f", lambda: lock)
    text = r"Could not serialize the function f\.<captured lock>, of type _thread.lock"
    with pytest.raises(TypeError, match=text):
        definition._pickled()


def test_large_definitions(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    data = b"x" * 2**20
    definition = _definitions.Definition(_definitions.FUNCTION, "f", lambda: data)
    definition._pickled()
    assert caplog.text == ""
    monkeypatch.setenv("FUNCTION_SIZE_WARN_THRESHOLD", "1000000")
    definition._pickled()
    assert "remote function f is very large (1 MiB)" in caplog.text
    monkeypatch.setenv("FUNCTION_SIZE_ERROR_THRESHOLD", "1000000")
    with pytest.raises(ValueError, match="too large"):
        definition._pickled()


# --- methods ------------------------------------------------------------------------------------


class Base:
    def inherited(self, x: int) -> None: ...

    def hidden(self) -> None: ...


class Derived(Base):
    hidden = None  # type: ignore[assignment]

    @staticmethod
    def static(x: int) -> None: ...

    @classmethod
    def klass(cls, x: int) -> None: ...

    @ray.method(num_returns=2)
    def pair(self) -> tuple[int, int]:
        return 1, 2

    @functools.lru_cache  # noqa: B019
    def cached(self, x: int) -> None: ...

    @property
    def value(self) -> int:
        return 1

    def __len__(self) -> int:
        return 0


def test_the_table_of_methods() -> None:
    table = MethodTable.of_class(Derived, 3)
    own = {name for name in table.specs if not name.startswith("__ray_")}
    assert own == {"inherited", "static", "klass", "pair", "cached", "__len__"}
    assert table.signature("klass").arity() == (1, 1)
    assert table.signature("static").arity() == (1, 1)
    assert table.signature("inherited").arity() == (1, 1)
    assert table.signature("__init__").arity() == (0, 0)
    assert table.options("pair") == {"max_task_retries": 3, "num_returns": 2}
    again = MethodTable.unpacked(table.packed())
    assert again is MethodTable.unpacked(table.packed())
    assert set(again.specs) == set(table.specs)


def test_async_classes_are_known() -> None:
    class Async:
        async def m(self) -> None: ...

    assert MethodTable.of_class(Async, 0).is_async
    assert not MethodTable.of_class(Derived, 0).is_async


def test_classes_in_workers_get_what_all_actors_have() -> None:
    class Mine:
        def __ray_ready__(self) -> str:
            return "mine"

    assert equip(Mine) is Mine
    made = Mine()
    assert made.__ray_ready__() == "mine"
    assert made.__ray_call__(lambda self, x: (self, x), 1) == (made, 1)
    derived = equip(dict)
    assert derived.__name__ == "dict"
    assert derived().__ray_ready__() is True
