"""Errors of tasks and actors, and what the driver is told about them."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest

from support.engine import ray
from support.gates import count, counted

pytestmark = pytest.mark.usefixtures("balanced")

RayTaskError = ray.exceptions.RayTaskError


class Trouble(Exception):
    """An error of the user's own, with more than a text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code = code


class Needy(Exception):
    """Its arguments do not say how to make it again."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__("needy")


@ray.remote
def fail(error: BaseException | None = None) -> None:
    raise error or ValueError("meant to fail")


@ray.remote
def pass_on(value: Any) -> Any:
    return value


@ray.remote
class Fragile:
    def __init__(self, error: Exception | None = None) -> None:
        if error is not None:
            raise error

    def fail(self) -> None:
        raise KeyError("in a method")

    def fine(self) -> str:
        return "fine"


# --- exceptions -------------------------------------------------------------------------------


def test_an_exception_is_of_its_own_class_and_a_task_error() -> None:
    with pytest.raises(ValueError, match="meant to fail") as caught:
        ray.get(fail.remote())
    assert isinstance(caught.value, RayTaskError)
    assert isinstance(caught.value, ray.exceptions.RayError)
    assert isinstance(caught.value.cause, ValueError)
    assert type(caught.value).__name__ == "RayTaskError(ValueError)"


def test_the_remote_traceback_is_in_the_text() -> None:
    @ray.remote
    def outer() -> None:
        def inner_function_of_the_task() -> None:
            raise RuntimeError("down there")

        inner_function_of_the_task()

    with pytest.raises(RuntimeError) as caught:
        ray.get(outer.remote())
    text = str(caught.value)
    assert "inner_function_of_the_task" in text
    assert "test_errors.py" in text
    assert "RuntimeError: down there" in text
    assert "outer" in text
    assert re.search(r"pid=\d+", text)


def test_attributes_of_the_cause() -> None:
    with pytest.raises(Trouble) as caught:
        ray.get(fail.remote(Trouble(7, "seven")))
    assert caught.value.code == 7
    assert caught.value.cause.args == (7, "seven")


def test_classes_made_inside_a_function() -> None:
    class Local(Exception):
        pass

    @ray.remote
    def raise_local() -> None:
        raise Local("here")

    with pytest.raises(Local, match="here"):
        ray.get(raise_local.remote())


@pytest.mark.parametrize(
    "error, kind",
    [
        (OSError(2, "gone"), FileNotFoundError),
        (KeyError("k"), KeyError),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), UnicodeDecodeError),
        (StopIteration(3), StopIteration),
        (AssertionError(), AssertionError),
        (ExceptionGroup("both", [ValueError(1), TypeError(2)]), ExceptionGroup),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_exceptions_of_many_kinds(error: Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        ray.get(fail.remote(error))
    assert isinstance(caught.value, RayTaskError)


def test_an_error_can_be_pickled() -> None:
    with pytest.raises(ValueError, match="meant to fail") as caught:
        ray.get(fail.remote())
    again = ray.cloudpickle.loads(ray.cloudpickle.dumps(caught.value))
    assert isinstance(again, ValueError)
    assert isinstance(again, RayTaskError)


def test_an_exception_that_does_not_pickle() -> None:
    @ray.remote
    def locked() -> None:
        error = ValueError("holds a lock")
        error.lock = threading.Lock()  # type: ignore[attr-defined]
        raise error

    with pytest.raises(RayTaskError, match="holds a lock"):
        ray.get(locked.remote())


def test_an_exception_that_does_not_unpickle() -> None:
    @ray.remote
    def needy() -> None:
        raise Needy(1, 2)

    with pytest.raises(ray.exceptions.RayError):
        ray.get(needy.remote())
    assert ray.get(pass_on.remote(1)) == 1


def test_the_error_is_raised_at_each_get() -> None:
    ref = fail.remote()
    for _ in range(3):
        with pytest.raises(ValueError, match="meant to fail"):
            ray.get(ref)


def test_each_of_several_returns_has_the_error() -> None:
    for ref in fail.options(num_returns=3).remote():
        with pytest.raises(ValueError, match="meant to fail"):
            ray.get(ref)


def test_a_returned_exception_is_a_value() -> None:
    assert isinstance(ray.get(pass_on.remote(ValueError("x"))), ValueError)


def test_through_a_chain_of_tasks() -> None:
    ref = pass_on.remote(pass_on.remote(pass_on.remote(fail.remote())))
    with pytest.raises(ValueError, match="meant to fail") as caught:
        ray.get(ref)
    assert isinstance(caught.value, RayTaskError)
    assert "fail" in str(caught.value)


def test_through_tasks_that_get() -> None:
    @ray.remote
    def innermost() -> None:
        raise Trouble(3, "at the bottom")

    @ray.remote
    def middle() -> None:
        ray.get(innermost.remote())

    @ray.remote
    def outermost() -> None:
        ray.get(middle.remote())

    with pytest.raises(Trouble) as caught:
        ray.get(outermost.remote())
    text = str(caught.value)
    for name in ("innermost", "middle", "outermost", "at the bottom"):
        assert name in text
    assert isinstance(caught.value, RayTaskError)


def test_a_task_catches_the_error_of_its_child() -> None:
    @ray.remote
    def careful() -> str:
        try:
            ray.get(fail.remote())
        except ValueError as error:
            return f"caught {type(error).__name__}"
        return "nothing"

    assert ray.get(careful.remote()) == "caught RayTaskError(ValueError)"


def test_an_error_as_an_argument_of_an_actor() -> None:
    holder = Fragile.remote(fail.remote())
    with pytest.raises(ray.exceptions.RayError):
        ray.get(holder.fine.remote(), timeout=30)


def test_an_exception_does_not_run_the_task_again(tmp_path: Path) -> None:
    @ray.remote
    def counting() -> None:
        count(tmp_path, "run")
        raise ValueError("meant to fail")

    with pytest.raises(ValueError, match="meant to fail"):
        ray.get(counting.remote())
    assert counted(tmp_path, "run") == 1


# --- actors -----------------------------------------------------------------------------------


def test_an_actor_goes_on_after_an_exception() -> None:
    fragile = Fragile.remote()
    with pytest.raises(KeyError, match="in a method") as caught:
        ray.get(fragile.fail.remote())
    assert isinstance(caught.value, RayTaskError)
    assert "Fragile" in str(caught.value)
    assert ray.get(fragile.fine.remote()) == "fine"


def test_a_constructor_that_fails() -> None:
    fragile = Fragile.remote(ArithmeticError("in the constructor"))
    for _ in range(2):
        with pytest.raises(ray.exceptions.ActorDiedError) as caught:
            ray.get(fragile.fine.remote(), timeout=30)
        assert "in the constructor" in str(caught.value)
        assert "__init__" in str(caught.value)
    assert isinstance(caught.value, ray.exceptions.RayActorError)


# --- what does not pickle ---------------------------------------------------------------------


class Locked:
    def __init__(self) -> None:
        self.lock = threading.Lock()


class TestNotPicklable:
    def test_argument(self) -> None:
        with pytest.raises(TypeError, match="Could not serialize the argument"):
            pass_on.remote({"x": Locked()})
        assert ray.get(pass_on.remote(1)) == 1

    def test_put(self) -> None:
        with pytest.raises(TypeError, match="Could not serialize the put value"):
            ray.put([threading.Lock()])

    def test_result(self) -> None:
        with pytest.raises(TypeError) as caught:
            ray.get(ray.remote(lambda: {"a": [threading.Lock()]}).remote())
        assert isinstance(caught.value, RayTaskError)
        assert "_thread.lock" in str(caught.value)

    def test_function(self) -> None:
        lock = threading.Lock()
        with pytest.raises(TypeError, match="lock"):
            ray.remote(lambda: lock).remote()

    @pytest.mark.only_thornback
    @pytest.mark.parametrize(
        "call, path",
        [
            (lambda: pass_on.remote({"x": Locked()}), "args[0]['x'].lock"),
            (lambda: pass_on.remote(value=[1, threading.Lock()]), "kwargs['value'][1]"),
            (lambda: pass_on.remote((0, {"k": [Locked()]})), "args[0][1]['k'][0].lock"),
            (lambda: ray.put({"a": [threading.Lock()]}), "['a'][0]"),
            (lambda: Fragile.remote(Locked()), "args[0].lock"),
            (
                lambda: ray.get(ray.remote(lambda: {"a": [threading.Lock()]}).remote()),
                "['a'][0]",
            ),
        ],
        ids=["dict", "keyword", "deep", "put", "constructor", "result"],
    )
    def test_the_path_to_the_culprit_is_named(self, call: Any, path: str) -> None:
        with pytest.raises(TypeError) as caught:
            call()
        assert path in str(caught.value)
        assert "_thread.lock" in str(caught.value)

    @pytest.mark.only_thornback
    def test_the_variable_in_a_closure_is_named(self) -> None:
        my_own_lock = threading.Lock()
        with pytest.raises(TypeError, match="my_own_lock"):
            ray.remote(lambda: my_own_lock).remote()


class Poisoned:
    """Can be sent, but not received."""

    def __reduce__(self) -> Any:
        return (int, ("not a number",))


def test_an_argument_that_does_not_unpickle() -> None:
    with pytest.raises(ray.exceptions.RayError):
        ray.get(pass_on.remote(Poisoned()), timeout=30)
    assert ray.get(pass_on.remote(1)) == 1


def test_a_result_that_does_not_unpickle() -> None:
    with pytest.raises(ray.exceptions.RayError):
        ray.get(ray.remote(lambda: Poisoned()).remote(), timeout=30)
    assert ray.get(pass_on.remote(1)) == 1


# --- wrong options -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, error, text",
    [
        ({"num_cpus": -1}, ValueError, "num_cpus cannot be negative"),
        ({"num_cpus": "a"}, TypeError, "The type of keyword 'num_cpus' must be"),
        ({"num_cpus": 0.00001}, ValueError, "The precision of the fractional quantity"),
        ({"resources": {"CPU": 1}}, ValueError, "Use the 'num_cpus' and 'num_gpus' keyword"),
        ({"resources": {"a": -1}}, ValueError, "The quantity of resource a cannot be negative"),
        ({"resources": 3}, TypeError, "The type of keyword 'resources' must be"),
        ({"num_returns": -1}, ValueError, "The keyword 'num_returns' only accepts"),
        ({"max_retries": -2}, ValueError, "The keyword 'max_retries' only accepts"),
        ({"max_calls": -1}, ValueError, "The keyword 'max_calls' only accepts"),
        ({"object_store_memory": 9}, ValueError, "'object_store_memory' is not implemented"),
        ({"nope": 1}, ValueError, "Invalid option keyword nope for remote functions. Valid ones"),
        ({"max_restarts": 1}, ValueError, "Invalid option keyword max_restarts for remote func"),
        ({"name": 3}, TypeError, "The type of keyword 'name' must be"),
        ({"retry_exceptions": 1}, TypeError, "The type of keyword 'retry_exceptions' must be"),
    ],
    ids=lambda value: next(iter(value.items()), None) if isinstance(value, dict) else None,
)
def test_wrong_options_of_tasks(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        ray.remote(**options)(lambda: 1)
    if "max_calls" not in options:
        with pytest.raises(error, match=text):
            pass_on.options(**options)


def test_max_calls_is_for_the_decorator() -> None:
    with pytest.raises(ValueError, match=r"Setting 'max_calls' is not supported in '\.options"):
        pass_on.options(max_calls=1)


@pytest.mark.parametrize(
    "options, error, text",
    [
        ({"num_cpus": -1}, ValueError, "num_cpus cannot be negative"),
        ({"max_retries": 1}, ValueError, "Invalid option keyword max_retries for actors"),
        ({"num_returns": 2}, ValueError, "Invalid option keyword num_returns for actors"),
        ({"max_restarts": -2}, ValueError, "The keyword 'max_restarts' only accepts"),
        ({"max_task_retries": -2}, ValueError, "The keyword 'max_task_retries' only accepts"),
        ({"lifetime": "x"}, ValueError, "`lifetime` argument must be one of"),
        ({"get_if_exists": True}, ValueError, "The actor name must be specified"),
        ({"name": ""}, ValueError, "Actor name cannot be an empty string"),
        ({"name": 3}, TypeError, "The type of keyword 'name' must be"),
        ({"namespace": ""}, ValueError, '"" is not a valid namespace'),
    ],
    ids=lambda value: next(iter(value.items()), None) if isinstance(value, dict) else None,
)
def test_wrong_options_of_actors(
    options: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        Fragile.options(**options).remote()


@pytest.mark.parametrize("arguments", [(3,), (1, 2), ()], ids=repr)
def test_misuse_of_the_decorator(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(AssertionError, match="decorator must be applied either with no arguments"):
        ray.remote(*arguments)


def test_the_decorator_is_for_functions_and_classes() -> None:
    with pytest.raises((TypeError, AttributeError)):
        ray.remote(num_cpus=1)(3)


def test_a_second_init() -> None:
    with pytest.raises(RuntimeError, match=r"Maybe you called ray\.init twice by accident"):
        ray.init()
    ray.init(ignore_reinit_error=True)
    assert ray.get(pass_on.remote(1)) == 1


def test_unknown_arguments_of_init() -> None:
    with pytest.raises(RuntimeError, match="Unknown keyword argument"):
        ray.init(no_such_argument=1)
