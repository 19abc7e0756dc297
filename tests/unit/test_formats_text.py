"""Each delimited format with a body of its form, and each way in which one can be wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from daemon.formats import FileRejectedError, Reason, parse_bars, read_bars, write_csv
from regime.types import Bars

if TYPE_CHECKING:
    from pathlib import Path

YAHOO = """Date,Open,High,Low,Close,Adj Close,Volume
2024-01-02,10.0,12.0,9.0,11.0,5.5,1000
2024-01-03,11.0,13.0,10.0,12.0,6.0,1100
2024-01-04,12.0,14.0,11.0,13.0,13.0,1200
"""
STOOQ = """Date,Open,High,Low,Close,Volume
2024-01-02,10,12,9,11,1000
2024-01-03,11,13,10,12,1100
"""
BULK = (
    "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\r\n"
    "SPY.US,D,20240102,000000,10,12,9,11,1000,0\r\n"
    "SPY.US,D,20240103,000000,11,13,10,12,1100,0\r\n"
)
CBOE = "DATE,OPEN,HIGH,LOW,CLOSE\n02/07/2006,12.9,13.5,12.8,13.59\n02/08/2006,41.60,13.61,12.6,12.83\n"
FRED = "observation_date,VIXCLS\n2024-01-01,\n2024-01-02,13.20\n2024-01-03,14.04\n"
FRED_OLD = "DATE,DGS10\n2023-01-02,.\n2023-01-03,3.79\n"
DOWNLOAD = """Price,Close,Close,High,High,Low,Low,Open,Open,Volume,Volume
Ticker,^GSPC,SPY,^GSPC,SPY,^GSPC,SPY,^GSPC,SPY,^GSPC,SPY
Date,,,,,,,,,,
2024-01-02,110.0,11.0,120.0,12.0,90.0,9.0,100.0,10.0,5000,1000
2024-01-03,120.0,,130.0,,100.0,,110.0,,5100,
"""
HISTORY = """Date,Open,High,Low,Close,Volume,Dividends,Stock Splits,Capital Gains
2024-03-08 00:00:00-05:00,10.0,12.0,9.0,11.0,1000,0.0,0.0,0.0
2024-03-11 00:00:00-04:00,11.0,13.0,10.0,12.0,1100,0.0,0.0,0.0
"""
OWN = """symbol,date,open,high,low,close,volume,source
SPY,2024-01-02,10,12,9,11,1000,x
QQQ,2024-01-02,20,22,19,21,,x
SPY,2024-01-03,11,13,10,12,1100,x
QQQ,2024-01-03,21,23,20,22,2100,x
"""


def parsed(body: str, name: str) -> tuple[str, Bars]:
    file = parse_bars(body.encode(), name=name)
    return file.format, file.bars


def code_of(body: str | bytes, name: str = "SPY.csv") -> Reason:
    data = body.encode() if isinstance(body, str) else body
    with pytest.raises(FileRejectedError) as caught:
        parse_bars(data, name=name)
    return caught.value.code


def test_yahoo_prices_are_adjusted_by_the_adjusted_close() -> None:
    layout, bars = parsed(YAHOO, "SPY.csv")
    assert layout == "yahoo_csv"
    assert bars == Bars.of(
        "SPY",
        ["2024-01-02", "2024-01-03", "2024-01-04"],
        [5.0, 5.5, 12.0],
        [6.0, 6.5, 14.0],
        [4.5, 5.0, 11.0],
        [5.5, 6.0, 13.0],
        [1000, 1100, 1200],
    )


def test_yahoo_rows_of_null_are_left_out_and_counted() -> None:
    body = YAHOO + "2024-01-05,null,null,null,null,null,null\n"
    file = parse_bars(body.encode(), name="SPY.csv")
    assert len(file.bars) == 3
    assert file.rows_without_close == 1


def test_yahoo_opens_of_zero_are_not_known() -> None:
    body = "Date,Open,High,Low,Close,Adj Close,Volume\n1962-01-02,0.0,71.96,70.71,70.96,70.96,3120000\n"
    _, bars = parsed(body, "^GSPC.csv")
    assert np.isnan(bars.open[0])
    assert bars.close[0] == 70.96


def test_stooq_csv_is_read_with_and_without_volume() -> None:
    layout, bars = parsed(STOOQ, "spy_us_d.csv")
    assert (layout, bars.symbols(), bars.volume[1]) == ("stooq_csv", ("SPY",), 1100.0)
    bare = "\n".join(line.rpartition(",")[0] for line in STOOQ.splitlines()) + "\n"
    _, without = parsed(bare, "^spx_d.csv")
    assert without.symbols() == ("^SPX",)
    assert np.isnan(without.volume).all()
    assert without.close.tolist() == [11.0, 12.0]


def test_stooq_bulk_takes_the_symbol_from_the_rows() -> None:
    layout, bars = parsed(BULK, "whatever.txt")
    assert layout == "stooq_bulk"
    assert bars == Bars.of(
        "SPY", ["2024-01-02", "2024-01-03"], [10, 11], [12, 13], [9, 10], [11, 12], [1000, 1100]
    )


def test_stooq_bulk_of_five_minute_bars_is_not_daily() -> None:
    assert code_of(BULK.replace(",D,", ",5,")) == Reason.NOT_DAILY


def test_of_cboe_only_the_close_is_kept_since_its_candles_are_impossible() -> None:
    layout, bars = parsed(CBOE, "VIX_History.csv")
    assert layout == "cboe_csv"
    assert bars == Bars.of_closes("^VIX", ["2006-02-07", "2006-02-08"], [13.59, 12.83])


def test_of_the_vix_only_the_close_is_kept_whatever_the_format() -> None:
    _, bars = parsed("date,open,high,low,close\n2006-02-08,41.60,13.61,12.6,12.83\n", "vix.csv")
    assert bars == Bars.of_closes("^VIX", ["2006-02-08"], [12.83])


@pytest.mark.parametrize(
    ("body", "symbol", "day", "close", "left_out"),
    [(FRED, "^VIX", "2024-01-02", 13.2, 1), (FRED_OLD, "DGS10", "2023-01-03", 3.79, 1)],
)
def test_fred_is_read_with_either_header(
    body: str, symbol: str, day: str, close: float, left_out: int
) -> None:
    file = parse_bars(body.encode(), name="series.csv")
    assert file.format == "fred_csv"
    assert file.rows_without_close == left_out
    assert (file.bars.symbols(), str(file.bars.date[0]), file.bars.close[0]) == ((symbol,), day, close)


def test_a_yfinance_download_holds_several_tickers() -> None:
    layout, bars = parsed(DOWNLOAD, "prices.csv")
    assert layout == "yfinance_download"
    assert bars.of_symbol("SPY") == Bars.of("SPY", ["2024-01-02"], [10], [12], [9], [11], [1000])
    assert bars.of_symbol("^GSPC").close.tolist() == [110.0, 120.0]


def test_a_yfinance_download_grouped_by_ticker_is_the_same() -> None:
    first, second, *rest = DOWNLOAD.splitlines(keepends=True)
    assert parsed(second + first + "".join(rest), "prices.csv") == parsed(DOWNLOAD, "prices.csv")


def test_a_yfinance_history_counts_local_days_across_a_change_of_offset() -> None:
    layout, bars = parsed(HISTORY, "XLF.csv")
    assert layout == "yfinance_history"
    assert bars.symbols() == ("XLF",)
    assert bars.date.astype(str).tolist() == ["2024-03-08", "2024-03-11"]


def test_own_csv_ignores_other_columns_and_takes_symbols_in_turn() -> None:
    layout, bars = parsed(OWN, "any.csv")
    assert layout == "own_csv"
    assert bars.symbol.tolist() == ["QQQ", "QQQ", "SPY", "SPY"]
    assert bars.close.tolist() == [21.0, 22.0, 11.0, 12.0]
    assert np.isnan(bars.volume).tolist() == [True, False, False, False]


def test_own_csv_reads_back_to_the_bit(tmp_path: Path) -> None:
    bars = Bars.of("SPY", ["2024-01-02"], [0.1 + 0.2], [np.nan], [np.nan], [1 / 3], [1e15])
    write_csv(bars, tmp_path / "bars")
    assert read_bars(tmp_path / "bars", name="bars.csv").bars == bars


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("SPY.csv", "SPY"),
        ("spy.csv", "SPY"),
        ("yahoo_SPY.csv", "SPY"),
        ("SPY (2).csv", "SPY"),
        ("stooq_^spx_d.csv", "^SPX"),
        ("aapl_us_d.csv", "AAPL"),
        ("BRK-B.csv", "BRK-B"),
        ("cboe_VIX_History.csv", "^VIX"),
        ("yfinance_history_to_csv_XLF.csv", "XLF"),
    ],
)
def test_the_symbol_is_told_by_the_file_name(name: str, symbol: str) -> None:
    _, bars = parsed(STOOQ, name)
    assert bars.symbols() == (symbol,)


def test_symbols_are_renamed_by_the_users_table() -> None:
    file = parse_bars(STOOQ.encode(), name="^spx_d.csv", symbols={"^SPX": "^GSPC"})
    assert file.bars.symbols() == ("^GSPC",)


@pytest.mark.parametrize("change", ["\r\n", "\ufeff", "quoted", "blank lines"])
def test_harmless_differences_in_writing_do_not_matter(change: str) -> None:
    body = {
        "\r\n": YAHOO.replace("\n", "\r\n"),
        "\ufeff": "\ufeff" + YAHOO,
        "quoted": YAHOO.replace("Date", '"Date"').replace("2024-01-03", '"2024-01-03"'),
        "blank lines": YAHOO.replace("\n", "\n\n"),
    }[change]
    assert parsed(body, "SPY.csv") == parsed(YAHOO, "SPY.csv")


def test_a_last_line_without_end_is_no_fault() -> None:
    assert parsed(YAHOO.rstrip("\n"), "SPY.csv") == parsed(YAHOO, "SPY.csv")


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("Date,Open", "Day,Open", Reason.HEADER),
        ("11.0,13.0,10.0,12.0", "11.0,13.0,10.0,12,0", Reason.COLUMNS),
        ("2024-01-03", "2024-02-30", Reason.DATE),
        ("2024-01-03", "2024-1-3", Reason.DATE),
        ("2024-01-03", "2024-01", Reason.DATE),
        ("2024-01-03", "0024-01-03", Reason.DATE),
        ("2024-01-03", "2024-01-03 09:30:00", Reason.NOT_DAILY),
        ("11.0,13.0", "11.0,1_3.0", Reason.NUMBER),
        ("11.0,13.0", "11.0,inf", Reason.NUMBER),
        ("11.0,13.0", "11.0, 13.0", Reason.NUMBER),
        ("11.0,13.0", "11.0,#REF!", Reason.NUMBER),
        ("11.0,13.0", "11.0,0x1F", Reason.NUMBER),
        ("11.0,13.0", '11.0,"1\n3"', Reason.NUMBER),
        ("11.0,13.0", "11.0,10.0", Reason.OHLC_ORDER),
        ("9.0,11.0,5.5", "-9.0,11.0,5.5", Reason.NON_POSITIVE_PRICE),
        ("12.0,6.0,", "12.0,0.0,", Reason.NON_POSITIVE_PRICE),
        ("12.0,6.0,", "12.0,1e999,", Reason.NON_POSITIVE_PRICE),
        ("1100", "-1100", Reason.NEGATIVE_VOLUME),
        ("2024-01-03", "2024-01-02", Reason.DUPLICATE_DAY),
        ("2024-01-03", "2024-01-09", Reason.UNSORTED),
    ],
)
def test_a_wrong_row_refuses_the_file(old: str, new: str, code: Reason) -> None:
    assert YAHOO.count(old) >= 1
    assert code_of(YAHOO.replace(old, new, 1)) == code


def test_a_day_that_returns_later_is_a_duplicate() -> None:
    assert code_of(YAHOO + YAHOO.splitlines()[1] + "\n") == Reason.DUPLICATE_DAY


def test_a_descending_file_is_unsorted() -> None:
    head, *rows = YAHOO.splitlines()
    assert code_of("\n".join([head, *rows[::-1]])) == Reason.UNSORTED


def test_the_same_symbol_under_two_names_is_a_duplicate() -> None:
    body = "symbol,date,close\nVIX,2024-01-02,13.2\n^VIX,2024-01-02,13.2\n"
    assert code_of(body) == Reason.DUPLICATE_DAY


def test_a_last_line_without_end_may_close_with_a_remark() -> None:
    _, bars = parsed("date,close,remark\n2024-01-02,10,first\n2024-01-03,11,", "SPY.csv")
    assert bars.close.tolist() == [10.0, 11.0]


@pytest.mark.parametrize(
    "cut",
    ["2024-01-05,13.0,1", "2024-01-05,13.0,15.0,12.0,14.0,14.0,", "2024-01-05,13.0,15.0,12.0,14.0,14.0,12"],
)
def test_a_cut_last_line_is_truncated(cut: str) -> None:
    assert code_of(YAHOO + cut) == Reason.TRUNCATED


@pytest.mark.parametrize("cut", ["2024-01-04,13.", "2024-01-04,13", "2024-01-04,1", "2024-01-04,"])
def test_a_cut_price_at_the_end_is_truncated(cut: str) -> None:
    assert code_of(FRED + cut) == Reason.TRUNCATED


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", Reason.EMPTY),
        (b"\n\n", Reason.EMPTY),
        (b"Date,Open,High,Low,Close,Volume\n", Reason.EMPTY),
        (FRED.encode().split(b"\n2024-01-02")[0], Reason.EMPTY),
        (STOOQ.encode("utf-16"), Reason.ENCODING),
        (b"date,close,remark\n2024-01-02,1,caf\xe9\n", Reason.ENCODING),
        (b"Date,Open\0", Reason.CORRUPT),
        (b"x" * 1_000_001, Reason.CORRUPT),
        (b'symbol,date,close\n"A,2024-01-02,1\n', Reason.CORRUPT),
        (b"a,b\n" * 10, Reason.HEADER),
        (b"Date,Open,High,Low,Close,Close\n", Reason.HEADER),
        (b"Price,Close\nTicker,SPY\n", Reason.HEADER),
        (b"," * 20_000, Reason.HEADER),
        (b"No data", Reason.ERROR_BODY),
        (b"Exceeded the daily hits limit", Reason.ERROR_BODY),
        (b"\nGet your apikey:\n1. Open the page\n", Reason.ERROR_BODY),
        (b"Too Many Requests\r\n", Reason.ERROR_BODY),
        (b"<!DOCTYPE html><html></html>", Reason.ERROR_BODY),
    ],
)
def test_a_foreign_body_is_refused(body: bytes, code: Reason) -> None:
    assert code_of(body) == code


@pytest.mark.parametrize("symbol", ["", "A B", "../A", "A\tB", "^", "..", "A" * 33, "A" * 500])
def test_a_symbol_with_other_characters_is_refused(symbol: str) -> None:
    assert code_of(f"symbol,date,close\n{symbol},2024-01-02,1.0\n") == Reason.SYMBOL


def test_a_symbol_in_the_header_or_name_is_not_longer_than_one_in_a_row() -> None:
    assert code_of(f"DATE,{'A' * 100_000}\n2024-01-02,1.0\n") == Reason.SYMBOL
    assert code_of(STOOQ, "A" * 200 + ".csv") == Reason.SYMBOL


@pytest.mark.parametrize("name", ["a/SPY.csv", "a\\SPY.csv", "S\nY.csv", "..", "S" * 300, ""])
def test_a_name_that_is_no_file_name_is_refused(name: str) -> None:
    assert code_of(STOOQ, name) == Reason.FILE_NAME


def test_a_file_over_the_bounds_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "staged"
    path.write_text(STOOQ)
    with pytest.raises(FileRejectedError, match="more than 40 bytes") as in_bytes:
        read_bars(path, name="SPY.csv", bytes_max=40)
    with pytest.raises(FileRejectedError, match="more than 2 rows") as in_rows:
        read_bars(path, name="SPY.csv", rows_max=2)
    assert (in_bytes.value.code, in_rows.value.code) == (Reason.TOO_LARGE, Reason.TOO_LARGE)


def test_long_files_are_read_in_blocks_without_a_seam() -> None:
    days = np.arange(np.datetime64("1950-01-01"), np.datetime64("2020-01-01"))
    rows = "".join(f"{day},{1 + i}\n" for i, day in enumerate(days))
    bars = parse_bars(f"date,close\n{rows}".encode(), name="A.csv").bars
    assert len(bars) == 25_567
    assert np.array_equal(bars.date, days)
    assert np.array_equal(bars.close, np.arange(1.0, 25_568.0))


def test_the_error_says_where_and_what_to_do() -> None:
    with pytest.raises(FileRejectedError, match=r"row 2, high: '#REF!'; mend or remove the row"):
        parse_bars(YAHOO.replace("11.0,13.0", "11.0,#REF!").encode(), name="SPY.csv")
