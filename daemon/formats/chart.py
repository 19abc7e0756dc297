"""Yahoo's v8 chart JSON, as ``/v8/finance/chart/SYMBOL?interval=1d`` answers and the feed stores it.

Prices are adjusted by ``adjclose`` / ``close`` as in Yahoo's CSV. A bar of a session that was still open
when Yahoo answered is left out, because its close was not known; ``meta`` tells whether it was.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Final, NoReturn
from zoneinfo import ZoneInfo

import numpy as np

from daemon.formats.columns import Columns, adjusted, without_zero_opens
from daemon.formats.reasons import Reason, rejection
from daemon.formats.symbols import column_of_symbol
from regime.types import BAR_FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

FORMAT: Final = "yahoo_chart"
_NUMBER_OR_NULL: Final = frozenset({int, float, type(None)})


def columns_of_chart(data: bytes, rows_max: int) -> tuple[str, Columns]:
    """Give the format and the columns of a chart body.

    Raises
    ------
    FileRejectedError
        With `Reason.ERROR_BODY` if Yahoo sent an error, `Reason.NOT_DAILY` if the bars are not daily, and
        otherwise the reason code of the first fault.
    """
    result = _result(_parsed(data))
    meta = _mapping(result.get("meta"), "meta")
    if meta.get("dataGranularity") != "1d":
        raise rejection(Reason.NOT_DAILY, f"dataGranularity is {meta.get('dataGranularity')!r:.40}")
    stamps = _sequence(result.get("timestamp", []), "timestamp")
    if not stamps:
        raise rejection(Reason.EMPTY, "the chart has no timestamps")
    if len(stamps) > rows_max:
        raise rejection(Reason.TOO_LARGE, f"more than {rows_max} rows")
    zone = _zone(meta)
    date = np.array([_day(stamp, zone) for stamp in stamps], dtype="datetime64[D]")
    columns = _columns(_mapping(result.get("indicators"), "indicators"), _symbol(meta), date)
    return FORMAT, columns.take(_is_final(date, meta, zone))


def _parsed(data: bytes) -> Mapping[str, object]:
    try:
        text = data.decode("utf-8-sig")
        return _mapping(json.loads(text, parse_constant=_refuse_constant), "the body")
    except UnicodeDecodeError as error:
        raise rejection(Reason.ENCODING, f"byte {error.start} is not UTF-8") from error
    except (ValueError, RecursionError) as error:
        code = Reason.CORRUPT if data.rstrip().endswith(b"}") else Reason.TRUNCATED
        raise rejection(code, f"it is not readable as JSON ({error})") from error


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


def _result(body: Mapping[str, object]) -> Mapping[str, object]:
    """Give the one result of a chart body, or say what Yahoo sent in its place."""
    chart = body.get("chart", body.get("finance"))
    if not isinstance(chart, dict):
        raise rejection(Reason.HEADER, "the JSON has no chart")
    results = chart.get("result")
    if chart.get("error") is not None or not isinstance(results, list) or len(results) != 1:
        said = json.dumps(chart.get("error"))[:200]
        raise rejection(Reason.ERROR_BODY, f"Yahoo sent no chart but the error {said}")
    return _mapping(results[0], "result")


def _columns(indicators: Mapping[str, object], symbol: str, date: NDArray[np.datetime64]) -> Columns:
    quote = _only(indicators.get("quote"), "quote")
    columns = without_zero_opens(
        Columns(
            symbol=column_of_symbol(symbol, len(date)),
            date=date,
            **{field: _numbers(quote.get(field), field, len(date)) for field in BAR_FIELDS},
        )
    )
    if "adjclose" not in indicators:
        return columns
    told = _only(indicators["adjclose"], "adjclose").get("adjclose")
    return adjusted(columns, _numbers(told, "adjclose", len(date)))


def _is_final(date: NDArray[np.datetime64], meta: Mapping[str, object], zone: ZoneInfo) -> NDArray[np.bool_]:
    """Mark the bars that are complete, shape (n_rows,).

    Yahoo may give the last day twice, at its open and at its latest trade; the later is kept. If the day's
    session had not ended at the latest trade, there is no close yet and the day is left out.
    """
    final = np.ones(len(date), dtype=bool)
    if len(date) > 1 and date[-1] == date[-2]:
        final[-2] = False
    period = meta.get("currentTradingPeriod")
    regular = period.get("regular") if isinstance(period, dict) else None
    end = regular.get("end") if isinstance(regular, dict) else None
    if end is None:
        return final
    is_last_session = date == np.datetime64(_day(end, zone), "D")
    if _seconds(meta.get("regularMarketTime")) < _seconds(end):
        final &= ~is_last_session
    return final


def _zone(meta: Mapping[str, object]) -> ZoneInfo:
    name = meta.get("exchangeTimezoneName")
    try:
        return ZoneInfo(str(name))
    except (LookupError, ValueError, OSError) as error:
        raise rejection(Reason.DATE, f"the time zone {name!r:.60} is not known") from error


def _day(stamp: object, zone: ZoneInfo) -> str:
    """Give the exchange's calendar day of a time in seconds since 1970, as an ISO date."""
    try:
        return datetime.fromtimestamp(_seconds(stamp), zone).strftime("%Y-%m-%d")
    except (ValueError, OverflowError, OSError) as error:
        raise rejection(Reason.DATE, f"{stamp!r:.40} is no time") from error


def _seconds(stamp: object) -> int:
    if type(stamp) is not int:
        raise rejection(Reason.DATE, f"{stamp!r:.40} is no time")
    return stamp


def _symbol(meta: Mapping[str, object]) -> str:
    symbol = meta.get("symbol")
    if not isinstance(symbol, str):
        raise rejection(Reason.SYMBOL, "meta has no symbol")
    return symbol


def _numbers(values: object, field: str, length: int) -> NDArray[np.float64]:
    listed = _sequence(values, field)
    if len(listed) != length:
        raise rejection(Reason.COLUMNS, f"{field} has {len(listed)} values for {length} timestamps")
    if not {type(value) for value in listed} <= _NUMBER_OR_NULL:
        raise rejection(Reason.NUMBER, f"{field} has a value that is neither number nor null")
    try:
        return np.array(listed, dtype=np.float64)
    except OverflowError as error:
        raise rejection(Reason.NUMBER, f"{field} has a number that is too large") from error


def _only(value: object, what: str) -> Mapping[str, object]:
    listed = _sequence(value, what)
    if len(listed) != 1:
        raise rejection(Reason.HEADER, f"the chart has {len(listed)} times {what}")
    return _mapping(listed[0], what)


def _mapping(value: object, what: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise rejection(Reason.HEADER, f"{what} is no JSON object")
    return value


def _sequence(value: object, what: str) -> Sequence[object]:
    if not isinstance(value, list):
        raise rejection(Reason.HEADER, f"{what} is no JSON list")
    return value
