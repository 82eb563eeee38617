"""What workers write: at the driver with a prefix, and in the session's folder."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from support.engine import IS_THORNBACK
from support.programs import Room
from support.waiting import wait_until

# Ray paints the prefix.
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# Lines may still be on their way when a driver ends at once, so these wait for them.
LINGER = """
    while not os.path.exists("go"):
        time.sleep(0.01)
"""


# Drivers here write a line at one go: print writes it in pieces, between which workers' lines
# may come.


def lines_of(room: Room, body: str, expected: list[str], stream: str = "out") -> list[str]:
    """Run a driver until each of the expected patterns stands in one of its lines."""
    driver = room.start(body + LINGER)

    def lines() -> list[str]:
        text = driver.out + driver.err if stream == "both" else getattr(driver, stream)
        return COLOUR.sub("", text).splitlines()

    def all_there() -> bool:
        assert driver.process.poll() is None, driver.out + driver.err
        return all(any(re.search(p, line) for line in lines()) for p in expected)

    wait_until(all_there, 40, lambda: f"{expected} in\n{driver.out}\n{driver.err}")
    (room.work / "go").touch()
    driver.finish().ok()
    return lines()


def test_a_task_prints(room: Room) -> None:
    body = """
    @ray.remote
    def f():
        print("from a task")
        return os.getpid()

    sys.stdout.write(f"pid is {ray.get(f.remote())}\\n")
    """
    lines = lines_of(room, body, ["from a task", "pid is"])
    pid = re.search(r"pid is (\d+)", "\n".join(lines)).group(1)  # type: ignore[union-attr]
    assert f"(f pid={pid}) from a task" in lines


def test_an_actor_prints(room: Room) -> None:
    body = """
    @ray.remote
    class Counter:
        def __init__(self):
            print("made")

        def m(self):
            print("from a method")
            return os.getpid()

    c = Counter.remote()
    sys.stdout.write(f"pid is {ray.get(c.m.remote())}\\n")
    """
    lines = lines_of(room, body, ["from a method", "made", "pid is"])
    pid = re.search(r"pid is (\d+)", "\n".join(lines)).group(1)  # type: ignore[union-attr]
    assert f"(Counter pid={pid}) made" in lines
    assert f"(Counter pid={pid}) from a method" in lines


def test_standard_error_comes_too(room: Room) -> None:
    body = """
    @ray.remote
    def f():
        print("complaint", file=sys.stderr)

    ray.get(f.remote())
    """
    lines = lines_of(room, body, [r"complaint"], "both")
    assert any(re.fullmatch(r"\(f pid=\d+\) complaint", line) for line in lines)


def test_what_does_not_go_through_python(room: Room) -> None:
    body = """
    @ray.remote
    def f():
        os.write(1, b"by the descriptor\\n")
        os.system("echo by a child")

    ray.get(f.remote())
    """
    lines = lines_of(room, body, ["by the descriptor", "by a child"])
    for text in ("by the descriptor", "by a child"):
        assert any(re.fullmatch(rf"\(f pid=\d+\) {text}", line) for line in lines)


def test_output_comes_while_the_task_runs(room: Room) -> None:
    body = """
    @ray.remote
    def f():
        print("begun")
        while not os.path.exists("go"):
            time.sleep(0.01)

    ref = f.remote()
    """
    lines_of(room, body, ["begun"])


def test_lines_stay_whole_and_several_lines_have_a_prefix_each(room: Room) -> None:
    body = """
    @ray.remote
    def f():
        print("part one,", end=" ")
        print("part two")
        print("first\\nsecond")

    ray.get(f.remote())
    """
    lines = lines_of(room, body, ["part one, part two", "first", "second"])
    for text in ("part one, part two", "first", "second"):
        assert any(re.fullmatch(rf"\(f pid=\d+\) {text}", line) for line in lines), text


# Ray itself lost 47 of the lines when this was tried there.
@pytest.mark.only_thornback
def test_ten_thousand_lines_all_arrive_in_order(room: Room) -> None:
    body = """
    @ray.remote
    def f():
        for i in range(10_000):
            print("line", i)

    ray.get(f.remote())
    """
    lines = lines_of(room, body, [r"line 9999$"])
    numbers = [int(m.group(1)) for m in map(re.compile(r"\) line (\d+)$").search, lines) if m]
    assert numbers == list(range(10_000))


def test_log_to_driver_can_be_turned_off(room: Room) -> None:
    local = "" if IS_THORNBACK else ", address='local'"
    out = room.run(
        f"""
        ray.init(num_cpus=2, log_to_driver=False{local})

        @ray.remote
        def f():
            print("unheard")

        ray.get(f.remote())
        """,
        init=False,
    ).ok()
    assert "unheard" not in out


@pytest.mark.only_thornback
def test_what_a_driver_printed_last_is_not_lost_at_its_end(room: Room) -> None:
    outcome = room.run(
        """
        @ray.remote
        def f(i):
            print("last words of", i)
            return i

        assert ray.get([f.remote(i) for i in range(20)]) == list(range(20))
        """
    )
    for i in range(20):
        assert re.search(rf"\(f pid=\d+\) last words of {i}\n", outcome.ok())


WRITES = """
    @ray.remote
    def f():
        print("to be kept in a file")
        print("and this one", file=sys.stderr)

    ray.get(f.remote())
    print("ready", flush=True)
    time.sleep(600)
"""


def _files_with(text: str, folder: Path) -> list[Path]:
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and text in path.read_text(errors="replace")
    ]


@pytest.mark.only_thornback
@pytest.mark.parametrize("which", ["THORNBACK_TMPDIR", "RAY_TMPDIR", "both", "neither"])
def test_the_session_keeps_output_in_files(which: str, room: Room) -> None:
    other = room.path / "o"
    other.mkdir()
    env: dict[str, str | None] = {
        "THORNBACK_TMPDIR": str(room.session) if which in ("THORNBACK_TMPDIR", "both") else None,
        "RAY_TMPDIR": str(other) if which in ("RAY_TMPDIR", "both") else None,
    }
    places = {"RAY_TMPDIR": other, "neither": room.system}
    place = places.get(which, room.session)
    driver = room.start(WRITES, env=env)
    driver.wait_for("ready")
    for text in ("to be kept in a file", "and this one"):
        wait_until(lambda text=text: _files_with(text, place), 5, f"{text!r} below {place}")
    for folder in {room.session, room.system, other} - {place}:
        assert list(folder.iterdir()) == [], "the session went elsewhere"
    if which == "neither":
        (folder,) = room.system.iterdir()
        assert folder.stat().st_mode & 0o077 == 0, "the user's folder is open to others"
    driver.signal(signal.SIGKILL)
    driver.process.wait()
