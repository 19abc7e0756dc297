"""One file in, checked bars out: recognises the format by the first bytes and reads it."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from daemon.formats.chart import columns_of_chart
from daemon.formats.columns import Columns, bars_of_columns
from daemon.formats.parquet import FORMAT as PARQUET
from daemon.formats.parquet import MAGIC, columns_of_parquet
from daemon.formats.reasons import Reason, rejection
from daemon.formats.symbols import checked_name
from daemon.formats.text import columns_of_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from regime.types import Bars

BYTES_MAX: Final = 64 * 2**20
ROWS_MAX: Final = 1_000_000
BYTES_DECODED_MAX: Final = 512 * 2**20
_NO_SYMBOLS: Final[Mapping[str, str]] = MappingProxyType({})

ERROR_STARTS: Final = (
    b"no data",
    b"exceeded the daily hits limit",
    b"get your apikey",
    b"too many requests",
    b"edge: too many requests",
    b"access denied",
    b"forbidden",
    b"not found",
    b"unauthorized",
    b"invalid cookie",
    b"will be right back",
    b"<!doctype",
    b"<html",
    b"<head",
    b"<body",
    b"<?xml",
    b"<!--",
)
"""How the bodies begin, in small letters, that sources send with HTTP 200 in place of data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedFile:
    """What a file was found to be: its format, its bars, and how many rows had no close."""

    format: str
    bars: Bars
    rows_without_close: int = 0


def read_bars(
    path: Path,
    *,
    name: str,
    symbols: Mapping[str, str] = _NO_SYMBOLS,
    bytes_max: int = BYTES_MAX,
    rows_max: int = ROWS_MAX,
    bytes_decoded_max: int = BYTES_DECODED_MAX,
) -> ParsedFile:
    """Read the bars of one file.

    Parameters
    ----------
    path
        The bytes; nothing is read from its name.
    name
        The file name that the user gave, from which formats without a symbol take it (`symbol_of_name`).
    symbols
        Symbols to rename on arrival, such as ``{"^SPX": "^GSPC"}``.
    bytes_max, rows_max, bytes_decoded_max
        Larger files are refused: in bytes, in rows, and for parquet in bytes when unpacked.

    Raises
    ------
    FileRejectedError
        If it is not a whole file of checked daily bars; nothing else is raised for what the bytes are.
    OSError
        If the bytes cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise rejection(Reason.TOO_LARGE, f"the file has more than {bytes_max} bytes")
    return parse_bars(
        data, name=name, symbols=symbols, rows_max=rows_max, bytes_decoded_max=bytes_decoded_max
    )


def parse_bars(
    data: bytes,
    *,
    name: str,
    symbols: Mapping[str, str] = _NO_SYMBOLS,
    rows_max: int = ROWS_MAX,
    bytes_decoded_max: int = BYTES_DECODED_MAX,
) -> ParsedFile:
    r"""Parse the bars of one file from its bytes; see `read_bars`.

    >>> body = b"Date,Open,High,Low,Close,Volume\n2024-01-02,10,12,9,11,500\n"
    >>> parsed = parse_bars(body, name="spy_us_d.csv")
    >>> parsed.format, parsed.bars.symbols(), float(parsed.bars.close[0])
    ('stooq_csv', ('SPY',), 11.0)
    """
    checked_name(name)
    layout, columns = _columns(data, name, rows_max, bytes_decoded_max)
    bars, rows_without_close = bars_of_columns(columns, symbols)
    return ParsedFile(format=layout, bars=bars, rows_without_close=rows_without_close)


def _columns(data: bytes, name: str, rows_max: int, bytes_decoded_max: int) -> tuple[str, Columns]:
    if data.startswith(MAGIC):
        return PARQUET, columns_of_parquet(data, name, rows_max=rows_max, bytes_decoded_max=bytes_decoded_max)
    start = data[:200].removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        raise rejection(Reason.EMPTY, "the file is blank")
    if start.lower().startswith(ERROR_STARTS):
        said = start[:60].decode("ascii", errors="replace").splitlines()[0]
        raise rejection(Reason.ERROR_BODY, f"it says {said!r}")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise rejection(Reason.ENCODING, "the text is UTF-16")
    if start.startswith(b"{"):
        return columns_of_chart(data, rows_max)
    return columns_of_text(data, name, rows_max)
