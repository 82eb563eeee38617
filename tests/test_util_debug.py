"""Breakpoints of workers, and progress bars."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from support.programs import Driver, Room
from support.waiting import wait_until

pytestmark = [pytest.mark.only_thornback]

_STOPPING = """
    @ray.remote
    def f(x):
        secret = x + 1
        {stop}
        return secret
    ref = f.remote(41)
    print("started", flush=True)
    try:
        print("result", ray.get(ref))
    except ray.exceptions.RayTaskError as error:
        print("failed", type(error.cause).__name__)
"""


def debug(room: Room, typed: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `thornback debug` with what is typed there."""
    return subprocess.run(
        [sys.executable, "-m", "thornback", "debug", *arguments],
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        env=room.environment(),
        check=False,
    )


def sockets(room: Room) -> list[Path]:
    return [p for p in room.session.rglob("breakpoint-*") if p.name.endswith(".json")]


def stopped(room: Room, stop: str) -> Driver:
    driver = room.start(_STOPPING.format(stop=stop))
    wait_until(lambda: sockets(room), 30, lambda: driver.err)
    return driver


@pytest.mark.parametrize("stop", ["breakpoint()", "ray.util.pdb.set_trace()"])
def test_attach_look_and_go_on(room: Room, stop: str) -> None:
    driver = stopped(room, stop)
    (note,) = sockets(room)
    mode = note.with_suffix("").stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    wait_until(lambda: "thornback debug" in driver.err, 20, lambda: driver.err)
    done = debug(room, "p secret + 100\nsecret = 7\nc\n")
    assert done.returncode == 0, done.stderr
    assert "142" in done.stdout
    assert "result 7" in driver.finish().ok()


def test_quit_raises_where_it_stands(room: Room) -> None:
    driver = stopped(room, "breakpoint()")
    assert debug(room, "q\n").returncode == 0
    assert "failed BdbQuit" in driver.finish().ok()


def test_a_terminal_that_goes_away(room: Room) -> None:
    driver = stopped(room, "breakpoint()")
    assert debug(room, "p secret\n").returncode == 0
    assert "result 42" in driver.finish().ok()


def test_nothing_waits_and_unknown_names(room: Room) -> None:
    driver = room.start('print("up", flush=True); sys.stdin.read(); time.sleep(60)')
    driver.wait_for("up")
    wait_until(lambda: debug(room, "").returncode == 1, 20)
    done = debug(room, "", "1-1")
    assert done.returncode == 2
    assert "nothing waits" in done.stderr


def test_several_are_listed(room: Room) -> None:
    driver = room.start(
        """
        @ray.remote(num_cpus=0)
        def f(x):
            breakpoint()
            return x
        refs = [f.remote(i) for i in range(2)]
        print(ray.get(refs))
        """
    )
    wait_until(lambda: len(sockets(room)) == 2, 30, lambda: driver.err)
    listed = debug(room, "").stdout.splitlines()
    assert len(listed) == 2
    for line in listed:
        assert debug(room, "c\n", line.split()[0]).returncode == 0
    assert "[0, 1]" in driver.finish().ok()


def test_a_killed_driver_leaves_no_sockets(room: Room) -> None:
    driver = stopped(room, "breakpoint()")
    driver.process.kill()
    driver.process.wait()
    room.watch.assert_clean()


_BARS = """
    from thornback.experimental import tqdm_ray
    @ray.remote
    def work(n):
        print("begins")
        for _ in tqdm_ray.tqdm(range(n), desc="working", flush_interval_s=0):
            pass
        bar = tqdm_ray.tqdm(total=5, desc="second", flush_interval_s=0)
        bar.update(5)
        bar.close()
        print('not a state {"__magic_token__": 1} __ray_tqdm_magic_token__')
        return n
    assert ray.get(work.remote(30)) == 30
    ray.shutdown()
"""


def test_bars_of_workers_are_drawn_by_the_driver(room: Room) -> None:
    pytest.importorskip("tqdm")
    outcome = room.run(_BARS)
    out = outcome.ok()
    assert "begins" in out
    assert '"uuid"' not in out  # the states themselves are not shown
    assert 'not a state {"__magic_token__": 1}' in out
    assert "working" in outcome.err
    assert "30.0/30.0" in outcome.err
    assert "5.00/5.00" in outcome.err


def test_bars_of_the_driver() -> None:
    from thornback.experimental import tqdm_ray

    bar = tqdm_ray.tqdm([1, 2, 3])
    assert bar.total == 3
    assert tqdm_ray.tqdm(iter([1])).total is None
    with pytest.raises(ValueError, match="No iterable"):
        list(tqdm_ray.tqdm())
    text = 'x {"__magic_token__": "__ray_tqdm_magic_token__", "x": "?"}\n'
    assert tqdm_ray.take_states(text) == text
