"""The shared types as pandas frames, for commands that write tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from regime.types import FeatureTable, RegimeSeries


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
