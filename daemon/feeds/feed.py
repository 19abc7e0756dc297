"""What a feed is: it says what to ask, and judges the answer; asking is the poll child's work.

What a feed brings is a file, the raw body under a name, which goes through the inbox like any other: there
is one way in.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol

from daemon.errors import DaemonError
from daemon.formats import FileRejectedError, parquet_bytes, parse_bars
from daemon.formats.symbols import known_symbol

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from regime.types import Bars

USER_AGENT: Final = "Mozilla/5.0 (compatible; regimed)"
"""Both sources turn away the names that HTTP libraries give themselves."""


class FeedFault(StrEnum):
    """Why a poll brought nothing."""

    JOB = "job"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    BUSY = "busy"
    STATUS = "status"
    TRUNCATED = "truncated"
    TOO_LARGE = "too_large"
    BODY = "body"
    SYMBOL = "symbol"
    WENT_BACK = "went_back"
    INBOX = "inbox"


class FeedError(DaemonError):
    """A feed could not be asked, or its answer cannot be used; nothing of it was taken."""

    def __init__(self, kind: FeedFault, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to ask: a GET of ``url``."""

    url: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedCursor:
    """How far a feed has got with one symbol; all ``None`` before the first answer.

    ``last_date`` is the day of the last bar (ISO). ``digest`` identifies the bars of the last answer, so
    that the same news is not taken twice. ``anchor_date`` and ``anchor_close`` are a bar that the next
    answer will contain too: if its close differs then, all earlier prices were adjusted anew.
    """

    last_date: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    digest: str | None = None
    anchor_date: str | None = None
    anchor_close: float | None = None

    def to_json(self) -> dict[str, str | float | None]:
        """Give the cursor as a JSON object."""
        return asdict(self)

    @classmethod
    def of_json(cls, value: Mapping[str, object]) -> FeedCursor:
        """Rebuild a cursor; what another version wrote beside is left out.

        >>> FeedCursor.of_json({"last_date": "2024-06-28", "colour": "red"}).last_date
        '2024-06-28'
        """
        known = {field.name for field in fields(cls)}
        return cls(**{name: fact for name, fact in value.items() if name in known})  # type: ignore[arg-type]  # JSON of our own making


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """There is news: a file for the inbox, and the cursor to keep once it lies there."""

    file_name: str
    body: bytes
    cursor: FeedCursor


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchanged:
    """There is no news."""

    cursor: FeedCursor


@dataclass(frozen=True, slots=True, kw_only=True)
class Restated:
    """Prices before the answer were adjusted anew: the whole history is to be asked for again."""


Outcome = Fetched | Unchanged | Restated


class Feed(Protocol):
    """One document of one source: the bars of one symbol."""

    @property
    def name(self) -> str:
        """Name the feed as the settings do."""

    @property
    def symbol(self) -> str:
        """Name the symbol as the source does."""

    def request(self, cursor: FeedCursor, today: np.datetime64) -> Request:
        """Say what to ask for next."""

    def accept(self, status: int, headers: Mapping[str, str], body: bytes, cursor: FeedCursor) -> Outcome:
        """Judge an answer to `request` by what is in it, never by its status alone.

        Raises
        ------
        FeedError
            If the body is not the whole document that was asked for.
        """


def is_unmodified(status: int) -> bool:
    """Say whether the source answered that there is nothing newer than the cursor."""
    return status == HTTPStatus.NOT_MODIFIED


def bars_of_answer(status: int, body: bytes, *, file_name: str, symbol: str, cursor: FeedCursor) -> Bars:
    """Give the bars of an answer, which must be those of ``symbol`` and reach at least to the cursor.

    Raises
    ------
    FeedError
        If the status is not 200, the body is no file of bars, or they are of another symbol or of before.
    """
    if status != HTTPStatus.OK:
        said = body[:120].decode("utf-8", errors="replace").strip()
        raise FeedError(
            FeedFault.STATUS, f"{symbol}: HTTP {status} {said!r}; check the symbol and the base_url"
        )
    try:
        bars = parse_bars(body, name=file_name).bars
    except FileRejectedError as error:
        raise FeedError(FeedFault.BODY, f"{symbol}: the answer is refused ({error.code}): {error}") from error
    if bars.symbols() != (known_symbol(symbol, {}),):
        raise FeedError(
            FeedFault.SYMBOL, f"{symbol}: the answer is about {', '.join(bars.symbols())}; check the base_url"
        )
    if cursor.last_date is not None and str(bars.date[-1]) < cursor.last_date:
        raise FeedError(
            FeedFault.WENT_BACK,
            f"{symbol}: the answer ends on {bars.date[-1]}, before the known {cursor.last_date};"
            " the source serves an old copy, the next poll asks again",
        )
    return bars


def digest_of(bars: Bars) -> str:
    """Give a name of the bars' content."""
    return hashlib.sha256(parquet_bytes(bars)).hexdigest()
