"""Lines that several workers print alike are printed once, and then how often.

Two lines are alike when they are the same but for words with numbers in them. The first is printed
at once; like ones of other processes within a window of seconds are counted, and the last of them
printed with their number when the window ends. What one process alone repeats is printed.
"""

from __future__ import annotations

import re
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Line = tuple[str, str]  # prefix and text

_NUMBERS = re.compile(r"\d+|0x[0-9a-fA-F]+")
_NEVER = "__ray_testing_never_deduplicate__"
_WINDOW_S = 5.0
# Kinds of lines that are remembered within one window; more than that are printed as they come.
_KINDS_MAX = 10_000
_ADVICE = (
    " (Ray deduplicates logs by default. Set RAY_DEDUP_LOGS=0 to disable log deduplication, or see "
    "https://docs.ray.io/en/master/ray-observability/user-guides/configure-logging.html"
    "#log-deduplication for more options.)"
)
_GREEN, _RESET = "\x1b[32m", "\x1b[0m"


class _Seen:
    """What is known of one kind of line."""

    def __init__(self, begun: float, source: str) -> None:
        self.begun = begun
        self.sources = {source}
        self.count = 0
        self.prefix = self.text = ""


class Deduplicator:
    """Decides which lines are printed.

    Parameters
    ----------
    window_s : float
        How long like lines are counted.
    allow, skip : str, optional
        Regular expressions: lines that are always, or never, printed; `allow` is looked at first.
    clock : callable, optional
        Returns seconds.
    """

    _advised = False

    def __init__(
        self,
        window_s: float = _WINDOW_S,
        allow: str | None = None,
        skip: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._window_s = window_s
        self._allow = re.compile(allow) if allow else None
        self._skip = re.compile(skip) if skip else None
        self._clock = clock
        self._recent: dict[str, _Seen] = {}  # in the order of `begun`

    def add(self, source: str, prefix: str, text: str) -> list[Line]:
        """Take a line of a process and return the lines to print now."""
        if self._allow is not None and self._allow.search(text):
            return [(prefix, text)]
        if self._skip is not None and self._skip.search(text):
            return []
        kind = " ".join(word for word in text.split() if not _NUMBERS.search(word))
        if not kind:
            return [(prefix, text)]
        seen = self._recent.get(kind)
        if seen is None:
            if len(self._recent) < _KINDS_MAX:
                self._recent[kind] = _Seen(self._clock(), source)
            return [(prefix, text)]
        seen.sources.add(source)
        if len(seen.sources) == 1:
            return [(prefix, text)]
        seen.count += 1
        seen.prefix, seen.text = prefix, text
        return []

    def expire(self) -> list[Line]:
        """Return the lines of windows that have ended."""
        now = self._clock()
        lines: list[Line] = []
        while self._recent:
            kind, seen = next(iter(self._recent.items()))
            if now - seen.begun < self._window_s:
                break
            del self._recent[kind]
            lines += self._told(seen)
            if seen.count > 1:  # it goes on, so does the counting
                seen.begun, seen.count = now, 0
                self._recent[kind] = seen
        return lines

    def flush(self) -> list[Line]:
        """Return the lines of all windows, and forget everything."""
        lines = [line for seen in self._recent.values() for line in self._told(seen)]
        self._recent.clear()
        return lines

    def patience(self) -> float | None:
        """Return in how many seconds `expire` is due; None: not before a line comes."""
        for seen in self._recent.values():
            return max(0.0, seen.begun + self._window_s - self._clock())
        return None

    def _told(self, seen: _Seen) -> list[Line]:
        if seen.count == 0:
            return []
        if seen.count == 1:
            return [(seen.prefix, seen.text)]
        advice = "" if Deduplicator._advised else _ADVICE
        Deduplicator._advised = True
        times = f" [repeated {seen.count}x across cluster]{advice}"
        return [(seen.prefix, f"{seen.text}{_GREEN}{times}{_RESET}")]


def configured(environment: Mapping[str, str]) -> Deduplicator | None:
    """Return what the variables RAY_DEDUP_LOGS* ask for; None when all lines are to be printed."""
    if environment.get("RAY_DEDUP_LOGS", "1").lower() in ("0", "false"):
        return None
    try:
        window = float(environment.get("RAY_DEDUP_LOGS_AGG_WINDOW_S", _WINDOW_S))
    except ValueError:
        window = _WINDOW_S
    return Deduplicator(
        window,
        environment.get("RAY_DEDUP_LOGS_ALLOW_REGEX", _NEVER),
        environment.get("RAY_DEDUP_LOGS_SKIP_REGEX"),
    )
