"""CPython's own tests of executors, as shipped with the interpreter, on `thornback.Executor`.

Run by an interpreter that has thornback installed. The tests that all of the standard executors
pass are taken as they are; what differs here is only how they are started:

- programs that tests run in an interpreter of their own import the executor from
  `concurrent.futures` by its class's name, so it is put there before;
- what a worker prints comes out with the prefix that says whose it is, which is taken off again.

Exit status 0 when all pass, 1 when one fails, 3 when the interpreter ships without its tests.
"""

from __future__ import annotations

import concurrent.futures
import importlib
import re
import sys
import unittest
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import thornback

# Of the interpreter's package or, before 3.12, of its single module.
MODULES = ("executor", "test_wait", "test_as_completed", "test_shutdown", "test_init")
# What is about threads' or processes' own insides stands in other classes, which are not taken.
TESTS = (
    "ExecutorTest",
    "WaitTests",
    "AsCompletedTests",
    "ExecutorShutdownTest",
    "InitializerMixin",
    "FailingInitializerMixin",
)
PREFIX = re.compile(rb"^\(\w+ pid=\d+\) ", re.MULTILINE)
PRELUDE = """
import os
os.environ["RAY_COLOR_PREFIX"] = "0"
import concurrent.futures, thornback
class ThornbackExecutor(thornback.Executor): pass
concurrent.futures.ThornbackExecutor = ThornbackExecutor
"""


class ThornbackExecutor(thornback.Executor):
    """Under a name that `concurrent.futures` does not have already."""


class ThornbackMixin:
    """Stands where the interpreter's tests have ThreadPoolMixin."""

    worker_count = 5
    executor_type = ThornbackExecutor
    executor_kwargs: Mapping[str, Any] = MappingProxyType({})


def find_tests() -> dict[str, Any] | None:
    """Return the interpreter's names, None when it has no tests of executors."""
    found: dict[str, Any] = {}
    package = "test.test_concurrent_futures"
    try:
        whole = importlib.import_module(package)
    except ImportError:
        return None
    parts = [whole]
    if hasattr(whole, "__path__"):
        parts = [importlib.import_module(f"{package}.{m}") for m in (*MODULES, "util")]
    for part in parts:
        found.update(vars(part))
    return found


def with_prelude(run: Any) -> Any:
    """Wrap `assert_python_ok`: the program finds the executor, and its output has no prefixes."""

    def assert_python_ok(option: str, code: str, *args: str, **env: str) -> Any:
        code = "if True:\n" + code if code.startswith((" ", "\n")) else code
        status, out, err = run(
            option, PRELUDE + code.replace("if 1:\n", "if True:\n"), *args, **env
        )
        return status, PREFIX.sub(b"", out), err

    return assert_python_ok


def main() -> int:
    """Run them."""
    names = find_tests()
    if names is None:
        print(f"CPython {sys.version.split()[0]} ships without its tests of executors")
        return 3
    concurrent.futures.ThornbackExecutor = ThornbackExecutor  # type: ignore[attr-defined]
    for module in list(sys.modules.values()):
        if hasattr(module, "assert_python_ok") and module.__name__.startswith("test.test_conc"):
            module.assert_python_ok = with_prelude(module.assert_python_ok)  # type: ignore[attr-defined]
    thornback.init(num_cpus=5)
    suite = unittest.TestSuite()
    for name in TESTS:
        bases = (ThornbackMixin, names[name], names["ExecutorMixin"], names["BaseTestCase"])
        if issubclass(names[name], names["ExecutorMixin"]):
            bases = (ThornbackMixin, names[name], names["BaseTestCase"])
        case = type(f"Thornback{name}", bases, {"executor_kwargs": {}})
        suite.addTests(unittest.defaultTestLoader.loadTestsFromTestCase(case))
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    thornback.shutdown()
    print(f"{result.testsRun} of CPython's tests, {len(result.skipped)} skipped")
    return 0 if result.wasSuccessful() and result.testsRun > 20 else 1


if __name__ == "__main__":
    sys.exit(main())
