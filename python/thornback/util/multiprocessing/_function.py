"""A function on its way to a pool's actors: sent once, not with each chunk."""

from __future__ import annotations

import functools
import itertools
import weakref
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ..._object_ref import ObjectRef
    from .pool import Pool

_numbers = itertools.count()
_REPEATED_MAX = 64
# Values that stay what they are.
_FIXED = {bool, bytes, complex, float, int, str, type(None), ModuleType}


class SharedFunction:
    """What runs a function on chunks.

    Plain functions are learnt by the actors that run them. Of other callables, which may have a
    state, each chunk gets its own copy, as in `multiprocessing`, but they are pickled once.

    Parameters
    ----------
    pool : Pool
    function : callable
    stateless : bool
        Whether a callable that is no plain function may be learnt too.
    """

    def __init__(
        self, pool: Pool, function: Callable[..., Any], *, stateless: bool = False
    ) -> None:
        self._pool = pool
        self._function: Any = function
        self._known: set[Any] = set()
        self._number = next(_numbers)
        self._plain = stateless or isinstance(function, (FunctionType, BuiltinFunctionType, type))
        if not self._plain:
            from ..._api import put

            self._function = put(function)

    def run(self, actor_index: int, star: bool, items: Sequence[Any]) -> ObjectRef[list[Any]]:
        """Submit a chunk to an actor."""
        if self._plain:
            actor = self._taught(actor_index)
            ref = actor.run_known.remote(self._number, star, items)
        else:
            actor = self._pool._next_call(actor_index)
            ref = actor.run.remote(self._function, star, items)
        return self._pool._called(actor_index, ref)

    def apply(
        self, actor_index: int, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> ObjectRef[list[Any]]:
        """Submit one call of a plain function to an actor."""
        ref = self._taught(actor_index).apply_known.remote(self._number, args, kwargs)
        return self._pool._called(actor_index, ref)

    def _taught(self, actor_index: int) -> Any:
        """Return the actor that the next call goes to, which has the function by then."""
        actor = self._pool._next_call(actor_index)
        if actor not in self._known:
            actor.learn.remote(self._number, self._function)
            self._known.add(actor)
        return actor

    def forget(self) -> None:
        """Let the actors forget the function, after the chunks submitted so far."""
        for actor in self._known:
            actor.forget.remote(self._number)
        self._known.clear()


class Repeated:
    """Functions of `apply` that are pickled by value, which costs more than most of their calls.

    One that comes again is learnt by the actors, as long as nothing that its pickle holds can have
    changed: its code, and what that refers to, which must all be numbers, texts and modules.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = weakref.proxy(pool)  # which has this: its actors go with the last reference
        # Each with what it refers to; learnt when it came again. The oldest goes first.
        self._seen: dict[Callable[..., Any], tuple[list[Any], SharedFunction | None]] = {}

    def find(self, function: Callable[..., Any]) -> SharedFunction | None:
        """Return the function as the actors know it, None when it must go with its call."""
        if type(function) is not FunctionType or not _by_value(function):
            return None
        parts = _parts(function)
        seen = self._seen.get(function)
        if parts is None or seen is None or seen[0] != parts:
            if seen is not None:
                self._drop(function)
            if parts is not None:
                if len(self._seen) >= _REPEATED_MAX:
                    self._drop(next(iter(self._seen)))
                self._seen[function] = (parts, None)
            return None
        shared = seen[1]
        if shared is None:
            shared = SharedFunction(self._pool, function)
            self._seen[function] = (parts, shared)
        return shared

    def clear(self) -> None:
        """Let go of everything, with the pool's actors."""
        self._seen.clear()

    def _drop(self, function: Callable[..., Any]) -> None:
        shared = self._seen.pop(function)[1]
        if shared is not None:
            shared.forget()


def _by_value(function: FunctionType) -> bool:
    """Whether cloudpickle takes a function apart; where it does not, sending it costs little."""
    return function.__module__ == "__main__" or "<" in function.__qualname__


def _parts(function: FunctionType) -> list[Any] | None:
    """Return what a function's pickle is made of; None when some of it may change in place."""
    if function.__dict__:
        return None
    values: list[Any] = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    try:
        values += [cell.cell_contents for cell in function.__closure__ or ()]
    except ValueError:
        return None  # not there yet
    given = function.__globals__
    code = function.__code__
    values += [given[name] for name in _names(code) if name in given]
    kinds = [type(value) for value in values]
    return [code, *kinds, *values] if _FIXED.issuperset(kinds) else None


@functools.lru_cache(_REPEATED_MAX)
def _names(code: CodeType) -> tuple[str, ...]:
    """Return the names of globals that a function's code, and code within it, may use."""
    inner = [name for c in code.co_consts if type(c) is CodeType for name in _names(c)]
    return (*code.co_names, *inner)
