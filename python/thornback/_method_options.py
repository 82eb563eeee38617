"""Options of an actor's methods: those of ``@method(...)`` and of ``handle.m.options(...)``."""

from __future__ import annotations

from ._options import ACTOR_OPTIONS, DEADLINE_OPTIONS, TASK_OPTIONS, Option, check_num_returns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_STR = (str, type(None))

# None means, everywhere: as the actor, or the decorator, says.
METHOD_OPTIONS: dict[str, Option] = {
    "num_returns": Option((int, str, type(None))),
    "concurrency_group": Option(_STR),
    "max_task_retries": ACTOR_OPTIONS["max_task_retries"],
    "retry_exceptions": Option(
        (bool, list, tuple, type(None)),
        lambda value: (
            None
            if value is None or TASK_OPTIONS["retry_exceptions"].check is None
            else TASK_OPTIONS["retry_exceptions"].check(value)
        ),
    ),
    "_generator_backpressure_num_objects": TASK_OPTIONS["_generator_backpressure_num_objects"],
    "_num_objects_per_yield": TASK_OPTIONS["_num_objects_per_yield"],
    "enable_task_events": Option((bool, type(None))),
    "tensor_transport": Option(_STR),
}
_CALL_OPTIONS: dict[str, Option] = {
    **METHOD_OPTIONS,
    "name": Option(_STR),
    "_labels": Option((dict, type(None))),
}
# How values that stay on one device get to another actor; none but the store exists on one machine.
_TRANSPORTS = ("NIXL", "NCCL", "GLOO")

METHOD_USAGE = (
    "The @ray.method decorator must be applied using no arguments or at "
    f"least one of the arguments in the list {list(METHOD_OPTIONS)}, for example "
    "'@ray.method(num_returns=2)'."
)


def check_method_names(opts: Mapping[str, Any]) -> None:
    """Raise AssertionError when ``@method(...)`` has no option of such a name."""
    for name in opts:
        if name not in METHOD_OPTIONS and name not in DEADLINE_OPTIONS:
            raise AssertionError(
                f"Unexpected keyword argument to @ray.method: '{name}'. The "
                f"supported keyword arguments are {list(METHOD_OPTIONS)}"
            )


def check_method_options(
    opts: Mapping[str, Any], is_generator: bool = False, stacklevel: int = 3
) -> None:
    """Check the options of ``@method(...)``.

    Ray looks at few of the values here and lets others fail in the actor's process, or never; a
    wrong type is an error at once.

    Raises
    ------
    AssertionError
        Unknown name.
    ValueError, TypeError
        As for `check_task_options`.
    """
    check_method_names(opts)
    for name, value in opts.items():
        (METHOD_OPTIONS.get(name) or DEADLINE_OPTIONS[name]).validate(name, value)
    _check_values(opts, is_generator, stacklevel + 1)


def check_call_options(
    opts: Mapping[str, Any], is_generator: bool = False, stacklevel: int = 3
) -> None:
    """Check the options of ``handle.m.options(...)``.

    Raises
    ------
    TypeError
        Unknown name, value of another type.
    ValueError
        Value outside the limits.
    """
    if "_num_objects_per_yield" in opts:
        raise ValueError(
            "_num_objects_per_yield cannot be overridden per actor method "
            "call. Use @ray.method(_num_objects_per_yield=...) instead."
        )
    for name, value in opts.items():
        option = _CALL_OPTIONS.get(name) or DEADLINE_OPTIONS.get(name)
        if option is None:
            raise TypeError(f"ActorMethod._remote() got an unexpected keyword argument '{name}'")
        option.validate(name, value)
    _check_values(opts, is_generator, stacklevel + 1)


def merge_method_options(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a call: of each name the last value that isn't None.

    Parameters
    ----------
    *layers : mapping
        From the actor's to the call's own.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        merged.update((name, value) for name, value in layer.items() if value is not None)
    return merged


def _check_values(opts: Mapping[str, Any], is_generator: bool, stacklevel: int) -> None:
    num_returns = opts.get("num_returns")
    check_num_returns(num_returns, is_generator, stacklevel + 1)
    if isinstance(num_returns, str) and num_returns not in ("streaming", "dynamic"):
        raise TypeError(
            f"num_returns must be an int, 'streaming' or 'dynamic', got {num_returns!r}"
        )
    transport = opts.get("tensor_transport")
    if transport is not None and transport.upper() not in _TRANSPORTS:
        raise ValueError(f"Invalid tensor transport: {transport.upper()}")
