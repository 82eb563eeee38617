"""Progress bars of tasks and actors, drawn by the driver, which knows where each may stand.

A bar's states are lines of JSON that the worker prints; the driver takes them out of the workers'
output. Needs tqdm at the driver; without it no bars are drawn.
"""

from __future__ import annotations

import builtins
import json
import os
import sys
import threading
import time
import uuid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

RAY_TQDM_MAGIC = "__ray_tqdm_magic_token__"

_print = builtins.print
_manager: _BarManager | None = None
_mutex = threading.Lock()


def safe_print(*args: Any, **kwargs: Any) -> None:
    """Print as `print` does, with the bars out of the way."""
    manager = _manager
    if manager is None:
        _print(*args, **kwargs)
        return
    manager.hide_bars()
    try:
        _print(*args, **kwargs)
    finally:
        manager.unhide_bars()


class tqdm:
    """A progress bar that can be used anywhere in a session; takes some of tqdm's parameters.

    Parameters
    ----------
    iterable : iterable, optional
        Iterating over the bar goes through it.
    desc, unit : str, optional
    total : int, optional
        The iterable's length when not given.
    position : int, optional
        The line, among those of its process.
    flush_interval_s : float, seconds, optional
        The state is shown so often at most; 1 when not given.
    """

    DEFAULT_FLUSH_INTERVAL_SECONDS = 1.0
    n: int = 0
    total: int | None = None

    def __init__(
        self,
        iterable: Iterable[Any] | None = None,
        desc: str | None = None,
        total: int | None = None,
        unit: str | None = None,
        position: int | None = None,
        flush_interval_s: float | None = None,
    ) -> None:
        if total is None and hasattr(iterable, "__len__"):
            total = len(iterable)  # type: ignore[arg-type]
        self._iterable = iterable
        self._desc = desc or ""
        self.total = total
        self.n = 0
        self._unit = unit or "it"
        self._pos = position or 0
        self._uuid = uuid.uuid4().hex
        self._closed = False
        interval = self.DEFAULT_FLUSH_INTERVAL_SECONDS
        self._interval_s = interval if flush_interval_s is None else flush_interval_s
        self._flushed_s = float("-inf")

    def set_description(self, desc: str) -> None:
        """Set the text in front of the bar."""
        self._desc = desc
        self._show()

    def update(self, n: int = 1) -> None:
        """Go on by `n`."""
        self.n += n
        self._show()

    def refresh(self) -> None:
        """Show the state, if the last time is long enough ago."""
        self._show()

    def close(self) -> None:
        """Show the last state and end the bar."""
        self._closed = True
        self._show(force=True)

    def _show(self, force: bool = False) -> None:
        now = time.monotonic()
        if not force and now - self._flushed_s < self._interval_s:
            return
        self._flushed_s = now
        if _in_worker():
            # In one piece: lines of several threads must not mix.
            _print(json.dumps(self._state()) + "\n", end="", flush=True)
        else:
            instance().process_state_update(self._state())

    def _state(self) -> dict[str, Any]:
        return {
            "__magic_token__": RAY_TQDM_MAGIC,
            "x": self.n,
            "pos": self._pos,
            "desc": self._desc,
            "total": self.total,
            "unit": self._unit,
            "ip": "127.0.0.1",
            "pid": os.getpid(),
            "uuid": self._uuid,
            "closed": self._closed,
        }

    def __iter__(self) -> Iterator[Any]:
        if self._iterable is None:
            raise ValueError("No iterable provided")
        for item in self._iterable:
            self.update(1)
            yield item


class _Bar:
    """One bar of tqdm's, at the line that the manager gives it."""

    def __init__(self, state: dict[str, Any], offset: int) -> None:
        import tqdm as real

        self.state = state
        self._offset = offset
        self.bar = real.tqdm(
            desc=state["desc"],
            total=state["total"],
            unit=state["unit"],
            position=offset + state["pos"],
            initial=state["x"],
            dynamic_ncols=True,
            unit_scale=True,
        )

    def update(self, state: dict[str, Any]) -> None:
        if state["desc"] != self.state["desc"]:
            self.bar.set_description(state["desc"], refresh=False)
        self.bar.total = state["total"]
        self.bar.update(state["x"] - self.state["x"])
        self.bar.refresh()
        self.state = state

    def move(self, offset: int) -> None:
        if offset != self._offset:
            self._offset = offset
            self.bar.clear()
            self.bar.pos = -(offset + self.state["pos"])
            self.bar.refresh()


class _BarManager:
    """The driver's bars, grouped by process, so that those of different ones don't collide."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._groups: dict[int, dict[str, _Bar]] = {}  # guarded by _lock
        self._hidden = False  # guarded by _lock
        try:
            import tqdm  # noqa: F401
        except ImportError:
            self._works = False
        else:
            self._works = True

    def process_state_update(self, state: dict[str, Any]) -> None:
        """Draw a bar's state, as `tqdm` made it."""
        if not self._works:
            return
        if state["pid"] != os.getpid():
            state["desc"] = f"(pid={state['pid']}) {state['desc']}"
        with self._lock:
            group = self._groups.setdefault(state["pid"], {})
            bar = group.get(state["uuid"])
            if bar is None:
                if state["closed"] and not state["x"]:
                    return
                bar = group[state["uuid"]] = _Bar(state, 0)
                self._arrange()
            else:
                bar.update(state)
            if state["closed"]:
                del group[state["uuid"]]
                bar.bar.close()
                self._arrange()

    def _arrange(self) -> None:
        offset = 0
        for pid, group in list(self._groups.items()):
            for bar in group.values():
                bar.move(offset)
            offset += max((1 + bar.state["pos"] for bar in group.values()), default=0)
            if not group:
                del self._groups[pid]

    def hide_bars(self) -> None:
        """Take the bars off the screen, so that something else can be written."""
        with self._lock:
            if not self._hidden:
                self._hidden = True
                for bar in self._bars():
                    bar.bar.clear()

    def unhide_bars(self) -> None:
        """Undo `hide_bars`."""
        with self._lock:
            if self._hidden:
                self._hidden = False
                for bar in self._bars():
                    bar.bar.refresh()

    def _bars(self) -> list[_Bar]:
        return [bar for group in self._groups.values() for bar in group.values()]


def instance() -> _BarManager:
    """Return this process's manager of bars.

    The first call makes `print` hide the bars, unless ``RAY_TQDM_PATCH_PRINT=0``.
    """
    global _manager
    with _mutex:
        if _manager is None:
            _manager = _BarManager()
            if os.environ.get("RAY_TQDM_PATCH_PRINT", "1") not in ("0", "false", "False"):
                builtins.print = safe_print
        return _manager


def take_states(text: str) -> str:
    """Draw the bars' states in a text of workers' output; return the rest of the text."""
    rest: list[str] = []
    for line in text.splitlines(keepends=True):
        begin = line.find('{"__magic_token__"')
        state = _state_of(line[begin:]) if begin >= 0 else None
        if state is None:
            rest.append(line)
        else:
            instance().process_state_update(state)
    return "".join(rest)


def _state_of(text: str) -> dict[str, Any] | None:
    """Return a bar's state, None for what only looks like one."""
    try:
        state = json.loads(text)
        known = state["__magic_token__"] == RAY_TQDM_MAGIC
        kinds = {"x": int, "pos": int, "desc": str, "unit": str, "pid": int, "uuid": str}
        whole = all(isinstance(state[name], kind) for name, kind in kinds.items())
        whole = whole and isinstance(state["closed"], bool)
        whole = whole and isinstance(state["total"], (int, type(None)))
    except (ValueError, KeyError, TypeError):
        return None
    return state if known and whole else None


def _in_worker() -> bool:
    worker = sys.modules.get("thornback._worker")
    return worker is not None and worker.index() >= 0
