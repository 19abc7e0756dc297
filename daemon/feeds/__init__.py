"""Pull feeds: what to ask of a source, and whether its answer is to be believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.feeds.cboe_vix import BASE_URL as CBOE_URL
from daemon.feeds.cboe_vix import SYMBOL as VIX
from daemon.feeds.cboe_vix import CboeVix
from daemon.feeds.feed import (
    Feed,
    FeedCursor,
    FeedError,
    FeedFault,
    Fetched,
    Outcome,
    Request,
    Restated,
    Unchanged,
)
from daemon.feeds.staleness import is_stale, sessions_missed
from daemon.feeds.yahoo_chart import BASE_URL as YAHOO_URL
from daemon.feeds.yahoo_chart import YahooChart
from daemon.formats import FileRejectedError
from daemon.formats.symbols import known_symbol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

__all__ = [
    "CboeVix",
    "Feed",
    "FeedCursor",
    "FeedError",
    "FeedFault",
    "Fetched",
    "Outcome",
    "Request",
    "Restated",
    "Unchanged",
    "YahooChart",
    "feeds_of",
    "is_stale",
    "sessions_missed",
]


def feeds_of(
    name: str, *, symbols: Sequence[str], start: np.datetime64, base_url: str = ""
) -> tuple[Feed, ...]:
    """Give the documents to poll for a feed of the settings, one a symbol.

    Raises
    ------
    FeedError
        If there is no such feed, it has not those symbols, or one is no symbol.
    """
    match name:
        case "cboe_vix" if set(symbols) <= {VIX}:
            return (CboeVix(base_url=base_url or CBOE_URL),)
        case "cboe_vix":
            raise FeedError(FeedFault.JOB, f"cboe_vix has only {VIX}; correct feeds.cboe_vix.symbols")
        case "yahoo_chart" if symbols:
            return tuple(
                YahooChart(symbol=_checked(symbol), start=start, base_url=base_url or YAHOO_URL)
                for symbol in symbols
            )
        case "yahoo_chart":
            raise FeedError(FeedFault.JOB, "yahoo_chart has no symbols; set feeds.yahoo_chart.symbols")
        case _:
            raise FeedError(FeedFault.JOB, f"there is no feed {name!r}; know cboe_vix and yahoo_chart")


def _checked(symbol: str) -> str:
    try:
        known_symbol(symbol, {})
    except FileRejectedError as error:
        raise FeedError(FeedFault.JOB, f"{symbol[:40]!r} is no symbol; correct the feed's symbols") from error
    return symbol
