"""The public names of `ray`, whichever that is here, with their kinds, signatures and parents.

    python tests/compat/inventory.py > tests/compat/names.json      # in an environment with Ray

A program of its own, since Ray and Thornback's alias can't be in one process: with ``--thornback``
it looks at Thornback by its alias, for the recorded names. Needs only the standard library.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
import types
import warnings
from pathlib import Path
from typing import Any

# Sections 1.1 to 1.10 of Ray's public surface; modules that are for later work stand at the end.
MODULES = [
    "ray",
    "ray.actor",
    "ray.exceptions",
    "ray.runtime_context",
    "ray.remote_function",
    "ray.cloudpickle",
    "ray.dag",
    "ray.util",
    "ray.util.accelerators",
    "ray.util.actor_group",
    "ray.util.actor_pool",
    "ray.util.dask",
    "ray.util.debug",
    "ray.util.iter",
    "ray.util.joblib",
    "ray.util.metrics",
    "ray.util.multiprocessing",
    "ray.util.placement_group",
    "ray.util.queue",
    "ray.util.rpdb",
    "ray.util.scheduling_strategies",
    "ray.util.serialization",
    "ray.util.state",
    "ray.experimental",
    "ray.experimental.internal_kv",
    "ray.experimental.tqdm_ray",
    "ray.job_submission",
    "ray.runtime_env",
    "ray.util.client",
    "ray.util.collective",
    "ray.util.spark",
]
# Names without `__all__`'s blessing that programs and libraries touch all the same.
MORE = {
    "ray": ["__commit__", "exceptions", "cloudpickle", "worker", "state", "ray_constants",
            "serialization", "dag", "experimental", "runtime_env"],
    "ray.cloudpickle": ["dump", "dumps", "load", "loads", "CloudPickler", "Pickler"],
    "ray.util": ["placement_group", "metrics", "queue", "state", "scheduling_strategies"],
    "ray.util.debug": ["log_once"],
    "ray.experimental.internal_kv": [
        "_internal_kv_initialized", "_internal_kv_get", "_internal_kv_exists", "_internal_kv_put",
        "_internal_kv_del", "_internal_kv_list", "_internal_kv_reset",
    ],
    "ray.util.rpdb": ["set_trace", "post_mortem"],
}  # fmt: skip
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
# How errors and ids travel inside Ray.
_INTERNAL = {"from_bytes", "to_bytes", "from_ray_exception", "redis_shard_hash"}
_MEMBERS_OF = (
    "__call__",
    "__getitem__",
    "__iter__",
    "__len__",
    "__next__",
    "__enter__",
    "__await__",
)


def inventory(wanted: dict[str, Any] | None = None) -> dict[str, Any]:
    """By module: by name: kind, signature, parents, members; of the wanted names or of all."""
    warnings.simplefilter("ignore")
    found: dict[str, Any] = {}
    for name in MODULES:
        try:
            module = importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - whatever an import raises
            found[name] = {"": {"kind": f"missing: {type(error).__name__}"}}
            continue
        names = sorted(
            {*public_names(module), *MORE.get(name, ())} if wanted is None else wanted[name]
        )
        found[name] = {n: entry(n, module) for n in names}
    return found


def public_names(module: types.ModuleType) -> list[str]:
    """What a module offers: `__all__`, else what it defines."""
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return sorted(set(listed))
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and len(name) > 1  # type variables
        and not isinstance(value, types.ModuleType)
        and _home(value) == module.__name__.replace("thornback", "ray")
    )


def entry(name: str, module: types.ModuleType) -> dict[str, Any]:
    """What there is to compare about one name."""
    try:
        value = getattr(module, name)
    except Exception as error:  # noqa: BLE001
        return {"kind": f"missing: {type(error).__name__}"}
    if isinstance(value, types.ModuleType):
        return {"kind": "module"}
    if inspect.isclass(value):
        return {
            "kind": "class",
            "signature": signature(value),
            "parents": [c.__name__ for c in value.__mro__[1:-1] if not c.__name__.startswith("_")],
            "members": members(value),
        }
    if callable(value):
        return {"kind": "function", "signature": signature(value)}
    if isinstance(value, (str, int, float, bool, type(None))):
        return {"kind": "constant", "value": "<hash>" if name == "__commit__" else repr(value)}
    return {"kind": "instance", "class": type(value).__name__}


def members(cls: type) -> dict[str, list[str] | str | None]:
    """Public attributes of a class, and a few special methods, with the signatures of methods."""
    found: dict[str, list[str] | str | None] = {}
    for name in dir(cls):
        if name in _INTERNAL or (name.startswith("_") and name not in _MEMBERS_OF):
            continue
        value = inspect.getattr_static(cls, name)
        home = next((c for c in cls.__mro__ if name in vars(c)), None)
        if home is not None and home.__module__ in ("builtins", "typing", "abc", "enum"):
            continue
        bound = getattr(value, "__func__", value)
        if callable(bound) and not inspect.isclass(bound):
            found[name] = signature(bound)
        else:
            found[name] = "attribute"
    return found


def signature(value: Any) -> list[str] | None:
    """Parameters with defaults, ``*`` before keyword-only ones; None where it can't be seen."""
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return None  # written in C
    found = []
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            found.append("*args")
        elif parameter.kind is parameter.VAR_KEYWORD:
            found.append("**kwargs")
        else:
            if parameter.kind is parameter.KEYWORD_ONLY and not {"*", "*args"} & {*found}:
                found.append("*")
            default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
            found.append(parameter.name + _ADDRESS.sub("", default).replace("thornback.", "ray."))
    return found


def _home(value: Any) -> str:
    return str(getattr(value, "__module__", "")).replace("thornback", "ray")


def main() -> None:
    """Write the inventory to the standard output."""
    wanted = None
    if "--thornback" in sys.argv:
        importlib.import_module("thornback").install_as_ray()
        wanted = json.loads(Path(__file__).with_name("names.json").read_text())
    text = json.dumps(inventory(wanted), indent=1)
    # Lists of parameters on one line each, so that a change of one is a line.
    text = re.sub(
        r"\[\n\s+([^\[\]{}]*?)\n\s+\]", lambda m: "[" + re.sub(r"\n\s+", " ", m[1]) + "]", text
    )
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
