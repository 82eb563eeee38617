"""Options of tasks, actors and methods: which there are, what they may be, how they add up.

Names, types, limits, defaults and the words of the errors are those of Ray 2.60. A check looks at
the options as the user wrote them; `task_values` and `actor_values` fill in what was left out.
"""

from __future__ import annotations

from ._deadline import deadline_error, timeout_error
from ._labels import fallback_error, selector_error
from ._resources import custom_error, quantity_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    _Check = Callable[[Any], "str | None"]

_STRATEGIES = "thornback.util.scheduling_strategies"
_ASYNC_CONCURRENCY = 1000


class RayDeprecationWarning(DeprecationWarning):
    """Something of Ray's API that is to go, apart from others' deprecations."""


class LateType:
    """A type that is looked up when needed: its module loads only for those who use it.

    As long as the module isn't loaded, nothing can be an instance.
    """

    __slots__ = ("module", "name")

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name

    def __repr__(self) -> str:
        return f"<class '{self.module}.{self.name}'>"

    def matches(self, value: object) -> bool:
        """Return whether `value` is an instance."""
        import sys

        cls = getattr(sys.modules.get(self.module), self.name, None)
        return isinstance(cls, type) and isinstance(value, cls)


class Option:
    """What one option may be.

    Parameters
    ----------
    types : type or tuple of types
    check : callable, optional
        Returns what is wrong with a value of these types, or None.
    default : object
    """

    __slots__ = ("_late", "_plain", "check", "default", "types")

    def __init__(
        self,
        types: type | tuple[type | LateType, ...],
        check: _Check | None = None,
        default: object = None,
    ) -> None:
        self.types = types
        self.check = check
        self.default = default
        every = types if isinstance(types, tuple) else (types,)
        self._plain = tuple(kind for kind in every if isinstance(kind, type))
        self._late = tuple(kind for kind in every if isinstance(kind, LateType))

    def validate(self, name: str, value: object) -> None:
        """Raise what is wrong with `value`.

        Raises
        ------
        TypeError
            The value has another type.
        ValueError
            The value is outside the limits.
        """
        if not isinstance(value, self._plain) and not any(t.matches(value) for t in self._late):
            raise TypeError(
                f"The type of keyword '{name}' must be {self.types}, "
                f"but received type {type(value)}"
            )
        error = self.check(value) if self.check is not None else None
        if error:
            raise ValueError(error)


def _none_or(rule: Callable[[Any], bool], error: str) -> _Check:
    return lambda value: None if value is None or rule(value) else error


def _count(name: str, default: object = None, *, infinite: bool) -> Option:
    kinds = (int, type(None))
    if infinite:
        text = (
            f"The keyword '{name}' only accepts None, 0, -1 or a positive integer, "
            "where -1 represents infinity."
        )
        return Option(kinds, _none_or(lambda value: bool(value >= -1), text), default)
    text = f"The keyword '{name}' only accepts None, 0 or a positive integer."
    return Option(kinds, _none_or(lambda value: bool(value >= 0), text), default)


def _quantity(name: str, default: object = None) -> Option:
    return Option(
        (float, int, type(None)),
        lambda value: None if value is None else quantity_error(name, value),
        default,
    )


def _is_exception(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Exception)


_STR = (str, type(None))
_BOOL = (bool, type(None))
_DICT = (dict, type(None))

_COMMON = {
    "label_selector": Option(_DICT, selector_error),
    "fallback_strategy": Option((list, type(None)), fallback_error),
    "accelerator_type": Option(_STR),
    "memory": _quantity("memory"),
    "name": Option(_STR),
    "num_cpus": _quantity("num_cpus"),
    "num_gpus": _quantity("num_gpus"),
    "object_store_memory": _count("object_store_memory", infinite=False),
    "placement_group": Option(
        (type(None), str, LateType("thornback.util.placement_group", "PlacementGroup")),
        default="default",
    ),
    "placement_group_bundle_index": Option(int, default=-1),
    "placement_group_capture_child_tasks": Option(_BOOL),
    "resources": Option(_DICT, custom_error),
    "runtime_env": Option(_DICT),
    "scheduling_strategy": Option(
        (
            type(None),
            str,
            LateType(_STRATEGIES, "PlacementGroupSchedulingStrategy"),
            LateType(_STRATEGIES, "NodeAffinitySchedulingStrategy"),
            LateType(_STRATEGIES, "NodeLabelSchedulingStrategy"),
        )
    ),
    "enable_task_events": Option(bool, default=True),
    "_labels": Option(_DICT),
}

_TASK_ONLY = {
    "max_calls": _count("max_calls", 0, infinite=False),
    "max_retries": _count("max_retries", 3, infinite=True),
    "num_cpus": _quantity("num_cpus", 1),
    "num_returns": Option(
        (int, str, type(None)),
        _none_or(
            lambda value: value in ("dynamic", "streaming") or value >= 0,
            "Default None. When None is passed, The default value is 1 for a task and actor task, "
            "and 'streaming' for generator tasks and generator actor tasks. The keyword "
            "'num_returns' only accepts None, a non-negative integer, 'streaming' (for "
            "generators), or 'dynamic'. 'dynamic' flag will be deprecated in the future, and it "
            "is recommended to use 'streaming' instead.",
        ),
    ),
    "object_store_memory": Option(
        (int, type(None)),
        _none_or(
            lambda _value: False, "Setting 'object_store_memory' is not implemented for tasks"
        ),
    ),
    "retry_exceptions": Option(
        (bool, list, tuple),
        lambda value: (
            None
            if isinstance(value, bool) or all(_is_exception(kind) for kind in value)
            else "retry_exceptions must be either a boolean or a list of exceptions"
        ),
        default=False,
    ),
    "_generator_backpressure_num_objects": Option(
        (int, type(None)),
        _none_or(
            lambda value: value != 0,
            "_generator_backpressure_num_objects=0 is not allowed. Use a value > 0. If the value "
            "is equal to 1, the behavior is identical to Python generator (generator 1 object "
            "whenever `next` is called). Use -1 to disable this feature. ",
        ),
    ),
    "_num_objects_per_yield": Option(
        (int, type(None)),
        _none_or(
            lambda value: value > 0,
            "_num_objects_per_yield is a private streaming generator option "
            "that must be set to a positive integer.",
        ),
        default=1,
    ),
}

_ACTOR_ONLY = {
    "concurrency_groups": Option((list, dict, type(None))),
    "enable_tensor_transport": Option(_BOOL),
    "lifetime": Option(
        _STR,
        _none_or(
            lambda value: value in ("detached", "non_detached"),
            "actor `lifetime` argument must be one of 'detached', 'non_detached' and 'None'.",
        ),
    ),
    "max_concurrency": _count("max_concurrency", infinite=False),
    "max_restarts": _count("max_restarts", 0, infinite=True),
    "max_task_retries": _count("max_task_retries", 0, infinite=True),
    "max_pending_calls": _count("max_pending_calls", -1, infinite=True),
    "namespace": Option(_STR),
    "get_if_exists": Option(bool, default=False),
    "allow_out_of_order_execution": Option(_BOOL),
    "_actor_generator_backpressure_num_objects": Option(
        (int, type(None)),
        lambda value: (
            None
            if value is None or value > 0 or value == -1
            else "_actor_generator_backpressure_num_objects must be > 0 to cap the actor's total "
            f"unconsumed generator objects, or -1 to disable. Got {value}."
        ),
    ),
}

# Ours, beside Ray's; not in its texts.
_OWN = {
    "infeasible": Option(
        _STR,
        _none_or(
            lambda value: value in ("warn", "error"),
            "infeasible must be 'warn', 'error' or None, which takes the session's default.",
        ),
    ),
}

# Ours too, for tasks, calls of methods and the constructors of actors.
DEADLINE_OPTIONS = {
    "timeout": Option((int, float, type(None)), timeout_error),
    "deadline": Option((int, float, LateType("datetime", "datetime"), type(None)), deadline_error),
}

# The order of the keys shows in the texts of errors.
TASK_OPTIONS: dict[str, Option] = {**_COMMON, **_TASK_ONLY}
ACTOR_OPTIONS: dict[str, Option] = {**_COMMON, **_ACTOR_ONLY}
TASK_DEFAULTS: dict[str, object] = {name: opt.default for name, opt in TASK_OPTIONS.items()}
ACTOR_DEFAULTS: dict[str, object] = {name: opt.default for name, opt in ACTOR_OPTIONS.items()}

REMOTE_USAGE = (
    "The @ray.remote decorator must be applied either with no arguments and no "
    "parentheses, for example '@ray.remote', or it must be applied using some of "
    f"the arguments in the list {list({**_TASK_ONLY, **_ACTOR_ONLY, **_COMMON})}, for example "
    "'@ray.remote(num_returns=2, resources={\"CustomResource\": 1})'."
)


def check_task_options(
    opts: Mapping[str, Any],
    in_options: bool,
    is_generator: bool | None = None,
    stacklevel: int = 3,
) -> None:
    """Check the options of a task.

    Parameters
    ----------
    opts : mapping
        As the user wrote them.
    in_options : bool
        Whether they come from `.options()` and not from the decorator.
    is_generator : bool, optional
        Whether the function is a generator; when not given, `num_returns` isn't compared with it.
    stacklevel : int
        For warnings, as `warnings.warn` counts: 1 is this function, 3 who called its caller.

    Raises
    ------
    ValueError
        Unknown name, value outside the limits, options that exclude one another.
    TypeError
        Value of another type.
    """
    _check_each(opts, TASK_OPTIONS, "remote functions", DEADLINE_OPTIONS)
    if in_options and "max_calls" in opts:
        raise ValueError("Setting 'max_calls' is not supported in '.options()'.")
    _check_placement_group(opts)
    if is_generator is not None:
        check_num_returns(opts.get("num_returns"), is_generator, stacklevel + 1)


def check_actor_options(opts: Mapping[str, Any], in_options: bool, stacklevel: int = 3) -> None:
    """Check the options of an actor; parameters and errors as for `check_task_options`."""
    _check_each(opts, ACTOR_OPTIONS, "actors", DEADLINE_OPTIONS)
    if in_options and "concurrency_groups" in opts:
        raise ValueError("Setting 'concurrency_groups' is not supported in '.options()'.")
    if opts.get("get_if_exists") and not opts.get("name"):
        raise ValueError("The actor name must be specified to use `get_if_exists`.")
    if "object_store_memory" in opts:
        _warn(
            "Setting 'object_store_memory' for actors is deprecated since it doesn't actually"
            " reserve the required object store memory.",
            DeprecationWarning,
            stacklevel + 1,
        )
    _check_placement_group(opts)


def check_num_returns(num_returns: object, is_generator: bool, stacklevel: int = 3) -> None:
    """Check `num_returns` against the kind of function; None is always right.

    Raises
    ------
    ValueError
        Negative, or a generator's value for a function that isn't one.
    """
    if isinstance(num_returns, int) and num_returns < 0:
        raise ValueError(f"num_returns must be >= 0, but got {num_returns}.")
    if num_returns == "dynamic":
        _warn(
            "num_returns='dynamic' is deprecated and will be removed in a future "
            "Ray release. Use num_returns='streaming' instead.",
            RayDeprecationWarning,
            stacklevel + 1,
        )
    if num_returns in ("streaming", "dynamic") and not is_generator:
        raise ValueError(
            f"num_returns='{num_returns}' can only be used with generator functions "
            "(functions that use 'yield'). The decorated function is not a generator function."
        )


def merge_task_options(
    base: Mapping[str, Any], new: Mapping[str, Any], is_generator: bool
) -> dict[str, Any]:
    """Return the options of ``f.options(**new)``, where `base` are the decorator's.

    `max_calls` stays with the function: it is not among them.

    Raises
    ------
    ValueError, TypeError
        As `check_task_options`.
    """
    per_yield = base.get("_num_objects_per_yield") or 1
    if new.get("_num_objects_per_yield", per_yield) != per_yield:
        raise ValueError(
            "_num_objects_per_yield cannot be overridden per task call. "
            "Use @ray.remote(_num_objects_per_yield=...) instead."
        )
    merged = {**base, **new}
    if "max_calls" not in new:
        merged.pop("max_calls", None)
    # A default of the decorator's was checked, and warned about, when it was given.
    kind = is_generator if "num_returns" in new else None
    check_task_options(merged, in_options=True, is_generator=kind, stacklevel=4)
    return merged


def merge_actor_options(base: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of ``Cls.options(**new)``, where `base` are the decorator's.

    `concurrency_groups` stays with the class: it is not among them.
    """
    merged = {**base, **new}
    if "concurrency_groups" not in new:
        merged.pop("concurrency_groups", None)
    check_actor_options(merged, in_options=True, stacklevel=4)
    return merged


def task_values(opts: Mapping[str, Any], is_generator: bool, stacklevel: int = 3) -> dict[str, Any]:
    """Return all options of a task, with defaults; `num_returns` is an int, or a generator's word.

    The environment variable ``RAY_TASK_MAX_RETRIES`` changes the default of `max_retries`. Warns of
    the options that placed tasks before `scheduling_strategy` did.

    Raises
    ------
    ValueError
        Unknown word for `scheduling_strategy`, or `num_returns` of a generator for a function.
    """
    import os

    _warn_old_placement(opts, stacklevel + 1)
    _check_strategy(opts.get("scheduling_strategy"))
    values = {**TASK_DEFAULTS, **opts}
    if "max_retries" not in opts:
        values["max_retries"] = int(os.environ.get("RAY_TASK_MAX_RETRIES", "3"))
    if values["max_retries"] is None:
        values["max_retries"] = 0
    if values["num_returns"] is None:
        values["num_returns"] = "streaming" if is_generator else 1
    if isinstance(values["num_returns"], str) and not is_generator:
        raise ValueError(f"num_returns='{values['num_returns']}' needs a generator function.")
    return values


def task_max_calls(opts: Mapping[str, Any]) -> int:
    """Return after how many tasks a worker ends, 0 for never; `opts` are the decorator's.

    A function that was declared with GPUs gets a fresh process each time unless it says otherwise,
    because libraries keep a GPU's memory until the process ends.
    """
    if opts.get("max_calls") is None:
        return 1 if (opts.get("num_gpus") or 0) > 0 else 0
    return int(opts["max_calls"])


def actor_values(opts: Mapping[str, Any], is_async: bool, stacklevel: int = 3) -> dict[str, Any]:
    """Return all options of an actor, with defaults, for its creation.

    Parameters
    ----------
    opts : mapping
        As checked.
    is_async : bool
        Whether the class has an ``async def`` method.
    stacklevel : int
        For warnings of old options, as in `check_task_options`.

    Raises
    ------
    ValueError
        Empty name or namespace, unknown word for `scheduling_strategy`, or an order that several
        calls at a time can't keep.
    """
    _warn_old_placement(opts, stacklevel + 1)
    _check_strategy(opts.get("scheduling_strategy"))
    values = {**ACTOR_DEFAULTS, **opts}
    if values["lifetime"] is None:
        from ._named import default_lifetime

        values["lifetime"] = default_lifetime()
    if values["name"] == "":
        raise ValueError("Actor name cannot be an empty string.")
    if values["namespace"] == "":
        raise ValueError('"" is not a valid namespace. Pass None to not specify a namespace.')
    if values["max_concurrency"] is None:
        values["max_concurrency"] = _ASYNC_CONCURRENCY if is_async else 1
    several = is_async or values["max_concurrency"] > 1
    if values["allow_out_of_order_execution"] is None:
        values["allow_out_of_order_execution"] = several
    if several and not values["allow_out_of_order_execution"]:
        kind = "async" if is_async else "multi-threaded"
        raise ValueError(
            f"If you're using {kind} actors, Ray can't execute actor tasks in order. "
            "Set `allow_out_of_order_execution=True` to allow out-of-order execution."
        )
    return values


def _check_each(
    opts: Mapping[str, Any], known: dict[str, Option], what: str, more: Mapping[str, Option] = {}
) -> None:
    for name, value in opts.items():
        option = known.get(name) or _OWN.get(name) or more.get(name)
        if option is None:
            raise ValueError(
                f"Invalid option keyword {name} for {what}. Valid ones are {list(known)}."
            )
        option.validate(name, value)


def _check_strategy(strategy: object) -> None:
    if isinstance(strategy, str) and strategy not in ("DEFAULT", "SPREAD"):
        raise ValueError(
            f"Invalid scheduling_strategy value {strategy}. Valid values are "
            '["DEFAULT" | "SPREAD" | PlacementGroupSchedulingStrategy | '
            "NodeAffinitySchedulingStrategy]"
        )


def _check_placement_group(opts: Mapping[str, Any]) -> None:
    group = opts.get("placement_group", "default")
    strategy = opts.get("scheduling_strategy")
    if group not in ("default", None) and strategy is not None:
        raise ValueError(
            "Placement groups should be specified via the scheduling_strategy option. "
            "The placement_group option is deprecated."
        )


def _warn_old_placement(opts: Mapping[str, Any], stacklevel: int) -> None:
    strategy = opts.get("scheduling_strategy")
    if strategy is not None and not isinstance(strategy, str):
        return
    old = (
        ("placement_group", opts.get("placement_group", "default") != "default"),
        ("placement_group_bundle_index", opts.get("placement_group_bundle_index", -1) != -1),
        (
            "placement_group_capture_child_tasks",
            bool(opts.get("placement_group_capture_child_tasks")),
        ),
    )
    for name, given in old:
        if given:
            _warn(
                f"{name} parameter is deprecated. Use "
                "scheduling_strategy=PlacementGroupSchedulingStrategy(...) instead.",
                DeprecationWarning,
                stacklevel + 1,
            )


def _warn(text: str, category: type[Warning], stacklevel: int) -> None:
    import warnings

    warnings.warn(text, category, stacklevel=stacklevel)
