"""`kill -9` of the driver at any moment: within two seconds nothing of it is left."""

from __future__ import annotations

import os
import random
import re
import select
import signal
import time

import pytest

from support import processes
from support.leftovers import LIMIT_S
from support.programs import Room
from support.waiting import wait_until

pytestmark = pytest.mark.only_thornback

# Everything at once, over and over: starting, tasks, nested tasks, actors, objects, deaths.
BUSY = """
    @ray.remote
    def f(x, box=None):
        print("a line of output")
        return x + len(ray.get(box[0])) if box else x

    @ray.remote
    def nested(n):
        return 0 if n == 0 else 1 + ray.get(nested.remote(n - 1))

    @ray.remote(max_retries=0)
    def die():
        os._exit(1)

    @ray.remote
    class A:
        def __init__(self):
            self.kept = []

        def keep(self, box):
            self.kept.append(box[0])
            return len(self.kept)

    print("go", flush=True)
    while True:
        ray.init(num_cpus=2)
        actors = [A.remote() for _ in range(2)]
        big = ray.put(bytes(3_000_000))
        refs = [f.remote(i, [big]) for i in range(50)] + [nested.remote(3), die.remote()]
        refs += [actor.keep.remote([ray.put(bytes(200_000))]) for actor in actors]
        ray.wait(refs, num_returns=len(refs))
        print("round", flush=True)
        ray.shutdown()
"""

SEED = int(os.environ.get("THORNBACK_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
ROUNDS = 12


def pause(seconds: float) -> None:
    """Let so much time go by: the moment of the kill is the test's input."""
    select.select([], [], [], seconds)


@pytest.mark.parametrize("iteration", range(ROUNDS))
def test_at_a_random_moment(iteration: int, room: Room) -> None:
    delay = random.Random(SEED * 1000 + iteration).uniform(0, 0.6)
    print(f"THORNBACK_TEST_SEED={SEED}, iteration {iteration}: killed after {delay:.4f} s")
    driver = room.start(BUSY, init=False)
    driver.wait_for("go")
    pause(delay)
    room.watch.remember(driver.pid)
    driver.signal(signal.SIGKILL)
    driver.process.wait()
    room.watch.assert_clean()


STEADY = """
    import subprocess

    @ray.remote
    def stay():
        time.sleep(600)

    @ray.remote
    def spin():
        while True:
            pass

    @ray.remote
    def with_child():
        subprocess.run(["sleep", "600"])

    @ray.remote
    def deaf():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        time.sleep(600)

    @ray.remote
    def holds_gil():
        import re
        re.match(r"(a+)+$", "a" * 40 + "b")

    @ray.remote
    class A:
        def pid(self):
            return os.getpid()

        def stay(self):
            time.sleep(600)

    def ready(refs):
        assert ray.wait(refs, num_returns=len(refs), timeout=0.3)[0] == []
        print("ready", flush=True)
"""

STATES = {
    "idle": "    ray.get(ray.remote(lambda: 1).remote()); print('ready', flush=True)\n"
    "    time.sleep(600)",
    "waiting for tasks": "    refs = [stay.remote() for _ in range(4)]; ready(refs); ray.get(refs)",
    "computing": "    refs = [stay.remote()]; ready(refs)\n    while True: pass",
    "workers that spin": "    refs = [spin.remote() for _ in range(2)]; ready(refs); ray.get(refs)",
    "workers deaf to signals": "    refs = [deaf.remote() for _ in range(2)]; ready(refs)\n"
    "    ray.get(refs)",
    "workers that hold the GIL": "    refs = [holds_gil.remote()]; ready(refs); ray.get(refs)",
    "actors": "    actors = [A.remote() for _ in range(4)]\n"
    "    ray.get([a.pid.remote() for a in actors])\n"
    "    refs = [a.stay.remote() for a in actors]; ready(refs); ray.get(refs)",
    "a full store": "    refs = [ray.put(bytes(5_000_000)) for _ in range(10)]\n"
    "    print('ready', flush=True); time.sleep(600)",
    "a long queue": "    refs = [stay.remote() for _ in range(20_000)]; ready(refs); ray.get(refs)",
}


@pytest.mark.parametrize("state", STATES)
def test_in_a_given_state(state: str, room: Room) -> None:
    driver = room.start(STEADY + STATES[state])
    driver.wait_for("ready")
    room.watch.remember(driver.pid)
    driver.signal(signal.SIGKILL)
    driver.process.wait()
    room.watch.assert_clean()


def test_children_of_workers_go_too(room: Room) -> None:
    driver = room.start(STEADY + "    ref = with_child.remote(); ready([ref]); ray.get(ref)")
    driver.wait_for("ready")
    wait_until(lambda: any("sleep 600" in c for c in _commands(room)), 10)
    driver.signal(signal.SIGKILL)
    driver.process.wait()
    room.watch.assert_clean()


def test_a_stopped_driver_is_killed(room: Room) -> None:
    driver = room.start(STEADY + STATES["idle"])
    driver.wait_for("ready")
    driver.signal(signal.SIGSTOP)
    driver.signal(signal.SIGKILL)
    driver.process.wait()
    room.watch.assert_clean()


def test_the_whole_group_is_killed(room: Room) -> None:
    driver = room.start(STEADY + STATES["actors"])
    driver.wait_for("ready")
    room.watch.remember(driver.pid)
    os.killpg(driver.pid, signal.SIGKILL)
    driver.process.wait()
    room.watch.assert_clean()


def _commands(room: Room) -> list[str]:
    return [processes.command_of(pid) for pid in room.watch.processes()]


def test_each_helper_process_killed_ends_in_an_error_and_leaves_nothing(room: Room) -> None:
    """Kill all that the driver started: it is told, it does not hang, and it can end."""
    driver = room.start(
        """
    @ray.remote(max_retries=0)
    def stay():
        time.sleep(600)

    refs = [stay.remote() for _ in range(2)]
    assert ray.wait(refs, num_returns=2, timeout=0.3)[0] == []
    print("ready", flush=True)
    for ref in refs:
        try:
            ray.get(ref, timeout=10)
        except ray.exceptions.GetTimeoutError:
            raise
        except ray.exceptions.RayError as error:
            print("told", type(error).__name__, flush=True)
    ray.shutdown()
    """
    )
    driver.wait_for("ready")
    for pid in room.watch.processes() - {driver.pid}:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    out = driver.finish(25).ok()
    assert len(re.findall("told", out)) == 2
    room.watch.assert_clean()


def test_the_next_driver_starts_as_ever(room: Room) -> None:
    for _ in range(3):
        driver = room.start(STEADY + STATES["actors"])
        driver.wait_for("ready")
        driver.signal(signal.SIGKILL)
        driver.process.wait()
        begin = time.monotonic()
        assert "2" in room.run("print(ray.get(ray.remote(lambda: 2).remote()))").ok()
        assert time.monotonic() - begin < 15
    room.watch.assert_clean(LIMIT_S)
