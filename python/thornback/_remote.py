"""Remote functions, and the decorator that makes them and actor classes."""

from __future__ import annotations

from types import FunctionType

from . import _core, _templates
from ._definitions import FUNCTION, CapturesReference, Definition, call_captured
from ._signature import Signature, signature_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, overload

    from ._actor import ActorClass
else:

    def overload(function: Any) -> Any:
        """Spare the import of `typing`."""
        return function


_GENERATOR = 0x20  # inspect.CO_GENERATOR
_ASYNC_GENERATOR = 0x200


class RemoteFunction(_core.TaskFunction):
    """A function whose calls are tasks; made by `remote`.

    ``f.remote(...)`` submits a task and returns a reference to its result at once: a list of
    references when `num_returns` is above 1, None when it is 0. Top-level arguments that are
    references arrive as their values.
    """

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

    def options(self, **options: Any) -> RemoteFunction:
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
        from ._options import merge_task_options

        merged = merge_task_options(self._options, options, self._is_generator)
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

    def __call__(self, *_args: Any, **_kwargs: Any) -> Any:
        raise TypeError(
            "Remote functions cannot be called directly. Instead of running "
            f"'{self._function_name}()', try '{self._function_name}.remote()'."
        )

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
        try:
            number = self._definition.export()
        except CapturesReference:
            return self._submit_captured
        tid, returns = self._template(number)
        self.set_template(tid, returns)
        return None

    def _template(self, number: int) -> tuple[int, int]:
        from ._options import task_values

        values = task_values(self._options, self._is_generator)
        returns = _templates.returns_of(values["num_returns"])
        tid = _templates.task(number, self._definition.name, self._options, values)
        return tid, returns

    def _submit_captured(self, *args: Any, **kwargs: Any) -> Any:
        """Submit a call of a function that captures references; the function is an argument."""
        if self._body is None or self._body.session != _core.session():
            self._body = _core.put(self._definition.target)
        caller = Definition(FUNCTION, self._definition.name, call_captured)
        tid, returns = self._template(caller.export())
        return _core.submit(tid, returns, None, (self._body, *args), kwargs or None)

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
) -> RemoteFunction:
    return RemoteFunction(definition, Signature(parameters), is_generator, options)


@overload
def remote(target: type, /) -> ActorClass: ...  # type: ignore[overload-overlap]
@overload
def remote(target: Callable[..., Any], /) -> RemoteFunction: ...  # noqa: F811
@overload
def remote(**options: Any) -> Callable[[Any], Any]: ...  # noqa: F811
def remote(*args: Any, **options: Any) -> Any:  # noqa: F811
    """Make a remote function of a function, or an actor class of a class.

    Parameters
    ----------
    *args
        The function or class, when used without options.
    **options
        `num_cpus` (1 for a task), `num_gpus`, `memory` in bytes, `resources`, `num_returns`,
        `max_retries` (3), `retry_exceptions`, `name`; for actors `max_restarts`, `lifetime`,
        `namespace`, and others; see Ray's documentation.

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
            "`asyncio.get_event_loop().run_until(f())`."
        )
    name = getattr(target, "__name__", type(target).__name__)
    function = RemoteFunction(
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
