"""Marks of how stable an interface is; libraries written for Ray use them on their own."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class RayDeprecationWarning(DeprecationWarning):
    """Something of the interface will go in a later release."""


def _mark(kind: str, args: tuple[Any, ...], **notes: Any) -> Any:
    """Return the decorated object, or the decorator when it is used with parentheses."""

    def decorate(target: Any) -> Any:
        target._annotated = getattr(target, "__name__", None)
        target._annotated_type = kind
        for name, value in notes.items():
            setattr(target, name, value)
        return target

    return decorate(args[0]) if len(args) == 1 and callable(args[0]) else decorate


def PublicAPI(*args: Any, **kwargs: Any) -> Any:
    """Mark something as public.

    Parameters
    ----------
    stability : str
        "stable", "beta" or "alpha".
    """
    stability = kwargs.get("stability", "stable")
    if stability not in ("stable", "beta", "alpha"):
        raise AssertionError(stability)
    return _mark("PublicAPI", args)


def DeveloperAPI(*args: Any, **kwargs: Any) -> Any:
    """Mark something as meant for developers of libraries."""
    del kwargs
    return _mark("DeveloperAPI", args)


def Deprecated(*args: Any, **kwargs: Any) -> Any:
    """Mark something as going away.

    Parameters
    ----------
    message : str
        What to use instead.
    warning : bool
        Whether a use warns.
    """
    if args:
        return _mark("Deprecated", args)
    message, warns = kwargs.get("message", ""), kwargs.get("warning", False)

    def decorate(target: Any) -> Any:
        marked = _mark("Deprecated", (target,))
        return _warning(marked, message) if warns else marked

    return decorate


def _warning(target: Any, message: str) -> Any:
    """Return the function, or the class, that warns when it is used."""
    text = f"`{target.__name__}` is deprecated and will be removed in a future version. {message}"
    if isinstance(target, type):
        target.__init__ = _warner(target.__init__, text)  # type: ignore[misc]
        return target
    return _warner(target, text)


def _warner(function: Callable[..., Any], text: str) -> Callable[..., Any]:
    import functools
    import warnings

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        warnings.warn(text, RayDeprecationWarning, stacklevel=2)
        return function(*args, **kwargs)

    return call
