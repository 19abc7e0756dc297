"""Delimited text: any of the formats of `layouts` as columns."""

from __future__ import annotations

import csv
import io
import itertools
import re
from typing import TYPE_CHECKING, Final

import numpy as np

from daemon.formats.cells import MISSING, days, numbers
from daemon.formats.columns import Columns, adjusted, without_zero_opens
from daemon.formats.layouts import Plan, Series, plan_of
from daemon.formats.reasons import Reason, rejection
from daemon.formats.symbols import column_of_symbol, column_of_symbols, symbol_of_name, without_market
from regime.types import BAR_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

BLOCK_ROWS: Final = 10_000
"""Rows that exist as Python strings at one time; the rest is numbers already."""

DAILY_INTERVALS: Final = frozenset({"D"})
LAST_NUMBER_DROP_MAX: Final = 5.0
"""A last number that is this many times smaller than the one above it was cut, if its line has no end."""

_LONG_LINE: Final = re.compile(rb"[^\n]{1000000}")


def columns_of_text(data: bytes, name: str, rows_max: int) -> tuple[str, Columns]:
    """Give the format and the columns of a delimited text file.

    Raises
    ------
    FileRejectedError
        With the reason code of the first fault.
    """
    if data.count(b"\n") > rows_max:
        raise rejection(Reason.TOO_LARGE, f"more than {rows_max} rows")
    if _LONG_LINE.search(data) or b"\0" in data:
        raise rejection(Reason.CORRUPT, "it has binary data or a line without end")
    stream = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", errors="strict", newline="")
    lines = filter(None, csv.reader(stream, strict=True))
    try:
        head = list(itertools.islice(lines, 3))
        plan = plan_of(head) if head else None
        if plan is None:
            raise rejection(Reason.EMPTY, "the file is blank")
        rows = itertools.chain(head[plan.header_rows :], lines)
        is_ended = data.endswith((b"\n", b"\r"))
        return plan.format, _columns(plan, rows, name, is_ended=is_ended)
    except UnicodeDecodeError as error:
        raise rejection(Reason.ENCODING, f"byte {error.start} is not UTF-8") from error
    except csv.Error as error:
        raise rejection(Reason.CORRUPT, f"it is not readable as CSV ({error})") from error


def _columns(plan: Plan, rows: Iterator[list[str]], name: str, *, is_ended: bool) -> Columns:
    parts: list[Columns] = []
    first_row = 1
    last_rows: list[list[str]] = []
    while block := list(itertools.islice(rows, BLOCK_ROWS)):
        _check_widths(plan, block, first_row)
        parts.extend(_columns_of_series(plan, one, block, name, first_row) for one in plan.series)
        first_row += len(block)
        last_rows = [*last_rows, *block][-2:]
    if not parts:
        raise rejection(Reason.EMPTY, "there is a header and no row")
    is_number_last = any(plan.width - 1 in one.fields.values() for one in plan.series)
    if not is_ended and is_number_last:
        _check_last_number(last_rows)
    return Columns(
        **{field: np.concatenate([getattr(part, field) for part in parts]) for field in Columns.__slots__}
    )


def _check_widths(plan: Plan, block: Sequence[Sequence[str]], first_row: int) -> None:
    at = next((i for i, row in enumerate(block) if len(row) != plan.width), None)
    if at is None:
        return
    found = f"row {first_row + at} has {len(block[at])} fields, the header {plan.width}"
    is_cut = at == len(block) - 1 and len(block[at]) < plan.width
    raise rejection(Reason.TRUNCATED if is_cut else Reason.COLUMNS, found)


def _check_last_number(last_rows: Sequence[Sequence[str]]) -> None:
    """Refuse a last line that has no end and whose number looks cut when held against the one above.

    Some sources leave out the last line end, so that alone is no fault.
    """
    last = last_rows[-1][-1]
    above = last_rows[0][-1] if len(last_rows) > 1 else last
    is_cut = (
        last.endswith(".")
        or (last in MISSING and above not in MISSING)
        or ("." in above and "." not in last)
        or _number(last) * LAST_NUMBER_DROP_MAX < _number(above)
    )
    if is_cut:
        raise rejection(Reason.TRUNCATED, f"the last line has no end and stops at {last[:40]!r}")


def _number(cell: str) -> float:
    return float(numbers([cell], "the last field", 1)[0])


def _columns_of_series(
    plan: Plan, series: Series, block: Sequence[Sequence[str]], name: str, first_row: int
) -> Columns:
    unknown = np.full(len(block), np.nan)
    read = {
        field: numbers([row[at] for row in block], field, first_row) for field, at in series.fields.items()
    }
    columns = Columns(
        symbol=_symbols(plan, series, block, name),
        date=_dates(plan, block, first_row),
        **{field: read.get(field, unknown) for field in BAR_FIELDS},
    )
    if plan.zero_opens:
        columns = without_zero_opens(columns)
    return adjusted(columns, read["adjusted_close"]) if "adjusted_close" in read else columns


def _dates(plan: Plan, block: Sequence[Sequence[str]], first_row: int) -> NDArray[np.datetime64]:
    if plan.interval is not None:
        other = {row[plan.interval] for row in block} - DAILY_INTERVALS
        if other:
            raise rejection(Reason.NOT_DAILY, f"the interval is {min(other)[:40]!r}")
    return days([row[plan.date] for row in block], plan.dates, first_row)


def _symbols(plan: Plan, series: Series, block: Sequence[Sequence[str]], name: str) -> NDArray[np.str_]:
    if plan.symbol is None:
        return column_of_symbol(series.symbol or symbol_of_name(name), len(block))
    cells = [row[plan.symbol] for row in block]
    is_stooq = plan.format == "stooq_bulk"
    return column_of_symbols([without_market(cell) for cell in cells] if is_stooq else cells)
