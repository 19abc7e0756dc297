"""Arrow arrays to numpy and back by their buffers.

Arrow's own conversions import pandas wherever it is installed, which doubles the daemon's memory.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DTYPES: Final = MappingProxyType(
    {
        pa.float16(): "f2",
        pa.float32(): "f4",
        pa.float64(): "f8",
        pa.int8(): "i1",
        pa.int16(): "i2",
        pa.int32(): "i4",
        pa.int64(): "i8",
        pa.uint8(): "u1",
        pa.uint16(): "u2",
        pa.uint32(): "u4",
        pa.uint64(): "u8",
        pa.date32(): "i4",
        pa.date64(): "M8[ms]",
        pa.timestamp("s"): "M8[s]",
        pa.timestamp("ms"): "M8[ms]",
        pa.timestamp("us"): "M8[us]",
        pa.timestamp("ns"): "M8[ns]",
    }
)
NUMBER_TYPES: Final = frozenset(
    kind for kind in _DTYPES if pa.types.is_floating(kind) or pa.types.is_integer(kind)
)
DAY_TYPES: Final = frozenset(_DTYPES) - NUMBER_TYPES
"""Days, and times without a zone; a time of a zone is not a calendar day by itself."""


def floats_of_arrow(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Give numbers, NaN where null; shape (n_rows,)."""
    parts = [np.where(_is_known(chunk), _values(chunk), np.nan) for chunk in column.chunks if len(chunk)]
    return np.concatenate([np.empty(0), *parts])


def times_of_arrow(column: pa.ChunkedArray) -> NDArray[np.datetime64]:
    """Give days or times in the unit of the column, NaT where null; shape (n_rows,)."""
    unit = "D" if column.type == pa.date32() else np.datetime_data(_DTYPES[column.type])[0]
    parts = [np.empty(0, dtype=f"M8[{unit}]")]
    for chunk in column.chunks:
        if len(chunk):
            times = _values(chunk).astype("i8").astype(f"M8[{unit}]")
            parts.append(np.where(_is_known(chunk), times, np.datetime64("NaT")))
    return np.concatenate(parts)


def texts_of_arrow(column: pa.ChunkedArray) -> NDArray[np.str_]:
    """Give the texts of a dictionary-encoded column, an empty one where null; shape (n_rows,)."""
    parts = [
        np.array([*chunk.dictionary.to_pylist(), ""], dtype=np.str_)[
            np.where(_is_known(chunk.indices), _values(chunk.indices).astype(np.intp), -1)
        ]
        for chunk in column.chunks
        if len(chunk)
    ]
    return np.concatenate([np.empty(0, dtype="U1"), *parts])


def arrow_of_floats(values: NDArray[np.float64]) -> pa.Array:
    """Give an Arrow array of doubles; NaN stays NaN."""
    return _array(pa.float64(), values.astype("<f8"))


def arrow_of_float32s(values: NDArray[np.float32]) -> pa.Array:
    """Give an Arrow array of single-precision numbers; NaN stays NaN."""
    return _array(pa.float32(), values.astype("<f4"))


def arrow_of_int8s(values: NDArray[np.int8]) -> pa.Array:
    """Give an Arrow array of small whole numbers."""
    return _array(pa.int8(), values.astype("i1"))


def arrow_of_days(days: NDArray[np.datetime64]) -> pa.Array:
    """Give an Arrow array of calendar days."""
    return _array(pa.date32(), days.astype("M8[D]").astype("i8").astype("<i4"))


def arrow_of_texts(texts: NDArray[np.str_]) -> pa.Array:
    """Give a dictionary-encoded Arrow array of texts."""
    found, places = np.unique(texts, return_inverse=True)
    encoded = [str(text).encode() for text in found]
    offsets = np.cumsum([0, *map(len, encoded)]).astype("<i4")
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    dictionary = pa.Array.from_buffers(pa.string(), len(encoded), buffers)
    return pa.DictionaryArray.from_arrays(_array(pa.int32(), places.astype("<i4")), dictionary)


def _array(kind: pa.DataType, values: NDArray[np.generic]) -> pa.Array:
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])


def _values(chunk: pa.Array) -> NDArray[np.generic]:
    """Give the values of a chunk with at least one row; those of nulls are arbitrary."""
    dtype = np.dtype(_DTYPES[chunk.type])
    return np.frombuffer(
        chunk.buffers()[1], dtype=dtype, count=len(chunk), offset=chunk.offset * dtype.itemsize
    )


def _is_known(chunk: pa.Array) -> NDArray[np.bool_]:
    if not chunk.null_count:
        return np.ones(len(chunk), dtype=bool)
    bits = np.unpackbits(np.frombuffer(chunk.buffers()[0], dtype="u1"), bitorder="little")
    return bits[chunk.offset : chunk.offset + len(chunk)].astype(bool)
