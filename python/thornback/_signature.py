"""What arguments a function takes: known without `inspect`, and small enough to travel."""

from __future__ import annotations

from types import FunctionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeAlias

    # Name, kind, whether there is a default.
    Parameter: TypeAlias = tuple[str, int, bool]

# The values of inspect.Parameter's kinds.
_POSITIONAL_ONLY = 0
_POSITIONAL = 1
_REST = 2
_KEYWORD_ONLY = 3
_MORE = 4

_VARARGS = 0x04
_VARKEYWORDS = 0x08
_MANY = 2**31 - 1


class Signature:
    """Parameters of a callable, without defaults' values and annotations.

    Parameters
    ----------
    parameters : sequence of (str, int, bool)
        Name, kind as in `inspect.Parameter`, whether there is a default; in order.
    """

    __slots__ = ("parameters",)

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        self.parameters = tuple(parameters)

    def arity(self) -> tuple[int, int]:
        """Return the least and the largest number of positional arguments that fit alone.

        The first is larger than the second when keywords are always needed.
        """
        least = most = 0
        for _, kind, has_default in self.parameters:
            if kind <= _POSITIONAL:
                most = min(most + 1, _MANY)
                least += not has_default
            elif kind == _REST:
                most = _MANY
            elif kind == _KEYWORD_ONLY and not has_default:
                return 1, 0
        return least, most

    def check(self, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        """Raise the TypeError that a call with these arguments would raise, with its text."""
        if not self._fits(len(args), kwargs):
            self._inspected().bind(*args, **kwargs)

    def without_first(self) -> Signature:
        """Return the signature of the bound method."""
        if self.parameters and self.parameters[0][1] <= _POSITIONAL:
            return Signature(self.parameters[1:])
        return self

    def _fits(self, count: int, kwargs: dict[str, Any]) -> bool:
        unknown = set(kwargs)
        taken = 0
        rest = more = False
        for name, kind, has_default in self.parameters:
            if kind <= _POSITIONAL:
                taken += 1
                named = kind == _POSITIONAL and name in unknown
                if taken <= count:
                    if named:
                        return False
                elif named:
                    unknown.discard(name)
                elif not has_default:
                    return False
            elif kind == _KEYWORD_ONLY:
                if name not in unknown and not has_default:
                    return False
                unknown.discard(name)
            rest |= kind == _REST
            more |= kind == _MORE
        return (count <= taken or rest) and (not unknown or more)

    def _inspected(self) -> Any:
        import inspect

        kinds = (
            inspect.Parameter.POSITIONAL_ONLY,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            inspect.Parameter.VAR_POSITIONAL,
            inspect.Parameter.KEYWORD_ONLY,
            inspect.Parameter.VAR_KEYWORD,
        )
        return inspect.Signature(
            [
                inspect.Parameter(
                    name, kinds[kind], default=None if has_default else inspect.Parameter.empty
                )
                for name, kind, has_default in self.parameters
            ]
        )


ANYTHING = Signature((("args", _REST, False), ("kwargs", _MORE, False)))


def signature_of(function: Callable[..., Any]) -> Signature:
    """Return the signature of a callable, ``(*args, **kwargs)`` for one that tells nothing."""
    if isinstance(function, FunctionType) and not {"__wrapped__", "__signature__"} & set(
        vars(function)
    ):
        return _of_code(function)
    import inspect

    try:
        found = inspect.signature(function)
    except (TypeError, ValueError):
        return ANYTHING
    return Signature(
        [
            (p.name, int(p.kind), p.default is not inspect.Parameter.empty)
            for p in found.parameters.values()
        ]
    )


def _of_code(function: FunctionType) -> Signature:
    code = function.__code__
    names = code.co_varnames
    count, keyword_count = code.co_argcount, code.co_kwonlyargcount
    required = count - len(function.__defaults__ or ())
    keyword_defaults = function.__kwdefaults__ or {}
    parameters: list[Parameter] = [
        (
            names[i],
            _POSITIONAL_ONLY if i < code.co_posonlyargcount else _POSITIONAL,
            i >= required,
        )
        for i in range(count)
    ]
    at = count + keyword_count
    if code.co_flags & _VARARGS:
        parameters.append((names[at], _REST, False))
        at += 1
    keywords = names[count : count + keyword_count]
    parameters.extend((name, _KEYWORD_ONLY, name in keyword_defaults) for name in keywords)
    if code.co_flags & _VARKEYWORDS:
        parameters.append((names[at], _MORE, False))
    return Signature(parameters)
