"""A stand-in for the node: speaks the zygote's protocol over a socket pair."""

from __future__ import annotations

import array
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from support.waiting import wait_until

LIMIT_S = 20.0

# What the zygote's process runs: the zygote with a worker's loop of the test's own.
PROGRAM = """
import os, sys
from thornback import _core, _zygote

if "THORNBACK_ZYGOTE_STATE" not in os.environ:  # not there again after a new start
    os.dup2({fd}, 3)
    os.close({fd})

def worker_run(channel, board, arena, arena_bytes, session):
{body}

_core.worker_run = worker_run
_zygote.main()
"""

WAIT_FOR_EVER = "while True: signal.pause()"


class FakeNode:
    """A running zygote and the node's end of its socket."""

    def __init__(self, folder: Path, body: str, **boot: Any) -> None:
        self.folder = folder
        self.session = folder / "session"
        self.session.mkdir()
        (self.session / "logs").mkdir()
        (self.session / "file").touch()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(LIMIT_S)
        fd = theirs.fileno()
        body = "import signal, time\n" + textwrap.dedent(body)
        program = PROGRAM.format(fd=fd, body=textwrap.indent(body, "    "))
        early = folder / "early.log"  # what it prints before it knows the session's folder
        self.log = self.session / "logs" / "zygote.log"
        with open(early, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", program],
                pass_fds=[fd],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "THORNBACK_SESSION_FOLDER": str(self.session)},
            )
        theirs.close()
        self._memory = [os.memfd_create(name) for name in ("board", "arena")]
        self.boot = {
            "driver": os.getpid(),
            "session_dir": str(self.session),
            "keep": False,
            "sys_path": sys.path,
            "argv": ["driver.py", "argument"],
            "prefix": sys.prefix,
            "exec_prefix": sys.exec_prefix,
            "env": {"FROM_BOOT": "yes"},
            "preload": [],
            "alias": False,
            "namespace": "tests",
            "lifetime": None,
            **boot,
        }
        self._count = 0

    def __enter__(self) -> Self:
        self.send("B", self.boot, self._memory)
        assert self.receive() == ("R", {})
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        self.process.kill()
        self.process.wait()
        for fd in self._memory:
            os.close(fd)

    def close(self) -> None:
        """End the connection, as the node's death does."""
        self._socket.close()

    def send(self, kind: str, message: dict[str, Any], fds: list[int] | None = None) -> None:
        """Send a packet with descriptors."""
        packet = kind.encode() + json.dumps(message).encode()
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self._socket.sendmsg([packet], rights)

    def receive(self) -> tuple[str, dict[str, Any]]:
        """Return the next packet."""
        packet = self._socket.recv(1 << 16)
        return packet[:1].decode(), json.loads(packet[1:] or b"{}")

    def fork(self) -> tuple[int, int]:
        """Have a worker forked; returns its number and its process."""
        worker, self._count = self._count, self._count + 1
        channel = os.memfd_create("channel")
        message = {
            "worker": worker,
            "arena_bytes": 4096,
            "session": 2**64 - 1,
            "out": str(self.out(worker)),
            "err": str(self.out(worker).with_suffix(".err")),
        }
        self.send("F", message, [channel])
        os.close(channel)
        kind, reply = self.receive()
        assert (kind, reply["worker"]) == ("F", worker), (kind, reply, self.log.read_text())
        return worker, reply["pid"]

    def out(self, worker: int) -> Path:
        """Return the file of a worker's standard output."""
        return self.folder / f"worker-{worker}.out"

    def output(self, worker: int) -> str:
        """Return what the worker has printed, as soon as that ends with a line ``done``."""

        def printed() -> str:
            path = self.out(worker)
            text = path.read_text() if path.exists() else ""
            return text if text.endswith("done\n") else ""

        return str(wait_until(printed, LIMIT_S, lambda: self._describe(worker)))

    def ended(self, worker: int) -> int:
        """Wait for the message that the worker has ended; returns its status as of `waitpid`."""
        kind, message = self.receive()
        assert (kind, message["worker"]) == ("X", worker)
        return int(message["status"])

    def _describe(self, worker: int) -> str:
        parts = [self.out(worker), self.out(worker).with_suffix(".err"), self.log]
        return "\n".join(f"--- {p.name}\n{p.read_text()}" for p in parts if p.exists())


def killed(status: int) -> bool:
    """Whether the status is that of a process that SIGKILL has ended."""
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
