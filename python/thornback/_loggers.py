"""The logger ``ray``, set up as Ray has it, once logging is used at all."""

from __future__ import annotations

import logging

_FORMAT = "%(asctime)s\t%(levelname)s %(filename)s:%(lineno)s -- %(message)s"
_handler: logging.Handler | None = None


class _Handler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to what `sys.stderr` is at that moment; in workers the message alone."""

    def __init__(self) -> None:
        super().__init__()
        self._plain = logging.Formatter("%(message)s")

    @property
    def stream(self) -> object:
        """Where to write."""
        import sys

        return sys.stderr

    @stream.setter
    def stream(self, value: object) -> None:
        del value

    def format(self, record: logging.LogRecord) -> str:
        from . import _worker

        return self._plain.format(record) if _worker.index() >= 0 else super().format(record)


def set_up(level: int | str = logging.INFO, format: str | None = None) -> None:
    """Give the logger its handler, or another level and format."""
    global _handler
    logger = logging.getLogger("ray")
    if _handler is None:
        _handler = _Handler()
        logger.addHandler(_handler)
        logger.propagate = False
    _handler.setFormatter(logging.Formatter(format or _FORMAT))
    logger.setLevel(level if isinstance(level, int) else level.upper())


def engine_logger() -> logging.Logger:
    """Return the logger, set up if it has no handler yet."""
    logger = logging.getLogger("ray")
    if not logger.handlers:
        set_up()
    return logger
