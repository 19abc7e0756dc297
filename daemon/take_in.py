"""A file arrived: read it, check it, store what is new, or put it into quarantine with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from daemon.formats import FileRejectedError, ParsedFile, Reason, check_bars, read_bars
from daemon.messages import BarsArrived, FileArrived
from daemon.records import ChildEnd, ChildJob, Event, FileQuarantined, FileTaken, Outcome, PartStored
from regime.types import BAR_FIELDS, Bars

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from daemon.settings import MarketSettings
    from daemon.tools import Tools


PARQUET_MAGIC: Final = b"PAR1"


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
        return _store(message, ParsedFile(format=str(result["format"]), bars=bars), tools)
    except FileRejectedError as error:
        return _refuse(message, error, tools)


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
    parts = [part.part for part in tools.ledger.parts(symbols=bars.symbols())]
    known = tools.bars.read(parts, bars.symbols())
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
        follow_ups=(arrived,),
    )


def _check(bars: Bars, known: Bars, tools: Tools) -> None:
    today = np.datetime64(tools.clock.now().date(), "D")
    for symbol in bars.symbols():
        market = _market_of(symbol, tools)
        # A fear index is also quoted on days when the exchange is shut; labels ignore those days.
        sessions = None if symbol == market.fear else tools.calendar.sessions(market.calendar)
        check_bars(bars.of_symbol(symbol), today=today, sessions=sessions, history=known.of_symbol(symbol))


def _market_of(symbol: str, tools: Tools) -> MarketSettings:
    """Give the market that names the symbol, else the first one."""
    markets = tuple(tools.settings.markets.values())
    return next((market for market in markets if symbol in {market.index, market.fear}), markets[0])


def _is_fresh(bars: Bars, known: Bars) -> NDArray[np.bool_]:
    """Tell for each bar whether it is new or differs from the stored one; shape (n_bars,)."""
    fresh = np.ones(len(bars), dtype=bool)
    for symbol in bars.symbols():
        at = np.flatnonzero(bars.symbol == symbol)
        old = known.of_symbol(symbol)
        _, places, places_old = np.intersect1d(bars.date[at], old.date, return_indices=True)
        same = np.ones(len(places), dtype=bool)
        for name in BAR_FIELDS:
            now, then = getattr(bars, name)[at][places], getattr(old, name)[places_old]
            same &= (now == then) | (np.isnan(now) & np.isnan(then))
        fresh[at[places[same]]] = False
    return fresh


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
