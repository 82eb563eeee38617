"""The forms of a driver: script, module, `python -c`, REPL, stdin; where functions may stand."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import pytest

from support.engine import IS_THORNBACK, NAME
from support.programs import DEFAULT_LIMIT_S, INIT, PRELUDE, Room, program

# A program that uses all that may be defined in `__main__`.
MAIN = """
    import dataclasses

    CONSTANT = 10

    class Plain:
        def __init__(self, x): self.x = x
        def __eq__(self, other): return self.x == other.x

    @dataclasses.dataclass
    class Data:
        x: int

    def helper(x): return x + CONSTANT

    @ray.remote
    def f(x): return helper(x)

    @ray.remote
    def objects(p): return [Plain(p.x + 1), Data(p.x + 2)]

    class Base:
        def base(self): return helper(1)

    @ray.remote
    class Counter(Base):
        def __init__(self): self.n = 0
        def add(self, k): self.n += k; return self.n

    c = Counter.remote()
    assert ray.get([f.remote(1), c.add.remote(2), c.base.remote()]) == [11, 2, 11]
    plain, data = ray.get(objects.remote(Plain(1)))
    assert isinstance(plain, Plain) and plain == Plain(2)
    assert isinstance(data, Data) and data == Data(3)
    print("all well")
"""


def test_a_script(room: Room) -> None:
    assert "all well" in room.run(MAIN).ok()


def test_python_c(room: Room) -> None:
    assert "all well" in room.start(MAIN, command=[sys.executable, "-c"]).finish().ok()


def test_standard_input(room: Room) -> None:
    done = subprocess.run(
        [sys.executable, "-"],
        input=program(MAIN),
        env=room.environment(),
        cwd=room.work,
        capture_output=True,
        text=True,
        timeout=DEFAULT_LIMIT_S,
        check=False,
    )
    assert "all well" in done.stdout, done.stderr


def test_a_module_run_with_m(room: Room) -> None:
    package = room.work / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "other.py").write_text("def triple(x):\n    return 3 * x\n")
    (package / "__main__.py").write_text(
        program(MAIN).replace("import dataclasses", "import dataclasses\nfrom .other import triple")
        + "\nassert ray.get(ray.remote(triple).remote(2)) == 6\n"
        + "assert ray.get(ray.remote(lambda: triple(3)).remote()) == 9\n"
    )
    command = [sys.executable, "-m", "pack"]
    done = subprocess.run(
        command,
        env=room.environment(),
        cwd=room.work,
        capture_output=True,
        text=True,
        timeout=DEFAULT_LIMIT_S,
        check=False,
    )
    assert "all well" in done.stdout, done.stderr
    assert done.returncode == 0, done.stderr


def test_functions_and_classes_of_modules_beside_the_script(room: Room) -> None:
    (room.work / "beside.py").write_text(
        f"import {NAME} as ray\n"
        "def plain(x): return x + 1\n"
        "@ray.remote\ndef remote(x): return plain(x)\n"
        "class Thing:\n    def __init__(self, x): self.x = x\n"
        "@ray.remote\nclass Actor:\n    def make(self, x): return Thing(x)\n"
    )
    room.run(
        """
        import beside
        assert ray.get([beside.remote.remote(1), ray.remote(beside.plain).remote(2)]) == [2, 3]
        thing = ray.get(beside.Actor.remote().make.remote(5))
        assert type(thing) is beside.Thing and thing.x == 5
        assert ray.get(ray.remote(lambda t: t.x).remote(beside.Thing(6))) == 6
        """
    ).ok()


@pytest.mark.only_thornback
def test_modules_on_a_path_that_the_driver_added(room: Room) -> None:
    folder = room.path / "more"
    folder.mkdir()
    for name in ("early", "late"):
        (folder / f"{name}.py").write_text("def f():\n    return __name__\n")
    room.run(
        f"""
        sys.path.append({str(folder)!r})
        import early
        ray.init(num_cpus=2)
        assert ray.get(ray.remote(early.f).remote()) == "early"
        import late
        assert ray.get(ray.remote(late.f).remote()) == "late"
        """,
        init=False,
    ).ok()


def test_workers_have_the_drivers_folder_and_environment(room: Room) -> None:
    room.start(
        """
        def look():
            return os.getcwd(), os.environ["MY_VARIABLE"]

        assert ray.get(ray.remote(look).remote()) == look()
        """,
        env={"MY_VARIABLE": "value"},
    ).finish().ok()


def test_a_driver_with_a_main_guard_does_not_run_twice(room: Room) -> None:
    out = room.run(
        """
        print("top of the script")

        @ray.remote
        def f(): return __name__

        if __name__ == "__main__":
            ray.get(f.remote())
            print("in the guard")
        """
    ).ok()
    assert out.count("top of the script") == 1
    assert out.count("in the guard") == 1


# --- lambdas, closures, redefinition ------------------------------------------------------------


def test_lambdas_and_closures(room: Room) -> None:
    room.run(
        """
        import functools

        assert ray.get(ray.remote(lambda x, y=2: x * y).remote(3)) == 6

        def make(n):
            state = {"n": n}

            @ray.remote
            def add(x):
                return x + state["n"] + n

            return add

        assert ray.get([make(1).remote(1), make(10).remote(1)]) == [3, 21]

        def outer():
            def fact(n):
                return 1 if n == 0 else n * fact(n - 1)
            return ray.remote(fact)

        assert ray.get(outer().remote(5)) == 120

        def make_class(k):
            class Local:
                def __init__(self):
                    super().__init__()
                    self.k = k

                def get(self):
                    return self.k

            return ray.remote(Local)

        assert ray.get(make_class(7).remote().get.remote()) == 7
        half = functools.partial(lambda a, b: a / b, b=2)
        assert ray.get(ray.remote(lambda x: half(x)).remote(8)) == 4
        """
    ).ok()


def test_a_closure_is_taken_at_the_first_call(room: Room) -> None:
    room.run(
        """
        value = 1

        @ray.remote
        def f():
            return value

        assert ray.get(f.remote()) == 1
        value = 2
        assert ray.get(f.remote()) == 1  # as it was sent

        @ray.remote
        def f():
            return value

        assert ray.get(f.remote()) == 2
        """
    ).ok()


def test_redefinition(room: Room) -> None:
    room.run(
        """
        for version in range(5):
            source = f'''
        def helper(): return {version}

        @ray.remote
        def f(): return helper() + 100

        @ray.remote
        class A:
            def m(self): return helper() + 200
        '''
            import textwrap
            exec(textwrap.dedent(source), globals())
            assert ray.get([f.remote(), A.remote().m.remote()]) == [version + 100, version + 200]
        """
    ).ok()


def test_recursion_and_mutual_recursion_in_main(room: Room) -> None:
    room.run(
        """
        @ray.remote
        def even(n): return True if n == 0 else ray.get(odd.remote(n - 1))

        @ray.remote
        def odd(n): return False if n == 0 else ray.get(even.remote(n - 1))

        assert ray.get(even.remote(4)) is True
        assert ray.get(odd.remote(2)) is False
        """
    ).ok()


def test_annotations_that_mean_nothing_do_not_disturb(room: Room) -> None:
    room.run(
        """
        @ray.remote
        def f(x: "no such type", *, y: "[" = 1) -> "nor this":
            "What f does."
            return sum(x) + y

        assert ray.get(f.remote([1, 2])) == 4
        """
    ).ok()


@pytest.mark.timeout(90)
def test_many_different_functions(room: Room) -> None:
    n = 500 if IS_THORNBACK else 50
    room.run(
        f"""
        refs = [ray.remote(lambda i=i: i * i).remote() for i in range({n})]
        assert ray.get(refs) == [i * i for i in range({n})]
        """
    ).ok()


# --- REPL --------------------------------------------------------------------------------------


class Repl:
    """An interactive interpreter on a terminal of its own."""

    PROMPT = "repl> "

    def __init__(self, room: Room) -> None:
        env = room.environment(TERM="dumb", PYTHON_BASIC_REPL="1", PYTHONSTARTUP=None)
        self.fd, terminal = pty.openpty()
        # `setsid` makes it the controlling terminal, so that Ctrl-C becomes a signal.
        self.process = subprocess.Popen(
            ["setsid", "--ctty", sys.executable, "-q", "-i"],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=env,
            cwd=room.work,
        )
        os.close(terminal)
        self.text = ""
        self._read_until(">>> ")
        # A prompt of our own, unlike anything that is echoed.
        self.send("import sys; sys.ps1 = 'repl' + '> '", self.PROMPT)

    def _read_until(self, end: str, limit_s: float = DEFAULT_LIMIT_S) -> str:
        begin = len(self.text)
        deadline = time.monotonic() + limit_s
        while not self.text[begin:].endswith(end):
            left = deadline - time.monotonic()
            assert left > 0, f"no {end!r} after {limit_s} s in\n{self.text}"
            if select.select([self.fd], [], [], left)[0]:
                self.text += os.read(self.fd, 65536).decode(errors="replace").replace("\r", "")
        return self.text[begin:]

    def send(self, line: str, end: str = PROMPT) -> str:
        """Type a line; return what came until the next prompt."""
        os.write(self.fd, line.encode() + b"\n")
        return self._read_until(end)

    def interrupt(self) -> str:
        """Type Ctrl-C."""
        os.write(self.fd, b"\x03")
        return self._read_until(self.PROMPT)

    def end(self) -> int:
        """Type Ctrl-D and return the exit code."""
        os.write(self.fd, b"\x04")
        try:
            while os.read(self.fd, 65536):
                pass
        except OSError:  # the terminal's other side is closed
            pass
        os.close(self.fd)
        return self.process.wait(10)


def test_the_repl(room: Room) -> None:
    repl = Repl(room)
    for line in [*PRELUDE.splitlines(), INIT]:
        assert "Error" not in repl.send(line)
    repl.send("@ray.remote", "... ")
    repl.send("def f(x): return x + 1", "... ")
    repl.send("")
    repl.send("@ray.remote", "... ")
    for line in (
        "class Counter:",
        "    def __init__(self): self.n = 0",
        "    def add(self, k): self.n += k; return self.n",
    ):
        repl.send(line, "... ")
    repl.send("")
    assert "[1, 2, 3, 4] 2" in repl.send(
        "print(ray.get([f.remote(i) for i in range(4)]), ray.get(Counter.remote().add.remote(2)))"
    )
    # Defined anew at the prompt.
    repl.send("@ray.remote", "... ")
    repl.send("def f(x): return x + 100", "... ")
    repl.send("")
    assert "101" in repl.send("ray.get(f.remote(1))")
    assert "ZeroDivisionError" in repl.send("ray.get(ray.remote(lambda: 1 / 0).remote())")
    assert repl.end() == 0
    if IS_THORNBACK:
        room.watch.assert_clean()


def test_control_c_at_the_repl(room: Room) -> None:
    repl = Repl(room)
    for line in [*PRELUDE.splitlines(), INIT]:
        repl.send(line)
    repl.send("slow = ray.remote(time.sleep).options(max_retries=0).remote(600)")
    os.write(repl.fd, b"print('wait' + 'ing'); ray.get(slow)\n")
    repl._read_until("waiting\n")
    assert "KeyboardInterrupt" in repl.interrupt()
    assert re.search(r"^2$", repl.send("ray.get(ray.remote(lambda: 2).remote())"), re.MULTILINE)
    if IS_THORNBACK:
        assert repl.end() == 0
        room.watch.assert_clean()
    else:
        repl.process.send_signal(signal.SIGHUP)
        repl.end()
