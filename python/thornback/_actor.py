"""Actor classes: what `remote` makes of a class, and how actors are created."""

from __future__ import annotations

from . import _core, _templates
from ._definitions import CLASS, CapturesReference, Definition, call_captured
from ._handle import ActorHandle, MethodTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any


class ActorClassInheritanceException(TypeError):
    """A class was derived from an actor class."""


class ActorClass:
    """A class whose instances are actors; made by `remote`.

    ``C.remote(...)`` creates an actor, a process of its own that holds one instance, and returns
    its handle at once. The actor ends when its last handle goes.
    """

    def __init__(
        self, definition: Definition, table: MethodTable, options: Mapping[str, Any]
    ) -> None:
        self._definition = definition
        self._table = table
        self._options = dict(options)
        self._body: _core.ObjectRef[Any] | None = None

    @property
    def _class(self) -> type:
        """The class itself."""
        target: Any = self._definition.target
        return target  # type: ignore[no-any-return]

    def remote(self, *args: Any, **kwargs: Any) -> Any:
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
        if values["get_if_exists"]:
            existing = self._existing(values)
            if existing is not None:
                return existing
        return self._create(values, args, kwargs)

    def options(self, **options: Any) -> ActorClass:
        """Return this class with other options for the actors that it creates.

        Parameters
        ----------
        **options
            As for `remote`, without `concurrency_groups`.
        """
        from ._options import merge_actor_options

        merged = merge_actor_options(self._options, options)
        table = self._table.with_retries(merged.get("max_task_retries") or 0)
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

    def _create(
        self, values: Mapping[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> ActorHandle:
        from ._named import check_free, namespace_of

        namespace, table = None, None
        if values["name"] is not None:
            import base64

            namespace = namespace_of(values["namespace"])
            check_free(values["name"], namespace)
            table = base64.b64encode(self._table.packed()).decode()
        try:
            number = self._definition.export()
        except CapturesReference:
            number = Definition(CLASS, self._definition.name, call_captured).export()
            if self._body is None or self._body.session != _core.session():
                self._body = _core.put(self._definition.target)
            args = (self._body, *args)
        tid = _templates.create(
            number, self._table.class_name, self._options, values, namespace, table
        )
        return ActorHandle(_core.submit(tid, 1, None, args, kwargs or None), self._table)

    def _existing(self, values: Mapping[str, Any]) -> Any:
        from ._named import get_actor

        try:
            return get_actor(values["name"], values["namespace"])
        except ValueError:
            return None

    def __call__(self, *_args: Any, **_kwargs: Any) -> Any:
        name = self._table.qualified_name
        raise TypeError(
            f"Actors cannot be instantiated directly. Instead of '{name}()', use '{name}.remote()'."
        )

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        raise ActorClassInheritanceException(
            f"Attempted to define a subclass of actor class '{self._table.qualified_name}'. "
            "Inheriting from actor classes is not currently supported. You can instead inherit "
            "from a non-actor base class and make the derived class an actor class "
            "(with @ray.remote)."
        )

    def __getattr__(self, name: str) -> Any:
        # Attributes of the class, as far as they make sense without an instance.
        if name.startswith("_") or "_definition" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self._class, name)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore, (self._definition, self._table.packed(), self._options))

    def __repr__(self) -> str:
        return f"ActorClass({self._definition.name})"


def _restore(definition: Definition, packed: bytes, options: Mapping[str, Any]) -> ActorClass:
    return ActorClass(definition, MethodTable.unpacked(packed), options)


def make_actor_class(cls: type, options: Mapping[str, Any]) -> ActorClass:
    """Return the actor class of a plain class; `options` are checked here."""
    if options:
        from ._options import check_actor_options

        check_actor_options(options, in_options=False, stacklevel=5)
    table = MethodTable.of_class(cls, options.get("max_task_retries") or 0)
    actor_class = ActorClass(Definition(CLASS, cls.__name__, cls), table, options)
    actor_class.__doc__ = cls.__doc__
    return actor_class


def method(*args: Any, **options: Any) -> Callable[[Any], Any]:
    """Set options of an actor's method.

    Parameters
    ----------
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
    from ._method_options import METHOD_USAGE, check_method_options

    if args or not options:
        raise AssertionError(METHOD_USAGE)

    def decorate(function: Any) -> Any:
        from ._remote import _is_generator

        check_method_options(options, _is_generator(function))
        function.__ray_method_options__ = dict(options)
        return function

    return decorate
