"""Drivers in a process of their own: whatever happens to them, the test run goes on."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .engine import IS_THORNBACK, NAME
from .leftovers import Watch
from .processes import MARK_VARIABLE, marked
from .waiting import wait_until

INIT = (
    "ray.init(num_cpus=2)"
    if IS_THORNBACK
    else ("ray.init(num_cpus=2, address='local', include_dashboard=False)")
)
PRELUDE = f"import os, sys, time, signal\nimport {NAME} as ray\n"
# Ray alone needs seconds to start and to stop.
DEFAULT_LIMIT_S = 30.0 if IS_THORNBACK else 60.0


def program(body: str, init: bool = True) -> str:
    """A driver's source: the usual imports, a session unless the body starts its own, the body."""
    return PRELUDE + (INIT + "\n" if init else "") + textwrap.dedent(body)


@dataclass
class Outcome:
    """How a driver ended and what it wrote."""

    code: int
    out: str
    err: str

    def ok(self) -> str:
        """The output of a driver that ended well; fails with all that it wrote otherwise."""
        text = f"exit code {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"
        assert self.code == 0, text
        return self.out


class Room:
    """Temporary folders and a mark for drivers, and the means to see what they left."""

    def __init__(self) -> None:
        # Short, because the path of a Unix socket has 107 bytes at most.
        self.path = Path(tempfile.mkdtemp(prefix="tbt"))
        self.work = self.path / "w"
        self.system = self.path / "s"
        self.session = self.path / "t"
        for folder in (self.work, self.system, self.session):
            folder.mkdir()
            folder.chmod(0o1777)
        self.path.chmod(0o755)
        self.mark = uuid.uuid4().hex
        self._drivers: list[Driver] = []
        self.watch = Watch(self.mark, [self.system, self.session])

    def environment(self, **more: str | None) -> dict[str, str]:
        """The driver's environment; a value of None removes the variable."""
        env = dict(os.environ)
        for name in ("RAY_ADDRESS", "RAY_TMPDIR", "THORNBACK_TMPDIR"):
            env.pop(name, None)
        env["TMPDIR"] = str(self.system)
        env["THORNBACK_TMPDIR"] = str(self.session)
        if not IS_THORNBACK:
            # Ray notes there which cluster is running, and would join that of another driver.
            env["RAY_TMPDIR"] = str(self.session)
        env["PYTHONUNBUFFERED"] = "1"
        # All lines of workers, and as they are: tests look for them.
        env.update(RAY_COLOR_PREFIX="0", RAY_DEDUP_LOGS="0")
        env[MARK_VARIABLE] = self.mark
        for name, value in more.items():
            if value is None:
                env.pop(name, None)
            else:
                env[name] = value
        return env

    def start(
        self,
        body: str,
        *,
        init: bool = True,
        env: dict[str, str | None] | None = None,
        command: list[str] | None = None,
        prefix: list[str] | None = None,
    ) -> Driver:
        """Start a driver that runs `body` as a script, or through `command` (source last)."""
        source = program(body, init)
        if command is None:
            script = self.work / f"driver_{uuid.uuid4().hex[:6]}.py"
            script.write_text(source)
            line = [sys.executable, str(script)]
        else:
            line = [*command, source]
        driver = Driver([*(prefix or []), *line], self, self.environment(**(env or {})))
        self._drivers.append(driver)
        return driver

    def run(self, body: str, *, limit_s: float = DEFAULT_LIMIT_S, **how: object) -> Outcome:
        """Run a driver to its end."""
        return self.start(body, **how).finish(limit_s)  # type: ignore[arg-type]

    def close(self) -> None:
        """End what a failed test has left running, and remove the folders."""
        for pid in marked(self.mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for driver in self._drivers:
            driver.process.wait()
        shutil.rmtree(self.path, ignore_errors=True)


class Driver:
    """A running driver. What it writes goes into files, so it never waits for its reader."""

    def __init__(self, command: list[str], room: Room, env: dict[str, str]) -> None:
        stem = room.work / uuid.uuid4().hex[:8]
        self._out = stem.with_suffix(".out")
        self._err = stem.with_suffix(".err")
        with open(self._out, "wb") as out, open(self._err, "wb") as err:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=env,
                cwd=room.work,
                start_new_session=True,
            )
        self.pid = self.process.pid

    @property
    def out(self) -> str:
        """What it has written to its standard output so far."""
        return self._out.read_text(errors="replace")

    @property
    def err(self) -> str:
        """What it has written to its standard error so far."""
        return self._err.read_text(errors="replace")

    def wait_for(self, text: str, limit_s: float = DEFAULT_LIMIT_S) -> None:
        """Wait until `text` stands in the driver's output."""

        def seen() -> bool:
            if text in self.out:
                return True
            ended = self.process.poll() is not None and text not in self.out
            assert not ended, f"driver ended without {text!r}\n{self.out}\n{self.err}"
            return False

        wait_until(seen, limit_s, lambda: f"{text!r} in\n{self.out}\n{self.err}")

    def signal(self, number: int) -> None:
        """Send a signal to the driver alone."""
        os.kill(self.pid, number)

    def finish(self, limit_s: float = DEFAULT_LIMIT_S) -> Outcome:
        """Wait for the driver's end."""
        try:
            code = self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(
                f"the driver did not end in {limit_s} s\n{self.out}\n{self.err}"
            ) from None
        return Outcome(code, self.out, self.err)


@contextlib.contextmanager
def rooms() -> Iterator[Callable[[], Room]]:
    """Hand out rooms and clear them all away at the end."""
    made: list[Room] = []

    def make() -> Room:
        made.append(Room())
        return made[-1]

    try:
        yield make
    finally:
        for room in made:
            room.close()
