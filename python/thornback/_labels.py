"""Label selectors: which nodes a task may run on, written as Kubernetes labels are.

A selector's value is a label, ``!label``, ``in(a, b)`` or ``!in(a, b)``.
"""

from __future__ import annotations

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
