"""Programs that fork: a child cannot use its parent's session, everything else goes on."""

from __future__ import annotations

import signal

import pytest

from support.programs import Room
from support.waiting import wait_until

CHILD = """
    def in_child(use, limit=10):
        \"\"\"Run `use` in a forked child; return what it reported.\"\"\"
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            signal.alarm(limit)  # a child that hangs ends by SIGALRM
            try:
                use()
                told = "no error"
            except BaseException as error:
                told = f"{type(error).__name__}: {error}"
            os.write(write, told.encode())
            os._exit(0)
        os.close(write)
        told = b""
        while chunk := os.read(read, 65536):
            told += chunk
        _, status = os.waitpid(pid, 0)
        os.close(read)
        assert os.waitstatus_to_exitcode(status) == 0, (status, told)
        return told.decode()
"""

SESSION = """
    @ray.remote
    def f(x):
        return x + 1

    @ray.remote
    class A:
        def m(self):
            return "m"

    a = A.remote()
    ref = ray.put("object")
    assert ray.get([f.remote(1), a.m.remote()]) == [2, "m"]
"""

USES = {
    "get": "lambda: ray.get(ref)",
    "get of a task": "lambda: ray.get(f.remote(1))",
    "put": "lambda: ray.put(1)",
    "wait": "lambda: ray.wait([ref])",
    "actor call": "lambda: a.m.remote()",
    "new actor": "lambda: A.remote()",
    "kill": "lambda: ray.kill(a)",
    "resources": "lambda: ray.available_resources()",
}


@pytest.mark.only_thornback
def test_a_forked_child_gets_a_clear_error_quickly(room: Room) -> None:
    uses = ", ".join(f"{name!r}: {use}" for name, use in USES.items())
    out = room.run(
        CHILD
        + SESSION
        + f"""
    for name, use in {{{uses}}}.items():
        begin = time.monotonic()
        told = in_child(use)
        assert time.monotonic() - begin < 2, name
        assert "RuntimeError" in told or "RaySystemError" in told, (name, told)
        assert "fork" in told, (name, told)
    # The parent's session is none the worse for it.
    assert ray.get([f.remote(1), a.m.remote(), ref]) == [2, "m", "object"]
    print("well")
    """
    ).ok()
    assert "well" in out
    room.watch.assert_clean()


@pytest.mark.only_thornback
def test_a_forked_child_drops_references_and_exits_in_silence(room: Room) -> None:
    outcome = room.run(
        CHILD
        + SESSION
        + """
    import gc

    def drop():
        global ref, a
        del ref, a
        gc.collect()

    for _ in range(5):
        assert in_child(drop) == "no error"
    pid = os.fork()
    if pid == 0:
        sys.exit(0)  # with atexit functions and destructors of the parent's session
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert ray.get([f.remote(1), a.m.remote(), ref]) == [2, "m", "object"]
    """,
        # From 3.12 on, Python warns of any fork of a process with threads.
        env={"PYTHONWARNINGS": "ignore::DeprecationWarning"},
    )
    outcome.ok()
    assert outcome.err == ""
    room.watch.assert_clean()


@pytest.mark.only_thornback
def test_a_child_forked_before_init_has_a_session_of_its_own(room: Room) -> None:
    room.run(
        CHILD
        + """
    def own_session():
        ray.init(num_cpus=1)
        assert ray.get(ray.remote(lambda: 5).remote()) == 5
        ray.shutdown()

    assert in_child(own_session) == "no error"
    ray.init(num_cpus=1)
    assert ray.get(ray.remote(lambda: 6).remote()) == 6
    """,
        init=False,
    ).ok()
    room.watch.assert_clean()


@pytest.mark.only_thornback
def test_a_driver_killed_while_a_forked_child_lives(room: Room) -> None:
    """The child inherits descriptors; they must not keep the session's processes alive."""
    driver = room.start(
        SESSION
        + """
    child = os.fork()
    if child == 0:
        time.sleep(600)
    print("child", child, flush=True)
    time.sleep(600)
    """
    )
    driver.wait_for("child")
    child = int(driver.out.split("child")[1].split()[0])
    driver.signal(signal.SIGKILL)
    driver.process.wait()
    # The child is the user's own; all that the engine started goes.
    wait_until(lambda: room.watch.processes() == {child}, 2, room.watch.describe)
    wait_until(lambda: not room.watch.files(), 2, room.watch.describe)


@pytest.mark.only_thornback
def test_sigterm_ends_a_forked_child_from_its_first_moment_on(room: Room) -> None:
    """The driver's own handler of SIGTERM is not the child's: it would come too late there."""
    outcome = room.run(
        """
        import multiprocessing

        lock = multiprocessing.Lock()
        lock.acquire()
        for i in range(300):
            pid = os.fork()
            if pid == 0:
                signal.alarm(20)  # one that misses the other signal ends by this
                lock.acquire()
                os._exit(0)
            time.sleep(i % 10 * 0.0002)  # at each of its first steps
            os.kill(pid, signal.SIGTERM)
            _, status = os.waitpid(pid, 0)
            assert os.waitstatus_to_exitcode(status) == -signal.SIGTERM, (i, status)
        assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
        # The driver ends as it did before: with its functions for the exit.
        import atexit
        atexit.register(print, "well")
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
        """,
        env={"PYTHONWARNINGS": "ignore::DeprecationWarning"},
    )
    assert outcome.code == signal.SIGTERM, outcome.err
    assert "well" in outcome.out
    room.watch.assert_clean()


# In a module, because a spawned process imports what it is to call.
WORK = """
import multiprocessing
import subprocess
import sys


def square(x):
    return x * x


def pool(method):
    with multiprocessing.get_context(method).Pool(2) as pool:
        return pool.map(square, range(20))


def executor():
    from concurrent.futures import ProcessPoolExecutor

    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        return list(executor.map(square, range(20)))


def process():
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=lambda: queue.put([x * x for x in range(20)]))
    child.start()
    got = queue.get(timeout=20)
    child.join(20)
    assert child.exitcode == 0, child.exitcode
    return got


def commands():
    out = subprocess.run([sys.executable, "-c", "print('x' * 100_000)"], capture_output=True)
    assert (out.returncode, len(out.stdout)) == (0, 100_001), out
    failed = subprocess.run(["sh", "-c", "exit 9"])
    assert failed.returncode == 9
    return [x * x for x in range(20)]


WAYS = {
    "fork": lambda: pool("fork"),
    "spawn": lambda: pool("spawn"),
    "executor": executor,
    "process": process,
    "commands": commands,
}
"""


def _with_work(room: Room) -> None:
    (room.work / "forkers_work.py").write_text(WORK)


@pytest.mark.parametrize("way", ["fork", "spawn", "executor", "process", "commands"])
@pytest.mark.parametrize("where", ["driver", "task", "actor"])
@pytest.mark.timeout(120)
def test_user_code_that_forks(way: str, where: str, room: Room) -> None:
    _with_work(room)
    how = {
        "driver": "w.WAYS[way]()",
        "task": "ray.get(ray.remote(lambda: w.WAYS[way]()).remote())",
        "actor": "ray.get(Forker.remote().work.remote(way))",
    }[where]
    out = room.run(
        f"""
        import forkers_work as w

        @ray.remote
        class Forker:
            def work(self, way):
                return w.WAYS[way]()

        way = {way!r}
        if __name__ == "__main__":
            assert ray.get(ray.remote(lambda: 1).remote()) == 1
            for _ in range(2):
                assert {how} == [x * x for x in range(20)]
            assert ray.get(ray.remote(lambda: 2).remote()) == 2
            print("well")
        """,
        # A spawned child of the driver imports the script: no session outside the guard there.
        init=way != "spawn" or where != "driver",
    ).ok()
    assert "well" in out


@pytest.mark.only_thornback
def test_a_child_forked_in_a_worker_gets_a_clear_error(room: Room) -> None:
    out = room.run(
        CHILD
        + """
    @ray.remote
    def forker(box):
        told = in_child(lambda: ray.get(box[0], timeout=5))
        assert ray.get(box[0]) == "object"  # the worker itself goes on
        return told

    told = ray.get(forker.remote([ray.put("object")]))
    assert "fork" in told, told
    print("well")
    """
    ).ok()
    assert "well" in out
    room.watch.assert_clean()


def test_the_exit_code_of_children_is_the_users(room: Room) -> None:
    """Nobody else may wait for the children that the user's code waits for."""
    room.run(
        """
        import subprocess

        def codes():
            children = [subprocess.Popen(["sh", "-c", f"exit {n}"]) for n in range(1, 30)]
            return [child.wait() for child in children]

        assert codes() == list(range(1, 30))
        assert ray.get(ray.remote(codes).remote()) == list(range(1, 30))
        """
    ).ok()
