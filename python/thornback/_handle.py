"""Handles of actors, and what they know about their methods."""

from __future__ import annotations

from types import FunctionType, MethodDescriptorType

from . import _core, _templates
from ._definitions import METHOD
from ._signature import ANYTHING, Signature, signature_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, TypeAlias

    from . import _ids
    from ._typing import Handle as _Base
    from ._typing import T_co

    # Parameters, options of @method.
    Entry: TypeAlias = tuple[Sequence[tuple[str, int, bool]], Mapping[str, Any]]

if not TYPE_CHECKING:
    T_co = "T_co"
    _Base = {T_co: _core.ActorHandleBase}

_GENERATOR = 0x20  # inspect.CO_GENERATOR
_COROUTINE = 0x80  # inspect.CO_COROUTINE
_ASYNC_GENERATOR = 0x200
# Methods that every actor has; see `equip`.
_OWN_METHODS: dict[str, Entry] = {
    "__ray_ready__": ((), {}),
    "__ray_terminate__": ((), {}),
    "__ray_call__": ((("function", 0, False), ("args", 2, False), ("kwargs", 4, False)), {}),
}


class MethodTable:
    """The methods of an actor class: how they are called, and under which numbers.

    Parameters
    ----------
    class_name, qualified_name : str
    entries : mapping of str to (parameters, options)
    is_async : bool
        Whether a method is a coroutine function.
    retries : int
        The class's `max_task_retries`.
    limit : int
        Its `max_pending_calls`, -1 for none.
    groups : mapping of str to int
        How many calls of each concurrency group run at a time.
    """

    def __init__(
        self,
        class_name: str,
        qualified_name: str,
        entries: Mapping[str, Entry],
        is_async: bool,
        retries: int,
        limit: int = -1,
        groups: Mapping[str, int] | list[Any] | None = None,
    ) -> None:
        self.class_name = class_name
        self.qualified_name = qualified_name
        self.is_async = is_async
        self.groups: Any = groups if isinstance(groups, list) else dict(groups or {})
        self._entries = dict(entries)
        self._retries = retries
        self.limit = limit
        self._packed: bytes | None = None
        self.specs = {
            # No number of arguments fits a method with a limit: it is checked in Python then.
            name: _core.MethodSpec(
                name, *(Signature(parameters).arity() if limit < 0 else (1, 0)), self._export
            )
            for name, (parameters, _) in self._entries.items()
            if name != "__init__"
        }

    @classmethod
    def of_class(
        cls, target: type, retries: int, groups: Mapping[str, int] | list[Any] | None = None
    ) -> MethodTable:
        """Read a class, the methods that it inherits included."""
        entries: dict[str, Entry] = {}
        is_async = False
        for base in reversed(target.__mro__[:-1]):
            for name, value in vars(base).items():
                entry = _entry_of(value)
                if entry is not None:
                    entries[name] = entry
                elif name in entries and not callable(value):
                    del entries[name]  # hidden by something that is no method
        for name in entries:
            function = getattr(target, name, None)
            flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
            is_async = is_async or bool(flags & (_COROUTINE | _ASYNC_GENERATOR))
        if "__init__" not in entries:
            # A constructor written in C, or object's, which takes nothing.
            plain = not any(
                "__init__" in vars(c) or "__new__" in vars(c) for c in target.__mro__[:-1]
            )
            entries["__init__"] = (() if plain else ANYTHING.parameters, {})
        entries = {**_OWN_METHODS, **entries}
        return cls(target.__name__, target.__qualname__, entries, is_async, retries, -1, groups)

    def for_options(self, options: Mapping[str, Any]) -> MethodTable:
        """Return the table for actors with these options."""
        retries = options.get("max_task_retries") or 0
        limit = options.get("max_pending_calls") or -1
        if (retries, limit) == (self._retries, self.limit):
            return self
        return MethodTable(
            self.class_name,
            self.qualified_name,
            self._entries,
            self.is_async,
            retries,
            limit,
            self.groups,
        )

    def check_groups(self) -> None:
        """Raise what is wrong with the class's concurrency groups, as Ray does at a creation.

        Raises
        ------
        AssertionError
            A method names a group that the class has not.
        TypeError, OverflowError
            A limit is no number, or a negative one, or the groups are a list.
        """
        if isinstance(self.groups, list):
            raise TypeError("list indices must be integers or slices, not str")
        for limit in self.groups.values():
            if not isinstance(limit, int):
                raise TypeError("an integer is required")
            if limit < 0:
                raise OverflowError("can't convert negative value to uint32_t")
        for _, options in self._entries.values():
            group = options.get("concurrency_group")
            if group and group not in self.groups:
                raise AssertionError(f"concurrency group {group!r} is not defined")

    def signature(self, name: str) -> Signature:
        """Return a method's signature, without `self`."""
        return Signature(self._entries[name][0])

    def is_generator(self, name: str) -> bool:
        """Whether a method yields its results."""
        return "_is_generator" in self._entries[name][1]

    def options(self, name: str) -> dict[str, Any]:
        """Return a method's options: the class's, then those of ``@method``."""
        from ._method_options import merge_method_options

        return merge_method_options({"max_task_retries": self._retries}, self._entries[name][1])

    def template(self, name: str, options: Mapping[str, Any]) -> tuple[int, int]:
        """Return the template and the number of results of calls with these options."""
        # The name says it all, so names are the digests.
        digest = name.encode("utf-8", "replace")[-16:].rjust(16, b"\0")
        if len(name) > len(digest):
            import hashlib

            digest = hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=16).digest()
        number = _core.define(METHOD, name, b"", digest)
        group = self._group(options.get("concurrency_group"))
        tid = _templates.method(number, self.class_name, name, group, options)
        return tid, _templates.returns_of(options.get("num_returns", 1))

    def _group(self, name: str | None) -> int:
        """Return the number of a concurrency group: 0 is the default one."""
        if not name:
            return 0
        if name not in self.groups:
            raise ValueError(
                f"The concurrency group {name!r} is not defined for the actor class "
                f"{self.class_name}; it has {list(self.groups)}."
            )
        return 1 + list(self.groups).index(name)

    def packed(self) -> bytes:
        """Return the table as bytes, which go with every handle."""
        if self._packed is None:
            import cloudpickle

            state = (
                self.class_name,
                self.qualified_name,
                self._entries,
                self.is_async,
                self._retries,
                self.limit,
                self.groups,
            )
            self._packed = cloudpickle.dumps(state, protocol=5)
        return self._packed

    @classmethod
    def unpacked(cls, packed: bytes) -> MethodTable:
        """Return the table of these bytes, the same one each time."""
        table = _tables.get(packed)
        if table is None:
            import pickle

            if len(_tables) >= _TABLES_MAX:
                _tables.clear()
            table = _tables[packed] = cls(*pickle.loads(packed))
            table._packed = packed
        return table

    def _export(self, spec: _core.MethodSpec) -> None:
        options = self.options(spec.name)
        tid, returns = self.template(spec.name, options)
        if "timeout" in options or "deadline" in options:
            from ._deadline import limits

            spec.set_template(tid, returns, *limits(options))
        else:
            spec.set_template(tid, returns)


# Tables that came with handles. Bounded, since classes made in a loop are all different.
_tables: dict[bytes, MethodTable] = {}
_TABLES_MAX = 1_000


def _entry_of(value: Any) -> Entry | None:
    """Return the entry of a class attribute that is a method, else None."""
    if isinstance(value, staticmethod):
        function, bound = value.__func__, False
    elif isinstance(value, classmethod):
        function, bound = value.__func__, True
    elif (
        isinstance(value, (FunctionType, MethodDescriptorType))
        or hasattr(value, "__wrapped__")
        or type(value).__name__ == "cython_function_or_method"
    ):
        function, bound = value, True
    else:
        return None
    signature = signature_of(function)
    if bound:
        signature = signature.without_first()
    options = getattr(function, "__ray_method_options__", {})
    flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
    if flags & (_GENERATOR | _ASYNC_GENERATOR):
        options = {"num_returns": "streaming", **options, "_is_generator": True}
    return signature.parameters, options


class ActorHandle(_Base[T_co]):
    """Handle of an actor: ``handle.m.remote(...)`` calls its method `m`.

    Handles can be passed to tasks and other actors, and stored in objects. The actor ends when the
    last one goes.
    """

    __module__ = "thornback.actor"
    # Programs note things of their own on handles, which stay with this one.
    __slots__ = ("__dict__", "_table")

    if not TYPE_CHECKING:
        __class_getitem__ = classmethod(type(list[int]))

    def __init__(self, ref: _core.ObjectRef[Any], table: MethodTable) -> None:
        super().__init__(ref, table.specs, table.class_name)
        self._table = table

    @property
    def _actor_id(self) -> _ids.ActorID:
        from . import _ids

        return _ids.actor_id(self._ref.session, self._ref.handle)

    # Programs written for Ray read it under this name.
    _ray_actor_id = _actor_id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ActorHandle) and self._ref == other._ref

    def __hash__(self) -> int:
        return hash(self._ref)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore_handle, (self._ref, self._table.packed()))

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._table.specs]

    def __repr__(self) -> str:
        return f"Actor({self._table.qualified_name}, {self._actor_id.hex()})"

    def _repr_html_(self) -> str:
        from . import _html

        return _html.actor(self)

    def _admit(self, name: str) -> None:
        """Refuse a call when too many of this process wait for the actor.

        Raises
        ------
        PendingCallsLimitExceeded
        """
        limit = self._table.limit
        if limit < 0:
            return
        import json

        request = json.dumps({"actor": self._ref.handle}).encode()
        if json.loads(_core.control("actor.pending", request))["count"] < limit:
            return
        from ._exceptions import PendingCallsLimitExceeded

        raise PendingCallsLimitExceeded(
            f"The task {name} could not be submitted to {self!r} because more than {limit} tasks "
            "are queued on the actor. This limit can be adjusted with the `max_pending_calls` "
            "actor option."
        )


def _restore_handle(ref: _core.ObjectRef[Any], packed: bytes) -> ActorHandle[Any]:
    return ActorHandle(ref, MethodTable.unpacked(packed))


class ActorMethod(_core.ActorMethod):
    """A method of an actor: ``remote`` calls it and returns a reference to its result."""

    __slots__ = ()

    _handle: ActorHandle[Any]

    def options(self, **options: Any) -> MethodCall:
        """Return the method with other options.

        Parameters
        ----------
        **options
            `num_returns`, `name`, `max_task_retries`, `retry_exceptions`, and others; see Ray's
            documentation.
        """
        from ._method_options import check_call_options

        check_call_options(options, self._handle._table.is_generator(self._spec.name))
        return MethodCall(self._handle, self._spec.name, options)

    def _remote(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """Call the method with options and arguments in one call."""
        call = self.options(**options) if options else self
        return call.remote(*(args or ()), **(kwargs or {}))

    def bind(self, *args: Any, **kwargs: Any) -> Any:
        """Return the node of a call in a graph, see `thornback.dag`."""
        from .dag.class_node import bind_method

        return bind_method(self._handle, self._spec.name, {}, args, kwargs)

    def _check_arguments(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self._handle._table.signature(self._spec.name).check(args, dict(kwargs or {}))
        self._handle._admit(self._spec.name)

    def __call__(self, *_args: Any, **_kwargs: Any) -> Any:
        name = self._spec.name
        raise TypeError(
            "Actor methods cannot be called directly. Instead of running "
            f"'object.{name}()', try 'object.{name}.remote()'."
        )

    def __repr__(self) -> str:
        return f"<ActorMethod {self._handle._table.class_name}.{self._spec.name}>"


class MethodCall:
    """A method of an actor with options for its calls."""

    def __init__(self, handle: ActorHandle[Any], name: str, options: Mapping[str, Any]) -> None:
        self._handle = handle
        self._name = name
        self._options = options

    def remote(self, *args: Any, **kwargs: Any) -> Any:
        """Call the method."""
        from ._method_options import merge_method_options

        table = self._handle._table
        table.signature(self._name).check(args, kwargs)
        self._handle._admit(self._name)
        options = merge_method_options(table.options(self._name), self._options)
        tid, returns = table.template(self._name, options)
        from ._deadline import of_call

        return _core.submit(tid, returns, self._handle._ref, args, kwargs or None, of_call(options))

    def bind(self, *args: Any, **kwargs: Any) -> Any:
        """Return the node of a call in a graph, see `thornback.dag`."""
        from .dag.class_node import bind_method

        return bind_method(self._handle, self._name, self._options, args, kwargs)


def equip(target: Any) -> Any:
    """Give an actor's class, in the actor's process, the methods that all actors have."""
    own: dict[str, Callable[..., Any]] = {
        "__ray_ready__": _ready,
        "__ray_call__": _call,
        "__ray_terminate__": _terminate,
    }
    missing = {name: act for name, act in own.items() if not hasattr(target, name)}
    try:
        for name, act in missing.items():
            setattr(target, name, act)
    except TypeError:  # a class written in C
        return type(target.__name__, (target,), missing)
    return target


def _ready(_self: Any) -> bool:
    return True


def _call(self: Any, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    return function(self, *args, **kwargs)


def _terminate(_self: Any) -> None:
    _core.exit_actor()
