"""The alias: one module under two names. Each test has a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import thornback._alias

_SOURCE = Path(thornback._alias.__file__).parents[1]


class Python:
    """Runs code in fresh interpreters; a package `thornback.extra` stands in for later ones."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        extra = folder / "more" / "extra"
        extra.mkdir(parents=True)
        (extra / "__init__.py").write_text("from . import deep as deep\nloads = []\n")
        (extra / "deep.py").write_text(
            "import thornback.extra\nfrom .other import VALUE\nclass Thing:\n    pass\n"
        )
        (extra / "other.py").write_text("VALUE = 41\n")
        (extra / "late.py").write_text("")
        self.prologue = f"import thornback; thornback.__path__.append({str(extra.parent)!r})\n"

    def __call__(
        self, code: str, prologue: str | None = None, env: dict[str, str] | None = None
    ) -> str:
        code = (self.prologue if prologue is None else prologue) + textwrap.dedent(code)
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(_SOURCE), **(env or {})},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def python(tmp_path: Path) -> Python:
    return Python(tmp_path)


def test_modules_are_the_same_objects(python: Python) -> None:
    python(
        """
        import sys
        from thornback._alias import install_as_ray
        install_as_ray()
        import ray, ray.exceptions, ray.extra.deep
        import thornback.exceptions, thornback.extra.deep
        for name in ("", ".exceptions", ".extra", ".extra.deep"):
            assert sys.modules["ray" + name] is sys.modules["thornback" + name], name
        assert ray is thornback and ray.exceptions is thornback.exceptions
        from ray.extra.deep import Thing
        assert Thing is thornback.extra.deep.Thing and Thing.__module__ == "thornback.extra.deep"
        from ray import exceptions as e
        assert e.RayError is thornback.exceptions.RayError
        import ray.extra.other as other
        assert other.VALUE == 41 and other is thornback.extra.other
        """
    )


def test_alias_first_then_the_original(python: Python) -> None:
    python(
        """
        import sys
        from thornback._alias import install_as_ray
        install_as_ray()
        from ray.extra import deep
        assert sys.modules["ray.extra.deep"] is sys.modules["thornback.extra.deep"] is deep
        """
    )


def test_modules_keep_their_own_spec_and_can_be_reloaded(python: Python) -> None:
    python(
        """
        import importlib, sys
        from thornback._alias import install_as_ray
        before = importlib.import_module("thornback.extra.other").__spec__
        install_as_ray()
        import ray.extra.other as other, ray.extra.deep
        assert other.__spec__ is before and other.__name__ == "thornback.extra.other"
        assert other.__loader__ is before.loader and other.__package__ == "thornback.extra"
        assert ray.extra.deep.__spec__.name == "thornback.extra.deep"
        assert importlib.reload(other) is other is sys.modules["ray.extra.other"]
        """
    )


def test_find_spec_answers_without_importing(python: Python) -> None:
    python(
        """
        import sys
        from importlib.util import find_spec
        from thornback._alias import install_as_ray
        assert find_spec("ray") is None or "thornback" not in str(find_spec("ray").origin)
        install_as_ray()
        assert find_spec("ray") is not None
        assert find_spec("ray.no_such_module") is None
        spec = find_spec("ray.extra.late")
        assert spec.name == "ray.extra.late" and spec.origin.endswith("late.py")
        assert not {"thornback.extra.late", "ray.extra.late"} & sys.modules.keys()
        spec = find_spec("ray.extra")
        assert spec.submodule_search_locations
        """
    )


def test_missing_modules_are_named_both_ways(python: Python) -> None:
    python(
        """
        import importlib
        from thornback._alias import install_as_ray
        install_as_ray()
        import ray
        for name in ("ray.tomorrow", "ray.extra.tomorrow"):
            try:
                importlib.import_module(name)
            except ModuleNotFoundError as error:
                assert error.name == name
                assert f"No module named {name!r}" in str(error)
                assert repr(name.replace("ray", "thornback")) in str(error)
            else:
                raise AssertionError(name)
        try:
            from ray.tomorrow import x
        except ModuleNotFoundError as error:
            assert "thornback.tomorrow" in str(error)
        try:
            from ray import tomorrow
        except ImportError as error:
            assert "tomorrow" in str(error)
        try:
            import rayonnement
        except ModuleNotFoundError as error:
            assert "thornback" not in str(error), "other names are none of ours"
        """
    )


def test_a_module_that_fails_to_import_fails_with_its_own_error(python: Python) -> None:
    python(
        """
        import pathlib, sys
        from thornback._alias import install_as_ray
        import thornback
        folder = pathlib.Path(list(thornback.__path__)[-1])
        (folder / "broken.py").write_text("import no_such_thing_at_all")
        install_as_ray()
        try:
            import ray.broken
        except ModuleNotFoundError as error:
            assert error.name == "no_such_thing_at_all"
        assert "ray.broken" not in sys.modules and "thornback.broken" not in sys.modules
        """
    )


def test_installing_twice_changes_nothing(python: Python) -> None:
    python(
        """
        import sys
        from thornback._alias import alias_installed, install_as_ray
        assert not alias_installed()
        install_as_ray()
        finders = list(sys.meta_path)
        import ray.extra
        install_as_ray()
        assert sys.meta_path == finders and alias_installed()
        """
    )


def test_version_of_the_distribution(python: Python) -> None:
    python(
        """
        from importlib import metadata
        from thornback._alias import install_as_ray
        install_as_ray()
        assert metadata.version("ray") == metadata.version("Ray") == "2.60.0"
        assert metadata.distribution("ray").metadata["Name"] == "ray"
        assert "ray" in {d.metadata["Name"] for d in metadata.distributions()}
        assert metadata.packages_distributions()["ray"] == ["ray"]
        assert metadata.requires("ray") is None
        try:
            metadata.version("no-such-distribution")
        except metadata.PackageNotFoundError:
            pass
        else:
            raise AssertionError
        """
    )


def test_real_ray_that_is_imported_is_an_error(python: Python, tmp_path: Path) -> None:
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "__init__.py").write_text("REAL = True\n")
    python(
        """
        import sys
        from thornback._alias import alias_installed, install_as_ray
        import ray
        try:
            install_as_ray()
        except RuntimeError as error:
            assert "must come before the first `import ray`" in str(error)
            assert ray.__file__ in str(error)
        else:
            raise AssertionError
        assert ray.REAL and not alias_installed()
        """
    )


def test_real_ray_that_is_not_imported_stays_behind_the_alias(
    python: Python, tmp_path: Path
) -> None:
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "__init__.py").write_text("raise AssertionError('imported')\n")
    (tmp_path / "ray" / "tune.py").write_text("raise AssertionError('imported')\n")
    python(
        """
        from thornback._alias import install_as_ray
        install_as_ray()
        import ray
        assert ray is thornback
        try:
            import ray.tune
        except ModuleNotFoundError:
            pass
        else:
            raise AssertionError
        """
    )


def test_importing_the_modules_is_light(python: Python) -> None:
    python(
        """
        import sys
        before = set(sys.modules)
        import thornback._alias, thornback._options, thornback._method_options
        import thornback._resources, thornback.exceptions, thornback._system_error
        heavy = {"inspect", "asyncio", "dataclasses", "numpy", "cloudpickle", "logging",
                 "argparse", "importlib.metadata", "traceback", "pathlib"}
        found = heavy & (set(sys.modules) - before)
        assert not found, found
        """,
        prologue="import sys\n",
        env={"PYTHONNOUSERSITE": "1"},
    )
