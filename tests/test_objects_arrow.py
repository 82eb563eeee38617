"""Arrays and tables come back without a copy, and read-only."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from support import balance
from support.engine import ray
from support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("balanced")

np = pytest.importorskip("numpy")


def address(array: Any) -> int:
    """Where the array's data begins in this process."""
    return int(array.__array_interface__["data"][0])


# --- numpy ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype", ["int8", "uint16", "float32", "float64", "complex128", "bool", "datetime64[ns]", "S5"]
)
def test_arrays_of_all_types(dtype: str) -> None:
    array = np.arange(300_000).astype("int64").astype(dtype)
    back = ray.get(ray.put(array))
    assert back.dtype == array.dtype
    assert np.array_equal(back, array)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((0, 3)),
        np.array(5.0),
        np.arange(24).reshape(2, 3, 4),
        np.asfortranarray(np.arange(600_000.0).reshape(600, 1000)),
        np.arange(1_000_000)[::2],
        np.zeros(100_000, dtype=[("a", "i4"), ("b", "f8")]),
        np.array([1, "x", None], dtype=object),
    ],
    ids=["empty", "scalar", "small", "fortran", "strided", "records", "objects"],
)
def test_arrays_of_all_shapes(array: Any) -> None:
    back = ray.get(ray.put(array))
    assert back.shape == array.shape
    assert back.dtype == array.dtype
    assert np.array_equal(back, array)


def test_an_array_is_read_only() -> None:
    back = ray.get(ray.put(np.zeros(200_000)))
    assert not back.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        back[0] = 1
    copy = back.copy()
    copy[0] = 1
    assert back[0] == 0


def test_two_gets_share_the_memory() -> None:
    ref = ray.put(np.arange(1_000_000))
    one, two = ray.get(ref), ray.get(ref)
    assert address(one) == address(two)


def test_data_is_aligned_for_vector_instructions() -> None:
    for size in (200_001, 1_000_003):
        array = ray.get(ray.put(np.zeros(size, dtype="uint8")))
        assert address(array) % 64 == 0


def test_arrays_inside_other_things() -> None:
    value = {"a": np.zeros(300_000), "b": [np.ones(300_000), "text"]}
    ref = ray.put(value)
    one, two = ray.get(ref), ray.get(ref)
    assert address(one["a"]) == address(two["a"])
    assert address(one["b"][0]) == address(two["b"][0])
    assert not one["b"][0].flags.writeable
    assert one["b"][1] == "text"


def test_arguments_are_read_only_and_shared_among_tasks() -> None:
    @ray.remote
    def look(array: Any) -> tuple[bool, float]:
        return bool(array.flags.writeable), float(array.sum())

    ref = ray.put(np.ones(1_000_000))
    assert ray.get([look.remote(ref) for _ in range(4)]) == [(False, 1e6)] * 4


def test_a_result_is_read_only_at_the_driver() -> None:
    back = ray.get(ray.remote(lambda: np.arange(1_000_000)).remote())
    assert not back.flags.writeable
    assert back.sum() == 499_999_500_000


def test_a_view_outlives_its_reference() -> None:
    ref = ray.put(np.arange(1_000_000))
    array = ray.get(ref)
    part = array[10:20]
    del ref, array
    gc.collect()
    # Had the memory been given away, these would overwrite it.
    for _ in range(20):
        ray.put(np.zeros(1_000_000, dtype="int64"))
    assert part.tolist() == list(range(10, 20))


@pytest.mark.only_thornback
def test_a_view_holds_its_memory_and_lets_it_go() -> None:
    gc.collect()
    before = balance.stats()["store_used_bytes"]
    part = ray.get(ray.put(np.zeros(1_000_000)))[:1]
    gc.collect()
    assert balance.stats()["store_used_bytes"] >= before + 8_000_000
    del part
    gc.collect()
    wait_until(lambda: balance.stats()["store_used_bytes"] <= before, 10)


@pytest.mark.only_thornback
def test_a_view_kept_by_an_actor_holds_its_memory() -> None:
    @ray.remote
    class Keeper:
        def keep(self, array: Any) -> None:
            self.part = array[100:200]

        def total(self) -> int:
            return int(self.part.sum())

    before = balance.stats()["store_used_bytes"]
    keeper = Keeper.remote()
    ray.get(keeper.keep.remote(ray.put(np.arange(1_000_000))))
    for _ in range(20):
        ray.put(np.zeros(1_000_000, dtype="int64"))
    assert ray.get(keeper.total.remote()) == sum(range(100, 200))
    ray.kill(keeper)
    wait_until(lambda: balance.stats()["store_used_bytes"] <= before, 10)


def test_a_view_sent_on_is_whole() -> None:
    part = ray.get(ray.put(np.arange(1_000_000)))[1000:500_000]
    assert np.array_equal(ray.get(ray.put(part)), np.arange(1000, 500_000))
    assert ray.get(ray.remote(lambda a: int(a[0])).remote(part)) == 1000


@pytest.mark.only_thornback
def test_bytes_as_a_buffer_are_shared() -> None:
    import pickle

    data = bytearray(b"abc" * 1_000_000)
    ref = ray.put(pickle.PickleBuffer(data))
    one, two = memoryview(ray.get(ref)), memoryview(ray.get(ref))
    assert one.readonly
    assert one == data
    assert address(np.frombuffer(one, "u1")) == address(np.frombuffer(two, "u1"))


# --- tables -----------------------------------------------------------------------------------


def test_a_pandas_frame() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(
        {
            "i": np.arange(200_000),
            "f": np.linspace(0, 1, 200_000),
            "s": [f"row {i}" for i in range(200_000)],
            "t": pd.date_range("2013-01-01", periods=200_000, freq="min"),
        },
        index=pd.Index(np.arange(200_000) * 2, name="even"),
    )
    ref = ray.put(frame)
    one, two = ray.get(ref), ray.get(ref)
    pd.testing.assert_frame_equal(one, frame)
    assert address(one["f"].to_numpy()) == address(two["f"].to_numpy())
    assert not one["f"].to_numpy().flags.writeable
    shorter = ray.get(ray.remote(lambda df: df[df.i < 10]).remote(ref))
    pd.testing.assert_frame_equal(shorter, frame[frame.i < 10])


def test_a_pandas_frame_with_what_arrow_has_no_word_for() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"mixed": [1, "x", None, {2}], "z": [1j, 2j, 3j, 4j]})
    frame.attrs["note"] = "kept"
    back = ray.get(ray.put(frame))
    assert back["mixed"].tolist() == [1, "x", None, {2}]
    assert back["z"].tolist() == [1j, 2j, 3j, 4j]
    series = pd.Series(range(100_000), name="n")
    pd.testing.assert_series_equal(ray.get(ray.put(series)), series)


def test_an_arrow_table() -> None:
    pa = pytest.importorskip("pyarrow")
    table = pa.table(
        {
            "i": pa.array(range(200_000)),
            "s": pa.array(["a", None] * 100_000),
            "l": pa.array([[1, 2], None] * 100_000),
            "d": pa.array(["x", "y"] * 100_000).dictionary_encode(),
        },
        metadata={"note": "kept"},
    )
    ref = ray.put(table)
    one, two = ray.get(ref), ray.get(ref)
    assert one.equals(table)
    assert one.schema.equals(table.schema, check_metadata=True)
    buffers = [t["i"].chunk(0).buffers()[1] for t in (one, two)]
    assert buffers[0].address == buffers[1].address
    assert not buffers[0].is_mutable
    assert ray.get(ray.remote(lambda t: t.num_rows).remote(ref)) == 200_000


def test_arrow_kin() -> None:
    pa = pytest.importorskip("pyarrow")
    batch = pa.record_batch({"i": pa.array(range(100_000))})
    array = pa.array(range(100_000))
    chunked = pa.chunked_array([[1, 2], [3]])
    for value in (batch, array, chunked, batch.schema):
        back = ray.get(ray.put(value))
        assert type(back) is type(value)
        assert back.equals(value)


def test_arrow_slices_and_chunks() -> None:
    pa = pytest.importorskip("pyarrow")
    table = pa.concat_tables([pa.table({"i": range(k, k + 1000)}) for k in range(5)])
    for value in (table, table.slice(1500, 2000), table.slice(0, 0)):
        assert ray.get(ray.put(value)).equals(value)


@pytest.mark.only_thornback
def test_a_slice_takes_only_its_own_room() -> None:
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"i": range(1_000_000)})
    before = balance.stats()["store_used_bytes"]
    ref = ray.put(table.slice(10, 100_000))
    assert balance.stats()["store_used_bytes"] - before < 2_000_000
    assert ray.get(ref).num_rows == 100_000


def test_a_column_outlives_its_table() -> None:
    pa = pytest.importorskip("pyarrow")
    column = ray.get(ray.put(pa.table({"i": range(500_000)})))["i"]
    gc.collect()
    for _ in range(20):
        ray.put(np.zeros(500_000, dtype="int64"))
    assert column[1234].as_py() == 1234


def test_a_polars_frame() -> None:
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame({"i": range(100_000), "s": ["a", None] * 50_000})
    ref = ray.put(frame)
    back = ray.get(ref)
    assert isinstance(back, pl.DataFrame)
    assert back.equals(frame)
    total = ray.get(ray.remote(lambda df: df["i"].sum()).remote(ref))
    assert total == sum(range(100_000))


@pytest.mark.only_thornback
def test_polars_frames_share_the_memory() -> None:
    pl = pytest.importorskip("polars")
    ref = ray.put(pl.DataFrame({"f": np.linspace(0, 1, 300_000)}))
    one, two = (ray.get(ref)["f"].to_numpy(allow_copy=False) for _ in range(2))
    assert address(one) == address(two)
    assert not one.flags.writeable


@pytest.mark.only_thornback
def test_anything_that_speaks_arrow() -> None:
    """A stranger's table, known only by `__arrow_c_stream__`, goes as Arrow."""
    pa = pytest.importorskip("pyarrow")
    before = balance.stats()["store_used_bytes"]

    class Stranger:
        def __init__(self, table: Any) -> None:
            self.table = table

        def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
            return self.table.__arrow_c_stream__(requested_schema)

    table = pa.table({"i": range(300_000)})
    ref = ray.put(Stranger(table))
    assert balance.stats()["store_used_bytes"] >= before + 2_400_000
    assert pa.table(ray.get(ref)).equals(table)
