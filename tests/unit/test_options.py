"""Options: every error as Ray 2.60 gives it, amounts of resources, and how layers add up."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
import types
import warnings
from pathlib import Path
from typing import Any

import pytest

from thornback import _method_options as methods
from thornback import _options as options
from thornback._resources import UNITS, resource_demand

_HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("option_cases", _HERE / "option_cases.py")
assert _spec is not None
assert _spec.loader is not None
option_cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(option_cases)

_TASK, _ACTOR = options.check_task_options, options.check_actor_options
_CHECKS: dict[str, tuple[Any, dict[str, Any]]] = {
    "task": (_TASK, {"in_options": False}),
    "task in options": (_TASK, {"in_options": True}),
    "task of a function": (_TASK, {"in_options": False, "is_generator": False}),
    "task of a generator": (_TASK, {"in_options": False, "is_generator": True}),
    "actor": (_ACTOR, {"in_options": False}),
    "actor in options": (_ACTOR, {"in_options": True}),
}


@pytest.fixture(scope="module")
def ray_answers() -> dict[str, dict[str, list[str]]]:
    text = (_HERE / "ray_option_answers.json").read_text()
    unpacked: dict[str, dict[str, list[str]]] = option_cases.unpack(json.loads(text))
    return unpacked


@pytest.mark.parametrize("name", _CHECKS)
def test_answers_are_rays(name: str, ray_answers: dict[str, dict[str, list[str]]]) -> None:
    check, context = _CHECKS[name]
    ours = option_cases.answers(check, **context)
    assert ours.keys() == ray_answers[name].keys()
    differing = {
        case: (said, ours[case])
        for case, said in ray_answers[name].items()
        if [part.replace("'thornback.", "'ray.") for part in ours[case]] != said
    }
    assert differing == {}
    assert sum(said != ["", ""] for said in ray_answers[name].values()) > 300, "the table is full"


def test_defaults_are_rays() -> None:
    assert options.TASK_DEFAULTS["num_cpus"] == 1
    assert options.TASK_DEFAULTS["max_retries"] == 3
    assert options.TASK_DEFAULTS["max_calls"] == 0
    assert options.TASK_DEFAULTS["retry_exceptions"] is False
    assert options.ACTOR_DEFAULTS["num_cpus"] is None
    assert options.ACTOR_DEFAULTS["max_restarts"] == 0
    assert options.ACTOR_DEFAULTS["max_pending_calls"] == -1
    for defaults, known in (
        (options.TASK_DEFAULTS, options.TASK_OPTIONS),
        (options.ACTOR_DEFAULTS, options.ACTOR_OPTIONS),
    ):
        for name, default in defaults.items():
            known[name].validate(name, default)


def test_usage_texts_name_the_options() -> None:
    assert "'num_cpus'" in options.REMOTE_USAGE
    assert "'max_restarts'" in options.REMOTE_USAGE
    assert "'concurrency_group'" in methods.METHOD_USAGE


def test_types_of_modules_that_load_late(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "thornback.util.scheduling_strategies"
    monkeypatch.delitem(sys.modules, name, raising=False)

    class NodeAffinitySchedulingStrategy:
        pass

    strategy = NodeAffinitySchedulingStrategy()
    with pytest.raises(TypeError, match="NodeAffinitySchedulingStrategy"):
        _TASK({"scheduling_strategy": strategy}, False)
    module = types.ModuleType(name)
    module.NodeAffinitySchedulingStrategy = NodeAffinitySchedulingStrategy  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, name, module)
    _TASK({"scheduling_strategy": strategy}, False)
    with pytest.raises(TypeError):
        _TASK({"scheduling_strategy": 3}, False)


def cpu(count: float) -> int:
    return int(count * UNITS)


# What Ray 2.60 says of get_runtime_context().get_assigned_resources(), in units.
@pytest.mark.parametrize(
    ("opts", "expected"),
    [
        ({}, {"CPU": 10_000}),
        ({"num_cpus": None}, {}),
        ({"num_cpus": 0}, {}),
        ({"num_cpus": 0.5}, {"CPU": 5_000}),
        ({"num_cpus": 1.5}, {"CPU": 15_000}),
        ({"num_cpus": True}, {"CPU": 10_000}),
        ({"num_cpus": 0.12345678}, {"CPU": 1_234}),
        ({"num_gpus": 0.25}, {"CPU": 10_000, "GPU": 2_500}),
        ({"num_gpus": 2.0}, {"CPU": 10_000, "GPU": 20_000}),
        ({"memory": 100.7}, {"CPU": 10_000, "memory": 1_000_000}),
        ({"memory": 1 << 40}, {"CPU": 10_000, "memory": (1 << 40) * UNITS}),
        ({"resources": {"X": 1.00019}}, {"CPU": 10_000, "X": 10_001}),
        ({"resources": {"X": 0.00015}}, {"CPU": 10_000, "X": 1}),
        ({"resources": {"X": 0}}, {"CPU": 10_000}),
        ({"resources": {}}, {"CPU": 10_000}),
        ({"resources": None}, {"CPU": 10_000}),
        ({"accelerator_type": "A100"}, {"CPU": 10_000, "accelerator_type:A100": 10}),
    ],
)
def test_demand_of_tasks(opts: dict[str, Any], expected: dict[str, int]) -> None:
    _TASK(opts, False)
    assert resource_demand(opts, for_actor=False) == (expected, expected)


@pytest.mark.parametrize(
    ("opts", "placement", "running"),
    [
        ({}, {"CPU": 10_000}, {}),
        ({"num_cpus": None}, {"CPU": 10_000}, {}),
        ({"num_gpus": None, "resources": {}, "accelerator_type": None}, {"CPU": 10_000}, {}),
        ({"memory": 100}, {"CPU": 10_000, "memory": 1_000_000}, {"memory": 1_000_000}),
        ({"num_cpus": 0}, {}, {}),
        ({"num_cpus": 2}, {"CPU": 20_000}, {"CPU": 20_000}),
        ({"num_gpus": 0}, {"CPU": 10_000}, {"CPU": 10_000}),
        ({"num_gpus": 1}, {"CPU": 10_000, "GPU": 10_000}, {"CPU": 10_000, "GPU": 10_000}),
        ({"resources": {"X": 0}}, {"CPU": 10_000}, {"CPU": 10_000}),
        ({"resources": {"X": 1}}, {"CPU": 10_000, "X": 10_000}, {"CPU": 10_000, "X": 10_000}),
        ({"num_cpus": 0, "resources": {"X": 1}}, {"X": 10_000}, {"X": 10_000}),
    ],
)
def test_demand_of_actors(
    opts: dict[str, Any], placement: dict[str, int], running: dict[str, int]
) -> None:
    _ACTOR(opts, False)
    assert resource_demand(opts, for_actor=True) == (placement, running)


def test_demand_never_hands_out_the_same_dict_twice() -> None:
    for for_actor in (False, True):
        placement, running = resource_demand({"num_cpus": 1}, for_actor=for_actor)
        placement["CPU"] = 0
        assert running == {"CPU": 10_000}


def test_every_amount_with_four_places_is_exact() -> None:
    # Ray cuts 0.57 to 0.5699 and 0.0003 to 0.0002; shares must add up here.
    for units in range(1, 30_000):
        amount = units / UNITS
        placement, _ = resource_demand({"num_cpus": amount}, for_actor=False)
        assert placement == {"CPU": units}


def test_amounts_between_are_cut() -> None:
    for amount, units in ((0.00019999, 1), (0.99999, 9_999), (2.00009, 20_000)):
        placement, _ = resource_demand({"num_cpus": amount}, for_actor=False)
        assert placement == {"CPU": units}


@pytest.mark.parametrize(
    ("opts", "error", "text"),
    [
        ({"resources": {"memory": 1}}, ValueError, "must not contain the key 'memory'"),
        ({"resources": {"object_store_memory": 1}}, ValueError, "'object_store_memory'"),
        ({"resources": {"bundle": 1}}, ValueError, "should not include `bundle`"),
        ({"resources": {1: 1}}, TypeError, "must be a str, got 1"),
        ({"num_gpus": 1.5}, ValueError, "GPU resource quantities >1 must be whole numbers. The"),
        ({"resources": {"NPU": 2.5}}, ValueError, "NPU resource quantities >1"),
        ({"resources": {"X": 1e30}}, ValueError, "too large"),
    ],
)
@pytest.mark.parametrize("for_actor", [False, True])
def test_demand_refuses(
    opts: dict[str, Any], error: type[Exception], text: str, for_actor: bool
) -> None:
    with pytest.raises(error, match=text):
        resource_demand(opts, for_actor=for_actor)


def test_not_numbers_are_refused_before() -> None:
    with pytest.raises(ValueError, match="NaN"):
        _TASK({"num_cpus": math.nan}, False)
    with pytest.raises(OverflowError):
        _TASK({"num_cpus": math.inf}, False)


def test_merge_of_task_options() -> None:
    base = {"num_cpus": 2, "max_calls": 3, "num_returns": 2}
    merged = options.merge_task_options(base, {"num_cpus": 1, "name": "n"}, False)
    assert merged == {"num_cpus": 1, "num_returns": 2, "name": "n"}
    assert base == {"num_cpus": 2, "max_calls": 3, "num_returns": 2}
    with pytest.raises(ValueError, match="Setting 'max_calls' is not supported"):
        options.merge_task_options(base, {"max_calls": 1}, False)
    with pytest.raises(ValueError, match=r"Invalid option keyword no_such"):
        options.merge_task_options(base, {"no_such": 1}, False)
    with pytest.raises(ValueError, match="only be used with generator functions"):
        options.merge_task_options(base, {"num_returns": "streaming"}, False)
    with pytest.raises(ValueError, match="cannot be overridden per task call"):
        options.merge_task_options(base, {"_num_objects_per_yield": 2}, True)
    assert options.merge_task_options(base, {"_num_objects_per_yield": 1}, True)
    with pytest.raises(ValueError, match="Placement groups should be specified"):
        options.merge_task_options(
            {"placement_group": "pg"}, {"scheduling_strategy": "SPREAD"}, False
        )


def test_a_default_is_warned_about_once() -> None:
    def method_options() -> None:
        options.merge_task_options({}, {"num_returns": "dynamic"}, True)

    with pytest.warns(options.RayDeprecationWarning, match="num_returns='dynamic'") as caught:
        method_options()
    here = test_a_default_is_warned_about_once.__code__.co_firstlineno
    assert [Path(warning.filename) for warning in caught] == [Path(__file__)]
    assert caught[0].lineno == here + 5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        options.merge_task_options({"num_returns": "dynamic"}, {"num_cpus": 2}, True)


def test_merge_of_actor_options() -> None:
    base = {"concurrency_groups": {"io": 2}, "name": "a"}
    merged = options.merge_actor_options(base, {"get_if_exists": True})
    assert merged == {"name": "a", "get_if_exists": True}
    with pytest.raises(ValueError, match="Setting 'concurrency_groups' is not supported"):
        options.merge_actor_options(base, {"concurrency_groups": {"io": 3}})
    with pytest.raises(ValueError, match="must be specified to use `get_if_exists`"):
        options.merge_actor_options({}, {"get_if_exists": True})


def test_task_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_TASK_MAX_RETRIES", raising=False)
    values = options.task_values({}, is_generator=False)
    assert (values["num_returns"], values["max_retries"], values["name"]) == (1, 3, None)
    assert values.keys() == options.TASK_OPTIONS.keys()
    assert options.task_values({}, is_generator=True)["num_returns"] == "streaming"
    assert options.task_values({"num_returns": 2}, is_generator=True)["num_returns"] == 2
    assert options.task_values({"max_retries": None}, False)["max_retries"] == 0
    with pytest.raises(ValueError, match="generator"):
        options.task_values({"num_returns": "streaming"}, is_generator=False)
    monkeypatch.setenv("RAY_TASK_MAX_RETRIES", "7")
    assert options.task_values({}, False)["max_retries"] == 7
    assert options.task_values({"max_retries": 1}, False)["max_retries"] == 1


def test_unknown_strategies_are_refused_when_used() -> None:
    for values in (options.task_values, options.actor_values):
        assert values({"scheduling_strategy": "SPREAD"}, False)["scheduling_strategy"] == "SPREAD"
        with pytest.raises(ValueError, match=r"^Invalid scheduling_strategy value text\."):
            values({"scheduling_strategy": "text"}, False)


def test_old_placement_options_warn_where_they_are_used() -> None:
    for values, context in ((options.task_values, False), (options.actor_values, False)):
        with pytest.warns(DeprecationWarning, match="placement_group parameter is deprecated"):
            values({"placement_group": None}, context)
        with pytest.warns(DeprecationWarning, match="placement_group_bundle_index"):
            values({"placement_group_bundle_index": 1}, context)
        with pytest.warns(DeprecationWarning, match="placement_group_capture_child_tasks"):
            values({"placement_group_capture_child_tasks": True}, context)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            values({"placement_group": "pg", "scheduling_strategy": object()}, context)


@pytest.mark.parametrize(
    ("opts", "expected"),
    [({}, 0), ({"num_gpus": 1}, 1), ({"num_gpus": 0}, 0), ({"num_gpus": 1, "max_calls": 0}, 0)],
)
def test_workers_with_gpus_are_not_used_again(opts: dict[str, Any], expected: int) -> None:
    assert options.task_max_calls(opts) == expected
    assert options.task_max_calls({"max_calls": 4}) == 4


@pytest.mark.parametrize(
    ("opts", "is_async", "concurrency", "any_order"),
    [
        ({}, False, 1, False),
        ({}, True, 1000, True),
        ({"max_concurrency": 3}, False, 3, True),
        ({"max_concurrency": 3}, True, 3, True),
        ({"allow_out_of_order_execution": True}, False, 1, True),
        ({"allow_out_of_order_execution": False}, False, 1, False),
    ],
)
def test_concurrency_of_actors(
    opts: dict[str, Any], is_async: bool, concurrency: int, any_order: bool
) -> None:
    values = options.actor_values(opts, is_async)
    assert values["max_concurrency"] == concurrency
    assert values["allow_out_of_order_execution"] is any_order
    assert values.keys() == options.ACTOR_OPTIONS.keys()


@pytest.mark.parametrize(
    ("opts", "is_async", "text"),
    [
        ({"name": ""}, False, r"^Actor name cannot be an empty string\.$"),
        ({"namespace": ""}, False, r'^"" is not a valid namespace\. Pass None to not specify a '),
        ({"allow_out_of_order_execution": False}, True, "^If you're using async actors, Ray can"),
        (
            {"max_concurrency": 2, "allow_out_of_order_execution": False},
            False,
            "^If you're using multi-threaded actors, Ray can't execute actor tasks in order. Set ",
        ),
    ],
)
def test_actor_values_refuse(opts: dict[str, Any], is_async: bool, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        options.actor_values(opts, is_async)


def test_method_options() -> None:
    methods.check_method_options({"num_returns": 2, "concurrency_group": "io"})
    methods.check_method_options(dict.fromkeys(methods.METHOD_OPTIONS))
    methods.check_method_options({"num_returns": "streaming"}, is_generator=True)
    methods.check_method_options({"tensor_transport": "nccl"})
    with pytest.raises(AssertionError, match="Unexpected keyword argument to"):
        methods.check_method_options({"name": "n"})
    for opts, error, text in (
        ({"num_returns": -1}, ValueError, "num_returns must be >= 0, but got -1."),
        ({"num_returns": "streaming"}, ValueError, "can only be used with generator functions"),
        ({"num_returns": "text"}, TypeError, "'streaming' or 'dynamic', got 'text'"),
        ({"_num_objects_per_yield": 0}, ValueError, "must be set to a positive integer"),
        ({"tensor_transport": "zzz"}, ValueError, "^Invalid tensor transport: ZZZ$"),
        ({"max_task_retries": "x"}, TypeError, "keyword 'max_task_retries' must be"),
        ({"max_task_retries": -2}, ValueError, "only accepts None, 0, -1 or a positive"),
        ({"retry_exceptions": [1]}, ValueError, "boolean or a list of exceptions"),
        ({"concurrency_group": 3}, TypeError, "keyword 'concurrency_group' must be"),
    ):
        with pytest.raises(error, match=text):
            methods.check_method_options(opts)
        with pytest.raises((error, ValueError)):
            methods.check_call_options(opts)


def test_options_of_a_call() -> None:
    methods.check_call_options({"name": "n", "num_returns": 0, "_labels": {"a": "b"}})
    with pytest.raises(TypeError, match="got an unexpected keyword argument 'num_cpus'"):
        methods.check_call_options({"num_cpus": 1})
    with pytest.raises(ValueError, match="cannot be overridden per actor method call"):
        methods.check_call_options({"_num_objects_per_yield": 2})


def test_merge_of_method_options() -> None:
    merged = methods.merge_method_options(
        {"max_task_retries": 2}, {"num_returns": 2, "max_task_retries": None}, {"num_returns": 3}
    )
    assert merged == {"max_task_retries": 2, "num_returns": 3}
