"""A file arrived: read it, check it, store what is new, or put it into quarantine with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from daemon.compaction import compaction_due
from daemon.formats import FileRejectedError, ParsedFile, Reason, check_bars, read_bars, rejection
from daemon.markets import by_market, fears_of
from daemon.messages import BarsArrived, FileArrived
from daemon.records import ChildEnd, ChildJob, Event, FileQuarantined, FileTaken, Outcome, PartStored
from regime.labels import FEAR_MEDIAN_MIN
from regime.types import BAR_FIELDS, Bars

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from daemon.tools import Tools


PARQUET_MAGIC: Final = b"PAR1"
HISTORY_DAYS: Final = 366
"""How far before a file's first day stored bars are looked at; a year tells how a price usually moves."""
LATE_PARTS_MAX: Final = 16
"""Parts of a file's symbols that are read one by one; with more, the panel is brought up first."""


def take_in_file(message: FileArrived, tools: Tools) -> Outcome | ChildJob:
    """Take in one staged file; a large one and parquet are parsed in a child process under limits."""
    settings = tools.settings.ingest
    if message.size_bytes > settings.file_bytes_max:
        sentence = (
            f"the file has {message.size_bytes:,} bytes, more than ingest.file_bytes_max"
            f" = {settings.file_bytes_max:,}; split it or raise the limit"
        )
        return _refuse(message, FileRejectedError(Reason.TOO_LARGE, sentence), tools)
    if message.size_bytes > settings.inline_bytes_max or _is_parquet(message, tools):
        return _parse_in_child(message, tools)
    try:
        parsed = read_bars(
            _staged(message, tools),
            name=message.name,
            symbols=settings.symbols,
            bytes_max=settings.file_bytes_max,
            rows_max=settings.rows_max,
            bytes_decoded_max=settings.decoded_bytes_max,
        )
        return _store(message, parsed, tools)
    except FileRejectedError as error:
        return _refuse(message, error, tools)


def take_in_parsed(message: FileArrived, end: ChildEnd, tools: Tools) -> Outcome:
    """Take in what the parsing child wrote; a child that died of the file condemns the file."""
    if end.result is None:
        sentence = f"parsing it failed: {end.reason}; split the file or raise the limits of [ingest]"
        return _refuse(message, FileRejectedError(Reason.UNREADABLE, sentence), tools)
    result = end.result
    if "code" in result:
        return _refuse(message, FileRejectedError(str(result["code"]), str(result["sentence"])), tools)
    try:
        bars = tools.bars.read([str(result["part"])])
        outcome = _store(message, ParsedFile(format=str(result["format"]), bars=bars), tools)
    except FileRejectedError as error:
        outcome = _refuse(message, error, tools)
    _forget_scratch(str(result["part"]), outcome, tools)
    return outcome


def _forget_scratch(part: str, outcome: Outcome, tools: Tools) -> None:
    """Delete what the child wrote, unless it is just what is stored or was stored before."""
    stored = {record.part for record in outcome.records if isinstance(record, PartStored)}
    if not stored | tools.ledger.bars.listed_among([part]) >= {part}:
        tools.bars.remove(part)


def _staged(message: FileArrived, tools: Tools) -> Path:
    return tools.layout.files / message.sha256


def _is_parquet(message: FileArrived, tools: Tools) -> bool:
    """Tell a parquet file: a damaged one can end the process that decodes it, so that is a child's work."""
    with _staged(message, tools).open("rb") as file:
        return file.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC


def _parse_in_child(message: FileArrived, tools: Tools) -> ChildJob:
    settings = tools.settings.ingest
    return ChildJob(
        module="daemon.children.parse",
        job={
            "path": str(_staged(message, tools)),
            "name": message.name,
            "bars": str(tools.layout.bars),
            "symbols": dict(settings.symbols),
            "bytes_max": settings.file_bytes_max,
            "rows_max": settings.rows_max,
            "bytes_decoded_max": settings.decoded_bytes_max,
        },
        time_limit_s=settings.time_limit_s,
        memory_limit_mib=settings.memory_limit_mib,
    )


def _store(message: FileArrived, parsed: ParsedFile, tools: Tools) -> Outcome:
    """Store the bars that are new or differ as the next data version."""
    bars = parsed.bars
    known = _known(bars, tools)
    _check(bars, known, tools)
    fresh = bars.take(_is_fresh(bars, known))
    first_day, last_day = str(bars.date.min()), str(bars.date.max())
    tools.quarantine.forget(message.sha256)
    taken = FileTaken(
        sha256=message.sha256,
        name=message.name,
        size_bytes=message.size_bytes,
        format=parsed.format,
        symbols=bars.symbols(),
        rows=len(bars),
        first_day=first_day,
        last_day=last_day,
    )
    fields: dict[str, object] = {
        "name": message.name,
        "sha256": message.sha256,
        "symbols": list(bars.symbols()),
    }
    if not len(fresh):
        event = Event(name="ingest.unchanged", fields={**fields, "last_day": last_day})
        return Outcome(records=(taken,), events=(event,))
    stored = PartStored(
        data_version=tools.ledger.data_version() + 1,
        part=tools.bars.write_part(fresh),
        symbols=fresh.symbols(),
        rows=len(fresh),
        first_day=str(fresh.date.min()),
        last_day=str(fresh.date.max()),
    )
    fields |= {
        "format": parsed.format,
        "rows": len(fresh),
        "first_day": stored.first_day,
        "last_day": stored.last_day,
        "data_version": stored.data_version,
    }
    arrived = BarsArrived(
        data_version=stored.data_version, symbols=stored.symbols, first_day=stored.first_day
    )
    return Outcome(
        records=(taken, stored),
        events=(Event(name="ingest.accepted", fields=fields),),
        follow_ups=(arrived, *compaction_due(stored.data_version, tools.settings.bars)),
    )


def _known(bars: Bars, tools: Tools) -> Bars:
    """Give the stored bars of the same symbols on the days of a file and before, as far as they matter."""
    tools.bring_up_panel(symbols=bars.symbols(), late_max=LATE_PARTS_MAX)
    since = bars.date.min() - np.timedelta64(HISTORY_DAYS, "D")
    return tools.bars_of(tools.ledger.data_version(), bars.symbols(), since=since)


def _check(bars: Bars, known: Bars, tools: Tools) -> None:
    today = np.datetime64(tools.clock.now().date(), "D")
    _check_fear(bars, tools)
    for calendar, symbols in _symbols_by_calendar(bars, tools).items():
        sessions = None if calendar is None else tools.calendar.sessions(calendar)
        check_bars(bars.of_symbols(symbols), today=today, sessions=sessions, history=known)


def _check_fear(bars: Bars, tools: Tools) -> None:
    """Refuse a fear index in another unit before it is stored: it could not be labelled with."""
    for symbol in fears_of(tools.settings.markets):
        closes = bars.of_symbol(symbol).close
        if len(closes) and (median := float(np.median(closes))) < FEAR_MEDIAN_MIN:
            fact = f"{symbol} has a median of {median:g}, and fear is given in VIX points (18, not 0.18)"
            raise rejection(Reason.FEAR_UNIT, fact)


def _symbols_by_calendar(bars: Bars, tools: Tools) -> dict[str | None, list[str]]:
    """Group the symbols by the calendar of their market.

    A fear index is also quoted on days when the exchange is shut, which labels ignore: it has none. Nor has
    a symbol of no market.
    """
    markets = tools.settings.markets
    fears = fears_of(markets)
    groups: dict[str | None, list[str]] = {}
    for name, symbols in by_market(markets, bars.symbols()).items():
        calendar = None if name is None else markets[name].calendar
        for symbol in symbols:
            groups.setdefault(None if symbol in fears else calendar, []).append(symbol)
    return groups


def _is_fresh(bars: Bars, known: Bars) -> NDArray[np.bool_]:
    """Tell for each bar whether it is new or differs from the stored one; shape (n_bars,)."""
    places = known.places_of(bars)
    same = places >= 0
    for name in BAR_FIELDS:
        now, then = getattr(bars, name)[same], getattr(known, name)[places[same]]
        same[same] = (now == then) | (np.isnan(now) & np.isnan(then))
    return ~same


def _refuse(message: FileArrived, error: FileRejectedError, tools: Tools) -> Outcome:
    tools.quarantine.put(
        _staged(message, tools),
        name=message.name,
        sha256=message.sha256,
        code=error.code,
        sentence=str(error),
        at=tools.clock.now().isoformat(),
    )
    refused = FileQuarantined(
        sha256=message.sha256,
        name=message.name,
        size_bytes=message.size_bytes,
        code=error.code,
        sentence=str(error),
    )
    fields = {
        "name": message.name,
        "sha256": message.sha256,
        "code": error.code,
        "sentence": str(error),
    }
    return Outcome(records=(refused,), events=(Event(name="ingest.quarantined", fields=fields),))
