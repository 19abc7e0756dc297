"""Labels in a terminal: a line a year with a letter a week, or a line a month with a letter a day."""

from __future__ import annotations

import os
import sys
from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.types import Regime

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from regime.types import RegimeSeries

LETTERS: Final = {
    Regime.CRASH: "C",
    Regime.RECOVERY: "R",
    Regime.HIGH_VOLATILITY: "H",
    Regime.NORMAL: "N",
    Regime.LOW_VOLATILITY: "L",
    Regime.UNKNOWN: "?",
}
GRAVEST_FIRST: Final = "CHRNL?"
"""Which of the regimes of a week is shown."""
NO_SESSION: Final = "."
BACKGROUNDS: Final = {"C": 166, "R": 36, "H": 220, "L": 117, "?": 248}
"""Numbers of the 256 colours nearest to those of the pictures; a normal day has the terminal's own."""
MONTHS_MAX: Final = 24
"""Up to so many months there is a line a month."""
WEEKS: Final = 53
DAYS: Final = 31
SHARES_MIN: Final = 79
"""Columns from which on each line ends with the share of days in each regime."""


def timeline(market: str, series: RegimeSeries, *, columns: int, has_colour: bool) -> Iterator[str]:
    """Give the lines of a timeline: what it shows, the scale, the days, and the legend.

    Parameters
    ----------
    series
        At least one day.
    columns
        How wide a line may be; 79 are enough for everything.
    has_colour
        Whether letters have a background too.
    """
    by_month = int(np.unique(series.date.astype("datetime64[M]")).size) <= MONTHS_MAX
    unit: str = "M" if by_month else "Y"
    cells, gutter = (DAYS, 9) if by_month else (WEEKS, 6)
    yield f"{market}, {series.date[0]} to {series.date[-1]}, {series.labeler}"
    yield "A letter a day." if by_month else "A letter a week, that of its gravest regime."
    yield ""
    has_shares = columns >= SHARES_MIN
    yield f"{'':<{gutter}}{_scale(by_month=by_month)}{_heads() if has_shares else ''}".rstrip()
    has_gaps = False
    for period, letters in _periods(series, unit):
        line = _cells(letters, cells, by_month=by_month)
        has_gaps |= NO_SESSION in line
        shares = _shares(letters.values()) if has_shares else ""
        yield f"{period:<{gutter}}{_painted(line) if has_colour else line}{shares}".rstrip()
    yield ""
    items = [*_legend(series), *([(NO_SESSION, "no session")] if has_gaps else [])]
    for some in _wrapped(items, columns):
        yield "   ".join(f"{_paint(letter) if has_colour else letter} {text}" for letter, text in some)


def width_of_output() -> int:
    """Give the columns of the terminal; output that goes elsewhere has room for everything."""
    return os.get_terminal_size().columns if sys.stdout.isatty() else SHARES_MIN


def colour_is_wanted() -> bool:
    """Tell whether letters are painted: on a terminal that can, unless NO_COLOR says no."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _periods(series: RegimeSeries, unit: str) -> Iterator[tuple[str, dict[int, str]]]:
    """Give each year or month with the letters of its days, by the day's place in it, from 0."""
    periods = series.date.astype(f"datetime64[{unit}]")
    places = (series.date - periods.astype("datetime64[D]")).astype(int)
    found: dict[str, dict[int, str]] = {str(period): {} for period in np.arange(periods[0], periods[-1] + 1)}
    for period, place, regime in zip(periods, places, series.regime, strict=True):
        found[str(period)][int(place)] = LETTERS[regime]
    yield from found.items()


def _cells(letters: Mapping[int, str], cells: int, *, by_month: bool) -> str:
    """Give the letters of a line, blank before the first and after the last day that is labelled in it."""
    size = 1 if by_month else 7
    shown: dict[int, str] = {}
    for place, letter in letters.items():
        cell = place // size
        shown[cell] = min(letter, shown.get(cell, letter), key=GRAVEST_FIRST.index)
    inside = range(min(shown, default=0), max(shown, default=-1) + 1)
    return "".join(shown.get(cell, NO_SESSION if cell in inside else " ") for cell in range(cells))


def _shares(letters: Iterable[str]) -> str:
    counts = Counter(letters)
    total = counts.total()
    return "".join(f"{100 * counts[letter] / total:4.0f}" if counts[letter] else "   -" for letter in "CRHNL")


def _heads() -> str:
    return "".join(f"{letter + '%':>4}" for letter in "CRHNL")


def _scale(*, by_month: bool) -> str:
    """Give the names of the months over their weeks, or the days of the month."""
    if by_month:
        marks = {0: "1", 4: "5", 9: "10", 14: "15", 19: "20", 24: "25"}
        return _line(marks, DAYS)
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    first_days = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)
    return _line({day // 7: name for name, day in zip(months, first_days, strict=True)}, WEEKS)


def _line(marks: Mapping[int, str], width: int) -> str:
    line = [" "] * width
    for place, text in marks.items():
        line[place : place + len(text)] = text
    return "".join(line)


def _painted(line: str) -> str:
    return "".join(_paint("".join(run)) for _, run in groupby(line))


def _paint(run: str) -> str:
    """Give some of the same letter on their background."""
    colour = BACKGROUNDS.get(run[0])
    return run if colour is None else f"\x1b[48;5;{colour};38;5;16m{run}\x1b[0m"


def _legend(series: RegimeSeries) -> list[tuple[str, str]]:
    """Give the letters that occur, each with its regime and that regime's share of the days."""
    counts = Counter(series.regime)
    return [
        (letter, f"{regime.value.replace('_', ' ')} {counts[regime] / len(series):.0%}")
        for regime, letter in LETTERS.items()
        if counts[regime]
    ]


def _wrapped(items: Sequence[tuple[str, str]], columns: int) -> Iterator[list[tuple[str, str]]]:
    line: list[tuple[str, str]] = []
    used = 0
    for letter, text in items:
        needed = len(text) + 5
        if line and used + needed - 3 > columns:
            yield line
            line, used = [], 0
        line.append((letter, text))
        used += needed
    yield line
