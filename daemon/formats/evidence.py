"""A file of anybody's predictions and outcomes, CSV or parquet, as evidence for the gate.

Nothing is guessed and nothing is dropped: a file with a fault is refused, and its first row at fault named by
the number that an editor or a spreadsheet shows, where the header of a CSV is row 1. A parquet file has no
header, so its first row is row 1.
"""

from __future__ import annotations

import csv
import itertools
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from daemon.errors import EvidenceRefusedError, UsageError
from daemon.formats.arrow import DAY_TYPES, NUMBER_TYPES, floats_of_arrow, texts_of_arrow, times_of_arrow
from daemon.formats.cells import MISSING, DateStyle, days, numbers
from daemon.formats.parquet import MAGIC, columns_and_rows_of_parquet, table_of_parquet
from daemon.formats.reasons import FileRejectedError
from daemon.formats.symbols import SYMBOL_CELL_MAX
from registry.evidence import Evidence, EvidenceInvalidError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import TextIO

    from numpy.typing import NDArray

ROWS_MAX: Final = 5_000_000
BYTES_MAX: Final = 2 * 2**30
"""Of a file, and of what a parquet file says that it decodes to."""
CLASSES_MAX: Final = 64
BLOCK_ROWS: Final = 10_000
"""Rows of a CSV that exist as Python strings at one time; the rest is numbers already."""
LINE_CHARACTERS_MAX: Final = 100_000

KEYS: Final = ("date", "symbol", "regime", "truth")
TRAINED_TO: Final = "trained_to"
SECTOR: Final = "sector"
OPTIONAL: Final = (TRAINED_TO, SECTOR)
CANDIDATE: Final = "candidate"
CHAMPION: Final = "champion"
PRIOR: Final = "prior"
SIDES: Final = (CANDIDATE, CHAMPION, PRIOR)

_CSV_FIRST_ROW: Final = 2
_PARQUET_FIRST_ROW: Final = 1
_SHOWN_MAX: Final = 40


class _FaultError(Exception):
    """What is wrong with a file, before its name is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    """Which columns a file has: of its classes, for whom there are probabilities, and which of `OPTIONAL`."""

    classes: tuple[str, ...]
    sides: tuple[str, ...]
    optional: tuple[str, ...]

    def texts(self) -> tuple[str, ...]:
        return (*KEYS, *self.optional)

    def columns(self) -> list[str]:
        return [*self.texts(), *(f"{side}_{name}" for side in self.sides for name in self.classes)]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Rows:
    """Rows as they stand in the file; ``probabilities`` of shape (n_rows, n_sides * n_classes)."""

    date: NDArray[np.datetime64]
    symbol: NDArray[np.str_]
    regime: NDArray[np.str_]
    truth: NDArray[np.int64]
    trained_to: NDArray[np.datetime64]
    sector: NDArray[np.str_]
    probabilities: NDArray[np.float64]


def read_evidence(path: Path, *, trained_to: np.datetime64 | None = None) -> Evidence:
    """Read the evidence in a file.

    Parameters
    ----------
    path
        A CSV with a header, or a parquet file, told apart by their first bytes. Columns: ``date``,
        ``symbol``, ``regime``, ``truth`` (the name of a class, or its place among the candidate's columns
        from 0 on), ``candidate_<class>`` and ``champion_<class>``; optional ``prior_<class>``, which may
        stand instead of the champion's, ``trained_to``, and ``sector``. Other columns are ignored.
    trained_to
        The last day whose outcome a model was trained on; a row on or before it is refused. The column of
        that name says the same row by row.

    Raises
    ------
    EvidenceRefusedError
        With the name of the file, the first row at fault if there is one, what is wrong and what to do.
    UsageError
        If there is no such file.
    """
    if not path.is_file():
        raise UsageError(f"{path} is not a file; give a CSV or parquet file of predictions")
    try:
        return _evidence(path, trained_to)
    except _FaultError as error:
        raise EvidenceRefusedError(f"{path.name}: {error}") from error
    except FileRejectedError as error:
        raise EvidenceRefusedError(f"{path.name}: {error}") from error
    except UnicodeDecodeError as error:
        raise EvidenceRefusedError(f"{path.name}: the text is not UTF-8; save it as UTF-8") from error
    except csv.Error as error:
        raise EvidenceRefusedError(f"{path.name}: it is not readable as CSV ({error}); mend it") from error
    except (pa.ArrowException, OSError, ValueError, LookupError, MemoryError, OverflowError) as error:
        told = str(error)[:200]
        raise EvidenceRefusedError(
            f"{path.name}: it cannot be decoded ({told}); write it again or give a CSV"
        ) from error


def _evidence(path: Path, trained_to: np.datetime64 | None) -> Evidence:
    if path.stat().st_size > BYTES_MAX:
        raise _FaultError(f"it has more than {BYTES_MAX} bytes; leave out columns or days")
    with path.open("rb") as file:
        is_parquet = file.read(len(MAGIC)) == MAGIC
    first_row = _PARQUET_FIRST_ROW if is_parquet else _CSV_FIRST_ROW
    header, rows = _read_parquet(path) if is_parquet else _read_csv(path)
    _check_symbols(rows, first_row)
    _check_training(rows, trained_to, first_row)
    own = np.split(rows.probabilities, len(header.sides), axis=1)
    by_side = dict(zip(header.sides, own, strict=True))
    try:
        return Evidence(
            date=rows.date,
            symbol=rows.symbol,
            regime=rows.regime,
            truth=rows.truth,
            candidate=by_side[CANDIDATE],
            champion=by_side.get(CHAMPION),
            prior=by_side.get(PRIOR),
            classes=header.classes,
            sector=rows.sector if SECTOR in header.optional else None,
        )
    except EvidenceInvalidError as error:
        raise _FaultError(error.counted_from(first_row)) from error


def _header(names: Sequence[str]) -> _Header:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise _FaultError(f"the column {repeated[0]!r} occurs twice; keep one of them")
    by_side = {
        side: [name.removeprefix(f"{side}_") for name in names if name.startswith(f"{side}_")]
        for side in SIDES
    }
    classes = tuple(dict.fromkeys(itertools.chain(*by_side.values())))
    sides = tuple(side for side in SIDES if by_side[side] or side == CANDIDATE)
    missing = [name for name in KEYS if name not in names]
    missing += [
        f"{side}_{name}" for side in sides for name in classes or ("<class>",) if name not in by_side[side]
    ]
    if sides == (CANDIDATE,):
        missing += [f"{CHAMPION}_{name}" for name in classes or ("<class>",)]
    if missing:
        raise _FaultError(
            f"missing columns: {', '.join(missing)}; give date, symbol, regime, truth, and candidate_ and"
            f" champion_ of every class (the columns are {','.join(names)[:160]!r})"
        )
    if len(classes) > CLASSES_MAX:
        raise _FaultError(f"there are {len(classes)} classes; give {CLASSES_MAX} or fewer")
    optional = tuple(name for name in OPTIONAL if name in names)
    return _Header(classes=classes, sides=sides, optional=optional)


def _read_csv(path: Path) -> tuple[_Header, _Rows]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = _lines(file)
        names = next(lines, None)
        if names is None:
            raise _FaultError("the file is empty; write a header and a row for each day and symbol")
        header = _header(names)
        at = [names.index(name) for name in header.columns()]
        parts: list[_Rows] = []
        first_row = _CSV_FIRST_ROW
        while block := list(itertools.islice(lines, BLOCK_ROWS)):
            _check_widths(block, len(names), first_row)
            parts.append(_rows_of_cells(header, [[row[i] for row in block] for i in at], first_row))
            first_row += len(block)
            if first_row > ROWS_MAX:
                raise _FaultError(f"it has more than {ROWS_MAX} rows; leave out some")
    if not parts:
        raise _FaultError("there is a header and no row; write a row for each day and symbol")
    return header, _joined(parts)


def _lines(file: TextIO) -> Iterator[list[str]]:
    """Give the rows of a CSV; each is one line, so that a row has the number that an editor shows."""
    reader = csv.reader(_bounded(file), strict=True)
    blank = 0
    for number, row in enumerate(reader, 1):
        if reader.line_num != number:
            raise _FaultError(f"row {number}: a cell has a line break; remove it")
        if not row:
            blank = blank or number
            continue
        if blank:
            raise _FaultError(f"row {blank} is blank; remove it")
        yield row


def _bounded(file: TextIO) -> Iterator[str]:
    while line := file.readline(LINE_CHARACTERS_MAX):
        if len(line) == LINE_CHARACTERS_MAX or "\0" in line:
            raise _FaultError("it has binary data or a line without end; give a CSV or parquet file")
        yield line


def _check_widths(block: Sequence[Sequence[str]], width: int, first_row: int) -> None:
    for at, row in enumerate(block):
        if len(row) != width:
            raise _FaultError(
                f"row {first_row + at} has {len(row)} cells, the header {width}; give every row all cells"
            )


def _rows_of_cells(header: _Header, cells: Sequence[Sequence[str]], first_row: int) -> _Rows:
    named = dict(zip(header.columns(), cells, strict=True))
    texts = {name: _bounded_texts(named[name], name, first_row) for name in ("symbol", "regime", "truth")}
    probabilities = [
        numbers(column, name, first_row) for name, column in named.items() if name not in header.texts()
    ]
    return _Rows(
        date=_days_of_cells(named["date"], "date", first_row),
        symbol=texts["symbol"],
        regime=texts["regime"],
        truth=_truth(texts["truth"], header.classes, first_row),
        trained_to=_days_of_cells(named[TRAINED_TO], TRAINED_TO, first_row)
        if TRAINED_TO in header.optional
        else _no_days(len(cells[0])),
        sector=_bounded_texts(named[SECTOR], SECTOR, first_row)
        if SECTOR in header.optional
        else _no_sectors(len(cells[0])),
        probabilities=np.column_stack(probabilities),
    )


def _days_of_cells(cells: Sequence[str], name: str, first_row: int) -> NDArray[np.datetime64]:
    try:
        return days(cells, DateStyle.ISO, first_row)
    except FileRejectedError as error:
        at = next(at for at, cell in enumerate(cells) if not _is_day(cell))
        raise _FaultError(
            f"row {first_row + at}, {name}: {cells[at][:_SHOWN_MAX]!r} is no calendar day; write it like"
            " 2024-01-31"
        ) from error


def _is_day(cell: str) -> bool:
    try:
        days([cell], DateStyle.ISO, 1)
    except FileRejectedError:
        return False
    return True


def _bounded_texts(cells: Sequence[str], name: str, first_row: int) -> NDArray[np.str_]:
    at = next((at for at, cell in enumerate(cells) if len(cell) > SYMBOL_CELL_MAX), None)
    if at is not None:
        raise _FaultError(
            f"row {first_row + at}, {name}: {cells[at][:_SHOWN_MAX]!r} has more than {SYMBOL_CELL_MAX}"
            " characters; shorten it"
        )
    return np.array(cells, dtype=np.str_)


def _no_days(rows: int) -> NDArray[np.datetime64]:
    """Give days before every other, for rows that say nothing of training."""
    return np.full(rows, np.datetime64("0001-01-01", "D"))


def _no_sectors(rows: int) -> NDArray[np.str_]:
    return np.full(rows, "", dtype=np.str_)


def _joined(parts: Sequence[_Rows]) -> _Rows:
    return _Rows(
        **{each.name: np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(_Rows)}
    )


def _truth(texts: NDArray[np.str_], classes: tuple[str, ...], first_row: int) -> NDArray[np.int64]:
    """Give the place of each row's true class; a class that is called like a number goes by its name."""
    found, places = np.unique(texts, return_inverse=True)
    known = np.array([_place(str(text), classes) for text in found], dtype=np.int64)
    truth = known[places]
    wrong = truth < 0
    if wrong.any():
        at = int(wrong.argmax())
        text = str(texts[at])
        rows = f"row {first_row + at} (and {int(wrong.sum()) - 1} more)"
        if text in MISSING:
            raise _FaultError(f"{rows}: the truth is not known; keep only rows whose target has matured")
        raise _FaultError(
            f"{rows}: the truth {text[:_SHOWN_MAX]!r} is none of {', '.join(classes)} and no whole number"
            f" from 0 to {len(classes) - 1}; mend it or drop the row"
        )
    return truth


def _place(text: str, classes: tuple[str, ...]) -> int:
    if text in classes:
        return classes.index(text)
    plain = text.removesuffix(".0")  # as pandas writes whole numbers of a column that had a gap
    return int(plain) if plain.isascii() and plain.isdecimal() and int(plain) < len(classes) else -1


def _read_parquet(path: Path) -> tuple[_Header, _Rows]:
    content = path.read_bytes()
    names, count = columns_and_rows_of_parquet(content, ROWS_MAX, BYTES_MAX)
    header = _header(names)
    if not count:
        raise _FaultError("there is no row; write a row for each day and symbol")
    table = table_of_parquet(content, columns=header.columns(), texts=header.texts())
    texts = {name: _texts(table.column(name), name) for name in ("symbol", "regime", "truth")}
    probabilities = [
        _floats(table.column(name), name) for name in header.columns() if name not in header.texts()
    ]
    return header, _Rows(
        date=_days(table.column("date"), "date"),
        symbol=texts["symbol"],
        regime=texts["regime"],
        truth=_truth(texts["truth"], header.classes, _PARQUET_FIRST_ROW),
        trained_to=_days(table.column(TRAINED_TO), TRAINED_TO)
        if TRAINED_TO in header.optional
        else _no_days(count),
        sector=_texts(table.column(SECTOR), SECTOR) if SECTOR in header.optional else _no_sectors(count),
        probabilities=np.column_stack(probabilities),
    )


def _texts(column: pa.ChunkedArray, name: str) -> NDArray[np.str_]:
    if column.type in NUMBER_TYPES:
        values = floats_of_arrow(column)
        found, places = np.unique(values, return_inverse=True)
        return np.array(["" if np.isnan(value) else f"{value:.15g}" for value in found])[places]
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else None
    if kind is None or not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise _FaultError(f"{name} has the type {column.type}; give texts")
    known = [text for chunk in column.chunks for text in chunk.dictionary.to_pylist()]
    longest = max((text for text in known if text is not None), key=len, default="")
    if None in known or len(longest) > SYMBOL_CELL_MAX:
        raise _FaultError(
            f"{name}: {longest[:_SHOWN_MAX]!r} has more than {SYMBOL_CELL_MAX} characters; shorten it"
        )
    return texts_of_arrow(column)


def _floats(column: pa.ChunkedArray, name: str) -> NDArray[np.float64]:
    if column.type not in NUMBER_TYPES:
        raise _FaultError(f"{name} has the type {column.type}; give numbers")
    return floats_of_arrow(column)


def _days(column: pa.ChunkedArray, name: str) -> NDArray[np.datetime64]:
    if column.type not in DAY_TYPES:
        return _days_of_cells(_texts(column, name).tolist(), name, _PARQUET_FIRST_ROW)
    times = times_of_arrow(column)
    found = times.astype("datetime64[D]")
    wrong = np.isnat(times) | (found != times)
    if wrong.any():
        at = int(wrong.argmax())
        raise _FaultError(
            f"row {_PARQUET_FIRST_ROW + at}, {name}: {times[at]} is no calendar day; mend the row"
        )
    return found


def _check_symbols(rows: _Rows, first_row: int) -> None:
    empty = rows.symbol == ""
    if empty.any():
        raise _FaultError(f"row {first_row + int(empty.argmax())} has no symbol; mend or drop the row")


def _check_training(rows: _Rows, trained_to: np.datetime64 | None, first_row: int) -> None:
    last = rows.trained_to if trained_to is None else np.maximum(rows.trained_to, trained_to)
    inside = rows.date <= last
    if inside.any():
        at = int(inside.argmax())
        raise _FaultError(
            f"row {first_row + at} ({rows.symbol[at]} {rows.date[at]}, {int(inside.sum())} such rows): the"
            f" day is not after {last[at]}, the last day of training; keep only what the models had not seen"
        )
