"""Options, right and wrong, and what an implementation says to them.

``ray_option_answers.json`` holds the answers of Ray 2.60. In an environment that has it,
``python tests/unit/option_cases.py > tests/unit/ray_option_answers.json`` writes them anew.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

_VALUES: list[Any] = [
    None, True, False, 0, 1, 2, 8, -1, -2, 0.5, 1.5, 0.00001, -0.5, 0.0,
    "", "DEFAULT", "detached", "streaming", "dynamic", "text",
    [], ["a"], [ValueError], (ValueError, KeyError), [1], {}, {"a": "b"},
]  # fmt: skip
_NAMES = [
    "label_selector",
    "fallback_strategy",
    "accelerator_type",
    "memory",
    "name",
    "num_cpus",
    "num_gpus",
    "object_store_memory",
    "placement_group",
    "placement_group_bundle_index",
    "placement_group_capture_child_tasks",
    "resources",
    "runtime_env",
    "scheduling_strategy",
    "enable_task_events",
    "_labels",
    "max_calls",
    "max_retries",
    "num_returns",
    "retry_exceptions",
    "_generator_backpressure_num_objects",
    "_num_objects_per_yield",
    "concurrency_groups",
    "enable_tensor_transport",
    "lifetime",
    "max_concurrency",
    "max_restarts",
    "max_task_retries",
    "max_pending_calls",
    "namespace",
    "get_if_exists",
    "allow_out_of_order_execution",
    "_actor_generator_backpressure_num_objects",
    "no_such_option",
]
_RESOURCES: list[dict[Any, Any]] = [
    {"CPU": 1}, {"GPU": 1}, {"X": 1}, {"X": -1}, {"X": 0.00001}, {"X": 0.0001}, {"X": None},
    {"X": "1"}, {"X": float("nan")}, {"X": float("inf")}, {"TPU": 3}, {"TPU": 4}, {"TPU": 0.5},
    {"neuron_cores": 1.5}, {"neuron_cores": 2.0}, {"HPU": 0.5}, {"RBLN": 1.5}, {"FURIOSA": 1.5},
    {"MBLT": 1.5}, {"TTNPU": 1.5}, {"NPU": 0.5},
]  # fmt: skip
_SELECTORS: list[Any] = [
    {"k": "v"}, {"k": "!v"}, {"k": "in(a,b)"}, {"k": "in(a, b)"}, {"k": "!in(a,b)"}, {"k": "in()"},
    {"k": "(a)"}, {"k": ""}, {"k": None}, {"k": "-v"}, {"k": "v_"}, {"k": "a" * 64}, {"": "v"},
    {"a/b": "v"}, {"a..b/c": "v"}, {"-a/c": "v"}, {"a/b/c": "v"}, {"a/": "v"}, {"k@": "v"},
    {"a" * 300 + "/b": "v"},
]  # fmt: skip
_FALLBACKS: list[Any] = [
    [1], [{}], [{"x": 1}], [{"label_selector": 3}], [{"label_selector": None}],
    [{"label_selector": {"k": "in()"}}], [{"label_selector": {"k": "v"}}],
]  # fmt: skip
_TOGETHER: list[dict[str, Any]] = [
    {},
    {"placement_group": None, "scheduling_strategy": "SPREAD"},
    {"placement_group": "text", "scheduling_strategy": "SPREAD"},
    {"get_if_exists": True},
    {"get_if_exists": True, "name": "n"},
    {"get_if_exists": True, "name": ""},
    {"num_cpus": 1, "num_gpus": 1, "memory": 100, "resources": {"X": 1}},
]


def cases() -> Iterator[dict[str, Any]]:
    """Yield options, as a user would write them."""
    for name in _NAMES:
        for value in _VALUES:
            yield {name: value}
    for resources in _RESOURCES:
        yield {"resources": resources}
    for selector in _SELECTORS:
        yield {"label_selector": selector}
    for fallback in _FALLBACKS:
        yield {"fallback_strategy": fallback}
    yield from _TOGETHER


def answers(check: Callable[..., None], **context: Any) -> dict[str, list[str]]:
    """Return, for each case, the class and text of the error, and the classes of the warnings."""
    result = {}
    for opts in cases():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                check(opts, **context)
                said = ["", ""]
            except Exception as error:  # noqa: BLE001 - to be compared, whatever it is
                said = [type(error).__name__, str(error)]
        result[repr(opts)] = said + sorted(w.category.__name__ for w in caught)
    return result


def pack(everything: dict[str, dict[str, list[str]]]) -> dict[str, Any]:
    """Return the answers small: each text once, of each check only what the first didn't say."""
    texts: dict[str, int] = {}
    base: dict[str, dict[str, list[str]]] = {}
    packed = {}
    for name, said in everything.items():
        first = base.setdefault(name.split()[0], said)
        packed[name] = {
            case: [texts.setdefault(part, len(texts)) for part in parts]
            for case, parts in said.items()
            if (parts != ["", ""] if first is said else parts != first[case])
        }
    return {"answers": packed, "texts": list(texts)}


def unpack(packed: dict[str, Any]) -> dict[str, dict[str, list[str]]]:
    """Undo `pack`."""
    texts = packed["texts"]
    everything: dict[str, dict[str, list[str]]] = {}
    for name, said in packed["answers"].items():
        first = everything.get(name.split()[0], {repr(opts): ["", ""] for opts in cases()})
        changed = {case: [texts[number] for number in numbers] for case, numbers in said.items()}
        everything[name] = {**first, **changed}
    return everything


def _ray_answers() -> dict[str, dict[str, list[str]]]:
    from ray._common import ray_option_utils as ray_options  # type: ignore[import-not-found]

    task, actor = ray_options.validate_task_options, ray_options.validate_actor_options
    return {
        "task": answers(task, in_options=False),
        "task in options": answers(task, in_options=True),
        "task of a function": answers(task, in_options=False, is_generator_callable=False),
        "task of a generator": answers(task, in_options=False, is_generator_callable=True),
        "actor": answers(actor, in_options=False),
        "actor in options": answers(actor, in_options=True),
    }


if __name__ == "__main__":
    json.dump(pack(_ray_answers()), sys.stdout, indent=0)
    sys.stdout.write("\n")
