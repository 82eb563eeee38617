"""Metrics that programs define; names, checks and errors as in Ray's `ray.util.metrics`.

Records of the driver, of tasks and of actors come together at the session's node.
`prometheus_text` and the command ``thornback metrics`` show them as the text that Prometheus reads.
"""

from __future__ import annotations

import re
import warnings
from bisect import bisect_left

from .._metrics import recorder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, Self

    from .._metrics import Family

__all__ = ["Counter", "Gauge", "Histogram", "prometheus_text"]

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_INFINITY = float("inf")


def prometheus_text(address: str | None = None) -> str:
    """Return the metrics of a session, in the text format of Prometheus.

    What other processes recorded appears after a fraction of a second. Counters and histograms are
    sums over all processes; a gauge has a line for each live process that has set it.

    Parameters
    ----------
    address : str, optional
        A session's folder, its name, or the pid of its driver; without one, that of this process.

    Raises
    ------
    ConnectionError
        There is no such session.

    Examples
    --------
    >>> import thornback as ray
    >>> from thornback.util.metrics import Counter, prometheus_text
    >>> _ = ray.init(num_cpus=1)
    >>> Counter("requests", "How many came.", tag_keys=("kind",)).inc(3, tags={"kind": "get"})
    >>> [line for line in prometheus_text().splitlines() if line.startswith("ray_requests")]
    ['ray_requests_total{Component="core_worker",...,kind="get"} 3.0']
    """
    from .._prometheus import text
    from .._state.source import Source

    recorder.flush()
    with Source(address) as source:
        return text(source.ask("metrics"), source.session)


class Metric:
    """Base of the metrics.

    Parameters
    ----------
    name : str
        Letters, digits, "_" and ":", no digit first. Prometheus sees it with "ray_" before it. With
        another name it is not recorded, which a warning says.
    description : str
    tag_keys : tuple of str, optional
        Names of tags; each record must have a value for all.

    Raises
    ------
    ValueError
        The name is empty.
    TypeError
        `tag_keys` is no tuple of texts.
    AttributeError
        `description` is no text.
    """

    _kind: ClassVar[str] = ""

    def __init__(
        self, name: str, description: str = "", tag_keys: tuple[str, ...] | None = None
    ) -> None:
        self._discard_metric = _is_invalid(name)
        self._name = name
        self._description = description
        self._default_tags: dict[str, str] = {}
        self._tag_keys = tag_keys or ()
        if not isinstance(self._tag_keys, tuple):
            raise TypeError(f"tag_keys should be a tuple type, got: {type(self._tag_keys)}")
        for key in self._tag_keys:
            if not isinstance(key, str):
                raise TypeError(f"Tag keys must be str, got {type(key)}.")
        if ":" in name:
            warnings.warn(
                f"Metric name {name} contains a : character, which is no longer allowed. "
                "Please migrate to the new metric name format. "
                "This will be an error in the future.",
                FutureWarning,
                stacklevel=3,
            )
        if self._kind and not self._discard_metric:
            description.encode()  # AttributeError, as in Ray, when it is no text
        self._family = self._made_family(())

    def _made_family(self, bounds: tuple[float, ...]) -> Family:
        return (self._kind, self._name, self._description, self._tag_keys, bounds)

    def set_default_tags(self, default_tags: dict[str, str]) -> Self:
        """Set values of tags for records that do not say other ones; return the metric.

        Raises
        ------
        ValueError
            A tag is not among the metric's keys.
        TypeError
            A value is not a text.
        """
        for key, value in default_tags.items():
            if key not in self._tag_keys:
                raise ValueError(f"Unrecognized tag key {key}.")
            if not isinstance(value, str):
                raise TypeError(f"Tag values must be str, got {type(value)}.")
        self._default_tags = default_tags
        return self

    def _labels(self, tags: dict[str, str] | None) -> tuple[str, ...]:
        """Return the values of the metric's keys; other tags do not count."""
        if tags:
            for value in tags.values():
                if not isinstance(value, str):
                    raise TypeError(f"Tag values must be str, got {type(value)}.")
            tags = {**self._default_tags, **tags} if self._default_tags else tags
        else:
            tags = self._default_tags
        try:
            return tuple([tags[key] for key in self._tag_keys])
        except KeyError:
            missing = ",".join(key for key in self._tag_keys if key not in tags)
            raise ValueError(f"Missing value for tag key(s): {missing}.") from None

    @property
    def info(self) -> dict[str, Any]:
        """Name, description, keys and default values of tags."""
        return {
            "name": self._name,
            "description": self._description,
            "tag_keys": self._tag_keys,
            "default_tags": self._default_tags,
        }

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self._name, self._description, self._tag_keys))


class Counter(Metric):
    """A number that only grows. Prometheus sees it with "_total" at its end.

    Parameters
    ----------
    name, description, tag_keys
        See `Metric`.
    """

    _kind = "counter"

    def inc(self, value: int | float = 1.0, tags: dict[str, str] | None = None) -> None:
        """Add a number above 0; what is not finite is left out.

        Raises
        ------
        TypeError
            The number, or the value of a tag, has the wrong type.
        ValueError
            The number is not above 0, or a tag has no value.
        """
        _check_number(value)
        if value <= 0:
            raise ValueError(f"value must be >0, got {value}")
        if self._discard_metric:
            return
        labels = self._labels(tags)
        value = float(value)
        if value < _INFINITY:
            recorder.add(self._family, labels, value)


class Gauge(Metric):
    """A number that was set last, in each process.

    Parameters
    ----------
    name, description, tag_keys
        See `Metric`.
    """

    _kind = "gauge"

    def set(self, value: int | float | None, tags: dict[str, str] | None = None) -> None:
        """Set the number; None changes nothing.

        Raises
        ------
        TypeError
            The number, or the value of a tag, has the wrong type.
        ValueError
            A tag has no value.
        """
        if value is None:
            return
        _check_number(value)
        if not self._discard_metric:
            recorder.set(self._family, self._labels(tags), float(value))


class Histogram(Metric):
    """Counts of numbers, by ranges, and their sum.

    Parameters
    ----------
    name, description, tag_keys
        See `Metric`.
    boundaries : list of float, all above 0
        Upper ends of the ranges, each of which belongs to its range. Order and repetition do not
        matter.

    Raises
    ------
    ValueError
        There are no boundaries, or one is not above 0.
    """

    _kind = "histogram"

    def __init__(
        self,
        name: str,
        description: str = "",
        boundaries: list[float] | None = None,
        tag_keys: tuple[str, ...] | None = None,
    ) -> None:
        super().__init__(name, description, tag_keys)
        if boundaries is None or len(boundaries) == 0:
            raise ValueError(
                "boundaries argument should be provided when using the Histogram class. e.g., "
                'Histogram("name", boundaries=[1.0, 2.0])'
            )
        for i, boundary in enumerate(boundaries):
            if boundary <= 0:
                raise ValueError(
                    f"Invalid `boundaries` argument at index {i}, {boundaries}. "
                    "Use positive values for the arguments."
                )
        self.boundaries = boundaries
        finite = {float(b) for b in boundaries if b < _INFINITY}
        self._bounds = tuple(sorted(finite))
        self._family = self._made_family(self._bounds)

    def observe(self, value: int | float, tags: dict[str, str] | None = None) -> None:
        """Count a number; NaN is left out.

        Raises
        ------
        TypeError
            The number, or the value of a tag, has the wrong type.
        ValueError
            A tag has no value.
        """
        _check_number(value)
        if self._discard_metric:
            return
        labels = self._labels(tags)
        value = float(value)
        if value == value:
            recorder.observe(self._family, labels, value, bisect_left(self._bounds, value))

    @property
    def info(self) -> dict[str, Any]:
        """As of all metrics, and the boundaries."""
        return {**super().info, "boundaries": self.boundaries}

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self._name, self._description, self.boundaries, self._tag_keys))


def _check_number(value: object) -> None:
    if not isinstance(value, (int, float)):
        raise TypeError(f"value must be int or float, got {type(value)}.")


def _is_invalid(name: str) -> bool:
    """Whether nothing is recorded under a name."""
    if len(name) == 0:
        raise ValueError("Empty name is not allowed. Please provide a metric name.")
    if _NAME.fullmatch(name):
        return False
    warnings.warn(
        f"Invalid metric name: {name}. Metric will be discarded and data will not be collected or "
        "published. Metric names can only contain letters, numbers, _, and :. Metric names cannot "
        "start with numbers.",
        UserWarning,
        stacklevel=4,
    )
    return True
