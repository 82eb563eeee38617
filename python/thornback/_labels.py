"""Label selectors: which nodes a task may run on, written as Kubernetes labels are.

A selector's value is a label, ``!label``, ``in(a, b)`` or ``!in(a, b)``.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_node: dict[str, str] | None = None
_WORD = r"([a-zA-Z0-9]([a-zA-Z0-9_.-]{0,61}[a-zA-Z0-9])?)"
_PREFIX = rf"({_WORD}?(\.{_WORD}?)*)"
_SELECTOR = rf"!?(?:in)?\({_WORD}(?:, ?{_WORD})*\)|!?{_WORD}"
_NAME_RULE = (
    "must be 63 chars or less beginning and ending with an alphanumeric character ([a-z0-9A-Z]) "
    "with dashes (-), underscores (_),dots (.), and alphanumerics between."
)
_PREFIX_LENGTH_MAX = 253
_NAME_LENGTH_MAX = 63


def selector_error(selector: dict[str, str | None] | None) -> str | None:
    """Return what is wrong with a label selector, or None."""
    for key, value in (selector or {}).items():
        error = _key_error(key) or _value_error(value)
        if error:
            return error
    return None


def fallback_error(strategies: list[object] | None) -> str | None:
    """Return what is wrong with a list of fallback strategies, or None."""
    for strategy in strategies or ():
        if not isinstance(strategy, dict):
            return "Each element in fallback_strategy must be a dictionary."
        if not strategy:
            return "Empty dictionary found in `fallback_strategy`."
        for option in strategy:
            if option != "label_selector":
                return (
                    f"Unsupported option found: '{option}'. "
                    "Only ['label_selector'] is currently supported."
                )
        selector = strategy["label_selector"]
        if selector and not isinstance(selector, dict):
            return 'The value of "label_selector" must be a dictionary.'
        error = selector_error(selector)
        if error:
            return error
    return None


def _key_error(key: str) -> str | None:
    import re

    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > _PREFIX_LENGTH_MAX or not re.fullmatch(_PREFIX, prefix)):
        return (
            f"Invalid label key prefix `{prefix}`. Prefix must be a series of DNS labels "
            "separated by dots (.), not longer than 253 characters in total."
        )
    if len(name) > _NAME_LENGTH_MAX or not re.fullmatch(_WORD, name):
        return f"Invalid label key name `{name}`. Name {_NAME_RULE}"
    return None


def _value_error(value: str | None) -> str | None:
    import re

    if not value or re.fullmatch(_SELECTOR, value):
        return None
    return (
        f"Invalid label selector value `{value}`. The label selector value should contain "
        "optional operators and a label value. Supported operators are: ! and {'in'}. "
        f"Value {_NAME_RULE}"
    )


def set_node(labels: Mapping[str, str] | None) -> None:
    """Set the labels that `init` gives the node.

    Raises
    ------
    TypeError
        Not a mapping of str to str.
    ValueError
        A key or a value is no label.
    """
    global _node
    checked: dict[str, str] = {}
    if labels is not None and not hasattr(labels, "items"):
        raise TypeError(f"labels must be a mapping of str to str, got {type(labels)}")
    given: Mapping[Any, Any] = labels or {}
    for key, value in given.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(f"labels must be a mapping of str to str, got {key!r}: {value!r}")
        error = _key_error(key) or _label_error(value)
        if error:
            raise ValueError(error)
        checked[key] = value
    _node = checked


def of_node() -> dict[str, str]:
    """Return the labels that `init` gave the node, in the driver and in workers."""
    if _node is not None:
        return _node
    from . import _worker

    labels: dict[str, str] = _worker.boot().get("labels", {})
    return labels


def lacking(values: Mapping[str, Any], labels: Mapping[str, str]) -> list[str]:
    """Return which keys of an option `label_selector` a node with these labels does not satisfy.

    Parameters
    ----------
    values : mapping
        Options; when one of `fallback_strategy` is satisfied, nothing lacks.
    labels : mapping
        The node's.
    """
    lacks = _lacks(values.get("label_selector"), labels)
    if not lacks:
        return []
    fallbacks = values.get("fallback_strategy") or ()
    if any(not _lacks(f.get("label_selector"), labels) for f in fallbacks):
        return []
    return lacks


def _lacks(selector: Mapping[str, str | None] | None, labels: Mapping[str, str]) -> list[str]:
    return [
        key for key, wanted in (selector or {}).items() if not _satisfies(wanted, labels.get(key))
    ]


def _satisfies(wanted: str | None, label: str | None) -> bool:
    text = wanted or ""
    negated = text.startswith("!")
    text = text.removeprefix("!")
    if text.endswith(")"):
        # With or without "in", as the check of the option lets pass.
        values = [part.strip() for part in text.removeprefix("in")[1:-1].split(",")]
    else:
        values = [text]
    return (label in values) != negated


def _label_error(value: str) -> str | None:
    import re

    if not value or (len(value) <= _NAME_LENGTH_MAX and re.fullmatch(_WORD, value)):
        return None
    return f"Invalid label key value `{value}`. Value {_NAME_RULE}"
