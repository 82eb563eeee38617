"""The state API in the driver and in workers: what is listed is what was done."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

import thornback
from support.engine import ray
from support.gates import Gate
from support.waiting import wait_until
from thornback.util import state
from thornback.util.state.exception import RayStateApiException

pytestmark = [pytest.mark.only_thornback, pytest.mark.usefixtures("balanced")]


@ray.remote
def ok(x: Any = None) -> Any:
    return x


@ray.remote
def held(gate: Gate, box: Any = None) -> None:
    gate.wait()


@ray.remote
def fails() -> None:
    raise ValueError("the text")


@ray.remote(max_retries=1)
def dies() -> None:
    os._exit(7)


@ray.remote
def outer() -> Any:
    context = ray.get_runtime_context()
    return context.get_task_id(), ray.get(ok.options(name="inner").remote())


@ray.remote
class Counter:
    def add(self) -> str:
        return ray.get_runtime_context().get_task_id()

    def lists(self) -> list[str]:
        return [task.name for task in state.list_tasks(filters=[("name", "=", "seen-by-actor")])]


def tasks(name: str, **how: Any) -> list[Any]:
    return state.list_tasks(filters=[("name", "=", name)], **how)


def one(name: str, **how: Any) -> Any:
    (task,) = tasks(name, **how)
    return task


def test_a_task_that_ended_well() -> None:
    ref = ok.options(name="well").remote(3)
    before = time.time() * 1000
    ray.get(ref)
    task = one("well", detail=True)
    assert task["state"] == task.state == task.get("state") == "FINISHED"
    assert task.task_id == ref.task_id().hex()
    assert (task.func_or_class_name, task.type) == ("ok", "NORMAL_TASK")
    assert task.attempt_number == 0
    assert task.error_type is None
    assert task.required_resources == {"CPU": 1.0}
    states = [event["state"] for event in task.events]
    assert states == [
        "PENDING_ARGS_AVAIL",
        "PENDING_NODE_ASSIGNMENT",
        "SUBMITTED_TO_WORKER",
        "RUNNING",
        "FINISHED",
    ]
    times = [event["created_ms"] for event in task.events]
    assert times == sorted(times)
    assert before - 1000 < task.creation_time_ms <= task.start_time_ms <= task.end_time_ms
    assert task.parent_task_id == "f" * 40 + "01000000"
    assert state.get_task(ref) == state.get_task(task.task_id) == task


def test_a_task_without_details_has_no_details() -> None:
    ray.get(ok.options(name="plain").remote())
    task = one("plain")
    assert task.events is None
    assert task.required_resources is None


def test_failures() -> None:
    ref = fails.remote()
    with pytest.raises(ValueError, match="the text"):
        ray.get(ref)
    task = state.get_task(ref)
    assert (task.state, task.error_type) == ("FAILED", "TASK_EXECUTION_EXCEPTION")
    assert task.error_message.startswith("User exception:\nray::fails() (pid=")
    assert task.error_message.endswith("ValueError: the text")


def test_attempts() -> None:
    ref = dies.remote()
    with pytest.raises(thornback.exceptions.WorkerCrashedError):
        ray.get(ref)
    attempts = state.get_task(ref)
    assert sorted(task.attempt_number for task in attempts) == [0, 1]
    assert {task.error_type for task in attempts} == {"WORKER_DIED"}
    assert len({task.worker_pid for task in attempts}) == 2
    dead = state.list_workers(filters=[("is_alive", "=", False)], detail=True)
    exits = {worker.pid: (worker.exit_type, worker.exit_detail) for worker in dead}
    for task in attempts:
        assert exits[task.worker_pid] == ("SYSTEM_ERROR", "exit code 7")


def test_parents() -> None:
    ref = outer.remote()
    own, _ = ray.get(ref)
    assert own == ref.task_id().hex()
    assert one("inner").parent_task_id == own


def test_live_states(tmp_path: Any) -> None:
    gate = Gate(tmp_path)
    blocked = held.options(name="live").remote(gate)
    wait_until(lambda: one("live").state == "RUNNING")
    waits = ok.options(name="waits").remote(blocked)
    never = ok.options(name="never", num_cpus=50).remote()
    assert one("waits").state == "PENDING_ARGS_AVAIL"
    assert one("never").state == "PENDING_NODE_ASSIGNMENT"
    assert one("never").worker_pid is None
    gate.open()
    ray.get(waits)
    assert one("waits").state == "FINISHED"
    ray.cancel(never)
    wait_until(lambda: one("never").state == "FAILED")


def test_methods_and_actors() -> None:
    actor = Counter.options(name="lister", namespace="other").remote()
    ref = actor.add.remote()
    assert ray.get(ref) == ref.task_id().hex()
    ok.options(name="seen-by-actor").remote()
    wait_until(lambda: tasks("seen-by-actor"))
    assert ray.get(actor.lists.remote()) == ["seen-by-actor"]
    task = state.get_task(ref)
    assert (task.name, task.type) == ("Counter.add", "ACTOR_TASK")
    known = state.get_actor(task.actor_id)
    assert (known.class_name, known.state, known.name) == ("Counter", "ALIVE", "lister")
    assert known.ray_namespace == "other"
    assert known.pid == task.worker_pid
    assert one("lister:Counter.__init__").func_or_class_name == "Counter.__init__"
    ray.kill(actor)
    del actor
    wait_until(lambda: state.get_actor(task.actor_id).state == "DEAD")
    gone = state.get_actor(task.actor_id)
    assert "killed" in gone.death_cause["message"]
    assert gone.pid == task.worker_pid  # remembered


def test_task_events_can_be_off() -> None:
    ray.get(ok.options(name="hidden", enable_task_events=False).remote())
    assert tasks("hidden") == []


def test_tasks_without_results() -> None:
    ok.options(name="bare", num_returns=0).remote()
    task = wait_until(lambda: [t for t in tasks("bare") if t.state == "FINISHED"])[0]
    assert state.get_task(task.task_id).name == "bare"


def test_workers_nodes_jobs() -> None:
    ray.get(ok.remote())
    workers = state.list_workers(filters=[("is_alive", "=", "true")])
    (driver,) = (worker for worker in workers if worker.worker_type == "DRIVER")
    assert driver.pid == os.getpid()
    assert driver.worker_id == ray.get_runtime_context().get_worker_id()
    assert state.get_worker(driver.worker_id).pid == os.getpid()
    (node,) = state.list_nodes()
    assert node.resources_total["CPU"] == 2.0
    assert state.get_node(node.node_id).node_id == ray.get_runtime_context().get_node_id()
    (job,) = state.list_jobs()
    assert (job.status, job.driver_info["pid"]) == ("RUNNING", str(os.getpid()))
    assert state.get_job(job.job_id) is not None
    assert state.list_placement_groups() == state.list_runtime_envs() == []


def test_objects_and_who_holds_them(tmp_path: Any) -> None:
    big = ray.put(bytes(300_000))
    holder = ray.put([big])
    (row,) = state.get_objects(big.hex())
    assert (row.object_size > 300_000, row.reference_type) == (True, "LOCAL_REFERENCE")
    assert (row.type, row.pid) == ("DRIVER", os.getpid())
    gate = Gate(tmp_path)
    using = held.options(name="user").remote(gate, [big])
    wait_until(lambda: one("user").state == "RUNNING")
    rows = {(row.type, row.reference_type) for row in state.get_objects(big.hex())}
    assert ("DRIVER", "USED_BY_PENDING_TASK") in rows
    gate.open()
    ray.get(using)
    name = big.hex()
    del big, using
    wait_until(
        lambda: [row.reference_type for row in state.get_objects(name)] == ["CAPTURED_IN_OBJECT"]
    )
    del holder
    wait_until(lambda: state.get_objects(name) is None)


def test_summaries() -> None:
    ray.get([ok.options(name="counted").remote() for _ in range(5)])
    with pytest.raises(ValueError, match="the text"):
        ray.get(fails.options(name="counted").remote())
    counted = state.summarize_tasks()["cluster"]
    assert counted["summary"]["counted"]["state_counts"] == {"FINISHED": 5, "FAILED": 1}
    assert counted["total_tasks"] >= 6
    assert state.summarize_actors()["cluster"]["summary_by"] == "class"
    assert state.summarize_objects()["cluster"]["total_objects"] >= 0


def test_filters() -> None:
    ray.get(ok.options(name="Filtered").remote())
    both = [("name", "=", "filtered"), ("state", "!=", "failed")]
    assert [task.name for task in state.list_tasks(filters=both)] == ["Filtered"]
    assert tasks("filtered", limit=0) == []
    assert state.list_tasks(filters=[("name", "=", "Filtered"), ("attempt_number", "=", "1")]) == []
    assert state.list_tasks(filters=[("job_id", "=", "02000000")]) == []
    assert state.list_tasks(filters=[("task_id", "=", "nonsense")]) == []
    assert len(state.list_tasks(limit=2)) == 2


@pytest.mark.parametrize(
    ("how", "error", "text"),
    [
        ({"filters": [("nope", "=", "x")]}, RayStateApiException, "column nope is not supported"),
        ({"filters": [("name", "<", "x")]}, ValueError, "Unsupported filter predicate < is given"),
        ({"filters": [("name", "x")]}, ValueError, "must be a tuple"),
        ({"filters": "name=x"}, ValueError, "must be a list of tuples"),
        ({"filters": [("attempt_number", "=", "x")]}, RayStateApiException, "int type column"),
        ({"limit": 20_000}, RayStateApiException, "exceeds the supported limit 10000"),
        ({"limit": -1}, RayStateApiException, "must not be negative"),
        ({"limit": "a"}, ValueError, "must be an integer"),
        ({"address": "nosuch"}, ConnectionError, "no running session is 'nosuch'"),
    ],
)
def test_misuse(how: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        state.list_tasks(**how)


@pytest.mark.parametrize("id", ["abab", "zz" * 24])
def test_ids_that_are_none(id: str) -> None:
    with pytest.raises(RayStateApiException):
        state.get_task(id)


def test_ids_of_nothing() -> None:
    assert state.get_task("ab" * 24) is None
    assert state.get_actor("ab" * 16) is None
    assert state.get_objects("ab" * 28) is None
    assert state.get_worker("ab" * 28) is None


def test_timeline(tmp_path: Any) -> None:
    ref = outer.options(name="traced").remote()
    ray.get(ref)
    events = thornback.timeline()
    assert events is not None
    id = ref.task_id().hex()
    own = [event for event in events if event["args"].get("task_id") == id]
    kinds = [(event["name"], event["ph"]) for event in own]
    for wanted in (("submit_task", "X"), ("queue", "b"), ("queue", "e"), ("task::traced", "X")):
        assert wanted in kinds
    (run,) = (event for event in own if event["name"] == "task::traced")
    (get,) = (event for event in own if event["name"] == "ray.get")
    assert run["tid"] == get["tid"]
    assert run["ts"] <= get["ts"] <= get["ts"] + get["dur"] <= run["ts"] + run["dur"] + 1
    # The driver waited for it, and its line has that.
    assert any(event["name"] == "ray.get" and event["args"] == {} for event in events)
    path = tmp_path / "trace.json"
    assert thornback.timeline(str(path)) is None
    assert path.stat().st_size > 1000


def test_the_timeline_has_rays_categories() -> None:
    ray.get(ok.options(name="categories").remote(1))
    events = thornback.timeline() or []
    (run,) = (event for event in events if event["cat"] == "task::categories")
    inside = [
        event
        for event in events
        if event["cat"] == "task:execute"
        and event["tid"] == run["tid"]
        and event["ts"] == run["ts"]
    ]
    assert [event["dur"] for event in inside] == [run["dur"]]
    assert run["args"].keys() >= {"name", "task_id"}
    assert {"submit_task", "task:execute", "ray.get"} <= {event["cat"] for event in events}


def test_states_are_no_containers() -> None:
    """Attributes can be had by their names; as in Ray, that is all."""
    ray.get(ok.options(name="container").remote(1))
    row = one("container")
    assert (row["name"], row.get("nope", 3)) == ("container", 3)
    row["name"] = "other"
    assert row.name == "other"
    for wrong in (list, dict, lambda row: row[0], lambda row: row[:2], lambda row: "name" in row):
        with pytest.raises(TypeError, match="attribute name must be string"):
            wrong(row)
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        row["nope"]
    with pytest.raises(TypeError):
        len(row)


def test_what_a_limit_leaves_out() -> None:
    ray.get([ok.options(name="limited").remote(i) for i in range(7)])
    with pytest.warns(UserWarning, match=r"^Limit last 5 entries \(Total 7\)\. Use `--filter` to"):
        found = state.list_tasks(filters=[("name", "=", "limited")], limit=5, _explain=True)
    assert len(found) == 5
