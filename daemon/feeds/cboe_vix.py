"""The VIX from CBOE: one CSV with the whole history since 1990, replaced after each session."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from daemon.feeds.feed import (
    USER_AGENT,
    FeedCursor,
    Fetched,
    Request,
    Unchanged,
    bars_of_answer,
    digest_of,
    is_unmodified,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from daemon.feeds.feed import Outcome

BASE_URL: Final = "https://cdn.cboe.com"
PATH: Final = "/api/global/us_indices/daily_prices/VIX_History.csv"
FILE_NAME: Final = "VIX_History.csv"
SYMBOL: Final = "^VIX"


@dataclass(frozen=True, slots=True, kw_only=True)
class CboeVix:
    """Asks for the history only if it changed since (ETag, Last-Modified)."""

    base_url: str = BASE_URL
    name: str = "cboe_vix"
    symbol: str = SYMBOL

    def request(self, cursor: FeedCursor, today: np.datetime64) -> Request:  # noqa: ARG002 - the port's
        """Ask for the whole history, unless it is the one that the cursor knows."""
        headers = {"User-Agent": USER_AGENT, "Accept": "text/csv"}
        if cursor.etag is not None:
            headers["If-None-Match"] = cursor.etag
        if cursor.last_modified is not None:
            headers["If-Modified-Since"] = cursor.last_modified
        return Request(url=self.base_url.rstrip("/") + PATH, headers=headers)

    def accept(self, status: int, headers: Mapping[str, str], body: bytes, cursor: FeedCursor) -> Outcome:
        """Take the history if it parses, is not shorter than the known one, and differs from it."""
        if is_unmodified(status):
            return Unchanged(cursor=cursor)
        bars = bars_of_answer(status, body, file_name=FILE_NAME, symbol=self.symbol, cursor=cursor)
        news = replace(
            cursor,
            last_date=str(bars.date[-1]),
            etag=headers.get("ETag"),
            last_modified=headers.get("Last-Modified"),
            digest=digest_of(bars),
        )
        if news.digest == cursor.digest:
            return Unchanged(cursor=news)
        return Fetched(file_name=FILE_NAME, body=body, cursor=news)
