"""Another process finds a running session and asks it; nothing it does disturbs the session."""

from __future__ import annotations

import re
import signal
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from support.commands import thornback
from support.programs import Driver, Room
from support.waiting import wait_until

pytestmark = pytest.mark.only_thornback

WAITING = """
    @ray.remote
    def f(x):
        return x

    @ray.remote(num_cpus=99)
    def never():
        pass

    kept = [f.remote(1), never.remote(), never.remote(), ray.put(bytes(300_000))]
    assert ray.get(kept[0]) == 1
    print("up", flush=True)
    while not os.path.exists("end"):
        time.sleep(0.01)
    assert ray.get(f.remote(2)) == 2
    print("well")
"""


@pytest.fixture
def driver(room: Room) -> Driver:
    driver = room.start(WAITING)
    driver.wait_for("up")
    return driver


def end(room: Room, driver: Driver) -> None:
    (room.work / "end").touch()
    assert driver.finish().ok().endswith("well\n")


def folder_of(room: Room) -> Path:
    (folder,) = room.session.glob("session_*")
    return folder


def connected(folder: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(10)
    made.connect(str(folder / "socket"))
    return made


def test_status(room: Room, driver: Driver) -> None:
    shown = thornback(room, "status").ok()
    assert f"(pid {driver.pid}, up " in shown
    assert "0.0/2.0 CPU" in shown
    assert "{'CPU': 99.0}: 2+ pending tasks/actors" in shown
    assert "2 tasks not ended: 2 queued, 0 with workers" in shown
    end(room, driver)


@pytest.mark.parametrize("how", ["pid", "name", "path"])
def test_a_session_can_be_chosen(room: Room, driver: Driver, how: str) -> None:
    other = room.start("print('up', flush=True)\ntime.sleep(60)")
    other.wait_for("up")
    (folder,) = (path for path in room.session.iterdir() if path.name.endswith(f"_{driver.pid}"))
    name = {"pid": str(driver.pid), "name": folder.name, "path": str(folder)}[how]
    shown = thornback(room, "status", "--session", name).ok()
    assert f"(pid {driver.pid}, up " in shown
    assert f"(pid {other.pid})" in shown  # named as the other one
    # Without a choice it is the newest, which is told.
    assert f"(pid {other.pid}, up " in thornback(room, "status").ok()
    listed = thornback(room, "list", "jobs")
    assert f"pid: {other.pid}" in listed.ok()
    assert re.search(rf"2 sessions run; .* \(pid {other.pid}\); --address chooses", listed.err)
    assert thornback(room, "list", "jobs", "--address", name).err == ""
    end(room, driver)


def test_without_a_session(room: Room) -> None:
    shown = thornback(room, "status")
    assert (shown.code, shown.out) == (1, "")
    assert "no session of this user is running: start a program that calls init()" in shown.err


def test_with_an_unknown_session(room: Room, driver: Driver) -> None:
    shown = thornback(room, "status", "--session", "nosuch")
    assert shown.code == 1
    assert f"no running session is 'nosuch'; running: {folder_of(room).name}" in shown.err
    end(room, driver)


def test_the_socket_is_private_and_goes_with_the_session(room: Room, driver: Driver) -> None:
    folder = folder_of(room)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "socket").stat().st_mode & 0o777 == 0o600
    end(room, driver)
    assert not folder.exists()


def test_nothing_is_left_of_a_killed_driver(room: Room, driver: Driver) -> None:
    folder = folder_of(room)
    driver.signal(signal.SIGKILL)
    wait_until(lambda: not folder.exists(), 5.0, "the folder to go")
    assert thornback(room, "status").code == 1


def test_a_dead_drivers_socket_is_not_asked(room: Room, driver: Driver) -> None:
    """Such a folder stays when driver and zygote are killed together: its lock is free."""
    end(room, driver)
    folder = room.session / "session_2026-01-01_00-00-00_000000_1"
    folder.mkdir(mode=0o700)
    (folder / "lock").touch()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(folder / "socket"))
    listening.listen()
    try:
        assert thornback(room, "status").code == 1
    finally:
        listening.close()


def garbage(made: socket.socket) -> None:
    made.sendall(struct.pack("<I", 10) + b"{\xff\x00\x01......")
    length = struct.unpack("<I", made.recv(4, socket.MSG_WAITALL))[0]
    assert b"no JSON" in made.recv(length, socket.MSG_WAITALL)


def huge(made: socket.socket) -> None:
    made.sendall(b"\xff\xff\xff\xff")
    assert made.recv(1) == b""


def unknown(made: socket.socket) -> None:
    text = b'{"op": "kill", "request": {"actor": 1}}'
    made.sendall(struct.pack("<I", len(text)) + text)
    length = struct.unpack("<I", made.recv(4, socket.MSG_WAITALL))[0]
    assert b'no query \\"kill\\"' in made.recv(length, socket.MSG_WAITALL)


def slow(made: socket.socket) -> None:
    made.sendall(struct.pack("<I", 1000) + b"{")


@pytest.mark.parametrize("act", [garbage, huge, unknown, slow])
def test_a_hostile_client_disturbs_nobody(
    room: Room, driver: Driver, act: Callable[[socket.socket], None]
) -> None:
    folder = folder_of(room)
    bad = [connected(folder) for _ in range(5)]
    for made in bad:
        act(made)
    assert "0.0/2.0 CPU" in thornback(room, "status").ok()
    end(room, driver)  # at once, with the clients still there
    for made in bad:
        made.close()
