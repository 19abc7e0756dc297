"""Whatever the bytes are: they become checked bars, or are refused with a reason, and nothing else."""

from __future__ import annotations

import json
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.formats import FileRejectedError, Reason, parquet_bytes, parse_bars
from regime.types import Bars
from tests.examples import examples

DAYS: Final = ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"]
CLOSES: Final = [11.0, 12.0, 11.5, 12.25]
ROWS: Final = [
    (day, f"{close}", f"{close + 1}", f"{close - 1}") for day, close in zip(DAYS, CLOSES, strict=True)
]


def _csv(header: str, row: str) -> bytes:
    lines = [
        header,
        *(row.format(d=d, us=f"{d[5:7]}/{d[8:]}/{d[:4]}", c=c, h=h, l=low) for d, c, h, low in ROWS),
    ]
    return ("\n".join(lines) + "\n").encode()


def _chart() -> bytes:
    prices = {"open": CLOSES, "high": [14.0] * 4, "low": [9.0] * 4, "close": CLOSES, "volume": [1, 2, 3, 4]}
    result = {
        "meta": {"symbol": "SPY", "exchangeTimezoneName": "America/New_York", "dataGranularity": "1d"},
        "timestamp": [1704205800, 1704292200, 1704378600, 1704465000],
        "indicators": {"quote": [prices], "adjclose": [{"adjclose": CLOSES}]},
    }
    return json.dumps({"chart": {"result": [result], "error": None}}).encode()


def _bars() -> Bars:
    return Bars.of("SPY", DAYS, CLOSES, [14.0] * 4, [9.0] * 4, CLOSES, [1.0, 2.0, 3.0, np.nan])


BODIES: Final = {
    "yahoo_csv": _csv("Date,Open,High,Low,Close,Adj Close,Volume", "{d},{c},{h},{l},{c},{c},1000"),
    "stooq_csv": _csv("Date,Open,High,Low,Close,Volume", "{d},{c},{h},{l},{c},1000"),
    "cboe_csv": _csv("DATE,OPEN,HIGH,LOW,CLOSE", "{us},{c},{h},{l},{c}"),
    "fred_csv": _csv("observation_date,VIXCLS", "{d},{c}"),
    "own_csv": _csv("symbol,date,close", '"SPY",{d},{c}'),
    "yfinance_history": _csv(
        "Date,Open,High,Low,Close,Volume,Dividends,Stock Splits",
        "{d} 00:00:00-05:00,{c},{h},{l},{c},1000,0.0,0.0",
    ),
    "yahoo_chart": _chart(),
    "own_parquet": parquet_bytes(_bars()),
}


def outcome(data: bytes, name: str = "SPY.csv") -> Bars | Reason:
    """Give the bars or the reason; any other error, or a bar that is none, fails the test."""
    try:
        file = parse_bars(data, name=name, rows_max=1000, bytes_decoded_max=2**24)
    except FileRejectedError as error:
        return error.code
    return file.bars


@pytest.mark.parametrize("layout", BODIES)
def test_the_bodies_that_are_damaged_below_are_whole(layout: str) -> None:
    file = parse_bars(BODIES[layout], name="SPY.csv")
    assert file.format == layout
    assert file.bars.close.tolist() == CLOSES


@examples(300)
@given(data=st.binary(max_size=400), start=st.sampled_from([b"", b"PAR1", b'{"chart":', b"Date,Close\n"]))
def test_arbitrary_bytes_are_no_bars(data: bytes, start: bytes) -> None:
    assert isinstance(outcome(start + data), Reason)


@examples(300)
@given(text=st.text(max_size=200), header=st.sampled_from([b"date,close\n", b"DATE,OPEN,HIGH,LOW,CLOSE\n"]))
def test_arbitrary_text_under_a_known_header_is_refused(text: str, header: bytes) -> None:
    assert isinstance(outcome(header + text.encode("utf-8", "surrogatepass")), Reason)


@examples(100)
@given(name=st.text(max_size=300))
def test_arbitrary_names_give_a_symbol_or_are_refused(name: str) -> None:
    found = outcome(BODIES["stooq_csv"], name)
    assert found in {Reason.FILE_NAME, Reason.SYMBOL} if isinstance(found, Reason) else len(found) == 4


@pytest.mark.parametrize("layout", BODIES)
def test_a_file_that_lost_its_end_is_refused_or_gives_only_rows_that_it_had(layout: str) -> None:
    body = BODIES[layout]
    whole = outcome(body)
    assert isinstance(whole, Bars)
    refused = 0
    for length in range(len(body) - 1):
        found = outcome(body[:length])
        if isinstance(found, Reason):
            refused += 1
            continue
        assert 0 < len(found) <= len(whole)
        assert found.close[:-1].tolist() == CLOSES[: len(found) - 1]
        # Of a single row nobody can say whether its last field is whole.
        assert len(found) == 1 or found.close[-1] == pytest.approx(CLOSES[len(found) - 1], rel=0.05)
    assert refused > 0.6 * len(body)


@pytest.mark.parametrize("layout", BODIES)
@examples(150)
@given(st.data())
def test_damaged_files_are_read_or_refused(layout: str, data: st.DataObject) -> None:
    body = bytearray(BODIES[layout])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        change = data.draw(st.sampled_from(["set", "insert", "delete", "repeat"]))
        if change == "set":
            body[at] = data.draw(st.integers(0, 255))
        elif change == "insert":
            body[at:at] = data.draw(st.binary(min_size=1, max_size=8))
        elif change == "delete":
            del body[at : at + data.draw(st.integers(1, 30))]
        else:
            body[at:at] = body[at : at + 40]
        if not body:
            break
    found = outcome(bytes(body))
    assert isinstance(found, Reason) or len(found) > 0
