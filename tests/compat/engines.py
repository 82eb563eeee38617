"""Running a case on an engine, in processes of its own, and making its output comparable."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .programs import LIBRARY, Case

# Seconds. Ray alone needs several to start; a case that hangs is cut off there.
LIMIT_S = {"ray": 150.0, "thornback": 45.0}
# Variables of whoever runs the suite that would change what a program sees.
_FOREIGN = re.compile(r"^(RAY_|THORNBACK_|OMP_|CUDA_|PYTEST_|COV_|COLUMNS$|LINES$)")
# Read once: cases run in threads, and pytest sets and removes a variable for every test.
_OURS = {name: value for name, value in os.environ.items() if not _FOREIGN.match(name)}


@dataclass(frozen=True)
class Outcome:
    """What a program saw, and its exit status; -1 when it had to be ended."""

    exit: int
    lines: list[str]
    # What it and the engine wrote to standard output and standard error; for people.
    stderr: str = ""

    def same_as(self, other: Outcome) -> bool:
        return (self.exit, self.lines) == (other.exit, other.lines)


def run_on_ray(case: Case, python: str) -> Outcome:
    """Run the case on real Ray, with the Python of an environment that has it."""
    return _run(case, "ray", [*_alone(), python])


def run_on_thornback(case: Case) -> Outcome:
    """Run the case unchanged on Thornback, ``import ray`` being its alias."""
    return _run(case, "thornback", [sys.executable, "-m", "thornback", "run"])


@functools.cache
def _alone() -> list[str]:
    """A command that runs another where no processes of others are seen, as far as possible.

    Without an address Ray looks for clusters among all processes of the machine, and would join one
    that runs beside it. All processes of the namespace end with its first one, the shell.
    """
    command = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    for line in (command, [*command, "--user", "--map-root-user"]):
        with contextlib.suppress(OSError):
            if subprocess.run([*line, "true"], capture_output=True, check=False).returncode == 0:
                return [*line, "sh", "-c", '"$@"; exit $?', "sh"]
    return []


def _run(case: Case, engine: str, command: list[str]) -> Outcome:
    # Short, because the path of a Unix socket has 107 bytes at most.
    folder = Path(tempfile.mkdtemp(prefix="cmp"))
    work, session = folder / "w", folder / "s"
    for path in (work, session):
        path.mkdir()
    script = work / "case.py"
    script.write_text(case.source)
    seen, err = folder / "seen", folder / "err"
    try:
        with open(err, "wb") as stderr:
            process = subprocess.Popen(
                [*command, str(script)],
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                env={**_environment(session), "COMPAT_OUT": str(seen), **case.environment},
                cwd=work,
                start_new_session=True,
            )
        status = _wait(process, LIMIT_S[engine])
        text = seen.read_text(errors="replace") if seen.exists() else ""
        said = err.read_text(errors="replace")
        lines = normal(text, folder).splitlines()
        if status > 0:
            lines.append(f"stderr ends: {_last_line(normal(said, folder))}")
        return Outcome(status, lines, said)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _environment(session: Path) -> dict[str, str]:
    env = dict(_OURS)
    path = [str(LIBRARY), *env.get("PYTHONPATH", "").split(os.pathsep)]
    env["PYTHONPATH"] = os.pathsep.join(part for part in path if part)
    env["PYTHONHASHSEED"] = "0"
    env["PYTHONUNBUFFERED"] = "1"
    env["RAY_TMPDIR"] = env["THORNBACK_TMPDIR"] = str(session)
    # Ray reports how it is used, asks for a newer release, and listens to nobody else.
    env["RAY_USAGE_STATS_ENABLED"] = "0"
    env["TERM"] = "dumb"
    return env


def _wait(process: subprocess.Popen[bytes], limit_s: float) -> int:
    try:
        return process.wait(limit_s)
    except subprocess.TimeoutExpired:
        # The gentle way lets Ray end the daemons that it has started.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return -1


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


# In this order: a path may hold digits, and an id hexadecimal ones.
_REPLACED: list[tuple[str, str]] = [
    (r"(\x1b|\\x1b)\[[0-9;]*m", ""),
    (r'File "[^"]*", line \d+', 'File "<path>", line <n>'),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<uuid>"),
    (r"\b0x[0-9a-f]+\b", "<address>"),
    (r"\b(\d{1,3}\.){3}\d{1,3}(:\d+)?\b", "<ip>"),
    (r"\b(pid|PID)([=: ]+)\d+", r"\1\2<n>"),
    (r"session_\d{4}-\d\d-\d\d_[0-9_-]+", "<session>"),
    (r"(?<![\w<])/(?:[\w.+-]+/)*site-packages/", "<site>/"),
    # What later versions of Python say otherwise than the one in which Ray was recorded.
    (r"missing a required (keyword-only|positional-only) argument", "missing a required argument"),
    (
        r"got some positional-only arguments passed as keyword arguments: ('\w+')",
        r"\1 parameter is positional only, but was passed as a keyword",
    ),
    (r"OrderedDict\(\{([^{}:,]*): ([^{}:,]*)\}\)", r"OrderedDict([(\1, \2)])"),
]


def normal(text: str, folder: Path) -> str:
    """Replace what differs between two runs of the same program, or between the engines' names."""
    text = text.replace(str(folder), "<folder>")
    for pattern, replacement in _REPLACED:
        text = re.sub(pattern, replacement, text)
    text = re.sub(
        r"(?<![0-9a-zA-Z])(?=[0-9a-f]*[0-9])[0-9a-f]{16,}(?![0-9a-zA-Z])",
        lambda match: f"<hex {len(match[0])}>",
        text,
    )
    text = re.sub(r"(?<![0-9a-zA-Z])f{16,}(?![0-9a-zA-Z])", lambda m: f"<hex {len(m[0])}>", text)
    return re.sub(r"\bthornback\b", "ray", text)
