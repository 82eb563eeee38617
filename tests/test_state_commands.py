"""The commands that ask a session, in a process of their own beside a driver."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator

import pytest

from support.commands import answer, thornback
from support.programs import Driver, Room

pytestmark = pytest.mark.only_thornback

PROGRAM = """
    @ray.remote
    def good(x=None):
        print("printed by good")
        return x

    @ray.remote
    def bad():
        raise ValueError("the text")

    @ray.remote(num_cpus=99)
    def never():
        pass

    @ray.remote
    class Counter:
        def keep(self, box):
            self.box = box
            print("printed by the actor")
            return ray.get_runtime_context().get_actor_id()

    def main():
        counter = Counter.options(name="kept").remote()
        big = ray.put(bytes(2_000_000))
        refs = [good.remote(1), good.remote(2), counter.keep.remote([big]), never.remote()]
        ray.get(refs[:3])
        failed = bad.remote()
        ray.wait([failed])
        actor = ray.get(counter.keep.remote([big]))
        # In one piece: what workers print comes in between.
        sys.stdout.write(f"up {failed.task_id().hex()} {actor} {big.hex()}\\n")
        sys.stdout.flush()
        while not os.path.exists("end"):
            time.sleep(0.01)

    main()
"""


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Room, Driver, list[str]]]:
    """A driver that has done a few things; no test changes it."""
    from support.programs import rooms

    with rooms() as make:
        room = make()
        driver = room.start(PROGRAM)
        driver.wait_for("up ")
        line = re.search(r"^up (.*)\n", driver.out, re.MULTILINE)
        assert line is not None
        yield room, driver, line[1].split()
        (room.work / "end").touch()
        driver.finish()


Running = tuple[Room, Driver, list[str]]


def test_list_tasks(running: Running) -> None:
    room, _, _ = running
    tasks = answer(room, "list", "tasks")
    assert sorted(task["name"] for task in tasks) == [
        "Counter.keep",
        "Counter.keep",
        "bad",
        "good",
        "good",
        "kept:Counter.__init__",
        "never",
    ]
    shown = thornback(room, "list", "tasks", "-f", "state=failed").ok()
    assert "Total: 1" in shown
    assert "TASK_ID" in shown
    assert re.search(r"bad +FAILED .* TASK_EXECUTION_EXCEPTION$", shown, re.MULTILINE)


def test_list_filters_and_limits(running: Running) -> None:
    room, _, _ = running
    assert len(answer(room, "list", "tasks", "--filter", "name=GOOD")) == 2
    assert len(answer(room, "list", "tasks", "-f", "name!=good", "-f", "state=FINISHED")) == 3
    few = thornback(room, "list", "tasks", "--limit", "2")
    assert "Total: 2" in few.ok()
    assert "Limit last 2 entries (Total 7). Use `--filter`" in few.err
    assert thornback(room, "list", "tasks", "-f", "name=nobody").ok() == (
        "No resource in the cluster\n"
    )


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["list", "tasks", "-f", "name"], "Please provide key=value or key!=value"),
        (["list", "tasks", "-f", "nope=1"], "column nope is not supported"),
        (["list", "tasks", "--limit", "20000"], "exceeds the supported limit 10000"),
        (["get", "tasks"], "Do you mean 'thornback list tasks'?"),
        (["get", "tasks", "abab"], "needs to have length 24, got 2"),
        (["logs", "nosuch.out"], "there is no log file 'nosuch.out'"),
        (["logs", "../lock"], "there is no log file '../lock'"),
        (["logs", "--actor", "ab" * 16], "there is no actor_id"),
        (["list", "nonsense"], "invalid choice: 'nonsense'"),
    ],
)
def test_misuse(running: Running, arguments: list[str], text: str) -> None:
    done = thornback(running[0], *arguments)
    assert (done.code, done.out) == (2, "")
    assert text in done.err
    assert "Traceback" not in done.err


def test_get(running: Running) -> None:
    room, _, (failed, actor, _) = running
    shown = thornback(room, "get", "tasks", failed).ok()
    assert shown.startswith("---\n-   task_id: ")
    assert "    error_type: TASK_EXECUTION_EXCEPTION\n" in shown
    (task,) = answer(room, "get", "tasks", failed)
    assert task["error_message"].endswith("ValueError: the text")
    (one,) = answer(room, "get", "actors", actor)
    assert (one["name"], one["class_name"], one["state"]) == ("kept", "Counter", "ALIVE")
    missing = thornback(room, "get", "tasks", "ab" * 24)
    assert (missing.code, missing.out) == (1, "")
    assert "not found in the cluster" in missing.err


def test_summary(running: Running) -> None:
    room, _, _ = running
    counts = answer(room, "summary", "tasks")["cluster"]
    assert counts["summary"]["good"]["state_counts"] == {"FINISHED": 2}
    assert counts["total_actor_tasks"] == 2
    assert "never" in thornback(room, "summary", "tasks").ok()
    assert "Counter" in thornback(room, "summary", "actors").ok()
    assert "(put object)" in thornback(room, "summary", "objects").ok()


def test_memory(running: Running) -> None:
    room, driver, (_, _, big) = running
    rows = [row for row in answer(room, "memory") if row["object_id"] == big]
    holders = {row["type"] for row in rows}
    assert holders == {"DRIVER", "WORKER"}
    assert {row["pid"] for row in rows if row["type"] == "DRIVER"} == {driver.pid}
    assert all(row["object_size"] > 2_000_000 for row in rows)
    # The put itself, with its line; of a call, the function that made it.
    assert all(
        re.search(r"^\(put object\) \| .*driver_.*\.py:main:\d+$", row["call_site"]) for row in rows
    )
    sites = {row["call_site"].rpartition(" | ")[0] for row in answer(room, "memory")}
    assert {"(task call) good", "(actor call) Counter.keep"} <= sites
    shown = thornback(room, "memory", "--units", "mb").ok()
    assert "1.91 MB" in shown
    assert "RAY_record_ref_creation_sites=1" in shown
    sums = thornback(room, "memory", "--stats-only", "--group-by", "stack_trace").ok()
    assert "Held by" not in sums


def test_lines_of_all_objects(room: Room) -> None:
    driver = room.start(
        """
        @ray.remote
        def f():
            return 1

        small = ray.put(1)
        result = f.remote()
        print("up", flush=True)
        time.sleep(60)
        """,
        env={"RAY_record_ref_creation_sites": "1"},
    )
    driver.wait_for("up")
    sites = sorted(row["call_site"] for row in answer(room, "memory"))
    assert [re.sub(r" \| .*\.py", "", site) for site in sites] == [
        "(put object):<module>:9",
        "(task call) f:<module>:10",
    ]


def test_timeline(running: Running) -> None:
    room, _, _ = running
    shown = thornback(room, "timeline", "-o", "trace.json").ok()
    assert "events are in trace.json" in shown
    events = json.loads((room.work / "trace.json").read_text())
    names = {event["name"] for event in events}
    assert {"submit_task", "queue", "task::good", "task::bad", "ray.get"} <= names
    runs = [event for event in events if event["name"].startswith("task::")]
    by_line: dict[str, list[tuple[float, float]]] = {}
    for event in runs:
        by_line.setdefault(event["tid"], []).append((event["ts"], event["ts"] + event["dur"]))
    for spans in by_line.values():
        spans.sort()
        assert all(a[1] <= b[0] + 0.5 for a, b in itertools.pairwise(spans))


def test_logs(running: Running) -> None:
    room, _, (_, actor, _) = running
    shown = thornback(room, "logs").ok()
    assert "worker_out:\n" in shown
    assert "worker-1.out" in shown
    printed = thornback(room, "logs", "--actor", actor).ok()
    assert "printed by the actor" in printed
    last = thornback(room, "logs", "--actor", actor, "--tail", "1").ok()
    assert last == "printed by the actor\n"
    assert thornback(room, "logs", "--actor", actor, "--err").ok() == ""


def test_yaml_of_everything(running: Running) -> None:
    room, _, _ = running
    for kind in ("tasks", "actors", "objects", "workers", "nodes", "jobs"):
        shown = thornback(room, "list", kind, "--format", "yaml", "--detail").ok()
        assert shown.startswith("---\n-   ")
        assert shown.endswith("...\n")
