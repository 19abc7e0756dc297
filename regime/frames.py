"""Conversions between the shared types and pandas, for children, commands and tests."""

from __future__ import annotations

import numpy as np
import pandas as pd

from regime.types import BAR_FIELDS, Bars, FeatureTable, RegimeSeries


def frame_of_bars(bars: Bars) -> pd.DataFrame:
    """Give bars as a frame with the columns symbol, date and the five fields.

    >>> frame_of_bars(Bars.of_closes("^VIX", ["2024-01-02"], [13.2]))["close"].iloc[0]
    np.float64(13.2)
    """
    columns = {name: getattr(bars, name) for name in BAR_FIELDS}
    return pd.DataFrame({"symbol": bars.symbol.astype(object), "date": bars.date, **columns})


def bars_of_frame(frame: pd.DataFrame) -> Bars:
    """Give checked bars from a frame with at least symbol, date and close; sorts the rows.

    Missing columns among open, high, low and volume become NaN: not known.
    """
    ordered = frame.sort_values(["symbol", "date"], kind="stable")
    columns = {
        name: ordered[name].to_numpy(dtype=np.float64) if name in ordered else np.full(len(ordered), np.nan)
        for name in BAR_FIELDS
    }
    return Bars(
        symbol=ordered["symbol"].to_numpy(dtype=str),
        date=ordered["date"].to_numpy(dtype="datetime64[D]"),
        **columns,
    )


def frame_of_labels(labels: RegimeSeries) -> pd.DataFrame:
    """Give labels as a frame with the columns date, regime, reason, provisional and pending."""
    return pd.DataFrame(
        {
            "date": labels.date,
            "regime": [regime.value for regime in labels.regime],
            "reason": list(labels.reason),
            "provisional": labels.provisional,
            "pending": [None if regime is None else regime.value for regime in labels.pending],
        }
    )


def frame_of_features(table: FeatureTable) -> pd.DataFrame:
    """Give features as a frame with the columns symbol, date and one a feature."""
    values = pd.DataFrame(table.values, columns=pd.Index(table.names))
    values.insert(0, "date", table.date)
    values.insert(0, "symbol", table.symbol.astype(object))
    return values
