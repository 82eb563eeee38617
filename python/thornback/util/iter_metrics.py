"""What an iterator's functions can count and find out; see `LocalIterator.get_metrics`."""

from __future__ import annotations

from collections import defaultdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


class MetricsContext:
    """Counters and notes that all functions of an iterator share.

    Attributes
    ----------
    counters : dict of str to int
    timers, info : dict
    current_actor : ActorHandle or None
        That the item came from, with `gather_async`.
    """

    def __init__(self) -> None:
        self.counters: dict[str, int] = defaultdict(int)
        self.timers: dict[str, Any] = {}
        self.info: dict[str, Any] = {}
        self.current_actor: Any = None

    def save(self) -> dict[str, Any]:
        """Return what can be pickled of it."""
        return {"counters": dict(self.counters), "info": dict(self.info), "timers": None}

    def restore(self, values: dict[str, Any]) -> None:
        """Take what `save` gave."""
        self.counters.clear()
        self.counters.update(values["counters"])
        self.timers.clear()
        self.info = values["info"]


class SharedMetrics:
    """Points at a context; a union of iterators makes all of theirs point at one."""

    def __init__(
        self,
        metrics: MetricsContext | None = None,
        parents: Sequence[SharedMetrics] | None = None,
    ) -> None:
        self.parents = list(parents or ())
        self.set(metrics or MetricsContext())

    def set(self, metrics: MetricsContext) -> None:
        """Point at another context, with all that this was made of."""
        self.metrics = metrics
        for parent in self.parents:
            parent.set(metrics)

    def get(self) -> MetricsContext:
        """Return the context."""
        return self.metrics
