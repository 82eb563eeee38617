"""Signatures: arguments that fit pass, others raise what the call itself would raise."""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thornback._signature import ANYTHING, Signature, signature_of


def nothing() -> None: ...
def one(a: int) -> None: ...
def default(a: int, b: int = 2) -> None: ...
def only_position(a: int, b: int = 1, /, c: int = 2) -> None: ...
def rest(a: int, *args: int) -> None: ...
def keyword(a: int, *, b: int) -> None: ...
def keyword_default(a: int, *, b: int = 1, c: int = 2) -> None: ...
def more(a: int, **kwargs: int) -> None: ...
def everything(a: int, /, b: int, c: int = 3, *d: int, e: int, f: int = 6, **g: int) -> None: ...


@functools.wraps(one)
def wrapped(*args: Any, **kwargs: Any) -> None:
    one(*args, **kwargs)


FUNCTIONS: list[Callable[..., Any]] = [
    nothing,
    one,
    default,
    only_position,
    rest,
    keyword,
    keyword_default,
    more,
    everything,
    wrapped,
    functools.partial(default, 1),
    lambda x, y=1: None,
]


# On a busy machine an example takes as long as it likes.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    function=st.sampled_from(FUNCTIONS),
    args=st.lists(st.integers(), max_size=5),
    kwargs=st.dictionaries(st.sampled_from("abcdefgxyz"), st.integers(), max_size=4),
)
def test_it_says_what_inspect_says(
    function: Callable[..., Any], args: list[int], kwargs: dict[str, int]
) -> None:
    signature = signature_of(function)
    expected = complaint(lambda: inspect.signature(function).bind(*args, **kwargs))
    assert complaint(lambda: signature.check(args, kwargs)) == expected
    if not kwargs:
        assert fits(signature, len(args)) == (expected is None)


def complaint(call: Callable[[], object]) -> str | None:
    """The text of the TypeError that the call raises, None when it raises none."""
    try:
        call()
    except TypeError as error:
        return str(error)
    return None


def fits(signature: Signature, count: int) -> bool:
    least, most = signature.arity()
    return least <= count <= most


def test_methods_without_self() -> None:
    class C:
        def m(self, x: int) -> None: ...
        def odd(*args: int) -> None: ...

    assert signature_of(C.m).without_first().arity() == (1, 1)
    assert signature_of(C.odd).without_first().arity()[0] == 0
    signature_of(C.odd).without_first().check([1, 2, 3], {})


@pytest.mark.parametrize("function", [operator.add, dict.fromkeys, print, max])
def test_functions_written_in_c(function: Callable[..., Any]) -> None:
    signature_of(function).check([1, 2], {})


def test_what_tells_nothing_takes_everything() -> None:
    class Silent:
        __signature__ = "none"

        def __call__(self) -> None: ...

    assert signature_of(Silent()) is ANYTHING
    ANYTHING.check([1, 2, 3], {"a": 1})
    assert ANYTHING.arity()[0] == 0
    assert ANYTHING.arity()[1] > 10**6
