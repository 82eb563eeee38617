"""A process's own stacks, told when it is asked by a signal.

Each process of a session has a file in memory. Its first line says which process it is: pid, number
of the session and of the worker, two signals, version of Python; what follows are answers. One
signal is answered in Python, with names and with
the tasks of event loops, as soon as the main thread can run Python; the other one by faulthandler,
whatever the process does. `_state/stacks.py` asks.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` without its enums
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any

NAME = "thornback-stacks"
# Innermost frames of one stack that are told.
FRAMES_MAX = 200
_TASKS_MAX = 10_000
# Of engine code that is below everything in a worker, and tells nothing.
_BELOW = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_zygote.py")

_fd = -1


def arm(session: int, worker: int = -1) -> None:
    """Have this process answer from now on; it goes without where it can't.

    Parameters
    ----------
    session : int
    worker : int
        Its number at the node, -1 for the driver.
    """
    global _fd
    import faulthandler

    in_python, in_c = _signal.SIGRTMAX - 1, _signal.SIGRTMAX - 2
    try:
        made = os.memfd_create(NAME, os.MFD_CLOEXEC)
        # Appending: who asks takes out what it has read.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        _fd = os.open(f"/proc/self/fd/{made}", flags)
        os.close(made)
        version = ".".join(map(str, sys.version_info[:3]))
        header = f"{os.getpid()} {session} {worker} {in_python} {in_c} {version}\n"
        os.write(_fd, header.encode())
    except OSError:
        return  # out of descriptors or of memory: other things will tell
    try:
        # Not the default, which would be the end of the process: it may still come after `disarm`.
        if _signal.getsignal(in_c) == _signal.SIG_DFL:
            _signal.signal(in_c, _signal.SIG_IGN)
        if _signal.getsignal(in_python) in (_signal.SIG_DFL, _answer):
            _signal.signal(in_python, _answer)
    except ValueError:
        pass  # only the main thread may; the other signal is left
    faulthandler.register(in_c, file=_fd, all_threads=True, chain=False)


def disarm() -> None:
    """End that, with the session. Idempotent."""
    global _fd
    if _fd < 0:
        return
    import faulthandler

    faulthandler.unregister(_signal.SIGRTMAX - 2)
    ending, _fd = _fd, -1
    os.close(ending)


def _answer(signum: int, frame: FrameType | None) -> None:
    """Write all stacks. Runs between any two steps of the main thread, so it takes no lock."""
    del signum
    if _fd < 0:
        return
    import json

    try:
        text = json.dumps({"threads": _threads(frame), "async_tasks": _async_tasks(frame)})
    except Exception as error:  # noqa: BLE001 - whatever this process has made of its modules
        text = json.dumps({"failed": repr(error)})
    try:
        os.write(_fd, b"\n" + text.encode(errors="replace") + b"\n")
    except OSError:
        return  # no room, or closed meanwhile


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None and frame.f_code.co_filename != _BELOW:
        yield frame
        frame = frame.f_back


def _told(frame: FrameType) -> dict[str, Any]:
    code = frame.f_code
    return {"function": code.co_qualname, "file": code.co_filename, "line": frame.f_lineno}


def _stack(frames: list[FrameType]) -> dict[str, Any]:
    return {
        "frames": [_told(frame) for frame in frames[:FRAMES_MAX]],
        "omitted": max(0, len(frames) - FRAMES_MAX),
    }


def _stacks(frame: FrameType | None) -> dict[int, FrameType | None]:
    """Return the innermost frame of each thread, the main one first; there, what was interrupted.

    Called in the main thread.
    """
    import _thread

    main = _thread.get_ident()
    return {main: frame, **{id: f for id, f in sys._current_frames().items() if id != main}}


def _threads(frame: FrameType | None) -> list[dict[str, Any]]:
    threading = sys.modules.get("threading")
    # `enumerate` would take a lock, which the interrupted code may have.
    known = dict(threading._active) if threading is not None else {}
    names = {id: thread.name for id, thread in known.items()}
    threads = []
    for number, (id, innermost) in enumerate(_stacks(frame).items()):
        name = names.get(id, "MainThread" if number == 0 else None)
        threads.append({"id": id, "name": name, **_stack(list(_frames(innermost)))})
    return threads


def _async_tasks(frame: FrameType | None) -> list[dict[str, Any]]:
    tasks = sys.modules.get("asyncio.tasks")
    if tasks is None:
        return []
    found = [task for loop in _loops(frame) for task in tasks.all_tasks(loop)]
    return [_async_task(task) for task in found[:_TASKS_MAX]]


def _loops(frame: FrameType | None) -> list[Any]:
    """Return the event loops that run in any thread."""
    import asyncio

    current = asyncio._get_running_loop()
    loops = [] if current is None else [current]
    for innermost in _stacks(frame).values():
        for below in _frames(innermost):
            if below.f_code.co_name != "run_forever":
                continue
            loop = below.f_locals.get("self")
            if isinstance(loop, asyncio.AbstractEventLoop) and loop not in loops:
                loops.append(loop)
    return loops


def _async_task(task: Any) -> dict[str, Any]:
    coroutine = task.get_coro()
    name = getattr(coroutine, "__qualname__", None) or type(coroutine).__name__
    frames: list[FrameType] = []
    while coroutine is not None and len(frames) <= FRAMES_MAX:
        frame = _attribute(coroutine, "cr_frame", "gi_frame", "ag_frame")
        if frame is None:
            break
        frames.append(frame)
        coroutine = _attribute(coroutine, "cr_await", "gi_yieldfrom", "ag_await")
    return {"name": task.get_name(), "coroutine": str(name), **_stack(frames[::-1])}


def _attribute(thing: Any, *names: str) -> Any:
    return next((v for v in (getattr(thing, name, None) for name in names) if v is not None), None)
