"""Names of Ray's private modules that other libraries touch, and nothing more.

`worker`, `state`, `services`, `utils`, `ray_constants`, `internal_api`, `serialization` and
`client_mode_hook`: each says what of Ray's it has. Programs should use the public names.
"""

from __future__ import annotations

_MODULES = (
    "client_mode_hook",
    "internal_api",
    "ray_constants",
    "serialization",
    "services",
    "state",
    "utils",
    "worker",
)


def __getattr__(name: str) -> object:
    if name in _MODULES:
        from importlib import import_module

        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
