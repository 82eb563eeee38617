"""Remote functions, and the decorator that makes them and actor classes."""

from __future__ import annotations

from types import FunctionType

from . import _core, _templates
from ._definitions import FUNCTION, CapturesReference, Definition, call_captured, module_name
from ._signature import Signature, signature_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
    from typing import Any, overload

    from ._actor import ActorClass
    from ._generator import ObjectRefGenerator
    from ._object_ref import ObjectRef
    from ._typing import A, P, R_co, RemoteDecorator, SeveralDecorator, T
    from ._typing import TaskFunction as _Base
else:
    P, R_co = "P", "R_co"
    _Base = {(P, R_co): _core.TaskFunction}

    def overload(function: Any) -> Any:
        """Spare the import of `typing`."""
        return function


_GENERATOR = 0x20  # inspect.CO_GENERATOR
_ASYNC_GENERATOR = 0x200


class RemoteFunction(_Base[P, R_co]):
    """A function whose calls are tasks; made by `remote`.

    ``f.remote(...)`` submits a task and returns a reference to its result at once: a list of
    references when `num_returns` is above 1, None when it is 0. Top-level arguments that are
    references arrive as their values.
    """

    if not TYPE_CHECKING:
        __class_getitem__ = classmethod(type(list[int]))

    def __init__(
        self,
        definition: Definition,
        signature: Signature,
        is_generator: bool,
        options: Mapping[str, Any],
    ) -> None:
        self._definition = definition
        self._signature = signature
        self._is_generator = is_generator
        self._options = dict(options)
        self._body: _core.ObjectRef[Any] | None = None
        self.set_arity(*signature.arity())

    @property
    def _function(self) -> Callable[..., Any]:
        """The function itself, as Ray calls it."""
        return self._definition.target

    @property
    def _function_name(self) -> str:
        return f"{self._definition.target.__module__}.{self._definition.name}"

    @overload
    def options(self, *, num_returns: int | str, **options: Any) -> RemoteFunction[P, Any]: ...
    @overload
    def options(self, **options: Any) -> RemoteFunction[P, R_co]: ...  # noqa: F811
    def options(self, **options: Any) -> Any:  # noqa: F811
        """Return this function with other options for its calls.

        Parameters
        ----------
        **options
            As for `remote`, without `max_calls`.

        Returns
        -------
        RemoteFunction
            The function itself stays as it is.
        """
        from ._options import merge_task_options, task_max_calls

        merged = merge_task_options(self._options, options, self._is_generator)
        calls = task_max_calls(self._options)
        if calls or "num_gpus" in options:  # GPUs given later don't change it
            merged["max_calls"] = calls
        return RemoteFunction(self._definition, self._signature, self._is_generator, merged)

    def _remote(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """Submit a task with options and arguments in one call."""
        function = self.options(**options) if options else self
        return function.remote(*(args or ()), **(kwargs or {}))

    def bind(self, *args: Any, **kwargs: Any) -> Any:
        """Return the node of a call in a graph, see `thornback.dag`."""
        from .dag import FunctionNode

        return FunctionNode(self, args, kwargs, self._options)

    if not TYPE_CHECKING:  # a type checker is to say so before the program runs

        def __call__(self, *_args: Any, **_kwargs: Any) -> Any:
            raise TypeError(
                "Remote functions cannot be called directly. Instead of running "
                f"'{self._function_name}()', try '{self._function_name}.remote()'."
            )

    def _qualified_name(self) -> str:
        """Return module and name, as the runtime context shows them."""
        target = self._definition.target
        module = module_name(getattr(target, "__module__", None) or "")
        return f"{module}.{getattr(target, '__name__', self._definition.name)}"

    def _check_arguments(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self._signature.check(args, dict(kwargs or {}))

    def _export(self) -> Callable[..., Any] | None:
        """Make the function known to the running session; called by ``remote`` when it is not.

        Returns
        -------
        callable or None
            None when ``remote`` can submit by template from now on; else what submits the call,
            and every call after it.
        """
        if self._has_body():
            return self._submit_captured
        try:
            number = self._definition.export()
        except CapturesReference:
            return self._submit_captured
        tid, returns = self._template(number)
        if "timeout" in self._options or "deadline" in self._options:
            from ._deadline import limits

            self.set_template(tid, returns, *limits(self._options))
        else:
            self.set_template(tid, returns)
        return None

    def _template(self, number: int) -> tuple[int, int]:
        from ._options import task_values

        values = task_values(self._options, self._is_generator)
        returns = _templates.returns_of(values["num_returns"])
        tid = _templates.task(
            number, self._definition.name, self._options, values, self._qualified_name()
        )
        return tid, returns

    def _has_body(self) -> bool:
        # What was captured at the first call stays, whatever becomes of the names.
        return self._body is not None and self._body.session == _core.session()

    def _submit_captured(self, *args: Any, **kwargs: Any) -> Any:
        """Submit a call of a function that captures references; the function is an argument."""
        if not self._has_body():
            self._body = _core.put(self._definition.target)
        caller = Definition(FUNCTION, self._definition.name, call_captured)
        tid, returns = self._template(caller.export())
        from ._deadline import of_call

        until = of_call(self._options)
        return _core.submit(tid, returns, None, (self._body, *args), kwargs or None, until)

    def __reduce__(self) -> tuple[Any, ...]:
        state = (self._definition, self._signature.parameters, self._is_generator, self._options)
        return (_restore, state)

    def __repr__(self) -> str:
        return f"<RemoteFunction {self._definition.name}>"


def _restore(
    definition: Definition,
    parameters: Sequence[tuple[str, int, bool]],
    is_generator: bool,
    options: Mapping[str, Any],
) -> RemoteFunction[Any, Any]:
    return RemoteFunction(definition, Signature(parameters), is_generator, options)


@overload
def remote(target: type[A], /) -> type[A]: ...  # type: ignore[overload-overlap]
@overload
def remote(target: type[T], /) -> ActorClass[T]: ...  # type: ignore[overload-overlap]  # noqa: F811
@overload
def remote(  # type: ignore[overload-overlap]  # noqa: F811
    target: Callable[P, Iterator[T] | AsyncIterator[T]], /
) -> RemoteFunction[P, ObjectRefGenerator[T]]: ...
@overload
def remote(target: Callable[P, T], /) -> RemoteFunction[P, ObjectRef[T]]: ...  # noqa: F811
@overload
def remote(*, num_returns: int | str, **options: Any) -> SeveralDecorator: ...  # noqa: F811
@overload
def remote(**options: Any) -> RemoteDecorator: ...  # noqa: F811
def remote(*args: Any, **options: Any) -> Any:  # noqa: F811
    """Make a remote function of a function, or an actor class of a class.

    Parameters
    ----------
    *args
        The function or class, when used without options.
    **options
        `num_cpus` (1 for a task), `num_gpus`, `memory` in bytes, `resources`, `num_returns`,
        `max_retries` (3), `retry_exceptions`, `name`, `timeout` in seconds and `deadline`, a time
        of the day, after which a task and what it submits is cancelled; for actors `max_restarts`,
        `lifetime`, `namespace`, and others; see Ray's documentation.

    Returns
    -------
    RemoteFunction or ActorClass
        With options alone, a decorator that makes one.

    Raises
    ------
    TypeError
        Applied to something else, or an option has a wrong type.
    ValueError
        An option is unknown or out of its limits.

    Examples
    --------
    >>> import thornback as ray
    >>> @ray.remote(num_cpus=0.5)
    ... def double(x):
    ...     return 2 * x
    """
    if len(args) == 1 and not options and callable(args[0]):
        return _make(args[0], {})
    from ._options import REMOTE_USAGE

    if args or not options:
        raise AssertionError(REMOTE_USAGE)
    return lambda target: _make(target, options)


def _make(target: Any, options: Mapping[str, Any]) -> Any:
    if isinstance(target, type):
        from ._actor import make_actor_class

        return make_actor_class(target, options)
    if not _is_function(target):
        raise TypeError(
            "The @ray.remote decorator must be applied to either a function or a class."
        )
    is_generator = _is_generator(target)
    if options:
        from ._options import check_task_options

        check_task_options(options, in_options=False, is_generator=is_generator, stacklevel=4)
    if getattr(getattr(target, "__code__", None), "co_flags", 0) & 0x80:
        raise ValueError(
            "'async def' should not be used for remote tasks. You can wrap the async function with "
            "`asyncio.run(f())`. See more at:"
            "https://docs.ray.io/en/latest/ray-core/actors/async_api.html"
        )
    name = getattr(target, "__name__", type(target).__name__)
    function: RemoteFunction[Any, Any] = RemoteFunction(
        Definition(FUNCTION, name, target), signature_of(target), is_generator, options
    )
    function.__doc__ = getattr(target, "__doc__", None)
    return function


def _is_function(target: Any) -> bool:
    if isinstance(target, FunctionType):
        return True
    # Methods, functions written in C or Cython, and whatever else says that it is one.
    kinds = ("function_or_method", "method")
    return callable(target) and (
        hasattr(target, "__code__") or type(target).__name__.endswith(kinds)
    )


def _is_generator(target: Any) -> bool:
    flags = getattr(getattr(target, "__code__", None), "co_flags", 0)
    return bool(flags & (_GENERATOR | _ASYNC_GENERATOR))
