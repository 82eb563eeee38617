"""Build of the two native parts: the Go library and the C extension.

Everything static stands in pyproject.toml. The environment variables THORNBACK_DEBUG=1 (symbols
kept, little optimization) and THORNBACK_ASAN=1 (C extension under AddressSanitizer) choose a
variant; each has a build folder of its own, so that objects of one never end up in another.
THORNBACK_WERROR=1 makes warnings of the C compiler errors: for those who change the sources, as a
compiler that users have may warn of more.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build import build
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
GO_PACKAGE = "./core/border"
GO_LIBRARY = "thornback.libthornback"
C_EXTENSION = "thornback._core"
MACHINES = ("x86_64", "aarch64")
# The buffer protocol is in the limited API since 3.11. Free-threaded builds have no stable ABI.
ABI3 = not sysconfig.get_config_var("Py_GIL_DISABLED")
DEBUG = os.environ.get("THORNBACK_DEBUG") == "1"
ASAN = os.environ.get("THORNBACK_ASAN") == "1"
WERROR = os.environ.get("THORNBACK_WERROR") == "1"
VARIANT = "asan" if ASAN else "debug" if DEBUG else "release"


def fail(message: str) -> None:
    """End the build with one line that says what the user can do."""
    raise SystemExit(f"\nerror: {message}\n")


def check_platform() -> None:
    """Refuse systems that the engine has no support for."""
    if sys.platform != "linux" or platform.machine() not in MACHINES:
        fail(
            f"thornback runs on Linux ({', '.join(MACHINES)}); "
            f"this is {sys.platform} on {platform.machine()}"
        )


def version_of(text: str) -> tuple[int, ...]:
    """Return the numbers of a Go version: "go1.26.3" and "1.26.3" give (1, 26, 3)."""
    match = re.match(r"(?:go)?(\d+(?:\.\d+)*)", text)
    return tuple(map(int, match[1].split("."))) if match else ()


def find_go() -> str:
    """Return the path of a Go command that is new enough for go.mod."""
    required = re.search(r"^go\s+(\S+)", (ROOT / "go.mod").read_text(), re.MULTILINE)[1]
    go = shutil.which(os.environ.get("GO", "go"))
    if go is None:
        fail(
            f"building thornback from source needs Go {required} or newer on PATH, and there is "
            "no `go`; install Go, or install a wheel, which needs none"
        )
    # Run here, so that a Go which fetches the toolchain named in go.mod reports that one.
    asked = subprocess.run(
        [go, "env", "GOVERSION"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    found = asked.stdout.strip() or asked.stderr.strip()
    if version_of(found) < version_of(required):
        fail(f"building thornback needs Go {required} or newer; {go} says: {found}")
    return go


class GoLibrary(Extension):
    """A Go c-shared library, shipped inside the package without an ABI suffix."""


class CleanBuild(build):
    """Start from an empty tree: setuptools would ship modules that no longer exist."""

    def run(self) -> None:
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


class BuildNative(build_ext):
    """Build C extensions as setuptools does, and Go libraries with `go build`."""

    def finalize_options(self) -> None:
        super().finalize_options()
        # Compiler flags are no part of the time stamps that setuptools compares.
        self.force = True

    def run(self) -> None:
        check_platform()
        self.go = find_go()  # before the C compiler runs: no use without it
        super().run()

    def get_ext_filename(self, fullname: str) -> str:
        # Called with the full name, and with the last part alone for in-place builds.
        if fullname.rpartition(".")[2] == GO_LIBRARY.rpartition(".")[2]:
            return os.path.join(*fullname.split(".")) + ".so"
        return super().get_ext_filename(fullname)

    def build_extension(self, ext: Extension) -> None:
        if isinstance(ext, GoLibrary):
            self.build_go(ext)
        else:
            super().build_extension(ext)

    def build_go(self, ext: GoLibrary) -> None:
        # Built aside: `go build` writes a header next to its output, which is not shipped.
        built = Path(self.build_temp).resolve() / "go" / "libthornback.so"
        built.parent.mkdir(parents=True, exist_ok=True)
        # Lazy binding, for linkers that default to -z now: GPU libraries are resolved at use.
        ldflags = "-extldflags=-Wl,-z,lazy" if DEBUG else "-s -w -extldflags=-Wl,-z,lazy"
        command = [self.go, "build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false"]
        command += [f"-ldflags={ldflags}", "-o", str(built), GO_PACKAGE]
        self.announce(" ".join(command), level=2)
        done = subprocess.run(command, cwd=ROOT, env=os.environ | {"CGO_ENABLED": "1"}, check=False)
        if done.returncode != 0:
            fail(f"`{' '.join(command[:2])}` failed with status {done.returncode}, see above")
        target = Path(self.get_ext_fullpath(ext.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        # A new inode: a process that has mapped the old library must not see it change.
        target.unlink(missing_ok=True)
        shutil.copy2(built, target)


def c_extension() -> Extension:
    """Return the C extension with the flags of the chosen variant."""
    compile_args = ["-std=c11", "-fvisibility=hidden", "-Wall", "-Wextra"]
    compile_args += ["-Werror"] if WERROR else []
    compile_args += ["-O1", "-g"] if DEBUG or ASAN else ["-O2", "-g0"]
    link_args = [] if DEBUG or ASAN else ["-Wl,-s"]
    if ASAN:
        compile_args += ["-fsanitize=address", "-fno-omit-frame-pointer"]
        link_args += ["-fsanitize=address"]
    return Extension(
        C_EXTENSION,
        sources=sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("capi/*.c")),
        include_dirs=["capi"],
        define_macros=[("Py_LIMITED_API", "0x030B0000")] if ABI3 else [],
        extra_compile_args=compile_args,
        extra_link_args=link_args,
        py_limited_api=ABI3,
    )


setup(
    ext_modules=[c_extension(), GoLibrary(GO_LIBRARY, sources=[])],
    cmdclass={"build": CleanBuild, "build_ext": BuildNative},
    options={
        "build": {"build_base": f"build/{VARIANT}"},
        "bdist_wheel": {"py_limited_api": "cp311"} if ABI3 else {},
    },
)
