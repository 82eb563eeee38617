"""Handles of actors, and what they know about their methods."""

from __future__ import annotations

from types import FunctionType, MethodDescriptorType

from . import _core, _ids, _templates
from ._definitions import METHOD
from ._signature import ANYTHING, Signature, signature_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, TypeAlias

    # Parameters, options of @method.
    Entry: TypeAlias = tuple[Sequence[tuple[str, int, bool]], Mapping[str, Any]]

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
    """

    def __init__(
        self,
        class_name: str,
        qualified_name: str,
        entries: Mapping[str, Entry],
        is_async: bool,
        retries: int,
    ) -> None:
        self.class_name = class_name
        self.qualified_name = qualified_name
        self.is_async = is_async
        self._entries = dict(entries)
        self._retries = retries
        self._packed: bytes | None = None
        self.specs = {
            name: _core.MethodSpec(name, *Signature(parameters).arity(), self._export)
            for name, (parameters, _) in self._entries.items()
            if name != "__init__"
        }

    @classmethod
    def of_class(cls, target: type, retries: int) -> MethodTable:
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
        return cls(target.__name__, target.__qualname__, entries, is_async, retries)

    def with_retries(self, retries: int) -> MethodTable:
        """Return the table for actors with this `max_task_retries`."""
        if retries == self._retries:
            return self
        return MethodTable(
            self.class_name, self.qualified_name, self._entries, self.is_async, retries
        )

    def signature(self, name: str) -> Signature:
        """Return a method's signature, without `self`."""
        return Signature(self._entries[name][0])

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
        tid = _templates.method(number, self.class_name, name, options)
        return tid, _templates.returns_of(options.get("num_returns", 1))

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
        spec.set_template(*self.template(spec.name, self.options(spec.name)))


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
    return signature.parameters, getattr(function, "__ray_method_options__", {})


class ActorHandle(_core.ActorHandleBase):
    """Handle of an actor: ``handle.m.remote(...)`` calls its method `m`.

    Handles can be passed to tasks and other actors, and stored in objects. The actor ends when the
    last one goes.
    """

    __slots__ = ("_table",)

    def __init__(self, ref: _core.ObjectRef[Any], table: MethodTable) -> None:
        super().__init__(ref, table.specs, table.class_name)
        self._table = table

    @property
    def _actor_id(self) -> _ids.ActorID:
        return _ids.actor_id(self._ref.session, self._ref.handle)

    # Programs written for Ray read it under this name.
    _ray_actor_id = _actor_id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ActorHandle) and self._ref == other._ref

    def __hash__(self) -> int:
        return hash(self._ref)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore_handle, (self._ref, self._table.packed()))

    def __repr__(self) -> str:
        return f"Actor({self._table.qualified_name}, {self._actor_id.hex()})"


def _restore_handle(ref: _core.ObjectRef[Any], packed: bytes) -> ActorHandle:
    return ActorHandle(ref, MethodTable.unpacked(packed))


class ActorMethod(_core.ActorMethod):
    """A method of an actor: ``remote`` calls it and returns a reference to its result."""

    __slots__ = ()

    _handle: ActorHandle

    def options(self, **options: Any) -> MethodCall:
        """Return the method with other options.

        Parameters
        ----------
        **options
            `num_returns`, `name`, `max_task_retries`, `retry_exceptions`, and others; see Ray's
            documentation.
        """
        from ._method_options import check_call_options

        check_call_options(options)
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

    def _check_arguments(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self._handle._table.signature(self._spec.name).check(args, dict(kwargs or {}))

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

    def __init__(self, handle: ActorHandle, name: str, options: Mapping[str, Any]) -> None:
        self._handle = handle
        self._name = name
        self._options = options

    def remote(self, *args: Any, **kwargs: Any) -> Any:
        """Call the method."""
        from ._method_options import merge_method_options

        table = self._handle._table
        table.signature(self._name).check(args, kwargs)
        options = merge_method_options(table.options(self._name), self._options)
        tid, returns = table.template(self._name, options)
        return _core.submit(tid, returns, self._handle._ref, args, kwargs or None)


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
