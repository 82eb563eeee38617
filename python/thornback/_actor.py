"""Actor classes: what `remote` makes of a class, and how actors are created."""

from __future__ import annotations

from . import _core, _templates
from ._definitions import CLASS, CapturesReference, Definition, call_captured
from ._handle import ActorHandle, MethodTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
    from typing import Any, Concatenate, overload

    from ._generator import ObjectRefGenerator
    from ._object_ref import ObjectRef
    from ._typing import ActorClassBase as _Base
    from ._typing import (
        MethodDecorator,
        P,
        S,
        SeveralMethodDecorator,
        T,
        T_co,
        TypedActorClass,
        TypedMethod,
    )
else:
    T_co = "T_co"
    _Base = {T_co: object}

    def overload(function: Any) -> Any:
        """Spare the import of `typing`."""
        return function


class ActorClassInheritanceException(TypeError):
    """A class was derived from an actor class."""


class Actor:
    """Base for actor classes whose handles are to have types; otherwise of no effect.

    A type checker sees the handle as the class itself: methods decorated with `method` have a
    `remote` with their own parameters, keywords included, that returns a reference to their own
    result. Other methods can't be called through it.

    Examples
    --------
    >>> import thornback as ray
    >>> @ray.remote
    ... class Counter(ray.Actor):
    ...     def __init__(self, start: int = 0) -> None:
    ...         self.n = start
    ...
    ...     @ray.method
    ...     def add(self, k: int = 1) -> int:
    ...         self.n += k
    ...         return self.n
    >>> counter = Counter.remote(start=5)  # Counter
    >>> ray.get(counter.add.remote(k=2))  # int
    7
    """

    if TYPE_CHECKING:

        @classmethod
        def remote(cls: Callable[P, S], *args: P.args, **kwargs: P.kwargs) -> S: ...

        @classmethod
        def options(cls: Callable[P, S], **options: Any) -> TypedActorClass[P, S]: ...


class ActorClass(_Base[T_co]):
    """A class whose instances are actors; made by `remote`.

    ``C.remote(...)`` creates an actor, a process of its own that holds one instance, and returns
    its handle at once. The actor ends when its last handle goes.
    """

    if not TYPE_CHECKING:
        __class_getitem__ = classmethod(type(list[int]))

    def __init__(
        self, definition: Definition, table: MethodTable, options: Mapping[str, Any]
    ) -> None:
        if isinstance(definition, str):  # the name in a statement `class Name(ActorClass):`
            _refuse_subclass(definition, table)
        self._definition = definition
        self._table = table
        self._options = dict(options)
        self._body: _core.ObjectRef[Any] | None = None

    @property
    def _class(self) -> type:
        """The class itself."""
        target: Any = self._definition.target
        return target  # type: ignore[no-any-return]

    # Libraries written for Ray read it under this name.
    __ray_actor_class__ = _class

    def remote(self, *args: Any, **kwargs: Any) -> ActorHandle[T_co]:
        """Create an actor.

        Parameters
        ----------
        *args, **kwargs
            For the constructor; references arrive as their values.

        Returns
        -------
        ActorHandle
            At once: the actor starts as soon as there is room for it. An error of the constructor
            is raised by the calls of its methods.

        Raises
        ------
        TypeError
            The arguments don't fit the constructor.
        ActorAlreadyExistsError
            The name is taken.
        """
        self._table.signature("__init__").check(args, kwargs)
        if not _core.session():
            from ._init import auto_init

            auto_init()
        from ._options import actor_values

        values = actor_values(self._options, self._table.is_async)
        self._table.check_groups()
        if values["get_if_exists"]:
            return self._get_or_create(values, args, kwargs)
        return self._create(values, args, kwargs)

    def options(self, **options: Any) -> ActorClass[T_co]:
        """Return this class with other options for the actors that it creates.

        Parameters
        ----------
        **options
            As for `remote`, without `concurrency_groups`.
        """
        from ._options import merge_actor_options

        merged = merge_actor_options(self._options, options)
        table = self._table.for_options(merged)
        return ActorClass(self._definition, table, merged)

    def _remote(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """Create an actor with options and arguments in one call."""
        actor_class = self.options(**options) if options else self
        return actor_class.remote(*(args or ()), **(kwargs or {}))

    def bind(self, *args: Any, **kwargs: Any) -> Any:
        """Return the node of an actor in a graph, see `thornback.dag`."""
        from .dag import ClassNode

        return ClassNode(self, args, kwargs, self._options)

    def _create(
        self, values: Mapping[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> ActorHandle[Any]:
        from ._named import check_free, namespace_of

        namespace, table = namespace_of(values["namespace"]), None
        if values["name"] is not None:
            import base64

            check_free(values["name"], namespace)
            table = base64.b64encode(self._table.packed()).decode()
        try:
            # What was captured at the first creation stays, whatever becomes of the names.
            if self._body is not None and self._body.session == _core.session():
                raise CapturesReference
            number = self._definition.export()
        except CapturesReference:
            number = Definition(CLASS, self._definition.name, call_captured).export()
            if self._body is None or self._body.session != _core.session():
                self._body = _core.put(self._definition.target)
            args = (self._body, *args)
        tid = _templates.create(number, self._table, self._options, values, namespace, table)
        deadline = 0
        if "timeout" in self._options or "deadline" in self._options:
            from ._deadline import of_call

            deadline = of_call(self._options)
        ref = _core.submit(tid, 1, None, args, kwargs or None, deadline)
        if table is not None:
            check_free(values["name"], namespace, ref.handle)
        return ActorHandle(ref, self._table)

    def _get_or_create(
        self, values: Mapping[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> ActorHandle[Any]:
        from ._exceptions import ActorAlreadyExistsError
        from ._named import find_actor

        # Other processes may create it, or end it, between one step and the next.
        while True:
            existing: ActorHandle[Any] | None = find_actor(values["name"], values["namespace"])
            if existing is not None:
                return existing
            try:
                return self._create(values, args, kwargs)
            except ActorAlreadyExistsError:
                continue

    def __call__(self, *_args: Any, **_kwargs: Any) -> Any:
        name = self._table.qualified_name
        raise TypeError(
            f"Actors cannot be instantiated directly. Instead of '{name}()', use '{name}.remote()'."
        )

    def __getattr__(self, name: str) -> Any:
        # Attributes of the class, as far as they make sense without an instance.
        if name.startswith("_") or "_definition" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        try:
            return getattr(self._class, name)
        except AttributeError:
            text = f"{type(self).__name__!r} object has no attribute {name!r}"
            raise AttributeError(text, name=name, obj=self) from None

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore, (self._definition, self._table.packed(), self._options))

    def __repr__(self) -> str:
        return f"ActorClass({self._definition.name})"


def _refuse_subclass(name: str, bases: Any) -> None:
    actor = next(base for base in bases if isinstance(base, ActorClass))
    raise ActorClassInheritanceException(
        f"Attempted to define subclass '{name}' of actor class '{actor._table.class_name}'. "
        "Inheriting from actor classes is not currently supported. You can instead inherit from a "
        "non-actor base class and make the derived class an actor class (with @ray.remote)."
    )


def _restore(definition: Definition, packed: bytes, options: Mapping[str, Any]) -> ActorClass[Any]:
    return ActorClass(definition, MethodTable.unpacked(packed), options)


def make_actor_class(cls: type, options: Mapping[str, Any]) -> ActorClass[Any]:
    """Return the actor class of a plain class; `options` are checked here."""
    if options:
        from ._options import check_actor_options

        check_actor_options(options, in_options=False, stacklevel=5)
    table = MethodTable.of_class(cls, 0, options.get("concurrency_groups")).for_options(options)
    # A type of its own, because texts that show the type should say which class it is.
    kind = type(f"ActorClass({cls.__name__})", (ActorClass,), {"__module__": cls.__module__})
    actor_class: ActorClass[Any] = kind(Definition(CLASS, cls.__name__, cls), table, options)
    actor_class.__doc__ = cls.__doc__
    return actor_class


@overload
def method(  # type: ignore[overload-overlap]
    function: Callable[Concatenate[Any, P], Iterator[T] | AsyncIterator[T]], /
) -> TypedMethod[P, ObjectRefGenerator[T]]: ...
@overload
def method(  # noqa: F811
    function: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]], /
) -> TypedMethod[P, ObjectRef[T]]: ...
@overload
def method(  # noqa: F811
    function: Callable[Concatenate[Any, P], T], /
) -> TypedMethod[P, ObjectRef[T]]: ...
@overload
def method(*, num_returns: int | str, **options: Any) -> SeveralMethodDecorator: ...  # noqa: F811
@overload
def method(**options: Any) -> MethodDecorator: ...  # noqa: F811
def method(*args: Any, **options: Any) -> Any:  # noqa: F811
    """Set options of an actor's method; in a class that derives from `Actor` it also gets a type.

    Parameters
    ----------
    *args
        The method, when used without parentheses.
    **options
        `num_returns`, `max_task_retries`, `retry_exceptions`, and others; see Ray's documentation.

    Returns
    -------
    callable
        A decorator for the method.

    Examples
    --------
    >>> import thornback as ray
    >>> @ray.remote
    ... class Pair:
    ...     @ray.method(num_returns=2)
    ...     def both(self):
    ...         return 1, 2
    """
    from ._method_options import METHOD_USAGE, check_method_names, check_method_options

    bare = len(args) == 1 and callable(args[0]) and not options
    if args and not bare:
        raise AssertionError(METHOD_USAGE)
    check_method_names(options)

    def decorate(function: Any) -> Any:
        from ._remote import _is_generator

        check_method_options(options, _is_generator(function))
        if options:
            function.__ray_method_options__ = dict(options)
        return function

    return decorate(args[0]) if bare else decorate
