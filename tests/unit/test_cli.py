"""``thornback run`` does what ``python`` does: programs run both ways, and look the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest

import thornback
from thornback._version import RAY_RELEASE, VERSION

_SOURCE = Path(thornback.__file__).parents[1]
# As the installed command: a script, with the folder of the command in sys.path[0].
_COMMAND = "import sys\nfrom thornback._cli import main\nsys.exit(main())\n"


class Runner:
    """Runs the same arguments under python and under thornback, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "work"
        self.folder.mkdir()
        command = folder / "bin" / "thornback"
        command.parent.mkdir()
        command.write_text(_COMMAND)
        self.commands = {
            "script": [sys.executable, str(command), "run"],
            "module": [sys.executable, "-m", "thornback", "run"],
        }

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def call(
        self, command: list[str], stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
            env={**os.environ, "PYTHONPATH": str(_SOURCE), "PYTHON_COLORS": "0"},
        )

    def same(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run both ways, compare what is seen from outside, and return ours."""
        python = self.call([sys.executable, *arguments], stdin)
        for name, command in self.commands.items():
            ours = self.call([*command, *arguments], stdin)
            assert ours.stdout == python.stdout, (name, ours.stderr)
            assert ours.stderr == python.stderr, name
            assert ours.returncode == python.returncode, name
        return ours


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


_ABOUT = """
import sys
print(sys.argv, __name__, globals().get("__file__"), __package__, __doc__, sys.path[:2])
main = sys.modules["__main__"]
print(main.__dict__ is globals(), type(__builtins__).__name__, __spec__ is None)
print(sorted(set(globals()) - {"sys", "main"}))
"""


def test_script_sees_what_python_shows_it(runner: Runner) -> None:
    runner.write("sub/about.py", _ABOUT)
    ours = runner.same("sub/about.py", "-x", "--flag", "-m", "run", "--help")
    assert "'--flag', '-m', 'run', '--help'" in ours.stdout


def test_linked_script_imports_from_where_it_really_is(runner: Runner) -> None:
    runner.write("real/about.py", _ABOUT + "import neighbour\n")
    runner.write("real/neighbour.py", "print('neighbour')\n")
    (runner.folder / "link.py").symlink_to(runner.folder / "real" / "about.py")
    assert "neighbour" in runner.same("link.py").stdout


def test_code_module_and_stdin(runner: Runner) -> None:
    about = _ABOUT.replace("__spec__ is None", "__spec__")
    runner.write("tool/__init__.py", "")
    runner.write("tool/__main__.py", _ABOUT)
    runner.write("plain.py", _ABOUT)
    runner.same("-c", about, "-c", "x")
    runner.same("-m", "plain", "-m", "x", "--version")
    runner.same("-m", "tool", "a")
    runner.same("-", "a", stdin=_ABOUT)


def test_folder_and_archive(runner: Runner) -> None:
    runner.write("app/__main__.py", _ABOUT + "import part\n")
    runner.write("app/part.py", "print('part')\n")
    with zipfile.ZipFile(runner.folder / "app.zip", "w") as archive:
        archive.write(runner.folder / "app" / "__main__.py", "__main__.py")
        archive.write(runner.folder / "app" / "part.py", "part.py")
    assert "part" in runner.same("app", "x").stdout
    assert "part" in runner.same("app.zip", "x").stdout


@pytest.mark.parametrize(
    "ending",
    [
        "pass",
        "sys.exit()",
        "sys.exit(0)",
        "sys.exit(7)",
        "sys.exit('a reason')",
        "raise SystemExit(3)",
        "import os; os._exit(5)",
        "import atexit; atexit.register(print, 'late'); raise ValueError('v')",
        "raise KeyboardInterrupt",
        "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError(1) from e",
        "sys.excepthook = lambda *a: print('hook', a[0].__name__)\nraise OSError(3)",
        "raise ExceptionGroup('g', [ValueError(1)])",
    ],
)
def test_endings(runner: Runner, ending: str) -> None:
    runner.write("end.py", f"import sys\nprint('here', flush=True)\n{ending}\n")
    runner.same("end.py")


def test_tracebacks_have_none_of_our_frames(runner: Runner) -> None:
    runner.write("bad.py", "def f():\n    raise ValueError('mine')\nf()\n")
    runner.write("syntax.py", "x = (\n")
    ours = runner.same("bad.py")
    assert ours.returncode == 1
    assert "thornback" not in ours.stderr
    assert "line 3, in <module>\n    f()" in ours.stderr
    assert "SyntaxError" in runner.same("syntax.py").stderr
    ours = runner.call([*runner.commands["module"], "-c", "raise ValueError('mine')"])
    assert "thornback" not in ours.stderr
    ours = runner.call([*runner.commands["module"], "-m", "bad"])
    assert "thornback" not in ours.stderr
    assert ours.stderr.rstrip().endswith("ValueError: mine")


def test_interrupt_ends_by_the_signal(runner: Runner) -> None:
    runner.write("wait.py", "import time\nprint('ready', flush=True)\ntime.sleep(40)\n")
    process = subprocess.Popen(
        [*runner.commands["script"], "wait.py"],
        cwd=runner.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(_SOURCE)},
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == -signal.SIGINT
    assert stderr.rstrip().endswith("KeyboardInterrupt")
    assert "thornback" not in stderr


def test_what_can_not_be_opened(runner: Runner) -> None:
    (runner.folder / "empty").mkdir()
    for name, reason in (
        ("no_such.py", "can't open file {!r}: [Errno 2] No such file or directory"),
        ("empty", "can't find '__main__' module in {!r}"),
    ):
        ours = runner.call([*runner.commands["module"], name])
        assert (ours.returncode, ours.stdout) == (2, "")
        assert ours.stderr == f"thornback: {reason.format(str(runner.folder / name))}\n"
    ours = runner.call([*runner.commands["module"], "-m", "no_such_module"])
    assert ours.returncode == 1
    assert "No module named no_such_module" in ours.stderr


def test_ray_is_thornback_in_the_program(runner: Runner) -> None:
    runner.write(
        "program.py",
        """
        import ray, ray.exceptions, thornback, importlib.metadata, importlib.util
        assert ray is thornback and importlib.util.find_spec("ray")
        print(importlib.metadata.version("ray"))
        """,
    )
    for command in runner.commands.values():
        ours = runner.call([*command, "program.py"])
        assert ours.stderr == ""
        assert ours.stdout == f"{RAY_RELEASE}\n"


def test_main_pickles_by_value(runner: Runner) -> None:
    runner.write(
        "pickles.py",
        """
        import cloudpickle, os, subprocess, sys
        OFFSET = 41
        class Box:
            def value(self): return OFFSET + 1
        def f(): return Box().value()
        blob = cloudpickle.dumps((f, Box()))
        code = "import pickle, sys; f, b = pickle.load(sys.stdin.buffer); print(f(), b.value())"
        done = subprocess.run([sys.executable, "-c", code], input=blob, capture_output=True)
        print(done.stdout.decode(), done.stderr.decode())
        """,
    )
    assert runner.same("pickles.py").stdout.split() == ["42", "42"]


def test_multiprocessing_in_the_program(runner: Runner) -> None:
    runner.write(
        "pool.py",
        """
        import multiprocessing as mp
        def square(x): return x * x
        if __name__ == "__main__":
            for method in ("fork", "spawn"):
                with mp.get_context(method).Pool(1) as pool:
                    print(method, pool.map(square, [2, 3]))
        """,
    )
    assert "spawn [4, 9]" in runner.same("pool.py").stdout


def test_version_and_help(runner: Runner) -> None:
    base = [sys.executable, "-m", "thornback"]
    ours = runner.call([*base, "--version"])
    assert ours.stdout == f"thornback {VERSION} (API of Ray {RAY_RELEASE})\n"
    assert "run" in runner.call(base).stdout
    for arguments in (["run"], ["run", "--help"], ["run", "-h", "script.py"]):
        ours = runner.call([*base, *arguments])
        assert (ours.returncode, ours.stderr) == (0, "")
        assert "[-m MODULE | -c CODE | SCRIPT] [ARGS ...]" in ours.stdout
    ours = runner.call([*base, "walk"])
    assert ours.returncode == 2
    assert "invalid choice" in ours.stderr
    ours = runner.call([*base, "run", "--no-such", "x.py"])
    assert ours.returncode == 2
    assert "--no-such" in ours.stderr
    ours = runner.call([*base, "run", "-m"])
    assert ours.returncode == 2


def test_version_is_that_of_the_distribution() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["project"]["version"] == VERSION
