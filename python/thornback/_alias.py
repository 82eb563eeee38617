"""``import ray`` gives this package: one import hook, and no module twice.

The hook stands first on `sys.meta_path` and answers for ``ray`` and everything below it with the
module object of the same name here, so that ``ray.X is thornback.X`` for every X.
"""

from __future__ import annotations

import sys

from ._version import RAY_RELEASE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from importlib.metadata import Distribution, DistributionFinder
    from types import ModuleType
    from typing import Any

ALIAS = "ray"
PACKAGE = "thornback"


def install_as_ray() -> None:
    """Make ``import ray`` and everything below it mean this package, here and in all workers.

    Call it before anything imports ray; calling it again changes nothing. ``find_spec("ray")`` and
    ``importlib.metadata.version("ray")``, with the release that this package is compatible with,
    answer too, and ``__version__`` says that release from then on. A real Ray that is
    installed stays as it is, and other processes of the user's don't
    notice. Call it before `init`: workers that run already don't get it.

    Raises
    ------
    RuntimeError
        The real Ray is imported already in this process.

    Examples
    --------
    >>> import thornback
    >>> thornback.install_as_ray()
    >>> import ray
    >>> ray is thornback
    True
    """
    if alias_installed():
        return
    real = _imported_real_ray()
    if real is not None:
        where = getattr(real, "__file__", None) or "an unknown place"
        raise RuntimeError(
            f"install_as_ray() must come before the first `import ray`: module {real.__name__!r} "
            f"of {where} is imported already in this process"
        )
    sys.meta_path.insert(0, _AliasFinder())
    # Libraries choose what they call by `ray.__version__`.
    sys.modules[PACKAGE].__version__ = RAY_RELEASE  # type: ignore[attr-defined]


def alias_installed() -> bool:
    """Return whether ``import ray`` means this package in this process."""
    return any(isinstance(finder, _AliasFinder) for finder in sys.meta_path)


def _imported_real_ray() -> ModuleType | None:
    loaded: dict[str, Any] = sys.modules
    for name, module in list(loaded.items()):
        if name.partition(".")[0] == ALIAS and module not in (None, loaded.get(_target(name))):
            real: ModuleType = module
            return real
    return None


def _target(name: str) -> str:
    return PACKAGE + name[len(ALIAS) :]


class _AliasFinder:
    """Finds modules and the distribution named ray."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec whose loader hands out the module of this package."""
        del path, target
        if name != ALIAS and not name.startswith(f"{ALIAS}."):
            return None
        from importlib.machinery import ModuleSpec
        from importlib.util import find_spec

        original = find_spec(_target(name))
        if original is None:
            # None would do for both, but an import should say why a module of Ray's is missing.
            if _asked_by_import():
                raise ModuleNotFoundError(
                    f"No module named {name!r}: {ALIAS} is {PACKAGE} in this process, and "
                    f"{PACKAGE} has no module {_target(name)!r}",
                    name=name,
                )
            return None
        spec = ModuleSpec(
            name,
            _AliasLoader(_target(name)),  # type: ignore[arg-type]
            origin=original.origin,
            is_package=original.submodule_search_locations is not None,
        )
        if original.submodule_search_locations is not None:
            spec.submodule_search_locations = list(original.submodule_search_locations)
        spec.has_location = original.has_location
        return spec

    def find_distributions(self, context: DistributionFinder.Context) -> Iterator[Distribution]:
        """Answer importlib.metadata about the distribution ray."""
        if context.name is None or context.name.lower() == ALIAS:
            yield _distribution()

    def invalidate_caches(self) -> None:
        """Do nothing: nothing is cached."""


class _AliasLoader:
    """Loads a module under its own name and gives that very object."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._spec: ModuleSpec | None = None
        self._loader: Any = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module that exists, imported first where needed."""
        del spec
        from importlib import import_module

        module = import_module(self._target)
        self._spec, self._loader = module.__spec__, module.__loader__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module back the spec that the import system has just overwritten."""
        # It has run already. With a spec named ray, reload() would not find it again.
        module.__spec__ = self._spec
        module.__loader__ = self._loader
        # A package that imports its own modules has them as attributes already, so that
        # `from ray.x import y` never asks for ray.x.y.
        below = f"{self._target}."
        for name, loaded in list(sys.modules.items()):
            if name.startswith(below) and not getattr(loaded.__spec__, "_initializing", False):
                sys.modules.setdefault(ALIAS + name[len(PACKAGE) :], loaded)

    def get_code(self, name: str) -> Any:
        """Return the module's code, for ``python -m``."""
        from importlib.util import find_spec

        del name
        spec = find_spec(self._target)
        loader: Any = spec.loader if spec is not None else None
        return None if loader is None else loader.get_code(self._target)


def _asked_by_import() -> bool:
    """Return whether an import, and not ``importlib.util.find_spec``, looks for the module."""
    # 0 is this function, 1 our find_spec, 2 the loop over all finders, 3 who started that.
    try:
        caller = sys._getframe(3).f_code
    except ValueError:
        return False
    return caller.co_name == "_find_and_load_unlocked" and "importlib" in caller.co_filename


def _distribution() -> Distribution:
    from importlib.metadata import Distribution

    files = {
        "METADATA": f"Metadata-Version: 2.1\nName: {ALIAS}\nVersion: {RAY_RELEASE}\n",
        "top_level.txt": f"{ALIAS}\n",
    }

    class AliasDistribution(Distribution):
        def read_text(self, filename: str) -> str | None:
            return files.get(filename)

        def locate_file(self, path: Any) -> Any:
            from pathlib import Path

            return Path(__file__).parent.parent / path

    return AliasDistribution()
