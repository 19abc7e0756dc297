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
from regime.features.own import check_no_look_ahead, own_columns, with_own
from regime.labels import days_of, effective_fear, label_days
from regime.labels.own import check_causal
from regime.own import is_path
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
    own_features: str = ""

    def features(self, *, last_days: int | None = None) -> FeatureTable:
        """Compute the features of all days, or only of the last days of the index.

        Columns of the user's own stand behind the others. Before a model learns from all days, those
        columns have to show that they do not look ahead.

        Raises
        ------
        RegimeError
            If the function of the user's own columns cannot be used, or looks ahead.
        """
        since = None if last_days is None else self.index.date[-last_days:][0]
        table = compute_features(
            self.bars, index=self.index, fear=self.fear, since=since, threads=self.feature_threads
        )
        if not self.own_features:
            return table
        context = (self.bars, self.index, self.fear)
        columns = own_columns(self.own_features, *context)
        if since is None:
            check_no_look_ahead(self.own_features, columns, *context)
        else:
            columns = {name: values[self.bars.date >= since] for name, values in columns.items()}
        return with_own(table, self.own_features, columns)

    def volatility(self, rows: FeatureTable) -> NDArray[np.float32]:
        """Give the inputs of volatility forecasts for rows of features, shape (n_rows, n_inputs)."""
        first = int(np.searchsorted(self.index.date, rows.date.min())) - LOOK_BACK_SESSIONS
        since = self.index.date[max(0, first)]
        bars = self.bars.take(self.bars.date >= since)
        asked = bars.take(bars.date >= rows.date.min())
        found = volatility_inputs(
            bars, self.index, self.fear, horizon_days=None, last_sessions=len(np.unique(asked.date))
        )
        return found.values[rows_of_bars(rows, asked)].astype(np.float32)


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
    return market_of_bars(bars, settings)


def market_of_bars(bars: Bars, settings: Settings) -> Market:
    """Give the first market of the configuration, of bars of its symbols, its index and its fear index.

    Raises
    ------
    HistoryTooShortError
        If there are no bars of its index.
    """
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
    labeler = labeler_of(settings.labels, has_fear=bool(market.fear))
    if is_path(settings.labels.labeler):
        check_causal(labeler, days_of(index, fear))
    return Market(
        name=name,
        bars=own,
        index=index,
        fear=effective_fear(index, fear),
        labels=label_days(index, fear, labeler),
        feature_threads=settings.features.threads,
        own_features=settings.features.own,
    )
