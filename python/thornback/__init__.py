"""Thornback: a distributed compute engine with Ray's Python API.

    import thornback as ray

Modules whose names begin with an underscore are private; this one, `thornback.actor`,
`thornback.exceptions` and `thornback.util` are the doors. Importing it loads neither the Go library
nor any other package: that happens when a session starts.

Layout:
  _init, _context, _session, _boot, _machine, _logs   a session's beginning and end
  _zygote, _worker, _output                            the processes that run tasks
  _api, _object_ref, _futures, _ids                    objects
  _remote, _actor, _handle, _named, _signature         tasks and actors
  _options, _method_options, _resources, _templates    what they ask for
  _definitions, _serialization, _arrow, _hooks         what travels, and how
  _exceptions and its parts                            what can go wrong
  _alias, _cli, _program                               `import ray` means this package
"""

import sys as _sys

if _sys.platform != "linux":
    raise ImportError(f"thornback runs on Linux; this is {_sys.platform}")

from . import _fork as _fork
from . import _hooks as _hooks
from ._actor import method as method
from ._alias import install_as_ray as install_as_ray
from ._api import available_resources as available_resources
from ._api import cluster_resources as cluster_resources
from ._api import get as get
from ._api import kill as kill
from ._api import nodes as nodes
from ._api import put as put
from ._api import wait as wait
from ._ids import ActorClassID as ActorClassID
from ._ids import ActorID as ActorID
from ._ids import FunctionID as FunctionID
from ._ids import JobID as JobID
from ._ids import NodeID as NodeID
from ._ids import PlacementGroupID as PlacementGroupID
from ._ids import TaskID as TaskID
from ._ids import UniqueID as UniqueID
from ._ids import WorkerID as WorkerID
from ._init import init as init
from ._init import is_initialized as is_initialized
from ._init import shutdown as shutdown
from ._named import get_actor as get_actor
from ._object_ref import ObjectRef as ObjectRef
from ._remote import remote as remote
from ._runtime_context import get_runtime_context as get_runtime_context
from ._version import VERSION as __version__

ObjectID = ObjectRef
SCRIPT_MODE = 0
WORKER_MODE = 1

# Loaded when first used, because their imports take longer than all the others.
_LATE = {
    "actor": "thornback.actor",
    "cloudpickle": "thornback.cloudpickle",
    "exceptions": "thornback.exceptions",
    "util": "thornback.util",
}

__all__ = [
    "SCRIPT_MODE",
    "WORKER_MODE",
    "ActorClassID",
    "ActorID",
    "FunctionID",
    "JobID",
    "NodeID",
    "ObjectID",
    "ObjectRef",
    "PlacementGroupID",
    "TaskID",
    "UniqueID",
    "WorkerID",
    "__version__",
    "actor",
    "available_resources",
    "cluster_resources",
    "exceptions",
    "get",
    "get_actor",
    "get_runtime_context",
    "init",
    "is_initialized",
    "kill",
    "method",
    "nodes",
    "put",
    "remote",
    "shutdown",
    "util",
    "wait",
]


def __getattr__(name: str) -> object:
    target = _LATE.get(name)
    if target is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = import_module(target)
    globals()[name] = module
    return module


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATE})
