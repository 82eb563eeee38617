"""The exceptions: parents, texts, the way through pickle, and the dual class of task errors."""

from __future__ import annotations

import copy
import pickle
import threading
import traceback
from dataclasses import dataclass
from typing import Any

import cloudpickle
import pytest

from thornback import _system_error as codes
from thornback import exceptions as exc
from thornback._system_error import system_error

# name: its parents among the exceptions and Python's own, as in Ray 2.60
PARENTS = {
    "CrossLanguageError": ["RayError"],
    "TaskCancelledError": ["RayError"],
    "RayTaskError": ["RayError"],
    "LocalRayletDiedError": ["RayError"],
    "WorkerCrashedError": ["RayError"],
    "RayActorError": ["RayError"],
    "ActorDiedError": ["RayActorError"],
    "ActorUnavailableError": ["RayActorError"],
    "RaySystemError": ["RayError"],
    "AuthenticationError": ["RayError"],
    "UserCodeException": ["RayError"],
    "ObjectStoreFullError": ["RayError"],
    "OutOfDiskError": ["RayError"],
    "OutOfMemoryError": ["RayError"],
    "NodeDiedError": ["RayError"],
    "ObjectLostError": ["RayError"],
    "ObjectFetchTimedOutError": ["ObjectLostError"],
    "ReferenceCountingAssertionError": ["ObjectLostError", "AssertionError"],
    "ObjectFreedError": ["ObjectLostError"],
    "OwnerDiedError": ["ObjectLostError"],
    "ObjectReconstructionFailedError": ["ObjectLostError"],
    "RpcError": ["RayError"],
    "GetTimeoutError": ["RayError", "TimeoutError"],
    "PlasmaObjectNotAvailable": ["RayError"],
    "AsyncioActorExit": ["RayError"],
    "RuntimeEnvSetupError": ["RayError"],
    "TaskPlacementGroupRemoved": ["RayError"],
    "ActorPlacementGroupRemoved": ["RayError"],
    "PendingCallsLimitExceeded": ["RayError"],
    "TaskUnschedulableError": ["RayError"],
    "ActorUnschedulableError": ["RayError"],
    "DeadlineExceeded": ["RayError", "TimeoutError"],
    "DeadlockError": ["RayError"],
    "ObjectRefStreamEndOfStreamError": ["RayError"],
    "StreamingGeneratorReplayInconsistentError": ["RaySystemError"],
    "OufOfBandObjectRefSerializationException": ["RayError"],
    "RayChannelError": ["RaySystemError"],
    "RayChannelTimeoutError": ["RayChannelError", "TimeoutError"],
    "RayCgraphCapacityExceeded": ["RaySystemError"],
    "RayDirectTransportError": ["RaySystemError"],
    "UnserializableException": ["RayError"],
    "ActorAlreadyExistsError": ["ValueError", "RayError"],
    "ActorHandleNotFoundError": ["ValueError", "RayError"],
}

SAMPLES: list[exc.RayError] = [
    exc.RayError("plain"),
    exc.CrossLanguageError("a text from Java"),
    exc.TaskCancelledError("ab12", "by hand"),
    exc.LocalRayletDiedError(),
    exc.WorkerCrashedError("why", task="f", pid="17", exit="-9", stderr="a\nb\n"),
    exc.RayActorError("ab", "text", True, True),
    exc.ActorDiedError(),
    exc.ActorDiedError({"class_name": "A", "pid": "3", "exit": "4", "stderr": "last"}),
    exc.ActorDiedError(exc.RayTaskError("A.__init__", "Traceback x\nKeyError: 1", KeyError(1))),
    exc.ActorUnavailableError("gone", b"\x01\xff", "last words"),
    exc.RaySystemError("broken", "tb"),
    exc.AuthenticationError("no token"),
    exc.ObjectStoreFullError("full", size="10", used="900", capacity="1000", holders="a: 3"),
    exc.OutOfDiskError("full"),
    exc.OutOfMemoryError("m"),
    exc.NodeDiedError("n"),
    exc.ObjectLostError("ab", "10.0.0.1:5", "here"),
    exc.OwnerDiedError("ab", b"raw", ""),
    exc.ReferenceCountingAssertionError("ab", None, ""),
    exc.ObjectReconstructionFailedError("ab", "OBJECT_UNRECONSTRUCTABLE_PUT", call_site="line 3"),
    exc.RpcError("m", 14),
    exc.GetTimeoutError("t"),
    exc.RuntimeEnvSetupError("pip failed"),
    exc.TaskPlacementGroupRemoved(),
    exc.PendingCallsLimitExceeded("too many"),
    exc.TaskUnschedulableError("no node"),
    exc.ActorUnschedulableError("no node"),
    exc.UnserializableException("text"),
    exc.ActorAlreadyExistsError("name taken"),
    exc.RayTaskError("f", "Traceback x\nKeyError: 1", KeyError(1), "ray::f", 3, "::1", "A()", "ab"),
]


class WithArguments(Exception):
    """Pickles, but can't be rebuilt: args hold one text, the constructor wants two."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first + second)


class WithLock(Exception):
    def __init__(self) -> None:
        super().__init__("locked")
        self.lock = threading.Lock()


class WithReduceThatRaises(Exception):
    def __reduce__(self) -> tuple[Any, ...]:
        raise RuntimeError("not today")


class WithOwnNew(Exception):
    def __new__(cls, code: int, reason: str) -> WithOwnNew:
        return super().__new__(cls, code, reason)

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code

    def doubled(self) -> int:
        return self.code * 2


class ReadOnlyArgs(Exception):
    @property
    def args(self) -> tuple[Any, ...]:  # type: ignore[override]
        return ("fixed",)


class Slotted(Exception):
    __slots__ = ("depth",)

    def __init__(self, depth: int) -> None:
        super().__init__(depth)
        self.depth = depth


@dataclass(frozen=True)
class Frozen(Exception):
    code: int = 0
    where: str = "nowhere"


class Final(Exception):
    def __init_subclass__(cls) -> None:
        raise TypeError("this class is final")


class OwnFields(Exception):
    def __init__(self) -> None:
        super().__init__("own")
        self.pid = "of the cause"


def task_error(cause: BaseException, name: str = "f") -> exc.RayTaskError:
    """What a worker makes of `cause` raised by a task."""
    try:
        raise cause
    except BaseException as caught:  # noqa: BLE001 - whatever a task may raise
        return exc.RayTaskError.from_exception(
            caught, name, proctitle=f"ray::{name}", pid=123, ip="10.0.0.9"
        )


def test_every_name_has_the_parents_that_programs_catch() -> None:
    for name, parents in PARENTS.items():
        cls = getattr(exc, name)
        assert {*parents, "RayError"} <= {base.__name__ for base in cls.__mro__}, name
        assert cls.__module__ == "thornback.exceptions"
    assert set(PARENTS) | {"RayError"} == {cls.__name__ for cls in exc.RAY_EXCEPTION_TYPES}


@pytest.mark.parametrize("dumps", [pickle.dumps, cloudpickle.dumps])
@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
def test_pickle_keeps_class_text_and_attributes(error: exc.RayError, dumps: Any) -> None:
    for again in (pickle.loads(dumps(error)), exc.RayError.from_bytes(error.to_bytes())):
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert str(error)
        ours = {name: str(value) for name, value in vars(error).items()}
        assert {name: str(value) for name, value in vars(again).items()} == ours


def test_task_error_text_has_the_header_and_the_remote_frames() -> None:
    text = str(task_error(ValueError("boo")))
    first, *_, last = text.split("\n")
    assert first == "ray::f() (pid=123, ip=10.0.0.9)"
    assert last == "ValueError: boo"
    assert "raise cause" in text
    assert "Traceback" not in text


def test_task_error_of_an_actor_names_it() -> None:
    error = exc.RayTaskError(
        "A.m", "Traceback x\nKeyError: 1", KeyError(1), "ray::A.m", 7, "1.2.3.4", "A(x)", "abcd"
    )
    expected = "ray::A.m() (pid=7, ip=1.2.3.4, actor_id=abcd, repr=A(x))\nKeyError: 1"
    assert str(error) == expected


def test_task_error_defaults() -> None:
    error = exc.RayTaskError("mod.f", "KeyError: 1", KeyError(1))
    assert error.proctitle == "ray::mod.f"
    assert error.pid is not None
    assert str(error).startswith(f"ray::mod.f() (pid={error.pid}, ip=127.0.0.1)\nKeyError")
    with pytest.raises(ValueError, match="traceback"):
        exc.RayTaskError("f", None, KeyError(1))  # type: ignore[arg-type]


def test_chained_exceptions_each_get_a_header() -> None:
    try:
        try:
            raise KeyError("inner")
        except KeyError as inner:
            raise ValueError("outer") from inner
    except ValueError as caught:
        error = exc.RayTaskError.from_exception(caught, "f", proctitle="ray::f", pid=1, ip="h")
    text = str(error)
    assert text.count("ray::f() (pid=1, ip=h)") == 2
    assert "The above exception was the direct cause" in text
    assert type(error.cause) is ValueError


def test_frames_of_the_package_are_hidden_and_others_stay() -> None:
    # _system_error stands for any private module that calls the user's code.
    code = compile("def call(f):\n    return f()\n", codes.__file__, "exec")
    names: dict[str, Any] = {}
    exec(code, names)

    def user() -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine") as caught:
        names["call"](user)
    text = str(exc.RayTaskError.from_exception(caught.value, "f"))
    assert codes.__file__ not in text
    assert f'File "{__file__}"' in text
    assert 'raise ValueError("mine")' in text
    shown = "".join(traceback.format_exception(caught.value))
    assert codes.__file__ in shown, "the frame to hide was there"


@pytest.mark.parametrize("cause", [ValueError("boo", 3), KeyError("k"), WithOwnNew(7, "why")])
def test_dual_is_an_instance_of_both(cause: Exception) -> None:
    plain = task_error(cause)
    dual = plain.as_instanceof_cause()
    assert isinstance(dual, exc.RayTaskError)
    assert isinstance(dual, type(cause))
    assert type(dual).__name__ == type(dual).__qualname__ == f"RayTaskError({type(cause).__name__})"
    assert type(dual).__module__ == "thornback.exceptions"
    assert dual.cause is cause
    assert dual.args == (cause,)
    assert repr(dual) == f"RayTaskError({type(cause).__name__})({cause!r})"
    assert str(dual) == str(plain)
    assert (dual.function_name, dual.pid, dual.ip) == ("f", 123, "10.0.0.9")
    assert dual.as_instanceof_cause() is dual


def test_dual_can_be_raised_and_caught_as_the_cause() -> None:
    with pytest.raises(KeyError) as caught:
        raise task_error(KeyError("k")).as_instanceof_cause()
    assert isinstance(caught.value, exc.RayTaskError)
    last = traceback.format_exception_only(caught.value)
    assert last[0].startswith("thornback.exceptions.RayTaskError(KeyError): ray::f() (pid=123")


@pytest.mark.parametrize("dumps", [pickle.dumps, cloudpickle.dumps])
@pytest.mark.parametrize(
    "cause",
    [
        ValueError("boo", 3),
        FileNotFoundError(2, "no such file", "name"),
        ExceptionGroup("both", [ValueError(1), TypeError("t")]),
        exc.GetTimeoutError("t"),
    ],
    ids=lambda cause: type(cause).__name__,
)
def test_dual_pickles(cause: Exception, dumps: Any) -> None:
    dual = task_error(cause).as_instanceof_cause()
    for again in (pickle.loads(dumps(dual)), copy.copy(dual), copy.deepcopy(dual)):
        assert type(again) is type(dual)
        assert str(again) == str(dual)
        assert str(again.cause) == str(cause)
    assert type(exc.RayError.from_bytes(dual.to_bytes())) is type(dual)


def test_attributes_of_the_cause_are_those_of_the_dual() -> None:
    dual: Any = task_error(WithOwnNew(21, "x")).as_instanceof_cause()
    assert (dual.code, dual.doubled()) == (21, 42)
    dual = task_error(FileNotFoundError(2, "no such file", "name")).as_instanceof_cause()
    assert (dual.errno, dual.strerror, dual.filename) == (2, "no such file", "name")
    dual = task_error(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "why")).as_instanceof_cause()
    assert (dual.encoding, dual.object, dual.end) == ("utf-8", b"\xff", 1)
    dual = task_error(Slotted(4)).as_instanceof_cause()
    assert dual.depth == 4
    # The class has defaults of these names, which must not hide the instance's values.
    dual = task_error(Frozen(5, "here")).as_instanceof_cause()
    assert (dual.code, dual.where) == (5, "here")
    dual = task_error(OwnFields()).as_instanceof_cause()
    assert dual.pid == "of the cause"
    assert "pid=123" in str(dual)
    assert not hasattr(dual, "no_such_thing")


def test_read_only_args_do_not_prevent_the_dual() -> None:
    dual = task_error(ReadOnlyArgs()).as_instanceof_cause()
    assert isinstance(dual, ReadOnlyArgs)
    assert dual.args == (dual.cause,)


def test_exception_group_keeps_its_members_and_splits() -> None:
    group = ExceptionGroup("both", [ValueError(1), TypeError("t")])
    dual = task_error(group).as_instanceof_cause()
    assert isinstance(dual, ExceptionGroup)
    assert dual.message == "both"
    assert [type(member) for member in dual.exceptions] == [ValueError, TypeError]
    assert str(dual).startswith("ray::f() (pid=123, ip=10.0.0.9)\n")
    seen = []
    try:
        raise dual
    except* ValueError as part:
        seen.append(part)
    except* TypeError as part:
        seen.append(part)
    assert len(seen) == 2


@pytest.mark.parametrize("cause", [Exception("x"), exc.RayError("x"), BaseException("x")])
def test_causes_that_any_task_error_is_already(cause: BaseException) -> None:
    plain = task_error(cause)
    assert plain.as_instanceof_cause() is plain
    assert plain.cause is cause


@pytest.mark.parametrize("cause", [True, Final("x")], ids=["bool", "final"])
def test_causes_that_cannot_be_subclassed_give_the_plain_error(
    cause: Any, caplog: pytest.LogCaptureFixture
) -> None:
    plain = exc.RayTaskError("f", "Traceback x", cause)
    assert plain.as_instanceof_cause() is plain
    assert plain.cause is cause
    assert "can't be subclassed" in caplog.text


def test_errors_of_the_engine_raised_in_a_task_are_dual_too() -> None:
    dual = task_error(
        exc.ObjectStoreFullError("full", used="5", capacity="10")
    ).as_instanceof_cause()
    assert isinstance(dual, exc.ObjectStoreFullError)
    assert isinstance(dual, exc.RayTaskError)
    assert dual.used == 5


def test_dual_classes_are_made_once_and_go_with_the_class() -> None:
    first = task_error(ValueError(1)).as_instanceof_cause()
    second = task_error(ValueError(2)).as_instanceof_cause()
    assert type(first) is type(second)

    import gc
    import weakref

    local = type("Local", (Exception,), {})
    gone = weakref.ref(local)
    assert isinstance(task_error(local("x")).as_instanceof_cause(), local)
    del local
    gc.collect()
    assert gone() is None


def test_type_of_a_dual_can_be_called_as_users_do() -> None:
    dual = task_error(ValueError("boo")).as_instanceof_cause()
    again = type(dual)(KeyError("other"))  # type: ignore[call-arg, arg-type]
    assert isinstance(again, ValueError)
    assert "KeyError: 'other'" in str(again)


@pytest.mark.parametrize("cause", [WithLock(), WithReduceThatRaises("x")])
def test_cause_that_cannot_travel_becomes_a_text(cause: Exception) -> None:
    error = task_error(cause)
    assert type(error.cause) is exc.RayError
    text = str(error.cause)
    assert f"Exception {type(cause).__module__}.{type(cause).__name__} isn't serializable" in text
    assert "Original exception details:\nTraceback" in text
    assert type(pickle.loads(pickle.dumps(error))) is exc.RayTaskError


def test_cause_that_cannot_be_rebuilt_still_arrives_as_a_task_error() -> None:
    error = task_error(WithArguments("a", "b"))
    assert isinstance(error.cause, WithArguments)
    with pytest.raises(TypeError):
        pickle.loads(pickle.dumps(error))
    again = exc.RayError.from_bytes(error.to_bytes())
    assert type(again) is exc.RayTaskError
    assert isinstance(again.cause, exc.UnserializableException)
    assert str(again) == str(error)
    assert "WithArguments: ab" in str(again.cause)
    dual = again.as_instanceof_cause()
    assert isinstance(dual, exc.UnserializableException)


def test_bytes_of_an_unrebuildable_error_of_the_engine_keep_the_text() -> None:
    class Local(exc.RayError):
        def __init__(self, a: str, b: str) -> None:
            super().__init__(a)

    again = exc.RayError.from_bytes(Local("one", "two").to_bytes())
    assert type(again) is exc.UnserializableException
    assert "Local: one" in str(again)
    with pytest.raises(TypeError, match="RayError"):
        exc.RayError.from_bytes(pickle.dumps(3))


def test_task_error_out_of_a_nested_get_keeps_the_root_cause_and_both_texts() -> None:
    inner = task_error(ValueError("deep"), "inner").as_instanceof_cause()
    outer = task_error(inner, "outer")
    assert type(outer.cause) is ValueError
    text = str(outer)
    assert text.startswith("ray::outer() (pid=123, ip=10.0.0.9)\n")
    assert "thornback.exceptions.RayTaskError(ValueError): ray::inner() (pid=123" in text
    assert text.endswith("ValueError: deep")
    assert isinstance(outer.as_instanceof_cause(), ValueError)


def test_failed_dependency_chains_as_in_ray() -> None:
    inner = task_error(ValueError("deep"), "inner")
    middle = exc.RayTaskError.from_dependency(inner, "g", proctitle="ray::g", pid=5, ip="h")
    outer = exc.RayTaskError.from_dependency(middle, "h", proctitle="ray::h", pid=6, ip="h")
    lines = str(outer).split("\n")
    note = "  At least one of the input arguments for this task could not be computed:"
    assert lines[:5] == [
        "ray::h() (pid=6, ip=h)",
        note,
        "thornback.exceptions.RayTaskError: ray::g() (pid=5, ip=h)",
        note,
        "thornback.exceptions.RayTaskError: ray::inner() (pid=123, ip=10.0.0.9)",
    ]
    assert lines[-1] == "ValueError: deep"
    dual = outer.as_instanceof_cause()
    assert isinstance(dual, ValueError)
    assert str(dual.cause) == "deep"


def test_dependency_that_died_with_its_worker() -> None:
    died = exc.WorkerCrashedError(task="f", exit="-9")
    error = exc.RayTaskError.from_dependency(died, "g").as_instanceof_cause()
    assert isinstance(error, exc.WorkerCrashedError)
    assert "killed by SIGKILL" in str(error)
    assert error.signal == "SIGKILL"


def test_worker_death_tells_how_and_what_it_said_last() -> None:
    error = system_error(
        codes.WORKER_CRASHED,
        "",
        {"task": "f", "pid": "17", "exit": "-11", "stderr": "one\nFatal Python error\n"},
    )
    assert isinstance(error, exc.WorkerCrashedError)
    assert (error.pid, error.signal, error.exit_code) == (17, "SIGSEGV", None)
    assert str(error).split("\n") == [
        "The worker died unexpectedly while executing this task.",
        "\ttask: f",
        "\tpid: 17",
        "The process was killed by SIGSEGV.",
        "The last lines of its stderr:",
        "  one",
        "  Fatal Python error",
    ]
    assert (
        str(exc.WorkerCrashedError()) == "The worker died unexpectedly while executing this task."
    )


@pytest.mark.parametrize(
    ("exit", "code", "signal", "text"),
    [
        ("3", 3, None, "exited with code 3."),
        ("0", 0, None, "exited with code 0."),
        ("-9", None, "SIGKILL", "killed by SIGKILL."),
        ("SIGKILL", None, "SIGKILL", "killed by SIGKILL."),
        ("-99", None, "signal 99", "killed by signal 99."),
        ("lost its connection", None, None, "The process ended: lost its connection."),
    ],
)
def test_exit_in_all_spellings(exit: str, code: int, signal: str, text: str) -> None:
    worker = exc.WorkerCrashedError(exit=exit)
    actor = exc.ActorDiedError({"exit": exit})
    for error in (worker, actor):
        assert (error.exit_code, error.signal) == (code, signal)
        assert text in str(error)


def test_actor_death_text_has_rays_lines_and_ours() -> None:
    error = system_error(
        codes.ACTOR_DIED,
        "The actor is dead because its worker process has died.",
        {"actor_class": "A", "actor_id": "ab", "pid": "3", "name": "n", "exit": "7", "stderr": "x"},
    )
    assert isinstance(error, exc.ActorDiedError)
    assert str(error).split("\n") == [
        "The actor died unexpectedly before finishing this task.",
        "\tclass_name: A",
        "\tactor_id: ab",
        "\tpid: 3",
        "\tname: n",
        "\tip: 127.0.0.1",
        "The actor is dead because its worker process has died.",
        "The process exited with code 7.",
        "The last lines of its stderr:",
        "  x",
    ]
    assert (error.actor_id, error.exit_code, error.actor_init_failed) == ("ab", 7, False)
    never = exc.ActorDiedError({"never_started": "true", "preempted": "true"})
    assert "never ran" in str(never)
    assert never.preempted


def test_actor_whose_constructor_raised() -> None:
    cause = exc.RayTaskError(
        "A.__init__", "Traceback x\nKeyError: 'k'", KeyError("k"), actor_id="ab", actor_repr="A"
    )
    error = exc.ActorDiedError.from_task_error(cause)
    assert error.actor_init_failed
    assert error.actor_id == "ab"
    assert str(error).startswith(
        "The actor died because of an error raised in its creation task, ray::A.__init__() ("
    )
    assert str(error).endswith("KeyError: 'k'")


def test_actor_unavailable() -> None:
    error = exc.ActorUnavailableError("restarting", b"\x01\xff", "last")
    assert error.actor_id == "01ff"
    assert str(error).startswith("The actor 01ff is unavailable: restarting. The task may or may ")
    assert str(error).endswith("stderr:\n  last")
    assert exc.ActorUnavailableError("m", None).actor_id is None


def test_store_full_says_how_full_and_by_what() -> None:
    error = system_error(
        codes.STORE_FULL,
        "",
        {
            "size": str(3 << 30),
            "used": str(768 << 20),
            "capacity": str(1 << 30),
            "holders": "put objects: 700 MiB\nresults: 68 MiB\n",
        },
    )
    assert isinstance(error, exc.ObjectStoreFullError)
    text = str(error)
    assert "The object needs 3.0 GiB." in text
    assert "The store holds 768.0 MiB of 1.0 GiB (75 %), used by:\n  put objects: 700 MiB\n" in text
    assert "The local object store is full of objects that are still in scope" in text
    assert str(exc.ObjectStoreFullError("m")).startswith("m\nThe local object store is full")
    assert "1023 bytes of 2.0 KiB (50 %)." in str(
        exc.ObjectStoreFullError("m", used="1023", capacity="2048")
    )


def test_names_of_rays_that_were_value_errors_stay_so() -> None:
    with pytest.raises(ValueError, match="taken"):
        raise exc.ActorAlreadyExistsError("name taken")
    assert exc.ActorAlreadyExistsError("name taken").error_message == "name taken"
