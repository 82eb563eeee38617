"""Logs: one format for driver and workers, what is printed once, and errors nobody asks for."""

from __future__ import annotations

import json
import re

import pytest

from support.programs import Room
from support.waiting import wait_until

pytestmark = pytest.mark.only_thornback

CONFIGURED = """
    import logging

    ray.init(
        num_cpus=1,
        logging_config=ray.LoggingConfig(
            encoding={encoding!r}, log_level="INFO", additional_log_standard_attrs=["name"]
        ),
    )

    @ray.remote
    def f():
        logging.getLogger("mine").info("from a task", extra={{"k": 3}})
        logging.getLogger("mine").debug("not this")
        try:
            1 / 0
        except ZeroDivisionError:
            logging.getLogger("mine").exception("trouble")
        return ray.get_runtime_context().get_task_id()

    @ray.remote
    class Actor:
        def m(self):
            logging.getLogger("mine").warning("from an actor")
            return ray.get_runtime_context().get_actor_id()

    logging.getLogger("mine").info("from the driver")
    actor = Actor.options(name="anna").remote()
    print("ids", ray.get(f.remote()), ray.get(actor.m.remote()), flush=True)
"""


def test_json(room: Room) -> None:
    done = room.run(CONFIGURED.format(encoding="JSON"), init=False)
    task, actor = re.search(r"ids (\w+) (\w+)", done.ok()).groups()  # type: ignore[union-attr]
    lines = [json.loads(line) for line in done.err.splitlines() if line.startswith("{")]
    by_message = {line["message"]: line for line in lines}
    assert set(by_message) == {"from the driver", "from a task", "trouble", "from an actor"}
    own = by_message["from a task"]
    assert (own["levelname"], own["name"], own["k"]) == ("INFO", "mine", 3)
    assert (own["task_id"], own["task_name"]) == (task, "f")
    assert own["job_id"] == "01000000"
    assert own["timestamp_ns"] > 1e18
    assert "ZeroDivisionError" in by_message["trouble"]["exc_text"]
    assert by_message["from an actor"]["actor_id"] == actor
    assert by_message["from an actor"]["actor_name"] == "anna"
    assert "task_id" not in by_message["from the driver"]


def test_text(room: Room) -> None:
    done = room.run(CONFIGURED.format(encoding="TEXT"), init=False)
    done.ok()
    (line,) = (line for line in done.err.splitlines() if "from a task" in line)
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\tINFO driver_\w+\.py:\d+ -- from a task "
    assert re.match(stamp + r"name=mine k=3 job_id=01000000 worker_id=\w+ ", line)
    assert re.search(r" task_name=f task_func_name=driver_\w+\.f timestamp_ns=\d+$", line)


def test_the_logger_ray(room: Room) -> None:
    body = """
        import logging

        form = "%(levelname)s|%(message)s"
        ray.init(num_cpus=1, logging_level=logging.WARNING, logging_format=form)
        logging.getLogger("ray").info("not this")
        logging.getLogger("ray").warning("this")
    """
    done = room.run(body, init=False)
    done.ok()
    assert "WARNING|this\n" in done.err
    assert "not this" not in done.err


ALIKE = """
    @ray.remote
    def f(i, folder):
        open(f"{folder}/in{i}", "w").close()
        while len([name for name in os.listdir(folder) if name.startswith("in")]) < 2:
            time.sleep(0.01)
        print("same line", i)
        return os.getpid()

    import tempfile

    folder = tempfile.mkdtemp(dir=".")
    assert len(set(ray.get([f.remote(i, os.path.abspath(folder)) for i in range(2)]))) == 2
"""


def printed(room: Room, variables: dict[str, str | None]) -> str:
    return room.run(ALIKE, env=variables).ok()


def test_alike_lines_of_two_workers(room: Room) -> None:
    assert printed(room, {}).count("same line") == 2
    on: dict[str, str | None] = {"RAY_DEDUP_LOGS": None}
    # One alone that was held back is printed at the end.
    assert printed(room, on).count("same line") == 2
    assert "same line" not in printed(room, {**on, "RAY_DEDUP_LOGS_SKIP_REGEX": "same"})


def test_prefixes(room: Room) -> None:
    assert re.search(r"^\(f pid=\d+\) same line", printed(room, {}), re.MULTILINE)
    coloured = printed(room, {"RAY_COLOR_PREFIX": None})
    assert re.search(r"^\x1b\[36m\(f pid=\d+\)\x1b\[0m same line", coloured, re.MULTILINE)
    by_pid = printed(room, {"RAY_COLOR_PREFIX": "1"})
    assert re.search(
        r"^\x1b\[(3[562]|9[045])m\(f pid=\d+\)\x1b\[0m same line", by_pid, re.MULTILINE
    )
    bare = printed(room, {"RAY_DISABLE_WORKER_LOG_PREFIX": "1"})
    assert re.search(r"^same line \d$", bare, re.MULTILINE)


def test_actors_are_called_by_their_repr(room: Room) -> None:
    body = """
        @ray.remote
        class Actor:
            def __repr__(self):
                return "Own(3)"

            def m(self):
                print("spoken")

        ray.get(Actor.remote().m.remote())
    """
    done = room.run(body)
    assert re.search(r"^\(Own\(3\) pid=\d+\) spoken$", done.ok(), re.MULTILINE)


UNSEEN = """
    @ray.remote
    def fails(text):
        raise ValueError(text)

    @ray.remote(max_retries=0)
    def dies():
        os._exit(3)

    @ray.remote
    def takes(x):
        pass

    asked = fails.remote("asked")
    try:
        ray.get(asked)
    except ValueError:
        pass
    waited = fails.remote("waited")
    ray.wait([waited])
    held = fails.remote("held")
    argument = fails.remote("argument")
    consumer = takes.remote(argument)
    ray.cancel(fails.options(num_cpus=99).remote("cancelled"))
    fails.remote("dropped")
    dies.remote()
    del asked, waited, argument, consumer
    print("done", flush=True)
    while not os.path.exists("end"):
        time.sleep(0.01)
"""


def test_errors_that_nobody_asks_for(room: Room) -> None:
    driver = room.start(UNSEEN)
    driver.wait_for("done")
    told = "Unhandled error (suppress with 'RAY_IGNORE_UNHANDLED_ERRORS=1'): "
    wait_until(lambda: driver.err.count(told) >= 3, 10, lambda: driver.err)
    (room.work / "end").touch()
    driver.finish().ok()
    assert driver.err.count(told) == 3, driver.err
    assert "ValueError: dropped" in driver.err
    assert "exited with code 3" in driver.err
    # Of the task that could not begin; its argument's own error was somebody's.
    assert driver.err.count(f"{told}ray::takes()") == 1
    for quiet in ("asked", "waited", "held", "cancelled"):
        assert f"ValueError: {quiet}" not in driver.err


def test_they_can_be_ignored(room: Room) -> None:
    (room.work / "end").touch()
    done = room.run(UNSEEN, env={"RAY_IGNORE_UNHANDLED_ERRORS": "1"})
    done.ok()
    assert "Unhandled" not in done.err


def test_workers_lines_can_be_left_out(room: Room) -> None:
    body = """
        ray.init(num_cpus=1, log_to_driver=False)

        @ray.remote
        def f():
            print("nobody hears")
            raise ValueError("but this")

        f.remote()
        print("done", flush=True)
        while not os.path.exists("end"):
            time.sleep(0.01)
    """
    driver = room.start(body, init=False)
    driver.wait_for("done")
    wait_until(lambda: "ValueError: but this" in driver.err, 10, lambda: driver.err)
    (room.work / "end").touch()
    driver.finish().ok()
    assert "nobody hears" not in driver.out + driver.err
