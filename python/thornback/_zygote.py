"""The zygote: a small process that forks workers which are ready at once.

Its parent, the node, speaks to it over a socket of packets, descriptor 3, one message each: a
letter and JSON, descriptors beside it.

    to the zygote    B boot, with [board, arena]    F fork a worker, with [channel]    K kill one
                     I interrupt one
    to the node      R ready    F forked    X exited, or could not be forked (pid 0)

It has one thread, so that forking is safe, and no Go in it. When the node goes, it kills all
workers with whatever they have started, removes the session's folder and goes too.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import sys

from . import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any, NoReturn

_SOCKET_FD = 3
_STATE_VARIABLE = "THORNBACK_ZYGOTE_STATE"
# The session's folder, unless it is to be kept: known before the boot message, in case none comes.
FOLDER_VARIABLE = "THORNBACK_SESSION_FOLDER"
_PACKET_BYTES_MAX = 1 << 20
_FDS_MAX = 4
# Imports begin when a second worker is wanted, or nothing has happened for so long: at the very
# start they would only take the cores from the driver.
_IDLE_MS = 300
# Keeps pyarrow's allocator from starting a thread when it is imported.
_NO_THREAD = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
_WATCH_S = 0.1
# Libraries that start threads when they are imported, unless one of these says 1.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "ARROW_IO_THREADS",
)


class Zygote:
    """The zygote's loop and what it knows about its workers.

    Parameters
    ----------
    channel : socket of type SOCK_SEQPACKET
        Connected to the node.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._socket = channel
        self._boot: dict[str, Any] = {}
        self._folder = os.environ.pop(FOLDER_VARIABLE, "")
        self._shared: list[int] = []  # board, arena
        self._workers: dict[int, int] = {}  # pid -> index
        self._preload: list[str] = []
        self._held: list[tuple[dict[str, Any], list[int]]] = []  # forks that wait for the imports
        self._banned: list[str] = []
        self._poller = select.poll()
        self._driver = -1  # a descriptor of the process
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)

    def run(self) -> NoReturn:
        """Serve the node until it goes."""
        poller = self._poller
        poller.register(self._socket.fileno(), select.POLLIN)
        poller.register(self._wake_read, select.POLLIN)
        self._reap()  # those that ended while the process was started anew
        self._fork_held()
        while True:
            events = dict(poller.poll(self._patience_ms()))
            if self._wake_read in events:
                self._drain_wakeups()
                self._reap()
            if self._driver in events:
                self._finish()
            if self._socket.fileno() in events:
                self._receive()
            if not events and self._preload:
                self._import_one()

    def _patience_ms(self) -> int | None:
        if not self._preload:
            return None
        return 0 if self._held else _IDLE_MS

    def _drain_wakeups(self) -> None:
        try:
            while os.read(self._wake_read, 512):
                pass
        except BlockingIOError:
            return

    # --- messages ---------------------------------------------------------------------------

    def _receive(self) -> None:
        try:
            packet, fds = receive(self._socket)
        except ConnectionError:
            packet, fds = b"", []
        if not packet:
            self._finish()
        kind, text = packet[:1], packet[1:]
        message = json.loads(text) if text else {}
        if kind == b"B":
            self._start(message, fds)
        elif kind == b"F":
            self._fork(message, fds)
        elif kind == b"K":
            self._kill(message["pid"])
        elif kind == b"I":
            self._interrupt(message["pid"])
        else:
            raise ValueError(f"the node sent a message of unknown kind {kind!r}")

    def _send(self, kind: bytes, message: dict[str, Any] | None = None) -> None:
        packet = kind + (json.dumps(message).encode() if message is not None else b"")
        try:
            self._socket.send(packet)
        except (BrokenPipeError, ConnectionError):
            self._finish()

    def _start(self, boot: dict[str, Any], fds: list[int]) -> None:
        self._shared = fds
        self._prepare(boot)
        self._send(b"R")

    def _prepare(self, boot: dict[str, Any]) -> None:
        self._boot = boot
        self._folder = "" if boot["keep"] else boot["session_dir"]
        self._watch_driver(boot["driver"])
        log = os.path.join(boot["session_dir"], "logs", "zygote.log")
        _redirect(log, log)
        sys.path[:] = boot["sys_path"]
        sys.argv[:] = boot["argv"]
        sys.prefix, sys.exec_prefix = boot["prefix"], boot["exec_prefix"]
        os.environ.update(boot["env"])
        if sys.flags.no_site:
            import site

            site.setquit()
            site.sethelper()
        if boot["alias"]:
            from ._alias import install_as_ray

            install_as_ray()
        # What every worker needs.
        import faulthandler  # noqa: F401

        import cloudpickle  # noqa: F401

        from . import _accelerators, _output, _stacks, _worker  # noqa: F401

        self._preload = [name for name in boot["preload"] if name not in self._banned]

    def _watch_driver(self, pid: int) -> None:
        """Have the driver's end reported: a child that it forked may hold the socket open."""
        try:
            self._driver = os.pidfd_open(pid)
        except ProcessLookupError:
            self._finish()
        if os.getppid() != pid:
            self._finish()
        self._poller.register(self._driver, select.POLLIN)

    def _finish(self) -> NoReturn:
        """End everything: the node is gone."""
        for pid in self._workers:
            _kill_group(pid)
        if self._folder:
            from ._session import remove_session

            remove_session(self._folder)
        os._exit(0)

    # --- workers ----------------------------------------------------------------------------

    def _fork(self, order: dict[str, Any], fds: list[int]) -> None:
        # The first is needed at once. The others gain more from the imports than they lose by
        # waiting for them: each would spend as long on its own.
        if self._preload and self._workers:
            self._held.append((order, fds))
            return
        threads = len(os.listdir("/proc/self/task"))
        try:
            if threads != 1:
                raise RuntimeError(f"the zygote has {threads} threads and must not fork")
            gc.freeze()
            parent = os.getpid()
            pid = os.fork()
        except (OSError, RuntimeError) as error:
            print(f"worker {order['worker']} can't be forked: {error}", file=sys.stderr, flush=True)
            for fd in fds:
                os.close(fd)
            self._send(b"X", {"pid": 0, "worker": order["worker"], "status": 255 << 8})
            return
        if pid == 0:
            self._become_worker(order, fds[0], parent)
        # Here too, so that the group exists when the node wants it killed.
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        self._workers[pid] = order["worker"]
        for fd in fds:
            os.close(fd)
        self._send(b"F", {"worker": order["worker"], "pid": pid})

    def _become_worker(self, order: dict[str, Any], channel: int, parent: int) -> NoReturn:
        status = 1
        try:
            os.setpgid(0, 0)
            _core.set_pdeathsig(signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            for fd in (self._socket.detach(), self._driver, self._wake_read, self._wake_write):
                os.close(fd)
            lost = _redirect(order["out"], order["err"])
            if lost:
                _core.output_lost(lost)
            gc.enable()
            from . import _worker

            status = _worker.main(order, [channel, *self._shared], self._boot)
        except BaseException:  # noqa: BLE001  # told in the worker's file, then the process ends
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)

    def _kill(self, pid: int) -> None:
        # One that was reaped is no longer in the table, so its number can't be another's.
        if pid in self._workers:
            _kill_group(pid)

    def _interrupt(self, pid: int) -> None:
        # The process alone: what it has started is not the node's to interrupt.
        if pid in self._workers:
            os.kill(pid, signal.SIGINT)

    def _reap(self) -> None:
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            pid = ended.si_pid
            # Before the number is free again: what the worker has started ends with it.
            _kill_group(pid)
            _, status = os.waitpid(pid, 0)
            worker = self._workers.pop(pid, None)
            if worker is not None:
                self._send(b"X", {"pid": pid, "worker": worker, "status": status})

    # --- imports ----------------------------------------------------------------------------

    def _import_one(self) -> None:
        """Import the next package ahead of the workers that will want it."""
        name = self._preload.pop(0)
        before = {variable: os.environ.get(variable) for variable in THREAD_VARIABLES}
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
        for variable, value in _NO_THREAD.items():
            os.environ.setdefault(variable, value)
        self._watch_node(True)
        try:
            __import__(name)
        except Exception as error:  # noqa: BLE001
            # The worker that needs it will tell its user.
            print(f"{name} can't be imported ahead: {error!r}", file=sys.stderr, flush=True)
        finally:
            self._watch_node(False)
            for variable, old in before.items():
                if old is None:
                    os.environ.pop(variable, None)
                else:
                    os.environ[variable] = old
        if len(os.listdir("/proc/self/task")) != 1:
            print(f"{name} starts threads, starting anew without it", file=sys.stderr, flush=True)
            self._start_anew(name)
        gc.collect()
        self._fork_held()

    def _fork_held(self) -> None:
        """Fork what has waited for the imports, once they are done."""
        if not self._preload:
            held, self._held = self._held, []
            for order, fds in held:
                self._fork(order, fds)

    def _watch_node(self, on: bool) -> None:
        """Look for the node's end now and then: an import can take seconds."""
        if on:
            signal.signal(signal.SIGALRM, lambda *_: self._finish_at_end())
        period = _WATCH_S if on else 0.0
        signal.setitimer(signal.ITIMER_REAL, period, period)

    def _finish_at_end(self) -> None:
        import _socket

        if os.getppid() != self._boot["driver"]:
            self._finish()
        try:
            packet = self._socket.recv(1, _socket.MSG_PEEK | _socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except ConnectionError:
            packet = b""
        if not packet:
            self._finish()

    def _start_anew(self, culprit: str) -> NoReturn:
        """Replace the process by a fresh one that knows the same workers and leaves `culprit` out.

        Parameters
        ----------
        culprit : str
            The package that started threads, after which forking isn't safe.
        """
        state = {
            "boot": self._boot,
            "shared": self._shared,
            "workers": list(self._workers.items()),
            "banned": [*self._banned, culprit],
            "held": self._held,
            "socket": self._socket.fileno(),
        }
        memory = os.memfd_create("state", 0)
        os.write(memory, json.dumps(state).encode())
        for fd in (self._socket.fileno(), *self._shared, *self._held_fds()):
            os.set_inheritable(fd, True)
        os.environ[_STATE_VARIABLE] = str(memory)
        os.execv(sys.executable, sys.orig_argv)

    def _held_fds(self) -> list[int]:
        return [fd for _, fds in self._held for fd in fds]

    def resume(self, state: dict[str, Any]) -> None:
        """Take over from the process that this one replaced."""
        self._shared = state["shared"]
        self._held = [(order, fds) for order, fds in state["held"]]
        for fd in (self._socket.fileno(), *self._shared, *self._held_fds()):
            os.set_inheritable(fd, False)
        self._workers = dict(state["workers"])
        self._banned = state["banned"]
        self._prepare(state["boot"])


def receive(channel: socket.socket) -> tuple[bytes, list[int]]:
    """Return the next packet and its descriptors; an empty packet is the end."""
    import _socket
    import array

    fds = array.array("i")
    space = _socket.CMSG_SPACE(_FDS_MAX * fds.itemsize)
    packet, ancillary, _, _ = channel.recvmsg(_PACKET_BYTES_MAX, space, _socket.MSG_CMSG_CLOEXEC)
    for level, kind, data in ancillary:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return packet, list(fds)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _redirect(out: str, err: str) -> int:
    """Let descriptor 0 be empty, and 1 and 2 the worker's files.

    Returns
    -------
    int
        0; or, when a file can't be made, the reason's errno: what goes there is lost.
    """
    lost = 0
    for target, path in enumerate((os.devnull, out, err)):
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND if target else os.O_RDONLY
        try:
            fd = os.open(path, flags | os.O_CLOEXEC, 0o600)
        except OSError as error:
            lost = error.errno or 1
            fd = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(fd, target)
        os.close(fd)
    return lost


def main() -> NoReturn:
    """Run the zygote, in a process that was started for it."""
    import _socket

    saved = os.environ.pop(_STATE_VARIABLE, None)
    gc.disable()
    if saved is None:
        os.setsid()
        # Ctrl-C in the driver's terminal is the driver's business.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # Whatever the thread that started this process had blocked.
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        channel: Any = _socket.socket(fileno=_SOCKET_FD)
        os.set_inheritable(_SOCKET_FD, False)
        Zygote(channel).run()
    with open(int(saved), "rb") as memory:
        memory.seek(0)
        state = json.load(memory)
    zygote = Zygote(_socket.socket(fileno=state["socket"]))  # type: ignore[arg-type]
    zygote.resume(state)
    zygote.run()
