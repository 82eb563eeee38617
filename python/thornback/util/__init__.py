"""Tools on top of the core, for users' programs; names as in Ray's `ray.util`.

Each is loaded when it is first used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import accelerators as accelerators
    from . import debugpy as ray_debugpy  # noqa: T100
    from . import iter as iter
    from . import rpdb as pdb
    from ._completion import as_completed as as_completed
    from ._completion import map_unordered as map_unordered
    from ._names import list_named_actors as list_named_actors
    from ._node import get_node_instance_id as get_node_instance_id
    from ._node import get_node_ip_address as get_node_ip_address
    from .actor_pool import ActorPool as ActorPool
    from .check_serialize import inspect_serializability as inspect_serializability
    from .client_connect import connect as connect
    from .client_connect import disconnect as disconnect
    from .debug import disable_log_once_globally as disable_log_once_globally
    from .debug import enable_periodic_logging as enable_periodic_logging
    from .debug import log_once as log_once
    from .placement_group import get_current_placement_group as get_current_placement_group
    from .placement_group import get_placement_group as get_placement_group
    from .placement_group import placement_group as placement_group
    from .placement_group import placement_group_table as placement_group_table
    from .placement_group import remove_placement_group as remove_placement_group
    from .serialization import deregister_serializer as deregister_serializer
    from .serialization import register_serializer as register_serializer

# Name: module below this package, and what of it; the module itself when empty.
_LATE = {
    "ActorPool": ("actor_pool", "ActorPool"),
    "accelerators": ("accelerators", ""),
    "as_completed": ("_completion", "as_completed"),
    "connect": ("client_connect", "connect"),
    "deregister_serializer": ("serialization", "deregister_serializer"),
    "disable_log_once_globally": ("debug", "disable_log_once_globally"),
    "disconnect": ("client_connect", "disconnect"),
    "enable_periodic_logging": ("debug", "enable_periodic_logging"),
    "get_current_placement_group": ("placement_group", "get_current_placement_group"),
    "get_node_instance_id": ("_node", "get_node_instance_id"),
    "get_node_ip_address": ("_node", "get_node_ip_address"),
    "get_placement_group": ("placement_group", "get_placement_group"),
    "inspect_serializability": ("check_serialize", "inspect_serializability"),
    "iter": ("iter", ""),
    "list_named_actors": ("_names", "list_named_actors"),
    "log_once": ("debug", "log_once"),
    "map_unordered": ("_completion", "map_unordered"),
    "pdb": ("rpdb", ""),
    "placement_group": ("placement_group", "placement_group"),
    "placement_group_table": ("placement_group", "placement_group_table"),
    "ray_debugpy": ("debugpy", ""),
    "register_serializer": ("serialization", "register_serializer"),
    "remove_placement_group": ("placement_group", "remove_placement_group"),
}

__all__ = [
    "ActorPool",
    "accelerators",
    "as_completed",
    "connect",
    "deregister_serializer",
    "disable_log_once_globally",
    "disconnect",
    "enable_periodic_logging",
    "get_current_placement_group",
    "get_node_instance_id",
    "get_node_ip_address",
    "get_placement_group",
    "inspect_serializability",
    "iter",
    "list_named_actors",
    "log_once",
    "map_unordered",
    "pdb",
    "placement_group",
    "placement_group_table",
    "ray_debugpy",
    "register_serializer",
    "remove_placement_group",
]


def __getattr__(name: str) -> object:
    from importlib import import_module

    target = _LATE.get(name)
    if target is None:
        # `ray.util.queue` works after `import ray` in programs: other imports have loaded it there.
        if name.startswith("_"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            return import_module(f"{__name__}.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"{__name__}.{name}":
                raise
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    module = import_module(f"{__name__}.{target[0]}")
    value: object = getattr(module, target[1]) if target[1] else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATE})
