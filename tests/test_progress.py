"""`progress`: `get` with a bar."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from support import gates
from support.engine import ray

pytestmark = [pytest.mark.only_thornback, pytest.mark.usefixtures("balanced")]


@ray.remote
def echo(x: int) -> int:
    return x


@ray.remote
def fail() -> None:
    raise KeyError("gone")


@ray.remote
def hold(gate: gates.Gate) -> None:
    gate.wait()


def test_values_in_order_behind_a_bar() -> None:
    shown = io.StringIO()
    refs = [echo.remote(i) for i in range(20)]
    assert ray.progress(refs, desc="echoes", file=shown, unit="echo") == list(range(20))
    assert "echoes: 100%" in shown.getvalue()
    assert "20/20" in shown.getvalue()


def test_one_reference_twice_counts_twice() -> None:
    shown = io.StringIO()
    ref = echo.remote(1)
    assert ray.progress(iter([ref, ref, ray.put(2)]), file=shown) == [1, 1, 2]
    assert "3/3" in shown.getvalue()


def test_nothing_to_wait_for() -> None:
    assert ray.progress([], disable=True) == []


def test_an_error_is_raised_while_others_run(tmp_path: Path) -> None:
    gate = gates.Gate(tmp_path)
    slow = hold.remote(gate)
    with pytest.raises(KeyError):
        ray.progress([slow, fail.remote()], file=io.StringIO())
    gate.open()
    ray.get(slow)


def test_the_timeout_is_for_all_together(tmp_path: Path) -> None:
    gate = gates.Gate(tmp_path)
    slow = hold.remote(gate)
    shown = io.StringIO()
    with pytest.raises(ray.exceptions.GetTimeoutError, match="1 of 2 objects are not ready"):
        ray.progress([echo.remote(1), slow], timeout=0.3, file=shown)
    assert "1/2" in shown.getvalue()
    gate.open()
    ray.get(slow)


def test_without_tqdm_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(ImportError, match="pip install tqdm"):
        ray.progress([])
