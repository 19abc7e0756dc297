"""Daily bars of any symbol from Yahoo's v8 chart, adjusted for splits and dividends.

Each poll asks for the last days again, because sources correct them. A dividend or split changes all
earlier adjusted prices as well, which shows at a bar that both answers contain (the anchor): then the whole
history is asked for again, since new prices after old ones would look like a return that never was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

import numpy as np

from daemon.feeds.feed import (
    USER_AGENT,
    FeedCursor,
    Fetched,
    Request,
    Restated,
    Unchanged,
    bars_of_answer,
    digest_of,
    is_unmodified,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.feeds.feed import Outcome
    from regime.types import Bars

BASE_URL: Final = "https://query1.finance.yahoo.com"
REFETCH_DAYS: Final = 10
ANCHOR_TOLERANCE: Final = 1e-5
"""Yahoo's floats repeat to about 1e-7; the smallest dividends move prices by 1e-4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class YahooChart:
    """Asks for one symbol, from ``start`` at first, then for the last ``refetch_days`` again."""

    symbol: str
    start: np.datetime64
    base_url: str = BASE_URL
    refetch_days: int = REFETCH_DAYS
    name: str = "yahoo_chart"

    def request(self, cursor: FeedCursor, today: np.datetime64) -> Request:
        """Ask for the bars since the start, or since a few days before the last one that is known."""
        first = self.start
        if cursor.last_date is not None:
            # One day more, for exchanges whose day begins on the day before in UTC.
            first = np.datetime64(cursor.last_date, "D") - self.refetch_days - 1
        query = {
            "period1": _seconds(first),
            "period2": _seconds(today + 2),
            "interval": "1d",
            "events": "div,splits",
            "includeAdjustedClose": "true",
        }
        url = f"{self.base_url.rstrip('/')}/v8/finance/chart/{quote(self.symbol, safe='')}?{urlencode(query)}"
        return Request(url=url, headers={"User-Agent": USER_AGENT, "Accept": "application/json"})

    def accept(self, status: int, headers: Mapping[str, str], body: bytes, cursor: FeedCursor) -> Outcome:  # noqa: ARG002 - the port's
        """Take the bars if they parse, join on to the known ones, and differ from them.

        Of a session that is still open Yahoo gives the price so far; `daemon.formats` leaves that day out.
        """
        if is_unmodified(status):
            return Unchanged(cursor=cursor)
        bars = bars_of_answer(
            status, body, file_name=f"{self.name}_{self.symbol}.json", symbol=self.symbol, cursor=cursor
        )
        if _is_restated(bars, cursor):
            return Restated()
        news = self._cursor(bars)
        if news.digest == cursor.digest:
            return Unchanged(cursor=news)
        # A later file of the same first day holds all that an earlier one did, so it may replace it.
        file_name = f"{self.name}_{self.symbol}_from_{bars.date[0]}.json"
        return Fetched(file_name=file_name, body=body, cursor=news)

    def _cursor(self, bars: Bars) -> FeedCursor:
        anchor = int(np.searchsorted(bars.date, bars.date[-1] - self.refetch_days))
        return FeedCursor(
            last_date=str(bars.date[-1]),
            digest=digest_of(bars),
            anchor_date=str(bars.date[anchor]),
            anchor_close=float(bars.close[anchor]),
        )


def _is_restated(bars: Bars, cursor: FeedCursor) -> bool:
    if cursor.anchor_date is None or cursor.anchor_close is None:
        return False
    close = bars.close[bars.date == np.datetime64(cursor.anchor_date, "D")]
    return not len(close) or abs(close[0] / cursor.anchor_close - 1) > ANCHOR_TOLERANCE


def _seconds(day: np.datetime64) -> int:
    """Give a day's start in UTC as seconds since 1970."""
    return int(day.astype("datetime64[s]").astype(np.int64))
