"""RayTaskError: what a task raised, as the one who waits for it sees it.

An error travels as a plain `RayTaskError` and is raised as an instance of the cause's own class
too, so that ``except ValueError`` works across processes. That dual class is made where it is read.
"""

from __future__ import annotations

import os

from ._ray_error import PUBLIC_MODULE, RayError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

# pathlib would double the time that `import thornback` takes.
_PRIVATE_FRAME = f'  File "{os.path.dirname(__file__)}{os.sep}_'
_DEPENDENCY_NOTE = "  At least one of the input arguments for this task could not be computed:"
# Made by the dual itself, or, for the notes, in the text already: never taken from the cause.
_OWN_NAMES = frozenset({"cause", "_task_error", "_args", "__notes__"})


class RayTaskError(RayError):
    """A task or an actor's method raised an exception.

    Parameters
    ----------
    function_name : str
        Qualified name of the function.
    traceback_str : str
        The remote traceback, as text.
    cause : BaseException
        What was raised. One that can't be pickled is replaced by a `RayError` that tells it.
    proctitle : str, optional
        Stands in the first line of the text; ``ray::<function_name>`` when not given.
    pid : int, optional
        Process that ran the task; this one when not given.
    ip : str, optional
        Node that ran the task; the local host when not given.
    actor_repr, actor_id : str, optional
        For actors: their repr and id.
    """

    __module__ = PUBLIC_MODULE

    def __init__(
        self,
        function_name: str,
        traceback_str: str,
        cause: BaseException,
        proctitle: str | None = None,
        pid: int | None = None,
        ip: str | None = None,
        actor_repr: str | None = None,
        actor_id: str | None = None,
    ) -> None:
        if traceback_str is None:
            raise ValueError("RayTaskError needs the traceback's text, got None")
        self._fill(function_name, traceback_str, proctitle, pid, ip, actor_repr, actor_id)
        self._set_cause(_picklable_cause(cause, traceback_str))

    def _fill(
        self,
        function_name: str,
        traceback_str: str,
        proctitle: str | None,
        pid: int | None,
        ip: str | None,
        actor_repr: str | None,
        actor_id: str | None,
    ) -> None:
        self.function_name = function_name
        self.traceback_str = traceback_str
        self.proctitle = proctitle or f"ray::{function_name}"
        self.pid = pid or os.getpid()
        self.ip = ip or "127.0.0.1"
        self.actor_repr = actor_repr
        self._actor_id = actor_id

    def _set_cause(self, cause: BaseException) -> None:
        self.cause = cause
        # The same tuple as Ray's, for programs that look into args.
        self.args = (
            self.function_name,
            self.traceback_str,
            cause,
            self.proctitle,
            self.pid,
            self.ip,
        )

    @classmethod
    def from_exception(cls, exc: BaseException, function_name: str, **where: Any) -> RayTaskError:
        """Build the error of a task from what it raised, on the worker.

        Parameters
        ----------
        exc : BaseException
            As caught, with its traceback. When it is another task's error, that one's cause becomes
            the cause of this one too, and its text stays in the chain.
        function_name : str
            Qualified name of the function.
        **where
            `proctitle`, `pid`, `ip`, `actor_repr`, `actor_id` as for the constructor.
        """
        return cls(function_name, format_task_traceback(exc), _root_cause(exc), **where)

    @classmethod
    def from_dependency(cls, error: RayError, function_name: str, **where: Any) -> RayTaskError:
        """Build the error of a task that can't run because an argument's task failed.

        Parameters
        ----------
        error : RayError
            The argument's error, as stored.
        function_name : str
            Qualified name of the function that doesn't run.
        **where
            As for `from_exception`.
        """
        kind = f"{type(error).__module__}.{type(error).__qualname__}"
        text = f"Traceback (most recent call last):\n{_DEPENDENCY_NOTE}\n{kind}: {error}\n"
        return cls(function_name, text, _root_cause(error), **where)

    def as_instanceof_cause(self) -> RayTaskError:
        """Return this error as an instance of the cause's class too.

        Returns
        -------
        RayTaskError
            With the attributes of the cause. Itself when it is such an instance already, or, with a
            warning in the log, when the cause's class can't be subclassed.
        """
        if issubclass(RayTaskError, type(self.cause)) or isinstance(self, _DualTaskError):
            return self
        try:
            return self.make_dual_exception_instance()
        except Exception as why:  # noqa: BLE001 - the user's class decides what it raises
            import logging

            logging.getLogger("thornback").warning(
                "Exception type %s can't be subclassed: its error is raised as RayTaskError only, "
                "and the exception itself is in its attribute `cause`. Reason: %s",
                type(self.cause),
                why,
            )
            return self

    def make_dual_exception_instance(self) -> RayTaskError:
        """Return this error as an instance of the cause's class too, or raise what prevents it."""
        dual = _dual_class(type(self.cause))
        return dual(self.cause, self)

    def __str__(self) -> str:
        where = f"pid={self.pid}, ip={self.ip}"
        if self.actor_repr:
            where += f", actor_id={self._actor_id}, repr={self.actor_repr}"
        header = f"{self.proctitle}() ({where})"
        text = self.traceback_str.strip("\n")
        lines = [header if line.startswith("Traceback ") else line for line in text.split("\n")]
        # A bare message or an exception group has no such line; the header must not get lost.
        if header not in lines:
            lines.insert(0, header)
        return "\n".join(lines)

    def __reduce__(self) -> tuple[Any, ...]:
        return (restore_task_error, (self._plain_fields(), self.cause))

    def _plain_fields(self) -> tuple[Any, ...]:
        return (
            self.function_name,
            self.traceback_str,
            self.proctitle,
            self.pid,
            self.ip,
            self.actor_repr,
            self._actor_id,
        )


def restore_task_error(fields: tuple[Any, ...], cause: BaseException) -> RayTaskError:
    """Rebuild a pickled RayTaskError; its cause has just been unpickled, so it isn't checked."""
    error = RayTaskError.__new__(RayTaskError)
    error._fill(*fields)
    error._set_cause(cause)
    return error


def format_task_traceback(exc: BaseException) -> str:
    """Return the text of `exc` and its chain without the frames of this package."""
    import traceback

    text = "".join(traceback.format_exception(type(exc), exc, exc.__traceback__))
    kept: list[str] = []
    hidden = False
    for line in text.split("\n"):
        if line.startswith("  File "):
            hidden = line.startswith(_PRIVATE_FRAME)
        elif hidden and not line.startswith("    "):
            hidden = False
        if not hidden:
            kept.append(line)
    return "\n".join(kept)


def _root_cause(exc: BaseException) -> BaseException:
    return exc.cause if isinstance(exc, RayTaskError) else exc


def _picklable_cause(cause: BaseException, traceback_str: str) -> BaseException:
    """Return `cause`, or a RayError that tells about it when it can't travel."""
    import cloudpickle

    try:
        cloudpickle.dumps(cause)
    except Exception as why:  # noqa: BLE001 - so does its __reduce__
        kind = f"{type(cause).__module__}.{type(cause).__name__}"
        return RayError(
            f"Exception {kind} isn't serializable: {why}.\n"
            f"Original exception details:\n{traceback_str}"
        )
    return cause


class _DualTaskError(RayTaskError):
    """First base of every class ``RayTaskError(X)``; the second is X.

    Neither X's constructor nor its `__setattr__` runs: the first wants arguments that nobody knows
    here, the second may forbid everything (frozen data classes).
    """

    def __new__(cls, cause: BaseException, _task_error: RayTaskError | None = None) -> Any:
        from types import BuiltinFunctionType

        args: tuple[Any, ...] = (cause,)
        if isinstance(cause, BaseExceptionGroup):
            args = (cause.message, cause.exceptions)
        # The first constructor written in C makes the memory; those in Python before it are X's.
        for base in cls.__mro__:
            new = base.__dict__.get("__new__")
            if isinstance(new, BuiltinFunctionType):
                return new(cls, *args)
        raise TypeError(f"no constructor found for {cls.__name__}")

    def __init__(self, cause: BaseException, task_error: RayTaskError | None = None) -> None:
        if task_error is None:  # type(e)(x), written by a user
            task_error = RayTaskError("", f"{type(cause).__name__}: {cause}", cause)
        state = self.__dict__
        # A copy, because an attribute of the class (a data class's default) would hide what
        # __getattr__ could forward.
        state.update(
            (name, value)
            for name, value in getattr(cause, "__dict__", {}).items()
            if name not in _OWN_NAMES
        )
        state["cause"] = cause
        state["_task_error"] = task_error
        state["_args"] = (cause,)
        _copy_slots(cause, self)

    # A property, because X may have made `args` one, and read-only.
    @property
    def args(self) -> tuple[Any, ...]:
        return self.__dict__["_args"]  # type: ignore[no-any-return]

    @args.setter
    def args(self, value: tuple[Any, ...]) -> None:
        self.__dict__["_args"] = value

    def __getattr__(self, name: str) -> Any:
        # Special names are asked for by pickle, copy and traceback, and mean this object.
        if name in _OWN_NAMES or name.startswith("__"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        try:
            return getattr(self._task_error, name)
        except AttributeError:
            return getattr(self.cause, name)

    def __str__(self) -> str:
        return str(self.__dict__["_task_error"])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.__dict__['cause']!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore_dual, (self.__dict__["_task_error"],))

    def _plain_fields(self) -> tuple[Any, ...]:
        fields: tuple[Any, ...] = self.__dict__["_task_error"]._plain_fields()
        return fields


def _restore_dual(task_error: RayTaskError) -> RayTaskError:
    return task_error.as_instanceof_cause()


# id(X) -> RayTaskError(X). The value keeps X alive, so an id can't be taken over while it is here;
# weak, so that classes made inside functions can go.
_dual_classes: MutableMapping[int, type[_DualTaskError]] | None = None


def _dual_class(cause_cls: type[BaseException]) -> type[_DualTaskError]:
    global _dual_classes
    from types import new_class

    if _dual_classes is None:
        from weakref import WeakValueDictionary

        _dual_classes = WeakValueDictionary()
    found = _dual_classes.get(id(cause_cls))
    if found is None:
        name = f"RayTaskError({cause_cls.__name__})"
        names = {"__module__": PUBLIC_MODULE, "__qualname__": name}
        found = new_class(name, (_DualTaskError, cause_cls), exec_body=lambda ns: ns.update(names))
        _dual_classes[id(cause_cls)] = found
    return found


def _copy_slots(source: BaseException, target: BaseException) -> None:
    """Copy what lives outside `__dict__`: ``OSError.errno``, ``SystemExit.code``, `__slots__`."""
    from types import GetSetDescriptorType, MemberDescriptorType

    for base in type(source).__mro__:
        if base is BaseException:
            return
        for name, descriptor in vars(base).items():
            if not isinstance(descriptor, (MemberDescriptorType, GetSetDescriptorType)):
                continue
            if name.startswith("__"):
                continue
            try:
                descriptor.__set__(target, descriptor.__get__(source, base))
            except (AttributeError, TypeError):
                continue  # unset in the source, or read-only: made by the constructor
