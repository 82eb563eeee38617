"""How the zygote is started, and what it is told about the driver."""

from __future__ import annotations

import json
import os
import sys

from ._zygote import FOLDER_VARIABLE, THREAD_VARIABLES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._session import SessionFolder

# Imported ahead in the zygote when the driver has them: slow to import, without threads, and not
# disturbed by a fork. In this order, so that each finds what it needs. Polars starts threads.
_AHEAD = (
    "numpy",
    "pyarrow",
    "pandas",
    "scipy",
    "sklearn",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.model_selection",
    "xgboost",
    "PIL",
    "matplotlib",
    "requests",
    "yaml",
    "pydantic",
)
# Finders that a process without `site` can do without: Python's own, and those that only concern
# old modules, tests or ourselves.
_KNOWN_FINDERS = (
    "_frozen_importlib",
    "_frozen_importlib_external",
    "_distutils_hack",
    "_pytest",
    "_virtualenv",
    "six",
    "thornback",
)


def zygote_options(
    folder: SessionFolder, namespace: str, logging: dict[str, Any] | None
) -> tuple[dict[str, Any], bool]:
    """Return the options of `_core.open` that start the zygote, and whether it imports ahead.

    Parameters
    ----------
    folder : SessionFolder
    namespace : str
        The job's.
    logging : dict, optional
        What `LoggingConfig.to_dict` gives.
    """
    from . import _labels, _named
    from ._alias import alias_installed

    environment: dict[str, str] = {}
    rest: dict[str, str] = {}
    for name, value in os.environ.items():
        # JSON holds no bytes that aren't text; those go where both ends are Python.
        (environment if _is_text(name + value) else rest)[name] = value
    if not folder.keep:
        environment[FOLDER_VARIABLE] = folder.path
    boot = {
        "driver": os.getpid(),
        "session_dir": folder.path,
        "keep": folder.keep,
        "sys_path": _absolute_path(),
        "argv": sys.argv,
        "prefix": sys.prefix,
        "exec_prefix": sys.exec_prefix,
        "env": rest,
        "preload": _preload(),
        "alias": alias_installed(),
        "namespace": namespace,
        "logging": logging,
        "lifetime": _named.default_lifetime(),
        "labels": _labels.of_node(),
    }
    options = {"argv": _command(), "env": environment, "boot": json.dumps(boot)}
    return options, bool(boot["preload"])


def _command() -> list[str]:
    package_root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    # The folder last: this process only needs the package from it, its path comes with the boot.
    code = (
        f"import sys; sys.path.append({package_root!r}); from thornback._zygote import main; main()"
    )
    # -P: no module of the working directory stands in for one of Python's.
    return [sys.executable, *_interpreter_flags(), "-P", *_without_site(), "-c", code]


def _without_site() -> list[str]:
    modules = (getattr(finder, "__module__", "") or "" for finder in sys.meta_path)
    known = all(name.partition(".")[0] in _KNOWN_FINDERS for name in modules)
    return ["-S"] if known else []


def _interpreter_flags() -> list[str]:
    flags = ["-O"] * sys.flags.optimize
    if sys.flags.dont_write_bytecode:
        flags.append("-B")
    if sys.flags.ignore_environment:
        flags.append("-E")
    for warning in sys.warnoptions:
        flags += ["-W", warning]
    for name, value in sys._xoptions.items():
        # Those that print would fill the zygote's log.
        if name not in ("importtime", "showrefcount"):
            flags += ["-X", name if value is True else f"{name}={value}"]
    return flags


def _absolute_path() -> list[str]:
    here = os.getcwd()
    return [os.path.join(here, entry) if entry != "" else here for entry in sys.path]


def _preload() -> list[str]:
    """Return the packages to import ahead: none when the user wants threads from the start."""
    if any(os.environ.get(name, "1") != "1" for name in THREAD_VARIABLES):
        return []
    return [name for name in _AHEAD if name in sys.modules]


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
