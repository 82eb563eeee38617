"""Options as the node knows them: one number for each set of equal options in a session."""

from __future__ import annotations

from . import _core, _strategy
from ._resources import resource_demand

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ._handle import MethodTable

_numbers: dict[str, int] = {}
_session = 0
# Programs that give each call a name of its own must not grow the table for ever; the node forgets
# nothing, but equal options asked for later get their old number there.
_NUMBERS_MAX = 10_000
_STREAM = 2**32 - 1  # XR_RETURNS_STREAM


def task(
    fid: int, name: str, options: Mapping[str, Any], values: Mapping[str, Any], function: str = ""
) -> int:
    """Return the template of a task; `options` are those given, `values` those with defaults.

    Parameters
    ----------
    function : str
        Module and name of what runs, for the runtime context.
    """
    from ._options import task_max_calls

    _refuse_unbuilt(values)
    strategy = values["scheduling_strategy"]
    _, running = resource_demand(options, for_actor=False)
    running = {**running, **_strategy.demand(values)}
    why = _strategy.unschedulable(strategy)
    if why is not None:
        fid, running = _strategy.refusal(name, why), {}
    return _number(
        {
            "kind": "task",
            "function": function,
            "fid": fid,
            "untracked": not values.get("enable_task_events", True),
            "name": values["name"] or name,
            **_results(values),
            "max_retries": values["max_retries"],
            "max_calls": task_max_calls(options),
            **_retries(values["retry_exceptions"]),
            "resources": running,
            "infeasible": values.get("infeasible"),
        }
    )


def create(
    fid: int,
    methods: MethodTable,
    options: Mapping[str, Any],
    values: Mapping[str, Any],
    namespace: str,
    table: str | None,
) -> int:
    """Return the template of an actor's creation.

    `methods` are the class's; `table`, the same as text, tells others what a named one can do.
    """
    _refuse_unbuilt(values)
    class_name = methods.class_name
    _strategy.check_actor(values)
    placement, running = resource_demand(options, for_actor=True)
    placement = {**placement, **_strategy.demand(values)}
    return _number(
        {
            "kind": "create",
            "fid": fid,
            "untracked": not values.get("enable_task_events", True),
            "name": f"{class_name}.__init__",
            "num_returns": 1,
            "resources": running,
            "placement": placement,
            "infeasible": values.get("infeasible"),
            "max_restarts": values["max_restarts"] or 0,
            "max_task_retries": values["max_task_retries"] or 0,
            "class_name": methods.qualified_name,
            "max_pending_calls": values["max_pending_calls"] or -1,
            "out_of_order": values["allow_out_of_order_execution"],
            "concurrency": _concurrency(methods, values["max_concurrency"]),
            "actor_name": values["name"],
            "namespace": namespace,
            "lifetime": values["lifetime"],
            "table": table,
        }
    )


def _concurrency(methods: MethodTable, most: int) -> dict[str, Any] | None:
    """Return how many calls run at a time by concurrency group; None: one, in order."""
    if not methods.is_async and not methods.groups and most <= 1:
        return None
    return {
        "asyncio": methods.is_async,
        "limits": [max(1, most), *(max(1, limit) for limit in methods.groups.values())],
        "names": ["default", *methods.groups],
    }


def method(fid: int, class_name: str, name: str, group: int, options: Mapping[str, Any]) -> int:
    """Return the template of a method's calls."""
    retries = options.get("max_task_retries") or 0
    return _number(
        {
            "kind": "method",
            "fid": fid,
            "untracked": options.get("enable_task_events") is False,
            "name": options.get("name") or f"{class_name}.{name}",
            **_results(options),
            "max_retries": retries,
            "max_task_retries": retries,
            **_retries(options.get("retry_exceptions")),
            "resources": {},
            "class_name": class_name,
            "concurrency_group": group,
        }
    )


def returns_of(num_returns: Any) -> int:
    """Return the number of results for the extension; that of a generator is a mark."""
    if num_returns == "streaming":
        return _STREAM
    return 1 if num_returns in (None, "dynamic") else int(num_returns)


def _results(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the node is told of a task's results."""
    num_returns = values.get("num_returns")
    if num_returns not in ("streaming", "dynamic"):
        return {"num_returns": returns_of(num_returns)}
    window = values.get("_generator_backpressure_num_objects") or -1
    return {
        "num_returns": 2 if num_returns == "streaming" else 1,  # its end, and the stream
        "generator": num_returns,
        "backpressure": window if num_returns == "streaming" and window > 0 else 0,
    }


def _retries(exceptions: Any) -> dict[str, Any]:
    """Return what the node has to know of `retry_exceptions`: a bool, or a list of classes."""
    if not exceptions or isinstance(exceptions, bool):
        return {"retry_exceptions": bool(exceptions)}
    from base64 import b64encode

    import cloudpickle

    blob = cloudpickle.dumps(tuple(exceptions), protocol=5)
    return {"retry_exceptions": True, "retry_classes": b64encode(blob).decode()}


_retry_classes: dict[tuple[int, int], tuple[type[BaseException], ...]] = {}


def retry_classes(number: int) -> tuple[type[BaseException], ...]:
    """Return the exceptions that a template lists as worth another attempt."""
    key = (_core.session(), number)
    found = _retry_classes.get(key)
    if found is None:
        import json
        import pickle
        from base64 import b64decode

        answer = json.loads(_core.control("template.retry", json.dumps({"tid": number}).encode()))
        found = _retry_classes[key] = pickle.loads(b64decode(answer["classes"]))
    return found


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
    refused = {
        "runtime_env": bool(values.get("runtime_env")),
        "scheduling_strategy": _strategy.refused(values.get("scheduling_strategy")),
        "placement_group": values.get("placement_group") not in (None, "default"),
    }
    for name, is_set in refused.items():
        if is_set:
            raise NotImplementedError(f"the option {name!r} is not available in this release")
