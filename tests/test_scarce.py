"""Short of descriptors, or of disk for what workers print: a clear error, or work goes on."""

from __future__ import annotations

import pytest

from support.programs import Room

pytestmark = pytest.mark.only_thornback

# The hard limit: init() raises the other one as far as it may.
FEW_FILES = """
    import errno, resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))

    def exhaust(leave=0):
        held = []
        try:
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        except OSError as error:
            assert error.errno == errno.EMFILE
        for _ in range(leave):
            os.close(held.pop())
        return held

    def give_back(held):
        for fd in held:
            os.close(fd)

    def number(x):
        return x

    f = ray.remote(number)

    @ray.remote(num_cpus=0)
    class A:
        def m(self):
            return os.getpid()
"""


def test_256_descriptors_are_enough(room: Room) -> None:
    room.run(
        FEW_FILES
        + """
    ray.init(num_cpus=2)
    assert ray.get([f.remote(i) for i in range(500)]) == list(range(500))
    actors = [A.remote() for _ in range(40)]
    assert len(set(ray.get([a.m.remote() for a in actors]))) == 40
    assert len(os.listdir("/proc/self/fd")) < 64
    assert ray.get(ray.put(b"x" * 10_000_000)) == b"x" * 10_000_000
    """,
        init=False,
        limit_s=60,
    ).ok()
    room.watch.assert_clean()


def test_no_descriptors_left_for_init(room: Room) -> None:
    """The error says what is missing; nothing is started, and later it works."""
    room.run(
        FEW_FILES
        + """
    ray.init(num_cpus=1)  # so that all is imported
    ray.shutdown()
    for leave in range(40):
        held = exhaust(leave)
        try:
            ray.init(num_cpus=1)
            assert leave >= 20, leave
            ray.shutdown()
        except OSError as error:
            assert error.errno == errno.EMFILE, error
            assert "free file descriptors" in str(error) and "RLIMIT_NOFILE" in str(error), error
            assert not ray.is_initialized()
        finally:
            give_back(held)
    ray.init(num_cpus=1)
    assert ray.get(f.remote(1)) == 1
    """,
        init=False,
        limit_s=60,
    ).ok()
    room.watch.assert_clean()


def test_no_descriptors_left_for_more_workers(room: Room) -> None:
    """Those that are there go on; others are started as soon as they can be."""
    outcome = room.run(
        FEW_FILES
        + """
    ray.init(num_cpus=2)
    assert ray.get(A.remote().m.remote()) > 0
    held = exhaust()
    assert ray.get([f.remote(i) for i in range(100)], timeout=20) == list(range(100))
    call = A.remote().m.remote()
    other = A.remote().m.remote()
    ray.wait([call, other], num_returns=2, timeout=0.5)
    give_back(held)
    assert ray.get(call, timeout=20) != ray.get(other, timeout=20)
    """,
        init=False,
        limit_s=60,
    )
    outcome.ok()
    room.watch.assert_clean()


@pytest.mark.parametrize(
    "fill",
    [
        "full = os.open('/dev/full', os.O_WRONLY); os.dup2(full, 1); os.dup2(full, 2)",
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 13, 1 << 13))",
    ],
    ids=["no space", "file too large"],
)
def test_no_room_for_what_workers_print(fill: str, room: Room) -> None:
    """It is lost, which is said once; tasks neither fail nor wait."""
    outcome = room.run(
        f"""
        import logging

        def chatter(n):
            {fill}
            for i in range(n):
                print("x" * 100)
                print("y" * 100, file=sys.stderr)
                logging.warning("z")
            sys.stdout.flush()
            return n

        @ray.remote
        class Chatter:
            def chat(self, n):
                return chatter(n)

        task = ray.remote(chatter)
        assert ray.get([task.remote(200) for _ in range(20)], timeout=20) == [200] * 20
        chatters = [Chatter.options(num_cpus=0).remote() for _ in range(2)]
        assert ray.get([c.chat.remote(200) for c in chatters], timeout=20) == [200] * 2
        print("well")
        """
    )
    assert "well" in outcome.ok()
    said = [line for line in outcome.err.splitlines() if "can't be written" in line]
    assert len(said) == 1, outcome.err
    assert "It is lost; work goes on." in said[0]
    assert "Logging error" not in outcome.err
    room.watch.assert_clean()


def test_no_files_for_what_workers_print(room: Room) -> None:
    """A worker whose files can't be made works all the same."""
    outcome = room.run(
        """
        import pathlib, shutil

        assert ray.get(ray.remote(lambda: 1).remote()) == 1
        folder, = pathlib.Path(os.environ["THORNBACK_TMPDIR"]).glob("*/logs")
        deadline = time.monotonic() + 10
        while folder.exists():  # workers that are just starting make their files in it
            shutil.rmtree(folder, ignore_errors=True)
            assert time.monotonic() < deadline

        @ray.remote(num_cpus=0)
        class Chatter:
            def chat(self):
                print("lost")
                return os.getpid()

        assert len(set(ray.get([Chatter.remote().chat.remote() for _ in range(3)]))) == 3
        print("well")
        """
    )
    assert "well" in outcome.ok()
    assert outcome.err.count("can't be written") == 1, outcome.err
    room.watch.assert_clean()
