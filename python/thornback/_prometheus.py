"""Metrics as the text that Prometheus reads: its exposition format 0.0.4."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def text(answer: Mapping[str, Any], session: Mapping[str, Any]) -> str:
    """Return the text; the arguments are the node's answers to "metrics" and "session"."""
    from ._ids import worker_id
    from ._version import RAY_RELEASE

    common = {
        "Component": "core_worker",
        "NodeAddress": session["node_ip"],
        "SessionName": os.path.basename(session["folder"]),
        "Version": RAY_RELEASE,
    }
    lines: list[str] = []
    last = ""
    for family in answer["families"]:
        name, kind = f"ray_{family['name']}", family["kind"]
        if not family["series"]:
            continue
        if name != last:
            lines += [f"# HELP {name} {_escaped(family['help'])}", f"# TYPE {name} {kind}"]
            last = name
        for series in family["series"]:
            # Without a value is without the label.
            tags = {k: v for k, v in zip(family["keys"], series["labels"], strict=True) if v}
            labels = {**common, **tags}
            if "pid" in series:
                labels["WorkerId"] = worker_id(session["session"], series["pid"]).hex()
            if kind == "histogram":
                lines += _histogram(name, labels, family["bounds"] or (), series)
            else:
                lines.append(_line(name, labels, _number(float(series["value"]))))
    lines += [
        "# HELP thornback_metrics_refused_total Values of metrics that were not recorded.",
        "# TYPE thornback_metrics_refused_total counter",
        _line("thornback_metrics_refused_total", common, _number(answer["dropped"])),
    ]
    return "\n".join(lines) + "\n"


def _histogram(
    name: str, labels: dict[str, str], bounds: Sequence[float], series: Mapping[str, Any]
) -> Iterator[str]:
    count = 0
    for bound, more in zip([*bounds, float("inf")], series["counts"], strict=True):
        count += more
        yield _line(f"{name}_bucket", {**labels, "le": _number(bound)}, _number(count))
    yield _line(f"{name}_count", labels, _number(count))
    yield _line(f"{name}_sum", labels, _number(float(series["value"])))


def _line(name: str, labels: Mapping[str, str], value: str) -> str:
    inner = ",".join(f'{key}="{_escaped(labels[key], quote=True)}"' for key in sorted(labels))
    return f"{name}{{{inner}}} {value}"


def _escaped(text: str, quote: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quote else text


def _number(value: float) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return repr(float(value))
