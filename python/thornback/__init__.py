"""Thornback: a distributed compute engine with Ray's Python API.

    import thornback as ray

Modules whose names begin with an underscore are private; this one, `thornback.actor`,
`thornback.exceptions` and `thornback.util` are the doors. Importing it loads neither the Go library
nor any other package: that happens when a session starts.

Layout:
  _init, _context, _session, _boot, _machine, _logs   a session's beginning and end
  _zygote, _worker, _output                            the processes that run tasks
  _api, _cancel, _object_ref, _named_ref, _generator, _futures, _ids
                                                       objects
  _remote, _actor, _handle, _named, _signature         tasks and actors
  _options, _method_options, _resources, _templates    what they ask for
  _definitions, _serialization, _pickler, _arrow, _hooks  what travels, and how
  _scope                                               blocks that nothing outlives
  _progress, _html                                     bars, and what notebooks show
  _executor                                            the session as a concurrent.futures executor
  _exceptions and its parts                            what can go wrong
  _alias, _program                                     `import ray` means this package
  _cli/, _peer                                         the command line, and asking a session
  _private, _raylet, _deprecated                       names of Ray's that libraries touch
"""

import sys as _sys

if _sys.platform != "linux":
    raise ImportError(f"thornback runs on Linux; this is {_sys.platform}")

from . import _fork as _fork
from . import _hooks as _hooks
from ._accelerators import get_gpu_ids as get_gpu_ids
from ._actor import Actor as Actor
from ._actor import method as method
from ._alias import install_as_ray as install_as_ray
from ._api import available_resources as available_resources
from ._api import cluster_resources as cluster_resources
from ._api import get as get
from ._api import kill as kill
from ._api import nodes as nodes
from ._api import put as put
from ._api import timeline as timeline
from ._api import wait as wait
from ._generator import DynamicObjectRefGenerator as DynamicObjectRefGenerator
from ._generator import ObjectRefGenerator as ObjectRefGenerator
from ._init import init as init
from ._init import is_initialized as is_initialized
from ._init import shutdown as shutdown
from ._named import get_actor as get_actor
from ._object_ref import ObjectRef as ObjectRef
from ._remote import remote as remote
from ._version import VERSION as __version__

TYPE_CHECKING = False
if TYPE_CHECKING:  # what is loaded when first used; see _LATE
    from . import _private as _private
    from . import _raylet as _raylet
    from . import actor as actor
    from . import autoscaler as autoscaler
    from . import cloudpickle as cloudpickle
    from . import cross_language as cross_language
    from . import dag as dag
    from . import exceptions as exceptions
    from . import experimental as experimental
    from . import internal as internal
    from . import job_config as job_config
    from . import remote_function as remote_function
    from . import runtime_context as runtime_context
    from . import types as types
    from . import util as util
    from ._cancel import cancel as cancel
    from ._client_builder import ClientBuilder as ClientBuilder
    from ._client_builder import client as client
    from ._executor import Executor as Executor
    from ._explain import explain as explain
    from ._ids import ActorClassID as ActorClassID
    from ._ids import ActorID as ActorID
    from ._ids import FunctionID as FunctionID
    from ._ids import JobID as JobID
    from ._ids import NodeID as NodeID
    from ._ids import PlacementGroupID as PlacementGroupID
    from ._ids import TaskID as TaskID
    from ._ids import UniqueID as UniqueID
    from ._ids import WorkerID as WorkerID
    from ._logging_config import LoggingConfig as LoggingConfig
    from ._progress import progress as progress
    from ._runtime_context import get_runtime_context as get_runtime_context
    from ._scope import Scope as scope
    from .cross_language import Language as Language
    from .cross_language import cpp_function as cpp_function
    from .cross_language import java_actor_class as java_actor_class
    from .cross_language import java_function as java_function
del TYPE_CHECKING

__commit__ = f"thornback-{__version__}"
ObjectID = ObjectRef
SCRIPT_MODE = 0
WORKER_MODE = 1

# Loaded when first used, because their imports take longer than all the others.
_LATE = {
    "ActorClassID": "thornback._ids:ActorClassID",
    "ActorID": "thornback._ids:ActorID",
    "ClientBuilder": "thornback._client_builder:ClientBuilder",
    "Executor": "thornback._executor:Executor",
    "FunctionID": "thornback._ids:FunctionID",
    "JobID": "thornback._ids:JobID",
    "Language": "thornback.cross_language:Language",
    "LoggingConfig": "thornback._logging_config:LoggingConfig",
    "NodeID": "thornback._ids:NodeID",
    "PlacementGroupID": "thornback._ids:PlacementGroupID",
    "TaskID": "thornback._ids:TaskID",
    "UniqueID": "thornback._ids:UniqueID",
    "WorkerID": "thornback._ids:WorkerID",
    "_private": "thornback._private",
    "_raylet": "thornback._raylet",
    "actor": "thornback.actor",
    "autoscaler": "thornback.autoscaler",
    "cancel": "thornback._cancel:cancel",
    "client": "thornback._client_builder:client",
    "cloudpickle": "thornback.cloudpickle",
    "cpp_function": "thornback.cross_language:cpp_function",
    "cross_language": "thornback.cross_language",
    "dag": "thornback.dag",
    "exceptions": "thornback.exceptions",
    "experimental": "thornback.experimental",
    "explain": "thornback._explain:explain",
    "get_runtime_context": "thornback._runtime_context:get_runtime_context",
    "internal": "thornback.internal",
    "java_actor_class": "thornback.cross_language:java_actor_class",
    "java_function": "thornback.cross_language:java_function",
    "job_config": "thornback.job_config",
    "progress": "thornback._progress:progress",
    "remote_function": "thornback.remote_function",
    "runtime_context": "thornback.runtime_context",
    "scope": "thornback._scope:Scope",
    "types": "thornback.types",
    "util": "thornback.util",
}

# Libraries of Ray's that a program may ask for: an error that says more than "no attribute".
_LATER = frozenset({"data", "rllib", "serve", "train", "tune", "widgets"})

__all__ = [
    "SCRIPT_MODE",
    "WORKER_MODE",
    "Actor",
    "ActorClassID",
    "ActorID",
    "ClientBuilder",
    "DynamicObjectRefGenerator",
    "Executor",
    "FunctionID",
    "JobID",
    "Language",
    "LoggingConfig",
    "NodeID",
    "ObjectID",
    "ObjectRef",
    "ObjectRefGenerator",
    "PlacementGroupID",
    "TaskID",
    "UniqueID",
    "WorkerID",
    "__version__",
    "actor",
    "available_resources",
    "cancel",
    "client",
    "cluster_resources",
    "cpp_function",
    "exceptions",
    "explain",
    "get",
    "get_actor",
    "get_gpu_ids",
    "get_runtime_context",
    "init",
    "is_initialized",
    "java_actor_class",
    "java_function",
    "kill",
    "method",
    "nodes",
    "progress",
    "put",
    "remote",
    "scope",
    "shutdown",
    "timeline",
    "util",
    "wait",
]

# Private modules of Ray's that are attributes of it, each use of which is told in the log once.
_DEPRECATED = ("ray_constants", "serialization", "state", "worker")


def __getattr__(name: str) -> object:
    target = _LATE.get(name)
    if target is None and name in _DEPRECATED:
        from ._deprecated import deprecated

        globals()[name] = wrapper = deprecated(name)
        return wrapper
    if name in _LATER:
        raise AttributeError(f"the library {__name__}.{name} is not available in this release")
    if name == "workflow":
        raise RuntimeError(
            "The experimental Ray Workflows library was deprecated in Ray 2.44 and has been "
            "removed. The last Ray release containing ray.workflows is `ray==2.47`."
        )
    if target is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    path, _, attribute = target.partition(":")
    found = import_module(path)
    globals()[name] = found = getattr(found, attribute) if attribute else found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATE})
