"""A worker process for test_core_worker.py: the smallest hooks that do, and the tasks."""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
import threading
import time

from thornback import _core


class Ref(_core.ObjectRef):
    """The final class of references."""

    __slots__ = ()


class Method(_core.ActorMethod):
    """The final class of methods."""

    __slots__ = ()


class Generator(_core.Stream):
    """The final class of generators."""

    __slots__ = ()


class TaskFailedError(Exception):
    """A task's error, as the reader of its result sees it."""


class OddError(Exception):
    """Nobody knows whether it is worth another attempt."""


class EngineError(Exception):
    """An error of the engine."""


class Hooks:
    """See `install` in `_core.pyi`."""

    object_ref = Ref
    actor_method = Method
    generator = Generator

    @staticmethod
    def auto_init():
        raise AssertionError("a worker has a session")

    @staticmethod
    def dumps(obj, buffer_callback, label):
        try:
            return pickle.dumps(obj, protocol=5, buffer_callback=buffer_callback)
        except Exception as error:  # noqa: BLE001  # pickling runs code of the object
            raise TypeError(f"cannot pickle {label}: {error}") from None

    @staticmethod
    def arrow_write(obj):
        return None

    @staticmethod
    def arrow_read(kind, buffer):
        return kind, buffer

    @staticmethod
    def retryable(exc, tid):
        if isinstance(exc, OddError):
            raise RuntimeError("no answer")
        assert tid == 7
        return isinstance(exc, LookupError)

    @staticmethod
    def error_of(exc):
        return pickle.dumps(f"{type(exc).__name__}: {exc}", protocol=5)

    @staticmethod
    def raise_task_error(obj):
        return TaskFailedError(obj)

    @staticmethod
    def system_error(code, text):
        return EngineError(code, text)

    @staticmethod
    def enter_context(task, lasting):
        return lambda: None

    @staticmethod
    def undecodable(exc):
        return exc

    @staticmethod
    def load(kind, name, blob):
        return name if kind == 3 else globals()[name]


kept = []


def ref(handle):
    return _core._restore_ref(handle, _core.session())


def add(a, b=10):
    return a + b


def echo(value):
    return value


def kinds(*args, **kwargs):
    return repr((args, kwargs))


def fail(text):
    raise ValueError(text)


def several(n):
    return list(range(n))


def lock():
    return threading.Lock()


def big(n):
    return b"x" * n


def leave(status):
    raise SystemExit(status)


def context():
    return repr(_core.current_task())


def submit(handle):
    return _core.submit(5, 1, None, (1, ref(handle), [ref(handle)]), {"k": b"v"})


def submit_large(n):
    refs = _core.submit(5, 2, None, (b"y" * n,), None)
    return len(refs)


def submit_many(n):
    return len([_core.submit(5, 1, None, (i,), None) for i in range(n)])


def get(handle, timeout=None):
    return _core.get(ref(handle), timeout)


def get_all(*handles):
    return repr(_core.get([ref(h) for h in handles], None))


def get_failing(handle):
    try:
        return _core.get(ref(handle), None)
    except (TaskFailedError, EngineError) as error:
        return f"{type(error).__name__} {error}"


def get_or_late(handle):
    try:
        return _core.get(ref(handle), 0.05)
    except EngineError as error:
        return f"late {error.args[0]}"


def wait(*handles, timeout=None):
    refs = [ref(h) for h in handles]
    done, rest = _core.wait(refs, 1, timeout, True)
    return repr(([r.handle for r in done], [r.handle for r in rest]))


def put(text):
    return _core.put([text]).handle


def put_refs(handle):
    kept.append(_core.put([ref(handle)]))


def return_refs(handle):
    return {"inside": ref(handle)}


def control(text):
    try:
        return _core.control("echo", text.encode()).decode()
    except RuntimeError as error:
        return f"{error.code} {error}"


def meet(n, then=""):
    """Tell the node n times where this is, and sleep for long in the end."""
    for i in range(n):
        _core.control("meet", str(i).encode())
    if then == "sleep":
        time.sleep(60)
    return f"canceled {_core.is_canceled()}"


def tidy(handle):
    before = _core.submit(5, 1, None, (1,), None).handle
    try:
        _core.get(ref(handle), None)
    except KeyboardInterrupt:
        return before, _core.submit(5, 1, None, (2,), None).handle
    return "never"


def define():
    return _core.define(1, "name", b"blob", b"0123456789abcdef") * 100 + _core.template(b"{}")


def keep(value):
    kept.append(value)
    return type(value).__name__


def peek():
    value = kept[-1]
    return repr((bytes(value[:4]), value.readonly, value.nbytes))


def repr_kept():
    return repr(kept)


def drop():
    kept.clear()


def get_in_threads(*handles):
    results = {}

    def run(handle):
        results[handle] = _core.get(ref(handle), None)

    threads = [threading.Thread(target=run, args=(h,)) for h in handles]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return repr(sorted(results.items()))


def in_child():
    """What a forked child sees, as text over a pipe."""
    held = ref(77)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _core.get(held, None)
        except RuntimeError as error:
            os.write(writer, str(error).encode())
        del held
        os._exit(0)
    os.close(writer)
    text = os.read(reader, 4096).decode()
    os.close(reader)
    status = os.waitpid(child, 0)[1]
    return f"{status} {text}"


def fork_and_return():
    child = os.fork()
    if child == 0:
        return "child"
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def spin(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def upto(n):
    try:
        for i in range(n):
            if i == 77:
                raise ValueError("seventy-seven")
            yield i
    finally:
        kept.append("closed")


def consume():
    """Take the items of a generator, and say how it ends."""
    out = []
    for ref in _core.submit(5, 2**32 - 1, None, (), None):
        out.append(ref.handle)
        kept.append(ref)
    return repr(out)


def consume_late():
    return repr(_core.submit(5, 2**32 - 1, None, (), None).take(0.01))


def watch(*handles):
    """Watch objects, and give their values in the order in which they are ready."""
    seen = []
    refs = {handle: ref(handle) for handle in handles}
    for handle in handles:
        _core.watch(refs[handle])
    while len(seen) < len(handles):
        for handle in _core.watched(None):
            if handle not in refs:
                continue
            try:
                value = _core.get(refs[handle], 0)
            except (EngineError, TaskFailedError) as error:
                value = str(error)
            seen.append((handle, value if isinstance(value, int) else str(value)[:40]))
    return repr(seen)


def watch_late():
    return repr(_core.watched(0.01))


class Several:
    """An actor whose calls wait for each other."""

    def __init__(self):
        self.gates = {}

    def gate(self, name):
        return self.gates.setdefault(name, threading.Event())

    def hold(self, name):
        return self.gate(name).wait(20) and name

    def open(self, name):
        self.gate(name).set()

    def echo(self, value):
        return value

    def thread(self):
        return threading.get_ident()

    def fails(self):
        raise ValueError("no")

    def leave(self):
        _core.exit_actor()

    async def later(self, name):
        while not self.gate(name).is_set():  # noqa: ASYNC110  # a thread's event
            await asyncio.sleep(0.001)
        return name

    async def afail(self):
        await asyncio.sleep(0)
        raise ValueError("no")

    async def get(self, handle):
        from thornback import _futures

        return await _Await(_futures.await_ref(ref(handle)))


class _Await:
    def __init__(self, steps):
        self.steps = steps

    def __await__(self):
        return self.steps


class Counter:
    """An actor."""

    def __init__(self, start):
        if start < 0:
            raise ValueError("negative")
        self.n = start

    def add(self, k):
        self.n += k
        return self.n

    def leave(self):
        _core.exit_actor()
        raise SystemExit

    def bye(self):
        _core.exit_actor()
        return "bye"

    def quit(self, status):
        raise SystemExit(status)

    def fail(self, kind):
        raise {"key": KeyError, "value": ValueError, "odd": OddError}[kind]("no")

    def restarts(self):
        return _core.actor_restarts()

    def me(self):
        return _core.actor_instance() is self


if __name__ == "__main__":
    _core.install(Hooks)
    status = _core.worker_run(*map(int, sys.argv[1:]))
    sys.stdout.flush()
    os._exit(status)
