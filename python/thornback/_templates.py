"""Options as the node knows them: one number for each set of equal options in a session."""

from __future__ import annotations

from . import _core
from ._resources import resource_demand

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_numbers: dict[str, int] = {}
_session = 0
# Programs that give each call a name of its own must not grow the table for ever; the node forgets
# nothing, but equal options asked for later get their old number there.
_NUMBERS_MAX = 10_000


def task(fid: int, name: str, options: Mapping[str, Any], values: Mapping[str, Any]) -> int:
    """Return the template of a task; `options` are those given, `values` those with defaults."""
    _refuse_unbuilt(values)
    _, running = resource_demand(options, for_actor=False)
    return _number(
        {
            "kind": "task",
            "fid": fid,
            "name": values["name"] or name,
            "num_returns": returns_of(values["num_returns"]),
            "max_retries": values["max_retries"],
            "retry_exceptions": bool(values["retry_exceptions"]),
            "resources": running,
        }
    )


def create(
    fid: int,
    class_name: str,
    options: Mapping[str, Any],
    values: Mapping[str, Any],
    namespace: str | None,
    table: str | None,
) -> int:
    """Return the template of an actor's creation; `table` tells others what a named one can do."""
    _refuse_unbuilt(values)
    if values["concurrency_groups"] or values["max_concurrency"] > 1:
        raise NotImplementedError(
            f"{class_name}: actors that run several calls at a time (async methods, "
            "max_concurrency above 1, concurrency_groups) are not available in this release"
        )
    placement, running = resource_demand(options, for_actor=True)
    return _number(
        {
            "kind": "create",
            "fid": fid,
            "name": f"{class_name}.__init__",
            "num_returns": 1,
            "resources": running,
            "placement": placement,
            "max_restarts": values["max_restarts"] or 0,
            "max_task_retries": values["max_task_retries"] or 0,
            "class_name": class_name,
            "max_pending_calls": values["max_pending_calls"] or -1,
            "max_concurrency": 1,
            "actor_name": values["name"],
            "namespace": namespace,
            "lifetime": values["lifetime"],
            "table": table,
        }
    )


def method(fid: int, class_name: str, name: str, options: Mapping[str, Any]) -> int:
    """Return the template of a method's calls."""
    retries = options.get("max_task_retries") or 0
    return _number(
        {
            "kind": "method",
            "fid": fid,
            "name": options.get("name") or f"{class_name}.{name}",
            "num_returns": returns_of(options.get("num_returns", 1)),
            "max_retries": retries,
            "max_task_retries": retries,
            "retry_exceptions": bool(options.get("retry_exceptions")),
            "resources": {},
            "class_name": class_name,
        }
    )


def returns_of(num_returns: Any) -> int:
    """Return the number of results; generators, whose number is open, are refused."""
    if isinstance(num_returns, str):
        raise NotImplementedError(
            f"generator tasks (num_returns={num_returns!r}) are not available in this release; "
            "return a list, or set num_returns to the number of values"
        )
    return 1 if num_returns is None else int(num_returns)


def _number(options: dict[str, Any]) -> int:
    global _session
    import json

    session = _core.session()
    if session != _session or len(_numbers) >= _NUMBERS_MAX:
        _numbers.clear()
        _session = session
    text = json.dumps(options, sort_keys=True)
    number = _numbers.get(text)
    if number is None:
        number = _numbers[text] = _core.template(text.encode())
    return number


def _refuse_unbuilt(values: Mapping[str, Any]) -> None:
    """Refuse options that would change what runs where, rather than run without them."""
    strategy = values.get("scheduling_strategy")
    refused = {
        "runtime_env": bool(values.get("runtime_env")),
        "scheduling_strategy": not (strategy is None or isinstance(strategy, str)),
        "placement_group": values.get("placement_group") not in (None, "default"),
        "label_selector": bool(values.get("label_selector")),
        "fallback_strategy": bool(values.get("fallback_strategy")),
    }
    for name, is_set in refused.items():
        if is_set:
            raise NotImplementedError(f"the option {name!r} is not available in this release")
