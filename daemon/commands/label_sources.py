"""Where labels come from for a command: the market, its labelers, its stored labels, or its bars."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from daemon.adapters.bar_store import ParquetBarStore
from daemon.adapters.versions import bars_of
from daemon.errors import UsageError
from daemon.labelers import labeler_of
from regime.labels import LABELERS, days_of
from regime.types import Regime, RegimeSeries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.adapters.ledger import LabelerState, Ledger
    from daemon.layout import Layout
    from daemon.settings import MarketSettings, Settings
    from daemon.stored_label import StoredLabel
    from regime.labels import Day, Labeler


def chosen_market(settings: Settings, name: str | None) -> tuple[str, MarketSettings]:
    """Give the market of a name, or the first, with its settings."""
    name = name or next(iter(settings.markets))
    if name not in settings.markets:
        near = difflib.get_close_matches(name, settings.markets, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(settings.markets)}"
        raise UsageError(f"there is no market {name!r}; {hint}")
    return name, settings.markets[name]


def labelers_of(settings: Settings, market: MarketSettings) -> tuple[Labeler, ...]:
    """Give every labeler that could label a market, with the constants of the settings."""
    names = dict.fromkeys((*LABELERS, settings.labels.labeler))
    named = (replace(settings.labels, labeler=name) for name in names)
    return tuple(labeler_of(labels, has_fear=bool(market.fear)) for labels in named)


def labeler_in_force(ledger: Ledger, market: str) -> LabelerState:
    """Give where the labeler of a market stands; there must be one."""
    state = ledger.labeler_state(market)
    if state is None:
        raise UsageError(f"market {market!r} has no labels yet; drop the bars of its index into the inbox")
    return state


def stored_series(labeler: str, stored: Sequence[StoredLabel]) -> RegimeSeries:
    """Give stored labels as a series."""
    regimes = tuple(Regime(label.regime) for label in stored)
    changes = [i for i in range(1, len(regimes)) if regimes[i] != regimes[i - 1]]
    return RegimeSeries(
        labeler=labeler,
        date=np.array([label.day for label in stored], dtype="datetime64[D]"),
        regime=regimes,
        reason=tuple(label.reason for label in stored),
        pending=tuple(Regime(label.pending) if label.pending else None for label in stored),
        provisional=np.arange(len(regimes)) >= (changes[-1] if changes else 0),
    )


def stored_days(ledger: Ledger, layout: Layout, market: MarketSettings, data_version: int) -> tuple[Day, ...]:
    """Give what a labeler may know on each day of a market, from the bars of a data version."""
    store = ParquetBarStore(layout.bars, layout.panel)
    bars = bars_of(ledger.bars, store, data_version, [market.index, market.fear])
    fear = bars.of_symbol(market.fear)
    return days_of(bars.of_symbol(market.index), fear if len(fear) else None)
