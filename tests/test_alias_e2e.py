"""Programs that say `import ray`, run on the engine: in the driver, in tasks and in actors."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from support.programs import Room

pytestmark = [pytest.mark.only_thornback]

_PROGRAM = textwrap.dedent(
    """
    import ray
    from ray.exceptions import RayTaskError

    @ray.remote
    def where(x):
        import importlib.metadata
        import ray as inner
        from ray.exceptions import GetTimeoutError
        return inner.__name__, importlib.metadata.version("ray"), x + 1

    @ray.remote
    class Counter:
        def add(self, k):
            import ray
            return ray.get(where.remote(k))[2]

    @ray.remote
    def fails():
        raise KeyError("k")

    ray.init(num_cpus=2)
    print(ray.get(where.remote(1)), ray.get(Counter.remote().add.remote(2)))
    try:
        ray.get(fails.remote())
    except RayTaskError as error:
        print(isinstance(error, KeyError))
    ray.shutdown()
    """
)
_EXPECTED = "('thornback', '2.60.0', 2) 3\nTrue\n"


def _run(arguments: list[str], folder: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("how", ["script", "code", "module"])
def test_unchanged_program_under_the_command(how: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(_PROGRAM)
    what = {"script": ["program.py"], "code": ["-c", _PROGRAM], "module": ["-m", "program"]}[how]
    assert _run(["-m", "thornback", "run", *what], tmp_path) == _EXPECTED


def test_program_that_installs_the_alias_itself(tmp_path: Path) -> None:
    program = "import thornback\nthornback.install_as_ray()\n" + _PROGRAM
    (tmp_path / "program.py").write_text(program)
    assert _run(["program.py"], tmp_path) == _EXPECTED


def test_workers_without_the_alias_do_not_get_it(tmp_path: Path) -> None:
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "__init__.py").write_text("REAL = True\n")
    program = """
        import thornback

        @thornback.remote
        def real():
            import ray
            return ray.REAL

        print(thornback.get(real.remote()))
        """
    (tmp_path / "program.py").write_text(textwrap.dedent(program))
    assert _run(["program.py"], tmp_path) == "True\n"


def test_the_release_that_libraries_ask_for(room: Room) -> None:
    body = """
    import importlib.metadata
    import thornback
    own = thornback.__version__
    thornback.install_as_ray()
    import ray
    assert ray.__version__ == importlib.metadata.version("ray") == "2.60.0" != own
    assert ray.get(ray.remote(lambda: __import__("ray").__version__).remote()) == "2.60.0"
    """
    room.run(body, init=False).ok()
