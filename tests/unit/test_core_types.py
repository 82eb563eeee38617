"""References, remote functions, handles and methods, as far as they work without a session."""

from __future__ import annotations

import copy
import gc
import pickle
import resource
import signal
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import thornback  # noqa: F401 - installs the hooks
from thornback import _core

pytestmark = pytest.mark.asan


def ref(handle: int = 5, session: int = 77) -> Any:
    """Return a reference of a session that is long over."""
    return _core._restore_ref(handle, session)


def test_references_compare_by_session_and_handle() -> None:
    assert ref() == ref()
    assert ref() != ref(6)
    assert ref() != ref(session=78)
    assert ref() != 5
    assert hash(ref()) == hash(ref())
    assert len({ref(i) for i in range(10_000)}) == 10_000
    with pytest.raises(TypeError):
        ref() < ref()  # noqa: B015


def test_references_are_read_only_and_pickle() -> None:
    one = ref(2**64 - 1, 2**63)
    assert (one.handle, one.session) == (2**64 - 1, 2**63)
    with pytest.raises(AttributeError):
        one.handle = 3
    for again in (pickle.loads(pickle.dumps(one)), copy.copy(one)):
        assert again == one
        assert type(again) is type(one)


@pytest.mark.parametrize("args", [(), (1,), (1, 2, 3), (-1, 2), ("a", 2), (1, None)])
def test_bad_arguments_for_references(args: tuple[Any, ...]) -> None:
    with pytest.raises((TypeError, OverflowError, ValueError)):
        _core._restore_ref(*args)


@pytest.mark.parametrize(
    "use",
    [
        lambda r: _core.get(r, None),
        lambda r: _core.get([r], 0),
        lambda r: _core.wait([r], 1, 0, True),
        lambda r: _core.submit(1, 1, r, (), None),
    ],
)
def test_references_of_a_session_that_is_over_say_so(use: Callable[[Any], Any]) -> None:
    with pytest.raises(ValueError, match="session 4d"):
        use(ref())


def test_calls_without_a_session_say_so() -> None:
    assert _core.session() == 0
    for use in (
        lambda: _core.submit(1, 1, None, (), None),
        lambda: _core.control("stats", b"{}"),
        lambda: _core.define(1, "f", b"", bytes(16)),
        lambda: _core.template(b"{}"),
    ):
        with pytest.raises(RuntimeError, match="no session is running"):
            use()
    _core.close()
    assert _core.current_task() is None
    assert _core.actor_instance() is None


@pytest.mark.parametrize(
    ("use", "error"),
    [
        (lambda: _core.get([1], None), TypeError),
        (lambda: _core.get(1, None), TypeError),
        (lambda: _core.get(), TypeError),
        (lambda: _core.get([], "soon"), TypeError),
        (lambda: _core.put(ref()), TypeError),
        (lambda: _core.wait((), 1, None, True), TypeError),
        (lambda: _core.wait([], 1, None, True), ValueError),
        (lambda: _core.define(1, "f", b"", b"short"), ValueError),
        (lambda: _core.submit(1, 1, "actor", (), None), TypeError),
        (lambda: _core.submit(1, 1, None, [], None), TypeError),
        (lambda: _core.install(object()), AttributeError),
        (lambda: _core.open("/nonexistent.so", b"{}"), OSError),
        (lambda: _core.set_pdeathsig(10_000), OSError),
    ],
)
def test_wrong_arguments(use: Callable[[], Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        use()


def test_get_of_nothing() -> None:
    assert _core.get([], None) == []


class Function(_core.TaskFunction):
    """Notes what the base class asks."""

    def __init__(self, *arity: int) -> None:
        self.checked: list[Any] = []
        if arity:
            self.set_arity(*arity)

    def _check_arguments(self, args: Any, kwargs: Any) -> None:
        self.checked.append((args, kwargs))
        raise LookupError


def test_arguments_are_checked_in_python_where_their_number_does_not_fit() -> None:
    function = Function(1, 2)
    for args, kwargs in (((), {}), ((1, 2, 3), {}), ((1,), {"k": 2})):
        with pytest.raises(LookupError):
            function.remote(*args, **kwargs)
        assert function.checked.pop() == (args, kwargs)
    unset = Function()
    with pytest.raises(LookupError):
        unset.remote()


class Handle(_core.ActorHandleBase):
    """A handle with attributes of its own."""

    __slots__ = ("extra",)

    def shadow(self) -> str:
        return "own"


def make_handle(*names: str) -> Handle:
    specs = {n: _core.MethodSpec(n, 0, 1, lambda _spec: None) for n in names}
    return Handle(ref(), specs, "Counter")


def test_attributes_of_handles() -> None:
    handle = make_handle("add", "shadow", "mro", "__name__")
    assert handle._ref == ref()
    assert handle._class_name == "Counter"
    for _ in range(2):
        assert handle.add._spec is handle._methods["add"]
        assert handle.add._handle is handle
        assert handle.shadow() == "own"
        assert handle.mro._spec.name == "mro"  # of the metatype, not of the type
    with pytest.raises(AttributeError):
        handle.missing  # noqa: B018
    with pytest.raises(AttributeError):
        handle.extra  # noqa: B018
    handle.extra = 1
    assert handle.extra == 1
    with pytest.raises(AttributeError):
        handle._ref = None


def test_a_shared_specification_is_looked_up_per_type() -> None:
    handle = make_handle("shadow")
    plain = _core.ActorHandleBase(ref(), handle._methods, "Counter")
    for _ in range(2):
        assert plain.shadow._spec.name == "shadow"
        assert handle.shadow() == "own"


def test_methods_check_their_session_first() -> None:
    with pytest.raises(ValueError, match="session 4d"):
        make_handle("add").add.remote()


def test_objects_made_without_their_init_do_not_crash() -> None:
    handle = _core.ActorHandleBase.__new__(_core.ActorHandleBase)
    with pytest.raises(AttributeError):
        handle.anything  # noqa: B018
    method = _core.ActorMethod.__new__(_core.ActorMethod)
    with pytest.raises(RuntimeError):
        method.remote()
    spec = _core.MethodSpec.__new__(_core.MethodSpec)
    with pytest.raises(AttributeError):
        spec.name  # noqa: B018
    assert object.__new__(_core.ObjectRef).handle == 0


def test_cycles_through_handles_are_collected() -> None:
    class Owner:
        pass

    gone = []
    for _ in range(10):
        owner = Owner()
        spec = _core.MethodSpec("m", 0, 0, lambda _s, o=owner: None)
        owner.handle = Handle(ref(), {"m": spec}, "C")  # type: ignore[attr-defined]
        weakref.finalize(owner, gone.append, 1)
        del owner, spec
    gc.collect()
    assert len(gone) == 10


def test_the_parents_death_signal_is_set() -> None:
    code = (
        "import ctypes, signal; from thornback import _core; _core.set_pdeathsig(signal.SIGTERM);"
        "n = ctypes.c_int(); ctypes.CDLL(None).prctl(2, ctypes.byref(n)); print(n.value)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == signal.SIGTERM


def test_a_second_interpreter_is_refused() -> None:
    code = """
import sys
try:
    import _xxsubinterpreters as sub
except ImportError:
    import _interpreters as sub
from thornback import _core
one = sub.create()
program = "try:\\n import thornback._core\\nexcept ImportError: pass\\nelse: raise SystemExit(5)"
failed = sub.run_string(one, program) if hasattr(sub, "run_string") else sub.exec(one, program)
print("refused" if failed is None else failed)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "refused\n", done.stderr


LEAKS: dict[str, Callable[[], Any]] = {
    "reference": ref,
    "reduce": lambda: pickle.loads(pickle.dumps(ref())),
    "encode": lambda: _core.decode(_core.encode([1, b"x" * 100, {"a": "b"}])),
    "encode buffers": lambda: _core.decode(_core.encode(pickle.PickleBuffer(bytearray(5000)))),
    "encode by value": lambda: _core.encode(lambda: 1),
    "encode failing": lambda: _quiet(lambda: _core.encode(iter([1]).__next__)),
    "decode failing": lambda: _quiet(lambda: _core.decode(b"\x08" + b"\xff" * 50)),
    "get failing": lambda: _quiet(lambda: _core.get([ref()], 0)),
    "submit failing": lambda: _quiet(lambda: _core.submit(1, 3, None, (1, [2], "3"), {"k": [1]})),
    "handle": lambda: make_handle("a", "b").a,
    "method failing": lambda: _quiet(lambda: make_handle("a").a.remote(1)),
    "function failing": lambda: _quiet(lambda: Function(1, 1).remote(k=1)),
    "control failing": lambda: _quiet(lambda: _core.control("x", b"{}")),
}


def _quiet(use: Callable[[], Any]) -> None:
    try:
        use()
    except Exception:  # noqa: BLE001 - what it raises is the business of other tests
        return


@pytest.mark.parametrize("name", LEAKS)
def test_no_memory_is_lost(name: str) -> None:
    use = LEAKS[name]

    def grow(times: int) -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(times):
            use()
        gc.collect()
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

    # AddressSanitizer keeps freed memory for a while.
    limit = 100_000 if "libasan" in Path("/proc/self/maps").read_text() else 1000
    grow(500)
    blocks = sys.getallocatedblocks()
    assert grow(3000) < limit, "kibibytes for 3000 calls"
    assert sys.getallocatedblocks() - blocks < 600


def test_references_are_nothing_to_the_garbage_collector() -> None:
    assert not gc.is_tracked(ref())
