"""What training and scoring start from: the bars, labels and features of a data version."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.adapters.bar_store import ParquetBarStore
from daemon.adapters.ledger import Ledger
from daemon.configuration import settings_of_values
from daemon.layout import Layout
from regime.errors import HistoryTooShortError
from regime.features import CATALOGUE, compute_features
from regime.labels import effective_fear, label_days, labeler_named
from regime.types import Bars, FeatureTable, RegimeSeries
from registry.readonly import open_read_only

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.settings import MarketSettings, Settings

LOOK_BACK_BARS = max(feature.look_back for feature in CATALOGUE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """One market at one data version: its symbols' bars, its labels and its effective fear."""

    name: str
    bars: Bars
    index: Bars
    fear: Bars
    labels: RegimeSeries

    def features(self, *, last_days: int | None = None) -> FeatureTable:
        """Compute the features of all days, or only of each symbol's last bars.

        A feature looks back a fixed number of bars, so both give the same values.
        """
        bars = self.bars if last_days is None else _last_bars(self.bars, last_days + LOOK_BACK_BARS)
        table = compute_features(bars, index=self.index, fear=self.fear)
        if last_days is None:
            return table
        first_day = self.index.date[-last_days:][0]
        kept = table.date >= first_day
        return FeatureTable(
            symbol=table.symbol[kept],
            date=table.date[kept],
            names=table.names,
            values=table.values[kept],
            catalogue_hash=table.catalogue_hash,
        )


def settings_of(job: Mapping[str, Any]) -> Settings:
    """Give the settings that a job brings along: those in force, whatever stands in the file meanwhile."""
    return settings_of_values(job["settings"])


def first_market(root: str, data_version: int, settings: Settings) -> Market:
    """Give the market that models are trained on: the first of the configuration.

    Its symbols are all that are stored but fear indices and the indices of other markets.

    Raises
    ------
    HistoryTooShortError
        If there are no bars of its index.
    """
    layout = Layout(Path(root))
    with closing(open_read_only(layout.journal)) as connection:
        parts = [part.part for part in Ledger(connection).parts(through=data_version)]
    bars = ParquetBarStore(layout.bars).read(parts)
    name, market = next(iter(settings.markets.items()))
    if market.index not in bars.symbols():
        raise HistoryTooShortError(
            f"market {name!r} has no bars of its index {market.index}; drop them into the inbox,"
            " or correct markets in the configuration"
        )
    others = {other.fear for other in settings.markets.values()}
    others |= {other.index for other in settings.markets.values()} - {market.index}
    own = bars.take(~np.isin(bars.symbol, list(others)))
    return _market(name, market, bars, own, settings.labels.labeler)


def _market(name: str, market: MarketSettings, bars: Bars, own: Bars, labeler: str) -> Market:
    index = bars.of_symbol(market.index)
    given = bars.of_symbol(market.fear) if market.fear else Bars.empty()
    fear = given if len(given) else None
    return Market(
        name=name,
        bars=own,
        index=index,
        fear=effective_fear(index, fear),
        labels=label_days(index, fear, labeler_named(labeler, has_fear=bool(market.fear))),
    )


def _last_bars(bars: Bars, count: int) -> Bars:
    """Give the last ``count`` bars of each symbol."""
    _, starts, sizes = np.unique(bars.symbol, return_index=True, return_counts=True)
    from_end = np.repeat(starts + sizes, sizes) - np.arange(len(bars))
    return bars.take(from_end <= count)
