"""What a session is doing: tasks, actors, objects, workers, as Ray's state API shows them."""

from __future__ import annotations

from .api import StateApiClient as StateApiClient
from .api import get_actor as get_actor
from .api import get_job as get_job
from .api import get_log as get_log
from .api import get_node as get_node
from .api import get_objects as get_objects
from .api import get_placement_group as get_placement_group
from .api import get_task as get_task
from .api import get_worker as get_worker
from .api import list_actors as list_actors
from .api import list_cluster_events as list_cluster_events
from .api import list_jobs as list_jobs
from .api import list_logs as list_logs
from .api import list_nodes as list_nodes
from .api import list_objects as list_objects
from .api import list_placement_groups as list_placement_groups
from .api import list_runtime_envs as list_runtime_envs
from .api import list_tasks as list_tasks
from .api import list_workers as list_workers
from .api import summarize_actors as summarize_actors
from .api import summarize_objects as summarize_objects
from .api import summarize_tasks as summarize_tasks

__all__ = [
    "StateApiClient",
    "get_actor",
    "get_job",
    "get_log",
    "get_node",
    "get_objects",
    "get_placement_group",
    "get_task",
    "get_worker",
    "list_actors",
    "list_cluster_events",
    "list_jobs",
    "list_logs",
    "list_nodes",
    "list_objects",
    "list_placement_groups",
    "list_runtime_envs",
    "list_tasks",
    "list_workers",
    "summarize_actors",
    "summarize_objects",
    "summarize_tasks",
]
