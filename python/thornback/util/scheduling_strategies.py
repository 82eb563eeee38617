"""Where a task or an actor may run, for the option `scheduling_strategy`.

On one machine they mean little: what names another node is refused when it is used, see
`thornback._strategy`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TypeAlias


class PlacementGroupSchedulingStrategy:
    """Run in a placement group.

    Parameters
    ----------
    placement_group : PlacementGroup
    placement_group_bundle_index : int
        -1 for any of its bundles.
    placement_group_capture_child_tasks : bool, optional
        Whether tasks submitted from there run in the group too.
    """

    def __init__(
        self,
        placement_group: Any,
        placement_group_bundle_index: int = -1,
        placement_group_capture_child_tasks: bool | None = None,
    ) -> None:
        self.placement_group = placement_group
        self.placement_group_bundle_index = placement_group_bundle_index
        self.placement_group_capture_child_tasks = placement_group_capture_child_tasks


class NodeAffinitySchedulingStrategy:
    """Run on one node.

    Parameters
    ----------
    node_id : str
        In hexadecimal, as in ``nodes()[0]["NodeID"]``.
    soft : bool
        Whether another node will do when that one is gone.

    Raises
    ------
    ValueError
        `node_id` is no node's id, or the private options contradict `soft`.
    """

    def __init__(
        self,
        node_id: Any,
        soft: bool,
        _spill_on_unavailable: bool = False,
        _fail_on_unavailable: bool = False,
    ) -> None:
        self.node_id = node_id if isinstance(node_id, str) else node_id.hex()
        self.soft = soft
        self._spill_on_unavailable = _spill_on_unavailable
        self._fail_on_unavailable = _fail_on_unavailable
        self._check_id()
        if _spill_on_unavailable and not soft:
            raise ValueError(
                "_spill_on_unavailable cannot be set when soft is False. "
                "Please set soft to True to use _spill_on_unavailable."
            )
        if _fail_on_unavailable and soft:
            raise ValueError(
                "_fail_on_unavailable cannot be set when soft is True. "
                "Please set soft to False to use _fail_on_unavailable."
            )

    def _check_id(self) -> None:
        from .._ids import NodeID

        why: Exception | None = None
        try:
            nil = NodeID.from_hex(self.node_id).is_nil()
        except Exception as error:  # noqa: BLE001  # ValueError, or what an odd type raises
            nil, why = True, error
        if nil:
            raise ValueError(
                f"Invalid node_id '{self.node_id}'. Node ID must be a valid hex string. To get a "
                "list of all nodes and their IDs in your cluster, use ray.nodes(). See "
                "https://docs.ray.io/en/latest/ray-core/miscellaneous.html#node-information for "
                "more details."
            ) from why


class In:
    """The label has one of these values."""

    def __init__(self, *values: str) -> None:
        _check_values(values, "In")
        self.values = list(values)


class NotIn:
    """The label has none of these values."""

    def __init__(self, *values: str) -> None:
        _check_values(values, "NotIn")
        self.values = list(values)


class Exists:
    """The node has the label."""


class DoesNotExist:
    """The node does not have the label."""


if TYPE_CHECKING:
    Operator: TypeAlias = In | NotIn | Exists | DoesNotExist


class _LabelMatchExpression:
    def __init__(self, key: str, operator: Operator) -> None:
        self.key = key
        self.operator = operator


class NodeLabelSchedulingStrategy:
    """Run on nodes by their labels.

    Parameters
    ----------
    hard : dict of str to In, NotIn, Exists or DoesNotExist, or None
        What a node must fulfil.
    soft : dict, optional
        What is preferred.

    Raises
    ------
    ValueError
        Both are empty, or something in them is of another type.
    """

    def __init__(
        self, hard: Mapping[str, Operator] | None, *, soft: Mapping[str, Operator] | None = None
    ) -> None:
        self.hard = _expressions(hard, "hard")
        self.soft = _expressions(soft, "soft")
        if not (self.hard or self.soft):
            raise ValueError(
                "The `hard` and `soft` parameter of NodeLabelSchedulingStrategy cannot both be "
                "empty."
            )


def _check_values(values: tuple[Any, ...], operator: str) -> None:
    if not values:
        raise ValueError(
            f"The variadic parameter of the {operator} operator must be a non-empty tuple: e.g. "
            f'{operator}("value1", "value2").'
        )
    for index, value in enumerate(values):
        if not isinstance(value, str):
            raise ValueError(
                f"Type of value in position {index} for the {operator} operator must be str "
                f'(e.g. {operator}("value1", "value2")) but got {value} of type {type(value)}.'
            )


def _expressions(labels: Mapping[str, Operator] | None, param: str) -> list[_LabelMatchExpression]:
    if labels is None:
        return []
    example = '(e.g. {"key1": In("value1")})'
    if not isinstance(labels, dict):
        raise ValueError(
            f"The {param} parameter must be a map {example} but got type {type(labels)}."
        )
    for key, value in labels.items():
        if not isinstance(key, str):
            raise ValueError(
                f"The map key of the {param} parameter must be of type str {example} "
                f"but got {key} of type {type(key)}."
            )
        if not isinstance(value, (In, NotIn, Exists, DoesNotExist)):
            raise ValueError(
                f"The map value for key {key} of the {param} parameter must be one of the `In`, "
                f"`NotIn`, `Exists` or `DoesNotExist` operator {example} "
                f"but got {value} of type {type(value)}."
            )
    return [_LabelMatchExpression(key, value) for key, value in labels.items()]


def holds(expression: _LabelMatchExpression, labels: Mapping[str, str]) -> bool:
    """Whether a node with these labels fulfils the expression."""
    operator, value = expression.operator, labels.get(expression.key)
    if isinstance(operator, In):
        return value in operator.values
    if isinstance(operator, NotIn):
        return value not in operator.values
    return (value is not None) == isinstance(operator, Exists)
