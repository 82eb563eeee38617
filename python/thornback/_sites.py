"""Where in the program objects are created: numbers for the node, which keeps the texts.

The extension asks here when it meets a place for the first time (`capi/site.c`).
"""

from __future__ import annotations

import json
import os
import sys

from . import _core

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_FRAMES_MAX = 20
_known: dict[tuple[str, int, str], int] = {}
_session = 0


def number(kind: str, tid: int, with_line: int) -> int:
    """Return the number of the place that called, negative when it must be asked for again.

    Parameters
    ----------
    kind : str
        ``call`` or ``put``.
    tid : int
        Template of the call.
    with_line : int
        Whether the line matters, or the function alone.
    """
    global _session
    frame = sys._getframe(1)
    ours = False
    for _ in range(_FRAMES_MAX):
        if not frame.f_code.co_filename.startswith(_PACKAGE) or frame.f_back is None:
            break
        frame, ours = frame.f_back, True
    code = frame.f_code
    place = f"{code.co_filename}:{getattr(code, 'co_qualname', code.co_name)}"
    if with_line:
        place = f"{place}:{frame.f_lineno}"
    session = _core.session()
    if session != _session:
        _known.clear()
        _session = session
    key = (kind, tid, place)
    known = _known.get(key)
    if known is None:
        request = {"kind": kind, "tid": tid, "place": place}
        known = _known[key] = int(json.loads(_core.control("site", json.dumps(request).encode())))
    return -known if ours else known
