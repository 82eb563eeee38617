"""What type checkers know about remote functions and actors. Never imported when programs run.

Signatures go through with their keywords (`ParamSpec`); what `.remote` returns is a parameter of
its own, so that a reference, a generator of references and several references are told apart.
An argument may be a reference in place of a value. That can't be said of a `ParamSpec`, so a call
whose first, second or third argument is a reference is accepted whatever else it is given.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

from . import _core
from ._actor import Actor, ActorClass
from ._generator import ObjectRefGenerator
from ._handle import ActorMethod
from ._object_ref import ObjectRef
from ._remote import RemoteFunction

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S")
T_co = TypeVar("T_co", covariant=True)
# What `.remote` returns.
R_co = TypeVar("R_co", covariant=True)
A = TypeVar("A", bound=Actor)


class TaskFunction(_core.TaskFunction, Generic[P, R_co]):
    """Base of RemoteFunction."""

    @overload
    def remote(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    @overload
    def remote(self, ref: ObjectRef[Any], /, *args: Any, **kwargs: Any) -> R_co: ...
    @overload
    def remote(self, first: Any, ref: ObjectRef[Any], /, *args: Any, **kwargs: Any) -> R_co: ...
    @overload
    def remote(
        self, first: Any, second: Any, ref: ObjectRef[Any], /, *args: Any, **kwargs: Any
    ) -> R_co: ...
    def remote(self, *args: Any, **kwargs: Any) -> Any: ...


class Stream(_core.Stream, Generic[T_co]):
    """Base of ObjectRefGenerator."""

    def __next__(self) -> ObjectRef[T_co]:
        raise StopIteration


class TypedMethod(Protocol[P, R_co]):
    """A method of a class that derives from `Actor`, decorated with ``@method``."""

    @overload
    def remote(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    @overload
    def remote(self, ref: ObjectRef[Any], /, *args: Any, **kwargs: Any) -> R_co: ...
    @overload
    def remote(self, first: Any, ref: ObjectRef[Any], /, *args: Any, **kwargs: Any) -> R_co: ...
    def remote(self, *args: Any, **kwargs: Any) -> Any: ...

    def options(self, **options: Any) -> TypedMethod[P, Any]: ...

    # In the class's own code a method is called as such.
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any: ...


class ActorClassBase(Generic[T_co]):
    """Base of ActorClass."""


class TypedActorClass(Protocol[P, T_co]):
    """A class that derives from `Actor`, with options."""

    def remote(self, *args: P.args, **kwargs: P.kwargs) -> T_co: ...

    def options(self, **options: Any) -> TypedActorClass[P, T_co]: ...


class Handle(_core.ActorHandleBase, Generic[T_co]):
    """Base of ActorHandle: methods are found when the program runs."""

    def __getattr__(self, name: str) -> ActorMethod:
        raise AttributeError(name)


class MethodDecorator(Protocol):
    """``@method(...)``."""

    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, function: Callable[Concatenate[Any, P], Iterator[T] | AsyncIterator[T]], /
    ) -> TypedMethod[P, ObjectRefGenerator[T]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]], /
    ) -> TypedMethod[P, ObjectRef[T]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[Any, P], T], /
    ) -> TypedMethod[P, ObjectRef[T]]: ...


class SeveralMethodDecorator(Protocol):
    """``@method(num_returns=...)``."""

    def __call__(self, function: Callable[Concatenate[Any, P], Any], /) -> TypedMethod[P, Any]: ...


class RemoteDecorator(Protocol):
    """``@remote(...)``."""

    @overload
    def __call__(self, target: type[A], /) -> type[A]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, target: type[T], /) -> ActorClass[T]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, target: Callable[P, Iterator[T] | AsyncIterator[T]], /
    ) -> RemoteFunction[P, ObjectRefGenerator[T]]: ...
    @overload
    def __call__(self, target: Callable[P, T], /) -> RemoteFunction[P, ObjectRef[T]]: ...


class SeveralDecorator(Protocol):
    """``@remote(num_returns=...)``: how many references there are is not a matter of types."""

    def __call__(self, target: Callable[P, Any], /) -> RemoteFunction[P, Any]: ...
