"""Tables as Arrow IPC streams: read in place, and readable by programs that know no Python.

pyarrow and polars objects come back as what they were; other things that speak Arrow come back as
`pyarrow.Table`. pandas does not go this way, because Arrow has no word for all of its types. What
would not come back whole is left to pickle.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# Kinds, kept with the object: never change a number's meaning.
_TABLE = 1
_BATCH = 2
_ARRAY = 3
_CHUNKED_ARRAY = 4
_POLARS_FRAME = 5
_POLARS_SERIES = 6


def write(obj: Any) -> tuple[int, int, Callable[[memoryview], None]] | None:
    """Prepare an object that has `__arrow_c_stream__` or `__arrow_c_array__` for the store.

    Returns
    -------
    kind : int
        For `read`.
    size : int, bytes
    writer : callable
        Fills a writable memoryview of that size.

    None instead, when pickle is the better way: without pyarrow, for pandas, and for types that a
    stream would lose.
    """
    library = type(obj).__module__.partition(".")[0]
    if library == "pandas":
        return None
    pa = _pyarrow()
    if pa is None:
        return None
    try:
        found = _as_table(pa, library, obj)
    except (pa.ArrowException, TypeError, ValueError, NotImplementedError, RuntimeError):
        # Something in it has no Arrow form: an object column of polars, for instance.
        return None
    if found is None or any(_is_private(pa, field.type) for field in found[1].schema):
        return None
    kind, table = found
    counter = pa.MockOutputStream()
    try:
        _write_stream(pa, table, counter)
    except pa.ArrowException:
        return None
    size = counter.size()

    def writer(target: memoryview) -> None:
        with pa.FixedSizeBufferWriter(pa.py_buffer(target)) as sink:
            _write_stream(pa, table, sink)

    return kind, size, writer


def read(kind: int, buffer: Any) -> Any:
    """Return the object whose stream lies in `buffer`; its columns are views of the buffer."""
    import pyarrow as pa

    with pa.ipc.open_stream(pa.py_buffer(buffer)) as reader:
        if kind == _BATCH:
            return reader.read_next_batch()
        if kind == _ARRAY:
            return reader.read_next_batch().column(0)
        table = reader.read_all()
    if kind == _TABLE:
        return table
    if kind == _CHUNKED_ARRAY:
        return table.column(0)
    import polars as pl

    frame = pl.from_arrow(table, rechunk=False)
    return frame if kind == _POLARS_FRAME else frame.to_series(0)


def _pyarrow() -> Any:
    loaded = sys.modules.get("pyarrow")
    if loaded is not None:
        return loaded
    try:
        import pyarrow
    except ImportError:
        return None
    return pyarrow


def _as_table(pa: Any, library: str, obj: Any) -> tuple[int, Any] | None:
    """Return the kind and a table or batch with the object's columns; None leaves it to pickle."""
    if library == "pyarrow":
        return _pyarrow_table(pa, obj)
    if library == "polars":
        return _polars_table(obj)
    if hasattr(obj, "__arrow_c_stream__"):
        stream = pa.RecordBatchReader.from_stream(obj)
        return _TABLE, stream.read_all()
    return _TABLE, pa.Table.from_batches([pa.record_batch(obj)])


def _pyarrow_table(pa: Any, obj: Any) -> tuple[int, Any] | None:
    cls = type(obj)
    if cls is pa.Table:
        return _TABLE, obj
    if cls is pa.RecordBatch:
        return _BATCH, obj
    if isinstance(obj, pa.Array):
        return _ARRAY, pa.RecordBatch.from_arrays([obj], names=[""])
    if isinstance(obj, pa.ChunkedArray):
        return _CHUNKED_ARRAY, pa.Table.from_arrays([obj], names=[""])
    if isinstance(obj, pa.RecordBatchReader):
        return _TABLE, obj.read_all()
    return None


def _polars_table(obj: Any) -> tuple[int, Any] | None:
    import polars as pl

    if type(obj) is pl.DataFrame:
        frame, kind = obj, _POLARS_FRAME
    elif type(obj) is pl.Series:
        frame, kind = obj.to_frame(), _POLARS_SERIES
    else:
        return None
    table = frame.to_arrow()
    # A few of polars' types are not Arrow's; the schema tells, without the data.
    if pl.from_arrow(table.schema.empty_table()).schema != frame.schema:
        return None
    return kind, table


def _is_private(pa: Any, data_type: Any) -> bool:
    """Whether the type, or one inside it, exists in Python only: another process would lose it."""
    if isinstance(data_type, pa.ExtensionType):
        return True
    if pa.types.is_dictionary(data_type):
        return _is_private(pa, data_type.value_type)
    return any(_is_private(pa, data_type.field(i).type) for i in range(data_type.num_fields))


def _write_stream(pa: Any, table: Any, sink: Any) -> None:
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write(table)
