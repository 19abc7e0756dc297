"""A rolling window of training rows, with a share of older rows from rare events beside it.

A short window forgets: few have a crash in them. Rows of the archive's events keep a fixed share of every
training set, whatever the window holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.errors import HistoryTooShortError, SettingInvalidError
from regime.sampling import allot
from regime.validation import SplitInputInvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from regime.events import RareEvent

ARCHIVE_SHARE: Final = 0.07
"""The share of the system before this one, set by hand: 7 % archive, 93 % rolling window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDraw:
    """What one event gave.

    ``rows_available`` counts its rows before the window that no earlier event of the list and no event that
    had to be left out holds too; ``none_because`` says why nothing was drawn, else it is ``None``.
    """

    rows_available: int
    rows_drawn: int
    none_because: str | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArchiveDraw:
    """Rows to train on: those of the window, and those drawn from events before it.

    Parameters
    ----------
    rows
        Ascending positions without repeats, shape (n_drawn,).
    is_archive
        Which of them were drawn from an event, shape (n_drawn,).
    share_asked, share_got
        The archive's share of ``rows``: as asked, and as there was.
    by_event
        The account by event id, in the order of the events.
    """

    rows: NDArray[np.intp]
    is_archive: NDArray[np.bool_]
    share_asked: float
    share_got: float
    by_event: Mapping[str, EventDraw]

    @property
    def rows_archive(self) -> int:
        """How many rows were drawn from events."""
        return int(self.is_archive.sum())

    @property
    def rows_window(self) -> int:
        """How many rows are of the window."""
        return len(self.rows) - self.rows_archive

    def said(self) -> str:
        """Give the account in one sentence for people."""
        drawn = ", ".join(
            f"{id_} {draw.rows_drawn}" for id_, draw in self.by_event.items() if draw.rows_drawn
        )
        return (
            f"archive: {self.rows_archive} rows beside {self.rows_window} of the window,"
            f" {self.share_got:.1%} of all where {self.share_asked:.1%} was asked ({drawn or 'no event'})"
        )


def draw_archive(
    date: NDArray[np.datetime64],
    horizon_end: NDArray[np.datetime64],
    events: Sequence[RareEvent],
    *,
    window_from: np.datetime64,
    before: np.datetime64,
    share: float = ARCHIVE_SHARE,
    horizon_before: np.datetime64 | None = None,
    rng: np.random.Generator,
) -> ArchiveDraw:
    """Give the rows of a rolling window, and rows of rare events before it as a share of all.

    The events divide the archive's rows in the ratios of their weights. A row is drawn once at most; an
    event with too few rows gives all, and the others give the rest. A row that two events hold is the
    first one's.

    An event that reaches into the validation block, or of which any row's horizon does, gives nothing at
    all: its other rows know how it began. So pass all rows of history and not only those that a split left,
    or that cannot be seen. Rows of the window itself stay: they were there before the block, in time order.

    Parameters
    ----------
    date, horizon_end
        Shape (n_rows,), in any order: the day of each row and the day on which its target's full horizon is
        over. NaT is a horizon that is not over.
    events
        The archive, with different ids.
    window_from
        First day of the rolling window.
    before
        First validation day; for a fit on everything, the day after the last.
    share
        The archive's share of all rows drawn, from 0 to below 1.
    horizon_before
        The day that no horizon of a training row may reach; by default ``before``. With an embargo it is
        that many sessions earlier.
    rng
        Source of chance; the same state draws the same rows.

    Raises
    ------
    SettingInvalidError
        If the share is not in [0, 1), or the days are not in the order window_from < horizon_before <=
        before.
    SplitInputInvalidError
        If lengths differ, a date is missing, a horizon ends before its row, or two events have one id.
    HistoryTooShortError
        If the window has no row.

    >>> from regime.events import RARE_EVENTS
    >>> days = np.arange("2007-01-01", "2019-01-01", dtype="datetime64[D]")
    >>> window = {"window_from": np.datetime64("2014-01-01"), "before": np.datetime64("2019-01-01")}
    >>> drawn = draw_archive(days, days + 14, RARE_EVENTS, **window, rng=np.random.default_rng(1))
    >>> drawn.rows_window, drawn.rows_archive, drawn.by_event["2011_debt_ceiling"].rows_drawn
    (1812, 136, 27)
    """
    cut = before if horizon_before is None else horizon_before
    _check(date, horizon_end, events, share, (window_from, cut, before))
    is_known = horizon_end < cut
    window = np.flatnonzero(is_known & (date >= window_from))
    if not len(window):
        raise HistoryTooShortError(f"no row from {window_from} has a horizon that is over before {cut}")
    inside = [(date >= _day(event.first_day)) & (date <= _day(event.last_day)) for event in events]
    refused = [
        _refusal(event, rows, is_known, before, cut) for event, rows in zip(events, inside, strict=True)
    ]
    available = _available(inside, refused, is_known & (date < window_from))
    counts = _counts(events, available, round(len(window) * share / (1 - share)))
    drawn = [rng.choice(each, count, replace=False) for each, count in zip(available, counts, strict=True)]
    rows = np.concatenate([window, *drawn])
    order = np.argsort(rows)
    return ArchiveDraw(
        rows=rows[order],
        is_archive=order >= len(window),
        share_asked=share,
        share_got=sum(counts) / len(rows),
        by_event={
            event.id: _event_draw(len(each), count, reason)
            for event, each, count, reason in zip(events, available, counts, refused, strict=True)
        },
    )


def _refusal(
    event: RareEvent,
    rows: NDArray[np.bool_],
    is_known: NDArray[np.bool_],
    before: np.datetime64,
    cut: np.datetime64,
) -> str | None:
    """Say why an event may give nothing, if that is so."""
    if _day(event.last_day) >= before:
        return f"it lasts until {event.last_day}, and validation begins on {before}"
    if open_rows := int((rows & ~is_known).sum()):
        return f"the horizon of {open_rows} of its rows is not over before {cut}"
    return None


def _available(
    inside: Sequence[NDArray[np.bool_]], refused: Sequence[str | None], may_give: NDArray[np.bool_]
) -> list[NDArray[np.intp]]:
    """Give the rows that each event may give; a row of a refused event is nobody's."""
    free = may_give.copy()
    for rows, reason in zip(inside, refused, strict=True):
        if reason is not None:
            free &= ~rows
    available = []
    for rows in inside:
        available.append(np.flatnonzero(rows & free))
        free &= ~rows
    return available


def _counts(events: Sequence[RareEvent], available: Sequence[NDArray[np.intp]], total: int) -> list[int]:
    weights = np.array([event.weight for event in events], dtype=np.float64)
    counts: list[int] = allot(
        total, weights, np.array([len(rows) for rows in available], dtype=np.int64)
    ).tolist()
    return counts


def _event_draw(available: int, drawn: int, refusal: str | None) -> EventDraw:
    reason = refusal
    if refusal is None and not available:
        reason = "it has no rows before the window"
    elif refusal is None and not drawn:
        reason = "its part of the share is less than a row"
    return EventDraw(rows_available=available, rows_drawn=drawn, none_because=reason)


def _day(day: object) -> np.datetime64:
    return np.datetime64(str(day), "D")


def _check(
    date: NDArray[np.datetime64],
    horizon_end: NDArray[np.datetime64],
    events: Sequence[RareEvent],
    share: float,
    days: tuple[np.datetime64, np.datetime64, np.datetime64],
) -> None:
    if len(date) != len(horizon_end):
        raise SplitInputInvalidError(f"{len(date)} days and {len(horizon_end)} horizons; give both a row")
    if np.isnat(date).any():
        raise SplitInputInvalidError(f"row {int(np.isnat(date).argmax())} has no date; drop or mend it")
    if (horizon_end < date).any():
        at = int((horizon_end < date).argmax())
        raise SplitInputInvalidError(
            f"row {at} of {date[at]} has its horizon end on {horizon_end[at]}, before it; give later days"
        )
    if len({event.id for event in events}) < len(events):
        raise SplitInputInvalidError("two events have the same id; give each its own")
    if not 0 <= share < 1:
        raise SettingInvalidError(f"the archive's share is {share}; give 0 or more, and less than 1")
    window_from, cut, before = days
    if not window_from < cut <= before:
        raise SettingInvalidError(
            f"the window begins on {window_from}, horizons end before {cut} and validation begins on"
            f" {before}; give days in this order"
        )
