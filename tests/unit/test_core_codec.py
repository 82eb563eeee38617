"""Values to blobs and back (capi/codec.h)."""

from __future__ import annotations

import pickle
import struct
import threading
from typing import Any

import numpy as np
import pytest

import __main__
import thornback
from thornback import _core

pytestmark = pytest.mark.asan


def round_trip(value: Any) -> Any:
    return _core.decode(_core.encode(value))


@pytest.mark.parametrize(
    ("value", "blob"),
    [
        (None, b"\0"),
        (True, b"\1"),
        (False, b"\2"),
        (7, b"\3" + struct.pack("<q", 7)),
        (-(2**63), b"\3" + struct.pack("<q", -(2**63))),
        (0.5, b"\4" + struct.pack("<d", 0.5)),
        ("tör", b"\5" + "tör".encode()),
        ("", b"\5"),
        (b"\0\1", b"\6\0\1"),
    ],
)
def test_short_forms(value: Any, blob: bytes) -> None:
    assert _core.encode(value) == blob
    got = _core.decode(blob)
    assert (got, type(got)) == (value, type(value))


class Number(int):
    """Not an int to the short forms."""


@pytest.mark.parametrize(
    "value",
    [
        2**63,
        -(2**63) - 1,
        Number(3),
        "\ud800",
        float("inf"),
        [1, "a", None],
        {"a": (1, 2)},
        {1, 2},
        bytearray(b"abc"),
        ValueError("x"),
        range(3),
    ],
    ids=repr,
)
def test_everything_else_is_pickled(value: Any) -> None:
    got = round_trip(value)
    assert type(got) is type(value)
    assert repr(got) == repr(value)


def test_lambdas_and_closures_go_by_value() -> None:
    n = 3
    assert round_trip(lambda x: x + n)(1) == 4


def test_what_belongs_to_main_goes_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    made = type("OfMain", (), {"__module__": "__main__", "n": 5})
    monkeypatch.setattr(__main__, "OfMain", made, raising=False)
    blob = _core.encode(made())
    monkeypatch.delattr(__main__, "OfMain")
    assert _core.decode(blob).n == 5


def test_the_culprit_is_named() -> None:
    with pytest.raises(TypeError, match=r"value\['x'\]"):
        _core.encode({"x": threading.Lock()})


@pytest.mark.parametrize("n", [0, 1, 100, 5000, 1_000_000])
def test_arrays_come_back_read_only_and_aligned(n: int) -> None:
    array = np.arange(n, dtype=np.int64)
    got = round_trip(array)
    np.testing.assert_array_equal(got, array)
    assert not got.flags.writeable
    assert got.flags.aligned
    assert array.flags.writeable


def test_array_layouts() -> None:
    base = np.arange(60_000.0).reshape(200, 300)
    for array in (np.asfortranarray(base), base[::2, ::3], base.T, base[5]):
        got = round_trip(array)
        np.testing.assert_array_equal(got, array)
        assert not got.flags.writeable or not array.flags.contiguous
    several = round_trip([base, base.astype(np.float32), "between", base[0]])
    np.testing.assert_array_equal(several[1], base.astype(np.float32))


def test_buffers_start_at_multiples_of_64() -> None:
    blob = _core.encode([np.ones(5), np.ones(7)])
    count, at, length = struct.unpack_from("<4xIQQ", blob)
    spans = [struct.unpack_from("<QQ", blob, 24 + 16 * i) for i in range(count)]
    assert [(offset % 64, size) for offset, size in spans] == [(0, 40), (0, 56)]
    assert at == 24 + 32
    assert pickle.loads(blob[at : at + length], buffers=[bytes(40), bytes(56)])


def test_nested_encodings_keep_their_buffers_apart() -> None:
    class Outer:
        def __reduce__(self) -> Any:
            inner = _core.encode([np.ones(10)])
            return (list, ([inner, np.zeros(3)],))

    inner, outer = round_trip(Outer())
    np.testing.assert_array_equal(_core.decode(inner)[0], np.ones(10))
    np.testing.assert_array_equal(outer, np.zeros(3))


SAMPLES = [
    _core.encode(value)
    for value in (1, 1.5, "text", b"bytes", [1, 2], [np.arange(9), np.arange(3)], np.arange(100))
]


@pytest.mark.parametrize("blob", SAMPLES, ids=range(len(SAMPLES)))
def test_shortened_blobs_raise_or_give_a_value(blob: bytes) -> None:
    failed = 0
    for n in range(len(blob)):
        try:
            _core.decode(blob[:n])
        except Exception:  # noqa: BLE001 - any, as long as it is one
            failed += 1
    assert failed >= 1


@pytest.mark.parametrize("at", range(24))
@pytest.mark.parametrize("byte", [0, 1, 0x7F, 0xFF])
def test_false_heads_of_buffers_raise_or_give_a_value(at: int, byte: int) -> None:
    blob = bytearray(SAMPLES[5])
    if at == 0 and byte == 0:
        byte = 8
    blob[at] = byte
    try:
        _core.decode(bytes(blob))
    except Exception as error:  # noqa: BLE001 - any, but with words
        assert str(error)  # noqa: PT017


@pytest.mark.parametrize("blob", [b"", b"\x63", b"\x03\0", b"\x0b\0", b"\x09" + b"\xff" * 63])
def test_nonsense_raises(blob: bytes) -> None:
    with pytest.raises(thornback.exceptions.RaySystemError):
        _core.decode(blob)


def test_errors_are_raised() -> None:
    blob = b"\x0b\0\0\0" + struct.pack("<I", 13) + b'{"message": "late"}'
    with pytest.raises(thornback.exceptions.GetTimeoutError, match="late"):
        _core.decode(blob)
