"""Bars arrived: compute the features of the days that are new or may differ, and keep the last days' ones."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import numpy as np

from daemon.errors import DaemonError
from daemon.markets import first_of, symbols_of_first
from daemon.records import DayFeatures, Event, FeaturesStored, Outcome
from regime.errors import BarsInvalidError, HistoryTooShortError, RegimeError
from regime.features.state import KEPT, LOOK_BACK, FeatureState
from regime.labels import effective_fear
from regime.types import Bars

if TYPE_CHECKING:
    from daemon.adapters.bar_ledger import StoredPart
    from daemon.messages import FeaturesDue
    from daemon.tools import Tools
    from regime.types import FeatureTable

CAUGHT_UP_ROWS_MAX: Final = 20_000
"""News of more rows is a new history: making a new state of the last bars is quicker than merging it."""


def refresh_features(message: FeaturesDue, tools: Tools) -> Outcome:
    """Compute what the news since the last stored features change, unless newer bars are already stored."""
    settings = tools.settings.features
    if message.data_version != tools.ledger.data_version():
        return Outcome()
    news = tools.ledger.bars.deltas(after=tools.ledger.features.data_version(), through=message.data_version)
    try:
        state = _state_at(message.data_version, tools)
    except BarsInvalidError:
        return Outcome()  # the market was refused when its bars were labelled, which said why
    if state is None or not news:
        return Outcome()
    kept_since = state.days()[-settings.keep_days :][0]
    since = max(kept_since, np.datetime64(min(part.first_day for part in news), "D"))
    table = state.table(since, threads=settings.threads)
    days = tuple(_day(table, day) for day in np.unique(table.date))
    if not days:
        return Outcome()
    record = FeaturesStored(
        data_version=message.data_version,
        catalogue_hash=table.catalogue_hash,
        days=days,
        kept_since=str(kept_since),
    )
    fields = {
        "day": days[-1].day,
        "days": len(days),
        "symbols": len(days[-1].symbols),
        "complete": days[-1].complete,
        "data_version": message.data_version,
    }
    return Outcome(records=(record,), events=(Event(name="features.computed", fields=fields),))


def remember_bars(tools: Tools) -> None:
    """Restore what is remembered between two days, as after a restart, so that the next day's are quick.

    A fault of the stored bars is told to whoever needs them; nobody needs them here.
    """
    newest = tools.ledger.data_version()
    if tools.settings.features.enabled and tools.features.data_version != newest:
        with suppress(DaemonError, RegimeError):
            _state_at(newest, tools)


def _day(table: FeatureTable, day: np.datetime64) -> DayFeatures:
    rows = table.date == day
    values = table.values[rows].astype("<f4")
    return DayFeatures(
        day=str(day),
        symbols=tuple(table.symbol[rows].tolist()),
        complete=int((~np.isnan(values).any(axis=1)).sum()),
        content=values.tobytes(),
    )


def _state_at(data_version: int, tools: Tools) -> FeatureState | None:
    """Bring the remembered bars to a data version; ``None`` while the market has no index."""
    memory = tools.features
    markets = tools.settings.markets
    state, memory.state = memory.state, None  # forgotten, should anything fail on the way
    news = tools.ledger.bars.deltas(after=memory.data_version, through=data_version)
    if state is not None and memory.markets == markets and _can_catch_up(news):
        state = _caught_up(state, news, data_version, tools)
    else:
        state = _made_anew(data_version, tools)
    memory.state, memory.data_version, memory.markets = state, data_version, markets
    return state


def _can_catch_up(news: tuple[StoredPart, ...]) -> bool:
    return all(part.is_kept for part in news) and sum(part.rows for part in news) <= CAUGHT_UP_ROWS_MAX


def _caught_up(
    state: FeatureState, news: tuple[StoredPart, ...], data_version: int, tools: Tools
) -> FeatureState | None:
    bars = tools.bars.read([part.part for part in news])
    index, fear = _context(state.first_day(), data_version, tools)
    try:
        state.take_in(_own(bars, tools), index=index, fear=fear)
    except HistoryTooShortError:
        return _made_anew(data_version, tools)
    return state


def _made_anew(data_version: int, tools: Tools) -> FeatureState | None:
    bars = _own(tools.bars_of(data_version, last=KEPT), tools)
    if first_of(tools.settings.markets)[1].index not in bars.symbols():
        return None
    index, fear = _context(bars.date.min(), data_version, tools)
    return FeatureState(bars, index=index, fear=fear)


def _own(bars: Bars, tools: Tools) -> Bars:
    return bars.of_symbols(symbols_of_first(tools.settings.markets, bars.symbols()))


def _context(since: np.datetime64, data_version: int, tools: Tools) -> tuple[Bars, Bars]:
    """Give the index and its effective fear, as far back as features of a day look that is kept."""
    _, market = first_of(tools.settings.markets)
    bars = tools.bars_of(data_version, [symbol for symbol in (market.index, market.fear) if symbol])
    index = bars.of_symbol(market.index)
    given = bars.of_symbol(market.fear) if market.fear else Bars.empty()
    start = max(0, int(np.searchsorted(index.date, since)) - LOOK_BACK)
    fear = effective_fear(index, given if len(given) else None, start=start)
    return index.take(slice(start, None)), fear
