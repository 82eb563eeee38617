"""`LoggingConfig`: logs of driver and workers in one format, with who wrote them."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import asdict, dataclass, field, fields
from typing import Any

_STANDARD = frozenset(
    [
        "args",
        "asctime",
        "created",
        "exc_info",
        "exc_text",
        "filename",
        "funcName",
        "levelname",
        "levelno",
        "lineno",
        "message",
        "module",
        "msecs",
        "msg",
        "name",
        "pathname",
        "process",
        "processName",
        "relativeCreated",
        "stack_info",
        "thread",
        "threadName",
        "taskName",
    ]
)
_FORMAT = "%(asctime)s\t%(levelname)s %(filename)s:%(lineno)s -- %(message)s"
_ENCODINGS = ("TEXT", "JSON")
_TIMESTAMP = "_ray_timestamp_ns"
_FLATTENED = "ray_serve_extra_fields"


@dataclass
class LoggingConfig:
    """How the driver and all workers of a session log, given to `init`.

    Parameters
    ----------
    encoding : str
        ``TEXT``, or ``JSON``: one object a line.
    log_level : str
        Of the root logger and of ``ray``.
    additional_log_standard_attrs : list of str
        Attributes of `logging.LogRecord` that are written too, such as ``name``.

    Raises
    ------
    ValueError
        An encoding or an attribute that there is not.
    """

    encoding: str = "TEXT"
    log_level: str = "INFO"
    additional_log_standard_attrs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.encoding not in _ENCODINGS:
            raise ValueError(
                f"Invalid encoding type: {self.encoding}. Valid encoding types are: "
                f"{list(_ENCODINGS)}"
            )
        for name in self.additional_log_standard_attrs:
            if name not in _STANDARD:
                raise ValueError(
                    f"Unknown python logging standard attribute: {name}. The valid attributes are: "
                    f"{set(_STANDARD)}"
                )

    def to_dict(self) -> dict[str, object]:
        """Return the fields as a dict that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> LoggingConfig:
        """Return what `to_dict` gave; keys that are not known are left out."""
        known = {f.name for f in fields(cls)}
        return cls(**{name: value for name, value in d.items() if name in known})

    def _apply(self) -> None:
        """Set logging up in this process."""
        _note_times()
        handler = logging.StreamHandler()
        handler.setLevel(self.log_level)
        handler.setFormatter(_Formatter(self.encoding, self.additional_log_standard_attrs))
        handler.addFilter(_add_context)
        root, engine = logging.getLogger(), logging.getLogger("ray")
        root.setLevel(self.log_level)
        root.addHandler(handler)
        engine.setLevel(self.log_level)
        engine.handlers[:] = [handler]
        engine.propagate = False


class _Formatter(logging.Formatter):
    def __init__(self, encoding: str, more: list[str]) -> None:
        super().__init__(_FORMAT)
        self._encoding = encoding
        self._more = more

    def format(self, record: logging.LogRecord) -> str:
        if self._encoding == "JSON":
            return json.dumps({**self._standard(record), **self._context(record)}, default=str)
        context = " ".join(f"{key}={value}" for key, value in self._context(record).items())
        return f"{super().format(record)} {context}"

    def _standard(self, record: logging.LogRecord) -> dict[str, Any]:
        values: dict[str, Any] = {
            "asctime": self.formatTime(record),
            "levelname": record.levelname,
            "message": record.getMessage(),
            "filename": record.filename,
            "lineno": record.lineno,
            "process": record.process,
        }
        if record.exc_info:
            record.exc_text = record.exc_text or self.formatException(record.exc_info)
            values["exc_text"] = record.exc_text
        return values

    def _context(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return the attributes asked for, those the user gave as `extra`, and who writes."""
        values = {name: getattr(record, name, None) for name in self._more}
        for name, value in record.__dict__.items():
            if name == _FLATTENED:
                values.update(value)
            elif name not in _STANDARD and name != _TIMESTAMP:
                values[name] = value
        values["timestamp_ns"] = getattr(record, _TIMESTAMP, int(record.created * 1e9))
        return values


def _add_context(record: logging.LogRecord) -> bool:
    """Add who writes to a record, in the way of a filter."""
    from . import _core, _worker
    from ._runtime_context import RuntimeContext

    if not _core.session():
        return True
    context = RuntimeContext()
    values: dict[str, Any] = {
        "job_id": context.get_job_id(),
        "worker_id": context.get_worker_id(),
        "node_id": context.get_node_id(),
    }
    if _worker.index() >= 0:
        values["actor_id"] = context.get_actor_id()
        values["task_id"] = context.get_task_id()
        values["task_name"] = context.get_task_name()
        values["task_func_name"] = context.get_task_function_name()
        values["actor_name"] = context.get_actor_name()
    for name, value in values.items():
        if value not in (None, ""):
            setattr(record, name, value)
    return True


def _note_times() -> None:
    """Have all records know their time in nanoseconds, which `created` is too coarse for."""
    make = logging.getLogRecordFactory()
    if getattr(make, "notes_times", False):
        return

    def noting(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        now = time.time_ns()
        record.created = now / 1e9
        record.__dict__[_TIMESTAMP] = now
        return record

    noting.notes_times = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(noting)
