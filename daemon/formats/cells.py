"""Cells of a delimited file as numbers and days: nothing is guessed, nothing else is accepted."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from daemon.formats.reasons import Reason, rejection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MISSING: Final = frozenset({"", ".", "null", "nan", "NaN", "NA", "N/A", "N/D", "None"})
"""How sources write that a value is not known: FRED ``.``, Yahoo ``null``, Stooq ``N/D``, pandas nothing."""

_MISSING_WORDS: Final = "|".join(re.escape(word) for word in sorted(MISSING, reverse=True))
# Possessive quantifiers (``++``) keep the match linear in the length of what an attacker wrote.
_NUMBER: Final = rf"(?:[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?|{_MISSING_WORDS})"
_MIDNIGHT: Final = r"(?:[ T]00:00(?::00(?:\.0++)?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"


class DateStyle(StrEnum):
    """How a format writes a day, as a pattern of one cell.

    ISO days may carry midnight and an offset, as pandas writes a day of a time zone. The offset, which
    changes with daylight saving in the middle of a file, is ignored: the local calendar day counts.
    """

    ISO = r"[0-9]{4}-[0-9]{2}-[0-9]{2}" + _MIDNIGHT
    AMERICAN = r"[0-9]{2}/[0-9]{2}/[0-9]{4}"
    COMPACT = r"[0-9]{8}"


_TIME_OF_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}.*")


def numbers(cells: Sequence[str], column: str, first_row: int) -> NDArray[np.float64]:
    """Give the numbers in ``cells``, NaN where one is missing.

    ``column`` and ``first_row`` (the number of the first cell's row) are for the sentence of the error.

    >>> numbers(["1.5", "null", "2e3"], "close", 1).tolist()
    [1.5, nan, 2000.0]
    """
    at = _first_unlike(cells, _NUMBER)
    if at is not None:
        raise rejection(Reason.NUMBER, f"row {first_row + at}, {column}: {cells[at][:40]!r}")
    plain = cells if MISSING.isdisjoint(cells) else ["nan" if cell in MISSING else cell for cell in cells]
    return np.fromiter(map(float, plain), dtype=np.float64, count=len(cells))


def days(cells: Sequence[str], style: DateStyle, first_row: int) -> NDArray[np.datetime64]:
    """Give the calendar days in ``cells``, each of which must exist.

    >>> days(["01/31/2024"], DateStyle.AMERICAN, 1)
    array(['2024-01-31'], dtype='datetime64[D]')
    """
    at = _first_unlike(cells, style.value)
    if at is not None:
        code = Reason.NOT_DAILY if _TIME_OF_DAY.fullmatch(cells[at]) else Reason.DATE
        raise rejection(code, f"row {first_row + at}, date: {cells[at][:40]!r}")
    try:
        return np.array(_iso(cells, style), dtype="datetime64[D]")
    except ValueError as error:
        raise rejection(Reason.DATE, f"from row {first_row} on, a day does not exist: {error}") from error


def _iso(cells: Sequence[str], style: DateStyle) -> list[str]:
    match style:
        case DateStyle.ISO:
            return [cell[:10] for cell in cells]
        case DateStyle.AMERICAN:
            return [f"{cell[6:]}-{cell[:2]}-{cell[3:5]}" for cell in cells]
        case DateStyle.COMPACT:
            return [f"{cell[:4]}-{cell[4:6]}-{cell[6:]}" for cell in cells]


def _first_unlike(cells: Sequence[str], pattern: str) -> int | None:
    """Give the place of the first cell that is not of the pattern; ``None`` if all are.

    One match over all cells is several times faster than one a cell.
    """
    joined = "\n".join(cells) + "\n"
    if joined.count("\n") == len(cells) and re.fullmatch(rf"(?:{pattern}\n)*+", joined):
        return None
    one = re.compile(pattern)
    return next(i for i, cell in enumerate(cells) if not one.fullmatch(cell))
