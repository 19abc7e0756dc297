"""Samples of a rare event as a parquet file with page checksums.

The columns are ``event_id``, ``symbol``, ``date``, ``nominal_regime``, ``label`` (the labeler's word on the
day), ``target`` (class id), ``label_end`` and ``horizon_end`` (until when the target looks), and then one
float32 column a feature, in the order of the catalogue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from daemon.formats.arrow import (
    arrow_of_days,
    arrow_of_float32s,
    arrow_of_int8s,
    arrow_of_texts,
)
from daemon.formats.parquet import table_of_parquet

if TYPE_CHECKING:
    from regime.event_samples import EventSamples

SAMPLE_FIELDS: Final = (
    "event_id",
    "symbol",
    "date",
    "nominal_regime",
    "label",
    "target",
    "label_end",
    "horizon_end",
)
"""The columns before the features."""

_TEXTS: Final = ("event_id", "symbol", "nominal_regime", "label")


def samples_bytes(samples: EventSamples) -> bytes:
    """Give samples as a parquet file; equal samples give equal bytes under one version of pyarrow."""
    rows = len(samples)
    columns = {
        "event_id": arrow_of_texts(np.full(rows, samples.event.id)),
        "symbol": arrow_of_texts(samples.symbol),
        "date": arrow_of_days(samples.date),
        "nominal_regime": arrow_of_texts(np.full(rows, samples.event.regime.value)),
        "label": arrow_of_texts(samples.label),
        "target": arrow_of_int8s(samples.target),
        "label_end": arrow_of_days(samples.label_end),
        "horizon_end": arrow_of_days(samples.horizon_end),
    }
    by_feature = np.ascontiguousarray(samples.values.T)
    columns |= {
        name: arrow_of_float32s(values)
        for name, values in zip(samples.feature_names, by_feature, strict=True)
    }
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.Table.from_arrays(list(columns.values()), names=list(columns)),
        sink,
        compression="zstd",
        use_dictionary=list(_TEXTS),
        store_schema=False,
        write_page_checksum=True,
    )
    content: bytes = sink.getvalue().to_pybytes()
    return content


def table_of_samples(content: bytes) -> pa.Table:
    """Read what `samples_bytes` gave; the caller has checked that the bytes are those that were written.

    Raises
    ------
    ValueError
        If they are no samples: undecodable, or with other columns before the features.
    """
    try:
        table = table_of_parquet(content)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"it cannot be decoded ({str(error)[:200]})") from error
    if tuple(table.column_names[: len(SAMPLE_FIELDS)]) != SAMPLE_FIELDS:
        raise ValueError(f"its columns begin with {', '.join(table.column_names[: len(SAMPLE_FIELDS)])}")
    return table
