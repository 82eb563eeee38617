"""What a scheduling strategy means on one machine: nothing, an error, or waiting for ever."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def refused(strategy: Any) -> bool:
    """Whether the strategy is of a kind that this release does not know."""
    if strategy is None or isinstance(strategy, str):
        return False
    from .util.scheduling_strategies import PlacementGroupSchedulingStrategy

    return (
        isinstance(strategy, PlacementGroupSchedulingStrategy)
        and strategy.placement_group is not None
    )


def unschedulable(strategy: Any) -> str | None:
    """Return why a strategy can never be satisfied, as an error's text; None when it can."""
    if strategy is None or isinstance(strategy, str):
        return None
    from ._api import nodes
    from .util.scheduling_strategies import NodeAffinitySchedulingStrategy

    if not isinstance(strategy, NodeAffinitySchedulingStrategy) or strategy.soft:
        return None
    here = nodes()[0]["NodeID"]
    if strategy.node_id == here:
        return None
    return (
        "The node specified via NodeAffinitySchedulingStrategy doesn't exist any more or is "
        f"infeasible, and soft=False was specified. It is {strategy.node_id}; the only node of "
        f"this session is {here}."
    )


def demand(values: Mapping[str, Any]) -> dict[str, int]:
    """Return what a node must have besides the resources asked for, in ten-thousandths.

    Parameters
    ----------
    values : mapping
        All options of a task or an actor.

    Returns
    -------
    dict
    Labels that the node lacks are resources that it lacks: who asks for them waits as Ray's users
    wait for a node that has them, and is listed among what can't be placed.
    """
    strategy, selector = values["scheduling_strategy"], values.get("label_selector")
    if not selector and (strategy is None or isinstance(strategy, str)):
        return {}
    from . import _labels
    from ._api import nodes
    from .util.scheduling_strategies import NodeLabelSchedulingStrategy, holds

    labels = nodes()[0]["Labels"]
    wanted = {f"label:{key}": 10_000 for key in _labels.lacking(values, labels)}
    if not isinstance(strategy, NodeLabelSchedulingStrategy):
        return wanted
    return wanted | {f"label:{e.key}": 10_000 for e in strategy.hard if not holds(e, labels)}


def refusal(name: str, why: str) -> int:
    """Return the number of a function that does nothing but raise TaskUnschedulableError."""
    from ._definitions import FUNCTION, Definition

    def refuse(*args: Any, **kwargs: Any) -> None:
        from .exceptions import TaskUnschedulableError

        del args, kwargs
        raise TaskUnschedulableError(why)

    return Definition(FUNCTION, name, refuse).export()


def check_actor(values: Mapping[str, Any]) -> None:
    """Raise what an actor's creation raises when its strategy can never be satisfied."""
    why = unschedulable(values.get("scheduling_strategy"))
    if why is not None:
        from .exceptions import ActorUnschedulableError

        raise ActorUnschedulableError(why)
