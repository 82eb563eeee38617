"""Fixtures and markers of the end-to-end tests; `support` says how they choose their engine."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Test files and workers import `support`; workers import what stands in test files by its name,
# which is `tests.test_x`.
_HERE = Path(__file__).parent
_PATHS = [str(_HERE), str(_HERE.parent)]
sys.path[:0] = _PATHS
os.environ["PYTHONPATH"] = os.pathsep.join([*_PATHS, os.environ.get("PYTHONPATH", "")]).rstrip(":")

_ENGINE = os.environ.get("THORNBACK_TEST_ENGINE", "thornback")
_REPORTS: pytest.StashKey[dict[str, pytest.TestReport]] = pytest.StashKey()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what Ray does not promise when the suite proves itself on Ray."""
    if _ENGINE == "thornback":
        return
    skip = pytest.mark.skip(reason=f"asks for more than {_ENGINE} gives")
    for item in items:
        if item.get_closest_marker("only_thornback"):
            item.add_marker(skip)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
    """Leave the outcome where the fixtures find it."""
    report: pytest.TestReport = yield
    item.stash.setdefault(_REPORTS, {})[report.when] = report
    return report


@pytest.fixture(scope="session")
def session_folder() -> Iterator[Path]:
    """Where the suite's own sessions keep their files; short, for the sake of Unix sockets."""
    folder = Path(tempfile.mkdtemp(prefix="tbs"))
    before = os.environ.get("THORNBACK_TMPDIR")
    os.environ["THORNBACK_TMPDIR"] = str(folder)
    yield folder
    if before is None:
        os.environ.pop("THORNBACK_TMPDIR", None)
    else:
        os.environ["THORNBACK_TMPDIR"] = before
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def ray_session(session_folder: Path) -> Iterator[None]:
    """One session for a test file: two CPUs and the suite's custom resources."""
    from support import engine

    engine.ray.shutdown()
    engine.start()
    yield
    engine.ray.shutdown()


@pytest.fixture
def balanced(ray_session: None, request: pytest.FixtureRequest) -> Iterator[None]:
    """Nothing is left: resources, objects, store memory, descriptors, processes.

    A test that fails costs its session.
    """
    from support import balance, engine

    # What the test before released may still be on its way.
    balance.wait_balanced()
    before, handles = balance.stats(), balance.handles()
    yield
    report = request.node.stash.get(_REPORTS, {}).get("call")
    if report is not None and report.passed:
        try:
            balance.wait_balanced()
            balance.wait_objects(before)
            balance.wait_handles(handles)
            return
        except AssertionError:
            engine.ray.shutdown()
            engine.start()
            raise
    # A failure's traceback holds references, and tasks may still run: start afresh.
    engine.ray.shutdown()
    engine.start()


@pytest.fixture
def new_room() -> Iterator[Callable[[], Any]]:
    """Make rooms for drivers; all are cleared away afterwards."""
    from support.programs import rooms

    with rooms() as make:
        yield make


@pytest.fixture
def room(new_room: Callable[[], Any]) -> Any:
    """A room for drivers that run in a process of their own."""
    return new_room()
