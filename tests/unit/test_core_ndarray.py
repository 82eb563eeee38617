"""Numpy arrays as blobs: what comes back is what went in, over the blob's own memory, read-only."""

from __future__ import annotations

import random
import struct
from typing import Any

import numpy as np
import pytest

import thornback  # noqa: F401 - installs the hooks
from thornback import _core

pytestmark = pytest.mark.asan

NDARRAY, BUFFERS, PICKLE = 12, 8, 7

PLAIN = {
    "int64": np.arange(10),
    "bool": np.array([True, False, True]),
    "float16": np.arange(5, dtype=np.float16),
    "complex": np.array([1 + 2j, 3j]),
    "longdouble": np.array([1.5, 2.5], dtype=np.longdouble),
    "big-endian": np.arange(4, dtype=">i4"),
    "text": np.array(["a", "bcd", "é"]),
    "bytes": np.array([b"a", b"bcd"]),
    "no dimension": np.array(3.5),
    "C order": np.arange(24.0).reshape(2, 3, 4),
    "Fortran order": np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)),
    "one element": np.ones((1, 1, 1)),
    "many dimensions": np.arange(2.0**10).reshape((2,) * 10),
    "read-only": np.frombuffer(b"12345678", dtype=np.int8),
}


class Special(np.ndarray):
    """A class of the user's own."""


OTHER = {
    "object": np.array([{"a": 1}, None], dtype=object),
    "structured": np.zeros(3, dtype=[("x", "i4"), ("y", "f8")]),
    "datetime": np.array(["2013-01-01", "NaT"], dtype="M8[s]"),
    "duration": np.array([1, 2], dtype="m8[ms]"),
    "void": np.zeros(2, dtype="V5"),
    "empty": np.zeros((0, 3)),
    "strided": np.arange(20)[::3],
    "subclass": np.arange(3).view(Special),
    "masked": np.ma.masked_array([1, 2], mask=[True, False]),
}


def same(one: Any, two: Any) -> None:
    assert type(one) is type(two)
    assert one.dtype == two.dtype
    assert one.shape == two.shape
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("name", PLAIN)
def test_plain_arrays_have_a_form_of_their_own(name: str) -> None:
    array = PLAIN[name]
    blob = _core.encode(array)
    assert blob[0] == NDARRAY
    back = _core.decode(blob)
    same(back, array)
    assert back.strides == array.strides
    assert not back.flags.writeable
    assert back.flags.aligned
    with pytest.raises(ValueError, match="read-only"):
        back[...] = 0


@pytest.mark.parametrize("name", OTHER)
def test_other_arrays_go_by_pickle(name: str) -> None:
    blob = _core.encode(OTHER[name])
    assert blob[0] in (BUFFERS, PICKLE)
    same(_core.decode(blob), OTHER[name])


def test_the_blob_outlives_its_maker() -> None:
    back = _core.decode(_core.encode(np.arange(100_000)))
    piece = back[50_000:50_010]
    del back
    assert piece.tolist() == list(range(50_000, 50_010))


def test_a_head_that_lies_is_an_error() -> None:
    """Whatever stands in the head: an error, or an array within the blob; never a crash."""
    good = bytearray(_core.encode(np.arange(12.0).reshape(3, 4)))
    chance = random.Random(7)
    refused = 0
    for _ in range(3000):
        bad = bytearray(good)
        for _ in range(chance.randrange(1, 4)):
            bad[chance.randrange(1, 64)] = chance.randrange(256)
        cut = (
            bytes(bad[: chance.randrange(1, len(bad) + 1)]) if chance.random() < 0.3 else bytes(bad)
        )
        try:
            array = _core.decode(cut)
        except Exception:  # noqa: BLE001 - numpy's, or the codec's: any will do
            refused += 1
        else:
            assert array.nbytes <= len(cut)
            array.sum() if array.dtype.kind in "iufcb" else array.tobytes()
    assert refused > 500


@pytest.mark.parametrize("offset", [10**18, 2**64 - 64])
def test_elements_outside_the_blob_are_refused(offset: int) -> None:
    bad = bytearray(_core.encode(np.arange(12)))
    struct.pack_into("<Q", bad, 8, offset)
    with pytest.raises(Exception, match="array has a head"):
        _core.decode(bytes(bad))
