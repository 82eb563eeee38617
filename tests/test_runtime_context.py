"""What code can know about where it runs: in the driver, in tasks, in actors."""

from __future__ import annotations

import ast
import os
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest

import thornback
from support.engine import ray

pytestmark = [pytest.mark.only_thornback, pytest.mark.usefixtures("balanced")]

_NAMES = (
    "get_job_id",
    "get_node_id",
    "get_worker_id",
    "get_task_id",
    "get_task_name",
    "get_task_function_name",
    "get_actor_id",
    "get_actor_name",
    "get_placement_group_id",
    "get_assigned_resources",
    "get_runtime_env_string",
    "get_node_labels",
    "get_accelerator_ids",
    "get_temp_dir",
    "get_session_name",
    "namespace",
    "runtime_env",
    "gcs_address",
    "should_capture_child_tasks_in_placement_group",
    "was_current_actor_reconstructed",
    "is_canceled",
)


def seen() -> dict[str, Any]:
    """All that there is, errors as their class names."""
    context = ray.get_runtime_context()
    values: dict[str, Any] = {}
    for name in _NAMES:
        try:
            value = getattr(context, name)
            values[name] = value() if callable(value) else value
        except Exception as error:  # noqa: BLE001
            values[name] = type(error).__name__
    return values


@ray.remote
def task() -> dict[str, Any]:
    return seen()


@ray.remote
class Actor:
    def __init__(self) -> None:
        self.at_start = seen()

    def look(self) -> dict[str, Any]:
        return seen()

    def look_back(self) -> dict[str, Any]:
        return self.at_start

    def in_thread(self) -> dict[str, Any]:
        found: list[dict[str, Any]] = []
        thread = threading.Thread(target=lambda: found.append(seen()))
        thread.start()
        thread.join()
        return found[0]


def test_driver() -> None:
    values = seen()
    assert values["get_job_id"] == "01000000"
    assert len(values["get_node_id"]) == len(values["get_worker_id"]) == 56
    for name in ("get_task_id", "get_task_name", "get_task_function_name", "get_actor_id"):
        assert values[name] is None
    assert values["get_actor_name"] is None
    assert values["get_assigned_resources"] == "AssertionError"
    assert values["was_current_actor_reconstructed"] == "AssertionError"
    assert values["is_canceled"] == "RuntimeError"
    assert values["runtime_env"] == {}
    assert values["get_runtime_env_string"] == "{}"
    assert values["get_node_labels"] == {"ray.io/node-id": values["get_node_id"]}
    assert values["get_accelerator_ids"]["GPU"] == []
    assert values["get_session_name"].startswith("session_")


def test_task() -> None:
    ref = task.options(name="other name", num_cpus=0.5).remote()
    here, there = seen(), ray.get(ref)
    for name in ("get_job_id", "get_node_id", "namespace", "get_session_name", "get_temp_dir"):
        assert there[name] == here[name]
    assert there["get_worker_id"] != here["get_worker_id"]
    assert there["get_task_id"] == ref.task_id().hex()
    assert len(there["get_task_id"]) == 48
    assert there["get_task_name"] == "other name"
    assert there["get_task_function_name"] == f"{__name__}.task"
    assert there["get_assigned_resources"] == {"CPU": 0.5}
    assert there["get_actor_id"] is there["get_actor_name"] is None
    assert there["is_canceled"] is False


def test_task_without_results_has_an_id(tmp_path: Any) -> None:
    @ray.remote(num_returns=0)
    def leave(path: str) -> None:
        with open(path, "w") as file:
            file.write(ray.get_runtime_context().get_task_id())

    from support.waiting import wait_for_file

    leave.remote(str(tmp_path / "id"))
    assert len(wait_for_file(tmp_path / "id")) == 48


def test_actor() -> None:
    actor = Actor.options(name="anna", num_cpus=0.5, resources={}).remote()
    ref = actor.look.remote()
    values, at_start = ray.get(ref), ray.get(actor.look_back.remote())
    assert values["get_task_id"] == ref.task_id().hex()
    assert values["get_task_name"] == "Actor.look"
    assert values["get_task_function_name"] == f"{__name__}.Actor.look"
    assert values["get_actor_id"] == actor._actor_id.hex() == at_start["get_actor_id"]
    assert len(values["get_actor_id"]) == 32
    assert values["get_actor_name"] == "anna" == at_start["get_actor_name"]
    assert values["get_assigned_resources"] == {"CPU": 0.5}
    assert values["was_current_actor_reconstructed"] is False
    unnamed = Actor.remote()
    assert ray.get(unnamed.look.remote())["get_actor_name"] == ""
    assert ray.get(unnamed.look.remote())["get_assigned_resources"] == {}


def test_threads_of_a_task_belong_to_it() -> None:
    actor = Actor.remote()
    ref = actor.in_thread.remote()
    assert ray.get(ref)["get_task_id"] == ref.task_id().hex()


def test_deprecated_names() -> None:
    context = ray.get_runtime_context()
    with pytest.warns(DeprecationWarning, match="Use get_job_id"):
        assert context.job_id.hex() == context.get_job_id()
    with pytest.warns(DeprecationWarning, match="Use get_node_id"):
        assert isinstance(context.node_id, thornback.NodeID)
    with pytest.warns(DeprecationWarning, match="Use get_accelerator_ids"):
        assert context.get_resource_ids() == context.get_accelerator_ids()
    with pytest.warns(DeprecationWarning, match="get_xxx_id"):
        assert set(context.get()) == {"job_id", "node_id", "namespace"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(AssertionError, match="only available when the process is a"):
            _ = context.task_id


def test_session_files_are_where_the_context_says() -> None:
    context = ray.get_runtime_context()
    folder = os.path.join(context.get_temp_dir(), context.get_session_name())
    assert os.path.isdir(os.path.join(folder, "logs"))


def attempt() -> tuple[int | None, int]:
    context = ray.get_runtime_context()
    return (
        context.get_attempt_number(),
        context.worker.core_worker.get_current_task_attempt_number(),
    )


@ray.remote(max_retries=5, retry_exceptions=True)
def tried(folder: Path) -> list[tuple[int | None, int]]:
    """Fail by an exception, then by the process's death, then not; return what attempts saw."""
    with open(folder / "attempts", "a") as file:
        print(attempt(), file=file)
    lines = (folder / "attempts").read_text().splitlines()
    if len(lines) == 1:
        raise ValueError("once more")
    if len(lines) == 2:
        os._exit(1)
    return [ast.literal_eval(line) for line in lines]


@ray.remote(max_restarts=1, max_task_retries=3)
class Tried:
    def attempt(self, folder: Path) -> tuple[int | None, int]:
        if not (folder / "died").exists():
            (folder / "died").touch()
            os._exit(1)
        return attempt()


def test_attempts_are_numbered(tmp_path: Path) -> None:
    assert attempt() == (None, 0)
    assert ray.get(tried.remote(tmp_path)) == [(0, 0), (1, 1), (2, 2)]
    actor = Tried.remote()
    assert ray.get(actor.attempt.remote(tmp_path)) == (1, 1)
    assert ray.get(actor.attempt.remote(tmp_path)) == (0, 0)
