"""Ray's compiled module, as far as libraries import names from it."""

from __future__ import annotations

from ._ids import ActorClassID as ActorClassID
from ._ids import ActorID as ActorID
from ._ids import FunctionID as FunctionID
from ._ids import JobID as JobID
from ._ids import NodeID as NodeID
from ._ids import PlacementGroupID as PlacementGroupID
from ._ids import TaskID as TaskID
from ._ids import UniqueID as UniqueID
from ._ids import WorkerID as WorkerID
from ._object_ref import ObjectRef as ObjectRef

ObjectID = ObjectRef
