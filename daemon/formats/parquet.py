"""Our own parquet: the columns symbol, date, open, high, low, close and volume, with page checksums.

Without checksums, 17 % of random corruptions of a parquet file read silently wrong. Symbol, open, high, low
and volume may be absent, and other columns are ignored, so that files of other tools are taken too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from daemon.formats.arrow import (
    DAY_TYPES,
    NUMBER_TYPES,
    arrow_of_days,
    arrow_of_floats,
    arrow_of_texts,
    floats_of_arrow,
    texts_of_arrow,
    times_of_arrow,
)
from daemon.formats.columns import Columns, checked_bars
from daemon.formats.reasons import Reason, rejection
from daemon.formats.symbols import SYMBOL_CELL_MAX, column_of_symbol, refuse_long, symbol_of_name
from regime.types import BAR_FIELDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from regime.types import Bars

FORMAT: Final = "own_parquet"
MAGIC: Final = b"PAR1"
THRIFT_SIZE_MAX: Final = 2**20
"""Longest text and list in a footer, so that a damaged length cannot ask for gigabytes."""

ROW_BYTES: Final = 4 * SYMBOL_CELL_MAX + 8 * (1 + len(BAR_FIELDS))
"""The most that one decoded row takes: a symbol at four bytes a character, a day, and the fields."""

_OPENING: Final = {
    "pre_buffer": False,
    "page_checksum_verification": True,
    "arrow_extensions_enabled": False,
    "thrift_string_size_limit": THRIFT_SIZE_MAX,
    "thrift_container_size_limit": THRIFT_SIZE_MAX,
}


def parquet_bytes(bars: Bars) -> bytes:
    """Give bars as a parquet file; equal bars give equal bytes under one version of pyarrow."""
    columns = {
        "symbol": arrow_of_texts(bars.symbol),
        "date": arrow_of_days(bars.date),
        **{field: arrow_of_floats(getattr(bars, field)) for field in BAR_FIELDS},
    }
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.Table.from_arrays(list(columns.values()), names=list(columns)),
        sink,
        compression="zstd",
        use_dictionary=["symbol"],
        store_schema=False,
        write_page_checksum=True,
    )
    content: bytes = sink.getvalue().to_pybytes()
    return content


def write_parquet(bars: Bars, path: Path) -> None:
    """Write `parquet_bytes` to ``path`` itself: the caller writes beside, flushes and renames."""
    path.write_bytes(parquet_bytes(bars))


def table_of_parquet(
    content: bytes, *, columns: Sequence[str] | None = None, texts: Sequence[str] = ()
) -> pa.Table:
    """Give the table of a parquet file, read by the calling thread alone.

    ``pq.read_table`` leaves a worker behind that still holds ``content``; a process that ends at that moment
    is aborted instead of giving its exit code (apache/arrow#33975). Of a file that this program did not
    write, see `columns_and_rows_of_parquet` first.

    Parameters
    ----------
    columns
        The columns to read; all if None.
    texts
        Those of them to leave dictionary-encoded if they are texts, so that a long text which many rows
        share is in memory once.

    Raises
    ------
    pyarrow.ArrowException, OSError
        If the file is damaged.
    """
    with pq.ParquetFile(pa.BufferReader(content), read_dictionary=list(texts), **_OPENING) as file:
        return file.read(columns=None if columns is None else list(columns), use_threads=False)


def columns_and_rows_of_parquet(
    content: bytes, rows_max: int, bytes_decoded_max: int
) -> tuple[list[str], int]:
    """Give the names of the columns and the count of rows by the footer; no value is decoded.

    Raises
    ------
    FileRejectedError
        If the file has no end, or claims more rows or bytes than the bounds.
    pyarrow.ArrowException, OSError
        If the footer is damaged.
    """
    if not content.endswith(MAGIC):
        raise rejection(Reason.TRUNCATED, "the parquet file has no end")
    with pq.ParquetFile(pa.BufferReader(content), **_OPENING) as file:
        _check_size(file.metadata, rows_max, bytes_decoded_max)
        return list(file.schema_arrow.names), file.metadata.num_rows


def read_part(path: Path) -> Bars:
    """Read back what `parquet_bytes` gave, to the bit; symbols are neither renamed nor checked.

    Raises
    ------
    FileRejectedError
        If the file is damaged.
    """
    columns = columns_of_parquet(path.read_bytes(), path.name)
    return checked_bars(columns)


def days_of_part(path: Path) -> NDArray[np.datetime64]:
    """Give the days that occur in what `parquet_bytes` gave, ascending; reads no other column.

    Raises
    ------
    FileRejectedError
        If the file is damaged.
    """
    try:
        with pq.ParquetFile(path, **_OPENING) as file:
            return np.unique(_days(file.read(columns=["date"], use_threads=False).column("date")))
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, ValueError, LookupError) as error:
        raise rejection(Reason.CORRUPT, f"the parquet cannot be decoded ({str(error)[:200]})") from error


def columns_of_parquet(
    data: bytes, name: str, *, rows_max: int | None = None, bytes_decoded_max: int | None = None
) -> Columns:
    """Give the columns of a parquet file.

    What the file would decode to is judged by its footer before anything is decoded: 912 KB can become
    1.6 GB. A bound of ``None`` is none, for files that this program wrote.

    Raises
    ------
    FileRejectedError
        With the reason code of the first fault.
    """
    if not data.endswith(MAGIC):
        raise rejection(Reason.TRUNCATED, "the parquet file has no end")
    try:
        looked_at = pq.ParquetFile(pa.BufferReader(data), **_OPENING)
        names = _checked_names(looked_at.schema_arrow)
        _check_size(looked_at.metadata, rows_max, bytes_decoded_max)
        file = pq.ParquetFile(
            pa.BufferReader(data), read_dictionary=[name for name in names if name == "symbol"], **_OPENING
        )
        return _columns(file.read(columns=names, use_threads=False), name)
    except (pa.ArrowException, OSError, ValueError, LookupError, MemoryError, OverflowError) as error:
        raise rejection(Reason.CORRUPT, f"the parquet cannot be decoded ({str(error)[:200]})") from error


def _checked_names(schema: pa.Schema) -> list[str]:
    """Give the columns to read, refusing a schema that is not of bars."""
    names = [field for field in ("symbol", "date", *BAR_FIELDS) if field in schema.names]
    if "date" not in names or "close" not in names or len(set(schema.names)) < len(schema.names):
        raise rejection(Reason.HEADER, f"the columns are {','.join(schema.names)[:80]!r}")
    for field in names:
        if not _can_hold(field, schema.field(field).type):
            raise rejection(Reason.COLUMNS, f"{field} has the type {schema.field(field).type}")
    return names


def _can_hold(field: str, kind: pa.DataType) -> bool:
    match field:
        case "symbol":
            text = kind.value_type if pa.types.is_dictionary(kind) else kind
            return bool(pa.types.is_string(text) or pa.types.is_large_string(text))
        case "date":
            return kind in DAY_TYPES
        case _:
            return kind in NUMBER_TYPES


def _check_size(footer: pq.FileMetaData, rows_max: int | None, bytes_decoded_max: int | None) -> None:
    # Only row groups are asked: pyarrow aborts the process over a column chunk with damaged statistics.
    groups = [footer.row_group(i) for i in range(footer.num_row_groups)]
    unpacked = sum(group.total_byte_size for group in groups)
    rows = max(footer.num_rows, sum(group.num_rows for group in groups))
    if rows_max is not None and rows > rows_max:
        raise rejection(Reason.TOO_LARGE, f"it has {rows} rows, more than {rows_max}")
    if bytes_decoded_max is not None and max(unpacked, rows * ROW_BYTES) > bytes_decoded_max:
        raise rejection(Reason.TOO_LARGE, f"unpacked, it takes more than {bytes_decoded_max} bytes")


def _columns(table: pa.Table, name: str) -> Columns:
    unknown = np.full(table.num_rows, np.nan)
    read = {
        field: floats_of_arrow(table.column(field)) for field in BAR_FIELDS if field in table.column_names
    }
    return Columns(
        symbol=_symbols(table, name),
        date=_days(table.column("date")),
        **{field: read.get(field, unknown) for field in BAR_FIELDS},
    )


def _days(column: pa.ChunkedArray) -> NDArray[np.datetime64]:
    times = times_of_arrow(column)
    days = times.astype("datetime64[D]")
    if (~np.isnat(times) & (days != times)).any():
        raise rejection(Reason.NOT_DAILY, "date has a time of day")
    return days


def _symbols(table: pa.Table, name: str) -> NDArray[np.str_]:
    if "symbol" not in table.column_names:
        return column_of_symbol(symbol_of_name(name), table.num_rows)
    column = table.column("symbol")
    known = [symbol for chunk in column.chunks for symbol in chunk.dictionary.to_pylist()]
    if column.null_count or None in known:
        raise rejection(Reason.SYMBOL, "a row has no symbol")
    refuse_long(known)
    return texts_of_arrow(column)
