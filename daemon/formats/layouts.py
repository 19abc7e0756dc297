"""The delimited text formats, told apart by their header alone, as data."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from daemon.formats.cells import DateStyle
from daemon.formats.reasons import Reason, rejection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COLUMNS_MAX: Final = 10_000
"""A header with more cells is no table of bars: yfinance writes five columns a ticker."""

DOWNLOAD_HEADER_ROWS: Final = 3

_TITLED: Final = MappingProxyType(
    {
        "Open": "open",
        "High": "high",
        "Low": "low",
        "Close": "close",
        "Adj Close": "adjusted_close",
        "Volume": "volume",
    }
)
_OWN: Final = MappingProxyType({name: name for name in ("open", "high", "low", "close", "volume")})
_BULK: Final = MappingProxyType(
    {f"<{word}>": field for word, field in zip(("OPEN", "HIGH", "LOW", "CLOSE", "VOL"), _OWN, strict=True)}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A format with one header line, recognised if it has all required and no unknown columns.

    ``fields`` maps a header cell to what it holds; ``ignored`` are cells that may stand there too
    (``None``: any may).
    """

    format: str
    date: str
    required: frozenset[str]
    fields: Mapping[str, str]
    ignored: frozenset[str] | None = frozenset()
    symbol: str | None = None
    interval: str | None = None
    dates: DateStyle = DateStyle.ISO
    zero_opens: bool = False

    def fits(self, header: Sequence[str]) -> bool:
        """Say whether this is the layout of a file with that header line."""
        cells = set(header)
        if self.date not in cells or not self.required <= cells:
            return False
        known = {self.date, self.symbol, self.interval, *self.fields}
        return self.ignored is None or cells <= known | self.ignored


_OHLC: Final = frozenset({"Open", "High", "Low", "Close"})
_ACTIONS: Final = frozenset({"Dividends", "Stock Splits"})

LAYOUTS: Final = (
    Layout(
        format="yfinance_history",
        date="Date",
        required=_OHLC | _ACTIONS,
        fields=_TITLED,
        ignored=_ACTIONS | {"Capital Gains", "Repaired?"},
        zero_opens=True,
    ),
    Layout(
        format="yahoo_csv",
        date="Date",
        required=_OHLC | {"Adj Close", "Volume"},
        fields=_TITLED,
        zero_opens=True,
    ),
    Layout(format="stooq_csv", date="Date", required=_OHLC, fields=_TITLED),
    Layout(
        format="stooq_bulk",
        date="<DATE>",
        required=frozenset({"<TICKER>", "<PER>", "<CLOSE>"}),
        fields=_BULK,
        ignored=frozenset({"<TIME>", "<OPENINT>"}),
        symbol="<TICKER>",
        interval="<PER>",
        dates=DateStyle.COMPACT,
    ),
    Layout(
        format="cboe_csv",
        date="DATE",
        required=frozenset({"OPEN", "HIGH", "LOW", "CLOSE"}),
        fields=MappingProxyType({"CLOSE": "close"}),
        ignored=frozenset({"OPEN", "HIGH", "LOW"}),
        dates=DateStyle.AMERICAN,
    ),
    Layout(
        format="own_csv",
        date="date",
        required=frozenset({"close"}),
        fields=_OWN,
        ignored=None,
        symbol="symbol",
    ),
)
"""The first that fits is the format; FRED and ``yfinance.download`` are recognised by `plan_of`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Where the fields of one symbol stand in a row; ``symbol`` is ``None`` if the header has none."""

    symbol: str | None
    fields: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How the rows of a file are to be read, as places in a row of ``width`` cells."""

    format: str
    width: int
    date: int
    series: tuple[Series, ...]
    header_rows: int = 1
    symbol: int | None = None
    interval: int | None = None
    dates: DateStyle = DateStyle.ISO
    zero_opens: bool = False


def plan_of(head: Sequence[Sequence[str]]) -> Plan:
    """Give the plan for a file from its first three lines.

    Raises
    ------
    FileRejectedError
        With `Reason.HEADER` if they are those of no known format.

    >>> plan_of([["Date", "Open", "High", "Low", "Close"]]).format
    'stooq_csv'
    """
    header = head[0]
    if len(header) > COLUMNS_MAX:
        raise rejection(Reason.HEADER, f"the first line has {len(header)} columns")
    if header[0] in {"Price", "Ticker"}:
        return _plan_of_download(head)
    if len(set(header)) == len(header):
        if len(header) == len(("day", "value")) and header[0] in {"observation_date", "DATE"}:
            series = Series(symbol=header[1], fields={"close": 1})
            return Plan(format="fred_csv", width=2, date=0, series=(series,))
        layout = next((layout for layout in LAYOUTS if layout.fits(header)), None)
        if layout is not None:
            return _plan_of_layout(layout, header)
    raise rejection(Reason.HEADER, f"the first line is {','.join(header)[:80]!r}")


def _plan_of_layout(layout: Layout, header: Sequence[str]) -> Plan:
    place = {cell: i for i, cell in enumerate(header)}
    fields = {field: place[cell] for cell, field in layout.fields.items() if cell in place}
    return Plan(
        format=layout.format,
        width=len(header),
        date=place[layout.date],
        series=(Series(symbol=None, fields=fields),),
        symbol=place.get(layout.symbol or ""),
        interval=place.get(layout.interval or ""),
        dates=layout.dates,
        zero_opens=layout.zero_opens,
    )


def _plan_of_download(head: Sequence[Sequence[str]]) -> Plan:
    """Give the plan for ``yfinance.download(...).to_csv()``: three header lines, one or more tickers.

    With ``group_by="ticker"`` the first two lines are the other way round.
    """
    lines = {line[0]: line for line in head[:2]}
    widths = {len(line) for line in head}
    if (
        set(lines) != {"Price", "Ticker"}
        or len(head) < DOWNLOAD_HEADER_ROWS
        or head[2][0] != "Date"
        or len(widths) > 1
    ):
        raise rejection(Reason.HEADER, "the header of a yfinance download is not whole")
    places: dict[str, dict[str, int]] = {}
    for at, (price, ticker) in enumerate(zip(lines["Price"], lines["Ticker"], strict=True)):
        if price in _TITLED and places.setdefault(ticker, {}).setdefault(_TITLED[price], at) != at:
            raise rejection(Reason.HEADER, f"the header has {ticker} {price} twice")
    series = tuple(Series(symbol=ticker, fields=fields) for ticker, fields in places.items())
    if not series or not all("close" in one.fields for one in series):
        raise rejection(Reason.HEADER, "the header of a yfinance download has no close")
    return Plan(
        format="yfinance_download",
        width=len(head[0]),
        date=0,
        series=series,
        header_rows=DOWNLOAD_HEADER_ROWS,
        zero_opens=True,
    )
