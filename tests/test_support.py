"""The suite's own means: what watches for leftovers must see them."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from support import processes
from support.gates import most_at_once
from support.leftovers import SHARED_MEMORY
from support.programs import Room
from support.waiting import wait_until


def test_wait_until_fails_with_its_reason() -> None:
    with pytest.raises(AssertionError, match="the moon"):
        wait_until(lambda: False, 0.05, "the moon")
    assert wait_until(lambda: "value", 1) == "value"


def test_most_at_once() -> None:
    assert most_at_once([]) == 0
    assert most_at_once([(0, 1), (1, 2)]) == 1
    assert most_at_once([(0, 3), (1, 2), (1, 4), (5, 6)]) == 3


def test_a_clean_driver_is_clean(room: Room) -> None:
    assert "hello" in room.run("print('hello')", init=False).ok()
    room.watch.assert_clean()


def test_an_orphan_is_seen(room: Room) -> None:
    room.run(
        """
        if os.fork() == 0:
            os.setsid()
            time.sleep(600)
        """,
        init=False,
    ).ok()
    (orphan,) = room.watch.processes()
    with pytest.raises(AssertionError, match=str(orphan)):
        room.watch.assert_clean(0.1)
    os.kill(orphan, signal.SIGKILL)
    room.watch.assert_clean()


def test_a_process_that_hides_its_environment_is_seen(room: Room) -> None:
    driver = room.start(
        """
        if os.fork() == 0:
            os.execve(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)"], {})
        print("ready", flush=True)
        time.sleep(600)
        """,
        init=False,
    )
    driver.wait_for("ready")
    wait_until(lambda: len(processes.descendants(driver.pid)) == 1, 5)
    room.watch.remember(driver.pid)
    driver.signal(signal.SIGKILL)
    driver.process.wait()
    (hidden,) = room.watch.processes()
    with pytest.raises(AssertionError, match=str(hidden)):
        room.watch.assert_clean(0.1)
    os.kill(hidden, signal.SIGKILL)
    room.watch.assert_clean()


@pytest.mark.parametrize("kind", ["shared memory", "file", "socket", "folder"])
def test_files_are_seen(kind: str, room: Room) -> None:
    shared = SHARED_MEMORY / f"left-{room.mark}"
    lines = {
        "shared memory": f"open({str(shared)!r}, 'w').close()",
        "file": "open(os.environ['TMPDIR'] + '/left', 'w').close()",
        "socket": "import socket; socket.socket(socket.AF_UNIX).bind("
        "os.environ['THORNBACK_TMPDIR'] + '/left')",
        "folder": "os.makedirs(os.environ['THORNBACK_TMPDIR'] + '/user/left')",
    }
    try:
        room.run(lines[kind], init=False).ok()
        with pytest.raises(AssertionError, match="left"):
            room.watch.assert_clean(0.1)
    finally:
        shared.unlink(missing_ok=True)


def test_zombies_are_children_but_not_alive() -> None:
    child = subprocess.Popen(["true"])
    pid = child.pid
    wait_until(lambda: processes.state_of(pid) == "Z", 5)
    assert not processes.is_alive(pid)
    assert pid in processes.children(os.getpid())
    child.wait()
    assert pid not in processes.children(os.getpid())


def test_descriptors_are_named(tmp_path: Path) -> None:
    with (tmp_path / "open").open("w") as handle:
        assert processes.descriptors(os.getpid())[str(handle.fileno())] == handle.name
        assert handle.name in set(processes.files_in_use())
