"""`thornback stack`: what driver and workers do, whatever state they are in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from support.commands import answer, thornback
from support.programs import Driver, Room
from support.waiting import wait_until
from thornback._state.stacks import _parsed

pytestmark = pytest.mark.only_thornback

PROGRAM = """
    import itertools, threading

    @ray.remote
    def sleeps():
        def deep(n):
            return deep(n - 1) if n else nap()
        def nap():
            open("sleeps", "w").close()
            while not os.path.exists("wake"):
                time.sleep(0.05)
            return "slept"
        return deep(3)

    @ray.remote
    def hangs():
        open("hangs", "w").close()
        return sum(itertools.repeat(1))  # never comes back to Python, and keeps the GIL

    @ray.remote
    def recurses():
        def deep(n):
            if n:
                deep(n - 1)
            open("recurses", "w").close()
            while not os.path.exists("end"):
                time.sleep(0.01)
        deep(500)

    @ray.remote
    class Async:
        async def outer(self, i):
            await self.inner(i)

        async def inner(self, i):
            import asyncio
            open(f"async{i}", "w").close()
            await asyncio.sleep(60)

    @ray.remote(max_concurrency=2)
    class Threaded:
        def m(self, i):
            open(f"threaded{i}", "w").close()
            time.sleep(60)

    def main():
        refs = [sleeps.remote(), hangs.remote(), recurses.remote()]
        actors = [Async.remote(), Threaded.remote()]
        refs += [actors[0].outer.remote(i) for i in range(2)]
        refs += [actors[1].m.remote(i) for i in range(2)]
        waiter = threading.Thread(target=ray.wait, args=(refs[1:2],), name="mine", daemon=True)
        waiter.start()
        assert ray.get(refs[0]) == "slept"
        print("slept", flush=True)
        while not os.path.exists("end"):
            time.sleep(0.01)

    ray.init(num_cpus=4)
    main()
"""
MARKS = ("sleeps", "hangs", "recurses", "async0", "async1", "threaded0", "threaded1")

Stacks = list[dict[str, Any]]


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Room, Driver, Stacks]]:
    """A driver, and its stacks while `sleeps` slept."""
    from support.programs import rooms

    with rooms() as make:
        room = make()
        driver = room.start(PROGRAM, init=False)
        wait_until(lambda: all((room.work / mark).exists() for mark in MARKS), 30)
        found = answer_of(room)
        yield room, driver, found
        (room.work / "end").touch()
        driver.finish().ok()


def answer_of(room: Room, *arguments: str) -> Stacks:
    found: Stacks = answer(room, "stack", *arguments)
    return found


def functions(stack: dict[str, Any]) -> list[str]:
    return [frame["function"] for frame in stack["frames"]]


def one_that_runs(found: Stacks, name: str) -> dict[str, Any]:
    (process,) = (p for p in found if [task["name"] for task in p["runs"]][:1] == [name])
    assert process["process"] == "worker"
    assert process["problem"] is None
    return process


def test_the_driver(running: tuple[Room, Driver, Stacks]) -> None:
    _, driver, (first, *_) = running
    assert (first["pid"], first["process"], first["by"]) == (driver.pid, "driver", "python")
    main, *others = first["threads"]
    assert main["name"] == "MainThread"
    assert functions(main)[-2:] == ["main", "<module>"]
    lines = (running[0].work / os.path.basename(main["frames"][-2]["file"])).read_text()
    assert "ray.get(refs[0])" in lines.splitlines()[main["frames"][-2]["line"] - 1]
    assert "Thread.run" in functions(next(t for t in others if t["name"] == "mine"))


def test_a_task(running: tuple[Room, Driver, Stacks]) -> None:
    room, driver, found = running
    process = one_that_runs(found, "sleeps")
    (thread,) = process["threads"]
    deep = ["sleeps.<locals>.deep"] * 4
    assert functions(thread)[:6] == ["sleeps.<locals>.nap", *deep, "sleeps"]
    (task,) = process["runs"]
    listed = answer(room, "list", "tasks", "-f", f"task_id={task['task_id']}")
    assert [row["name"] for row in listed] == ["sleeps"]
    # And it goes on as before.
    assert "slept" not in driver.out
    (room.work / "wake").touch()
    driver.wait_for("slept")


def test_code_that_never_comes_back_to_python(running: tuple[Room, Driver, Stacks]) -> None:
    process = one_that_runs(running[2], "hangs")
    assert process["by"] == "faulthandler"
    assert functions(process["threads"][0])[0] == "hangs"
    shown = thornback(running[0], "stack", "--pid", str(process["pid"])).ok()
    assert "(its main thread is outside Python)" in shown
    assert "    hangs (" in shown


def test_deep_stacks_are_cut(running: tuple[Room, Driver, Stacks]) -> None:
    (thread,) = one_that_runs(running[2], "recurses")["threads"]
    assert set(functions(thread)) == {"recurses.<locals>.deep"}
    assert 100 <= len(thread["frames"]) <= 200
    assert thread["omitted"] > 200


def test_async_actors(running: tuple[Room, Driver, Stacks]) -> None:
    process = one_that_runs(running[2], "Async.outer")
    assert len(process["runs"]) == 2
    tasks = process["async_tasks"]
    assert len(tasks) == 2
    assert [functions(task)[:3] for task in tasks] == [["sleep", "Async.inner", "Async.outer"]] * 2


def test_threaded_actors(running: tuple[Room, Driver, Stacks]) -> None:
    process = one_that_runs(running[2], "Threaded.m")
    assert sum(functions(thread)[:1] == ["Threaded.m"] for thread in process["threads"]) == 2


def test_forms(running: tuple[Room, Driver, Stacks]) -> None:
    room, driver, _ = running
    shown = thornback(room, "stack").ok()
    assert shown.startswith(f"Stack dump for driver {driver.pid}, Python 3.")
    assert "Thread 0x" in shown
    assert "    Async.inner (" in shown
    assert " running Async.outer (" in shown
    document = thornback(room, "stack", "--format", "yaml", "--pid", str(driver.pid)).ok()
    assert document.startswith(f"---\n-   pid: {driver.pid}\n    process: driver\n")
    unknown = thornback(room, "stack", "--pid", "1")
    assert (unknown.code, unknown.out) == (2, "")
    assert "no process of this session has pid 1" in unknown.err


def test_two_commands_at_once(running: tuple[Room, Driver, Stacks]) -> None:
    room, _, found = running
    line = [sys.executable, "-m", "thornback", "stack", "--timeout", "20", "--format", "json"]
    both = [
        subprocess.Popen(line, env=room.environment(), cwd=room.work, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    for command in both:
        out, _ = command.communicate(timeout=60)
        assert command.returncode == 0
        assert out.count(b'"problem": null') == len(found)


STOPPED = """
    @ray.remote
    def f():
        return os.getpid()

    @ray.remote(num_cpus=0)
    class Actor:
        def pid(self):
            return os.getpid()

    actor = Actor.remote()
    pid = ray.get(actor.pid.remote())
    assert ray.get(f.remote()) != pid  # there is a worker besides
    print("pids", pid, flush=True)
    while not os.path.exists("end"):
        time.sleep(0.01)
    print("well", ray.get(actor.pid.remote()) > 0, ray.get(f.remote()) > 0)
"""


def test_stopped_processes_do_not_hold_it_up(room: Room) -> None:
    driver = room.start(STOPPED)
    driver.wait_for("pids")
    actor = int(driver.out.split()[1])
    # Without its driver there is nobody who could be asked for the list of workers.
    for pid in (driver.pid, actor):
        os.kill(pid, signal.SIGSTOP)
    begun = time.monotonic()
    done = thornback(room, "stack")
    took = time.monotonic() - begun
    for pid in (driver.pid, actor):
        os.kill(pid, signal.SIGCONT)
    assert done.code == 1
    assert done.out.count("is stopped (by SIGSTOP or a debugger), so it can't answer") == 2
    assert "_worker.py" in done.out  # of a worker that nobody has stopped
    assert took < 15
    wait_until(lambda: not any(p["problem"] for p in answer_of(room)), 10)
    (room.work / "end").touch()
    assert driver.finish().ok().endswith("well True True\n")


def test_a_process_that_blocks_the_signals(room: Room) -> None:
    driver = room.start(
        """
        @ray.remote
        def blocks():
            signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
            open("blocked", "w").close()
            while not os.path.exists("end"):
                time.sleep(0.01)

        ray.get(blocks.remote())
        """
    )
    wait_until((room.work / "blocked").exists, 30)
    done = thornback(room, "stack", "--timeout", "2")
    assert done.code == 1
    told = done.out.split("\n\n")
    assert [text.splitlines()[1:] for text in told if "running blocks" in text] == [
        ["    does not answer"]
    ]
    assert told[0].startswith(f"Stack dump for driver {driver.pid}, Python")
    (room.work / "end").touch()
    driver.finish().ok()


def test_a_program_that_has_the_signals_for_itself(room: Room) -> None:
    driver = room.start(
        """
        got = []
        for number in range(signal.SIGRTMIN, signal.SIGRTMAX + 1):
            signal.signal(number, lambda number, frame: got.append(number))
        ray.init(num_cpus=1)
        print("up", flush=True)
        while not os.path.exists("end"):
            time.sleep(0.01)
        assert len(got) <= 1, got
        """,
        init=False,
    )
    driver.wait_for("up")
    (process,) = answer_of(room, "--pid", str(driver.pid))
    assert process["by"] == "faulthandler"
    assert functions(process["threads"][0]) == ["<module>"]
    (room.work / "end").touch()
    driver.finish().ok()


def test_no_session(room: Room) -> None:
    done = thornback(room, "stack")
    assert (done.code, done.out) == (1, "")
    assert "no session of this user is running" in done.err


def test_faulthandlers_text() -> None:
    text = """
Thread 0x00007f0000000010 [named] (most recent call first):
  File "/a b/x.py", line 3 in f
  File "/usr/lib/python3/threading.py", line ??? in run

Thread 0x00007f0000000020 (most recent call first):
  <no Python frame>

Current thread 0x00007f0000000030 (most recent call first):
  File "m.py", line 1 in g
  File "/site/thornback/_zygote.py", line 9 in main
  File "<string>", line 1 in <module>
"""
    assert _parsed(text) == [
        {
            "id": 0x7F0000000030,
            "name": "MainThread",
            "frames": [{"function": "g", "file": "m.py", "line": 1}],
            "omitted": 0,
        },
        {
            "id": 0x7F0000000010,
            "name": "named",
            "frames": [
                {"function": "f", "file": "/a b/x.py", "line": 3},
                {"function": "run", "file": "/usr/lib/python3/threading.py", "line": None},
            ],
            "omitted": 0,
        },
        {"id": 0x7F0000000020, "name": None, "frames": [], "omitted": 0},
    ]
