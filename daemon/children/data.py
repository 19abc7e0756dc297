"""What training and scoring start from: the bars, labels and features of a data version."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.adapters.bar_store import ParquetBarStore
from daemon.adapters.ledger import Ledger
from daemon.adapters.versions import bars_of
from daemon.configuration import settings_of_values
from daemon.labelers import labeler_of
from daemon.layout import Layout
from daemon.markets import first_of, symbols_of_first
from regime.barrier.inputs import LOOK_BACK_SESSIONS, volatility_inputs
from regime.errors import HistoryTooShortError
from regime.features import compute_features
from regime.labels import effective_fear, label_days
from regime.training_set import rows_of_bars
from regime.types import Bars, FeatureTable, RegimeSeries
from registry.readonly import open_read_only

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from daemon.settings import MarketSettings, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """One market at one data version: its symbols' bars, its labels and its effective fear."""

    name: str
    bars: Bars
    index: Bars
    fear: Bars
    labels: RegimeSeries
    feature_threads: int = 1

    def features(self, *, last_days: int | None = None) -> FeatureTable:
        """Compute the features of all days, or only of the last days of the index."""
        since = None if last_days is None else self.index.date[-last_days:][0]
        return compute_features(
            self.bars, index=self.index, fear=self.fear, since=since, threads=self.feature_threads
        )

    def volatility(self, rows: FeatureTable) -> NDArray[np.float32]:
        """Give the inputs of volatility forecasts for rows of features, shape (n_rows, n_inputs)."""
        first = int(np.searchsorted(self.index.date, rows.date.min())) - LOOK_BACK_SESSIONS
        since = self.index.date[max(0, first)]
        bars = self.bars.take(self.bars.date >= since)
        found = volatility_inputs(bars, self.index, self.fear, horizon_days=1)
        return found.values[rows_of_bars(rows, bars)].astype(np.float32)


def settings_of(job: Mapping[str, Any]) -> Settings:
    """Give the settings that a job brings along: those in force, whatever stands in the file meanwhile."""
    return settings_of_values(job["settings"])


def first_market(root: str, data_version: int, settings: Settings) -> Market:
    """Give the market that models are trained on: the first of the configuration.

    Its symbols are those that belong to it (``daemon.markets``), without fear indices.

    Raises
    ------
    HistoryTooShortError
        If there are no bars of its index.
    """
    layout = Layout(Path(root))
    with closing(open_read_only(layout.journal)) as connection:
        store = ParquetBarStore(layout.bars, layout.panel)
        bars = bars_of(Ledger(connection).bars, store, data_version)
    name, market = first_of(settings.markets)
    if market.index not in bars.symbols():
        raise HistoryTooShortError(
            f"market {name!r} has no bars of its index {market.index}; drop them into the inbox,"
            " or correct markets in the configuration"
        )
    own = bars.of_symbols(symbols_of_first(settings.markets, bars.symbols()))
    return _market(name, market, bars, own, settings)


def _market(name: str, market: MarketSettings, bars: Bars, own: Bars, settings: Settings) -> Market:
    index = bars.of_symbol(market.index)
    given = bars.of_symbol(market.fear) if market.fear else Bars.empty()
    fear = given if len(given) else None
    return Market(
        name=name,
        bars=own,
        index=index,
        fear=effective_fear(index, fear),
        labels=label_days(index, fear, labeler_of(settings.labels, has_fear=bool(market.fear))),
        feature_threads=settings.features.threads,
    )
