"""Tables to Arrow streams and back."""

from __future__ import annotations

import datetime
import decimal
import subprocess
import sys
from typing import Any

import pytest

from thornback import _arrow

pa = pytest.importorskip("pyarrow")


def stream(value: Any) -> tuple[int, memoryview] | None:
    """The value's kind and stream; room of another size than promised shows as an error."""
    found = _arrow.write(value)
    if found is None:
        return None
    kind, size, writer = found
    room = bytearray(b"\xaa" * (size + 64))
    with memoryview(room) as whole:
        writer(whole[:size])
    assert room[size:] == b"\xaa" * 64
    return kind, memoryview(room)[:size].toreadonly()


def travel(value: Any) -> Any:
    found = stream(value)
    return None if found is None else _arrow.read(*found)


TABLE = pa.table(
    {
        "i": pa.array(range(1000)),
        "s": pa.array(["a", None] * 500),
        "l": pa.array([[1, 2], None] * 500),
        "d": pa.array(["x", "y"] * 500).dictionary_encode(),
        "t": pa.array([{"k": 1.5}, None] * 500),
    },
    metadata={"note": "kept"},
)


@pytest.mark.parametrize(
    "value",
    [
        TABLE,
        TABLE.slice(100, 50),
        TABLE.slice(0, 0),
        pa.table({}),
        pa.concat_tables([TABLE, TABLE.slice(3, 5)]),
        TABLE.to_batches()[0],
        pa.array([1, None, 3]),
        pa.array([], pa.string()),
        pa.chunked_array([[1, 2], [3]]),
        pa.chunked_array([], pa.float64()),
        TABLE["d"],
    ],
    ids=lambda value: type(value).__name__,
)
def test_pyarrow_comes_back_as_it_was(value: Any) -> None:
    back = travel(value)
    assert type(back) is type(value)
    assert back.equals(value)
    if isinstance(value, pa.Table):
        assert back.schema.equals(value.schema, check_metadata=True)


def test_columns_are_views_of_the_stream_and_read_only() -> None:
    found = stream(TABLE)
    assert found is not None
    address = pa.py_buffer(found[1]).address
    buffer = _arrow.read(*found)["i"].chunk(0).buffers()[1]
    assert address <= buffer.address < address + len(found[1])
    assert not buffer.is_mutable


def test_a_slice_takes_only_its_own_room() -> None:
    found = _arrow.write(pa.table({"i": range(1_000_000)}).slice(10, 1000))
    assert found is not None
    assert found[1] < 20_000


def test_types_of_python_alone_are_left_to_pickle() -> None:
    class Private(pa.ExtensionType):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(pa.int64(), "tests.private")

        def __arrow_ext_serialize__(self) -> bytes:
            return b""

    column = pa.ExtensionArray.from_storage(Private(), pa.array([1], pa.int64()))
    assert _arrow.write(pa.table({"x": column})) is None
    assert _arrow.write(pa.table({"x": pa.array([[1]], pa.list_(pa.int64()))})) is not None
    assert _arrow.write(TABLE.schema) is None


def test_pandas_is_left_to_pickle() -> None:
    pd = pytest.importorskip("pandas")
    assert _arrow.write(pd.DataFrame({"a": [1]})) is None
    assert _arrow.write(pd.Series([1])) is None


class Speaker:
    """A stranger's table."""

    def __init__(self, table: Any) -> None:
        self.table = table


class Streams(Speaker):
    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.table.__arrow_c_stream__(requested_schema)


class Arrays(Speaker):
    def __arrow_c_array__(self, requested_schema: Any = None) -> Any:
        return self.table.__arrow_c_array__(requested_schema)


class Fails(Speaker):
    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        raise ValueError("not today")


def test_strangers_come_back_as_tables() -> None:
    assert travel(Streams(TABLE)).equals(TABLE)
    assert travel(Arrays(TABLE.to_batches()[0])).equals(TABLE)
    assert _arrow.write(Fails(TABLE)) is None


def test_polars_comes_back_as_it_was() -> None:
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame(
        {
            "i": range(4),
            "s": ["a", None, "a long text that does not fit into a view", ""],
            "c": pl.Series(["a", "b", "a", None], dtype=pl.Categorical),
            "e": pl.Series(["a", "b", "a", "b"], dtype=pl.Enum(["a", "b"])),
            "t": [datetime.time(1)] * 4,
            "z": pl.Series([datetime.datetime(2013, 1, 1)] * 4).dt.replace_time_zone("UTC"),
            "l": [[1], None, [], [2, 3]],
            "m": [decimal.Decimal("1.50")] * 4,
        }
    )
    for value in (frame, frame[1:3], pl.DataFrame(), pl.concat([frame, frame], rechunk=False)):
        back = travel(value)
        assert type(back) is pl.DataFrame
        assert back.schema == value.schema
        assert back.equals(value)
    series = pl.Series("name", [1, 2, 3])
    back = travel(series)
    assert (back.name, back.to_list()) == ("name", [1, 2, 3])
    assert _arrow.write(pl.DataFrame({"o": pl.Series([object()], dtype=pl.Object)})) is None
    assert _arrow.write(frame.lazy()) is None


def test_without_pyarrow() -> None:
    program = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from thornback import _arrow\n"
        "assert _arrow.write(object()) is None\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
