"""The numbers of the C headers, their mirror in Go, and the error codes in Python are equal."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import thornback._system_error as system_error

ROOT = Path(__file__).parents[2]
CAPI = ROOT / "capi"
GO_MIRROR = ROOT / "core" / "wire" / "wire.go"
PAGE_BYTES = 4096

# Macros of wire.h that Go has no use for.
C_ONLY = {"XR_LINE", "XR_NOTIFY_NS"}
# Go constants whose C name does not follow from theirs, as a C expression.
GO_TO_C = {
    "Version": "XR_WIRE_VERSION",
    "TaskRetryExceptions": "XR_TASKF_RETRY_EXCEPTIONS",
    "TaskContext": "XR_TASKF_CONTEXT",
    "TaskRetryList": "XR_TASKF_RETRY_LIST",
    "TaskConcurrent": "XR_TASKF_CONCURRENT",
    "TaskStream": "XR_TASKF_STREAM",
    "TaskDynamic": "XR_TASKF_DYNAMIC",
    "RecordHead": "sizeof(xr_record)",
    "ValueBytes": "sizeof(xr_value)",
    "SpanBytes": "sizeof(xr_span)",
    "TaskBytes": "sizeof(xr_msg_task)",
    "DefineBytes": "sizeof(xr_msg_define)",
    "ReplyBytes": "sizeof(xr_msg_reply)",
    "CancelBytes": "sizeof(xr_msg_cancel)",
    "DoneBytes": "sizeof(xr_msg_done)",
    "YieldBytes": "sizeof(xr_msg_yield)",
    "RoomBytes": "sizeof(xr_msg_room)",
    "SubmitBytes": "sizeof(xr_msg_submit)",
    "RequestBytes": "sizeof(xr_msg_request)",
    "RefDeltaBytes": "sizeof(xr_ref_delta)",
    "CtlVersion": "offsetof(xr_channel_ctl, version)",
    "CtlWorker": "offsetof(xr_channel_ctl, worker)",
    "CtlBell": "offsetof(xr_channel_ctl, bell)",
    "CtlCounted": "offsetof(xr_channel_ctl, counted)",
    "CtlTask": "offsetof(xr_channel_ctl, task)",
    "CtlReply": "offsetof(xr_channel_ctl, reply)",
    "CtlOut": "offsetof(xr_channel_ctl, out)",
    "CtlOutput": "offsetof(xr_channel_ctl, output_errno)",
    "CtlHead": "offsetof(xr_ring_ctl, head)",
    "BoardVersion": "offsetof(xr_board, version)",
    "BoardCPUs": "offsetof(xr_board, cpus)",
    "BoardNames": "offsetof(xr_board, names)",
    "BoardMode": "offsetof(xr_board, mode)",
    "BoardGetter": "offsetof(xr_board, getter)",
    "BoardDrainer": "offsetof(xr_board, drainer)",
    "BoardActive": "offsetof(xr_board, active)",
    "BoardBits": "offsetof(xr_board, bits)",
    "BoardBytes": f"((sizeof(xr_board) + {PAGE_BYTES - 1}) / {PAGE_BYTES} * {PAGE_BYTES})",
}
# Error codes whose Python name does not follow from Go's.
GO_TO_PYTHON = {"ErrPendingCalls": "PENDING_CALLS_LIMIT"}

CONSTANT = re.compile(r"^(?:const\s+|\t)([A-Z]\w*)\s+=\s+([^/\n]+)", re.MULTILINE)
MACRO = re.compile(r"^#define[ \t]+(XR_\w+)[ \t]+\S", re.MULTILINE)


def plain(name: str) -> str:
    """XR_RING_BYTES and RingBytes are both ringbytes."""
    return name.removeprefix("XR_").replace("_", "").lower()


def go_constants() -> dict[str, int]:
    """Evaluate the constants of the mirror: integers, shifts, sums, and earlier names."""
    known: dict[str, int] = {}
    for name, expression in CONSTANT.findall(GO_MIRROR.read_text()):
        known[name] = eval(expression, {"__builtins__": {}}, known)
    return known


def macros(header: str) -> set[str]:
    return set(MACRO.findall((CAPI / header).read_text()))


def evaluate_in_c(folder: Path, expressions: list[str]) -> dict[str, int]:
    """Let the compiler say what the expressions are."""
    lines = ["#include <stdio.h>", "#include <stddef.h>"]
    lines += [
        '#include "thornback.h"',
        '#include "wire.h"',
        '#include "codec.h"',
        "int main(void)",
        "{",
    ]
    lines += [f'    printf("%lld\\n", (long long)({e}));' for e in expressions]
    (folder / "numbers.c").write_text("\n".join([*lines, "}", ""]))
    compiler = shutil.which("cc") or shutil.which("gcc")
    assert compiler, "the package was built with a C compiler, but there is none now"
    program = folder / "numbers"
    subprocess.run(
        [compiler, "-std=c11", f"-I{CAPI}", folder / "numbers.c", "-o", program], check=True
    )
    shown = subprocess.run([program], check=True, capture_output=True, text=True)
    return dict(zip(expressions, map(int, shown.stdout.split()), strict=True))


@pytest.fixture(scope="module")
def c_values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    names = macros("thornback.h") | macros("wire.h") | macros("codec.h")
    return evaluate_in_c(tmp_path_factory.mktemp("numbers"), sorted({*names, *GO_TO_C.values()}))


def c_name(go: str, names: dict[str, str]) -> str | None:
    return GO_TO_C.get(go) or names.get(plain(go))


def test_go_constants_equal_those_of_c(c_values: dict[str, int]) -> None:
    names = {plain(name): name for name in c_values if name.startswith("XR_")}
    ours = {go: value for go, value in go_constants().items() if not go.startswith("Err")}
    assert len(ours) > 50
    unknown = [go for go in ours if c_name(go, names) is None]
    assert not unknown, "no C counterpart; name one in GO_TO_C"
    theirs = {go: c_values[name] for go in ours if (name := c_name(go, names))}
    assert ours == theirs


def test_go_mirrors_all_of_the_wire() -> None:
    mirrored = {plain(name) for name in go_constants()} | {plain(name) for name in GO_TO_C.values()}
    missing = [name for name in sorted(macros("wire.h") - C_ONLY) if plain(name) not in mirrored]
    assert not missing


def test_error_codes_of_go_equal_those_of_python() -> None:
    go = {
        plain(GO_TO_PYTHON.get(name, name.removeprefix("Err"))): value
        for name, value in go_constants().items()
        if name.startswith("Err")
    }
    python = {
        plain(name): value
        for name, value in vars(system_error).items()
        if name.isupper() and type(value) is int
    }
    assert go == python
