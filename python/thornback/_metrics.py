"""What this process records of `util.metrics`, on its way to the session's node.

A record changes a table in this process, which costs less than a microsecond; a thread that lives
only while there is something to tell sends what has changed a few times a second.
"""

from __future__ import annotations

import os
import threading
import time

from . import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TypeAlias

    # Kind ("counter", "gauge", "histogram"), name, description, tag keys, boundaries.
    Family: TypeAlias = tuple[str, str, str, tuple[str, ...], tuple[float, ...]]
    Pending: TypeAlias = dict[tuple[Family, tuple[str, ...]], Any]

_INTERVAL_S = 0.25
# More combinations of tags than this are sent at once, by the thread that records.
_PENDING_MAX = 1000
# As in core/metrics/report.go, whose limit of a report is 1 MiB.
_REPORT_BYTES_MAX = 512 << 10
_NAME_BYTES_MAX = 256
_HELP_BYTES_MAX = 4 << 10
_LABEL_BYTES_MAX = 4 << 10
_WARNINGS_MAX = 100
# What the text has of its own on each line.
RESERVED = frozenset({"Component", "NodeAddress", "SessionName", "Version", "WorkerId", "le"})


class Recorder:
    """Adds up this process's records until they are sent."""

    def __init__(self) -> None:
        # Reentrant: the destructor of something may record, at any allocation.
        self._mutex = threading.RLock()
        self._sending = threading.Lock()
        self._pending: Pending = {}  # guarded by _mutex
        self._armed = False  # guarded by _mutex: a thread is going to send
        self._registered = False  # guarded by _mutex
        self._warned: set[str] = set()  # guarded by _sending

    def add(self, family: Family, labels: tuple[str, ...], value: float) -> None:
        """Let a counter grow."""
        with self._mutex:
            if self._armed or self._arm():
                key = (family, labels)
                self._pending[key] = self._pending.get(key, 0.0) + value
        if len(self._pending) > _PENDING_MAX:
            self.flush()

    def set(self, family: Family, labels: tuple[str, ...], value: float) -> None:
        """Set a gauge."""
        with self._mutex:
            if self._armed or self._arm():
                self._pending[family, labels] = value
        if len(self._pending) > _PENDING_MAX:
            self.flush()

    def observe(self, family: Family, labels: tuple[str, ...], value: float, bucket: int) -> None:
        """Count a value in a histogram."""
        with self._mutex:
            if self._armed or self._arm():
                key = (family, labels)
                entry = self._pending.get(key)
                if entry is None:
                    entry = self._pending[key] = [0.0, [0] * (len(family[4]) + 1)]
                entry[0] += value
                entry[1][bucket] += 1
        if len(self._pending) > _PENDING_MAX:
            self.flush()

    def _arm(self) -> bool:
        """Have the records sent soon; False when there is no session. Holds _mutex."""
        if not _core.session():
            return False
        if not self._registered:
            import atexit

            atexit.register(self.flush)
            self._registered = True
        threading.Thread(target=self._run, name="thornback-metrics", daemon=True).start()
        self._armed = True
        return True

    def _run(self) -> None:
        while True:
            time.sleep(_INTERVAL_S)
            self.flush()
            with self._mutex:
                if not self._pending:
                    self._armed = False
                    return

    def flush(self) -> None:
        """Send what is recorded so far. Without a session it is lost, as in Ray."""
        with self._sending:
            with self._mutex:
                pending, self._pending = self._pending, {}
            for report in _reports(pending, self._warn):
                try:
                    answer = _core.control("metrics.report", report)
                except Exception:  # noqa: BLE001  # the session is ending
                    return
                self._told(answer)

    def _told(self, answer: bytes) -> None:
        import json

        for refusal in json.loads(answer)["refused"]:
            self._warn(refusal["name"], refusal["reason"])

    def _warn(self, name: str, reason: str) -> None:
        """Say once that values of a metric are lost. Holds _sending."""
        if name in self._warned or len(self._warned) >= _WARNINGS_MAX:
            return
        self._warned.add(name)
        import logging

        logging.getLogger("thornback").warning(
            "Values of the metric %.100s are not recorded: %s", name, reason
        )

    def forked(self) -> None:
        """Begin anew in a forked process: what was recorded before is the parent's to send."""
        self.__init__()  # type: ignore[misc]


def _reports(pending: Pending, warn: Any) -> Iterator[bytes]:
    """Yield the JSON of reports, each within the node's limit."""
    import json

    families: dict[Family, dict[str, Any]] = {}
    size = 0
    for (family, labels), value in pending.items():
        kind, name, help_text, keys, bounds = family
        if len(name) > _NAME_BYTES_MAX:
            warn(name, f"the name has more than {_NAME_BYTES_MAX} bytes")
            continue
        if any(len(label.encode(errors="replace")) > _LABEL_BYTES_MAX for label in labels):
            warn(name, f"the value of a tag has more than {_LABEL_BYTES_MAX} bytes")
            continue
        names = label_names(keys)
        entry = families.get(family)
        if entry is None:
            entry = families[family] = {
                "name": name + "_total" * (kind == "counter" and not name.endswith("_total")),
                "kind": kind,
                "help": help_text.encode(errors="replace")[:_HELP_BYTES_MAX].decode(
                    errors="ignore"
                ),
                "keys": list(names),
                "bounds": list(bounds),
                "series": [],
            }
            size += 1000 + len(help_text) + 25 * len(bounds)
        series: dict[str, Any] = {"labels": [labels[i] for i in names.values()]}
        if kind == "histogram":
            series["value"], series["counts"] = repr(value[0]), value[1]
        else:
            series["value"] = repr(value)
        entry["series"].append(series)
        # A character is at most six in JSON.
        size += 64 + 6 * sum(map(len, labels)) + 25 * len(bounds)
        if size > _REPORT_BYTES_MAX:
            yield json.dumps({"families": list(families.values())}).encode()
            families, size = {}, 0
    if families:
        yield json.dumps({"families": list(families.values())}).encode()


def label_names(keys: tuple[str, ...]) -> dict[str, int]:
    """Return what tags are called in Prometheus's text, and their places among `keys`.

    Other characters become "_"; the text's own labels come before tags of the same name.
    """
    import re

    names: dict[str, int] = {}
    for place, key in enumerate(keys):
        name = re.sub(r"^[^a-zA-Z_]|[^a-zA-Z0-9_]", "_", key)[:_NAME_BYTES_MAX] or "_"
        if name not in RESERVED:
            names[name] = place
    return names


recorder = Recorder()
os.register_at_fork(after_in_child=recorder.forked)
