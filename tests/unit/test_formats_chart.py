"""Yahoo's chart JSON: days, adjustment, unfinished sessions, and what is refused."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest

from daemon.formats import FileRejectedError, Reason, parse_bars
from regime.types import Bars

CHART: dict[str, Any] = {
    "chart": {
        "result": [
            {
                "meta": {
                    "symbol": "SPY",
                    "gmtoffset": -14400,
                    "exchangeTimezoneName": "America/New_York",
                    "regularMarketTime": 1710273601,
                    "currentTradingPeriod": {"regular": {"start": 1710250200, "end": 1710273600}},
                    "dataGranularity": "1d",
                },
                "timestamp": [1709908200, 1710163800, 1710250200],
                "indicators": {
                    "quote": [
                        {
                            "open": [10.0, 11.0, 12.0],
                            "high": [12.0, 13.0, 14.0],
                            "low": [9.0, 10.0, 11.0],
                            "close": [11.0, 12.0, 13.0],
                            "volume": [1000, 1100, 1200],
                        }
                    ],
                    "adjclose": [{"adjclose": [5.5, 12.0, 13.0]}],
                },
            }
        ],
        "error": None,
    }
}


def changed(**paths: object) -> bytes:
    """Give the chart with facts replaced; ``meta__symbol`` is the symbol of meta."""
    chart = copy.deepcopy(CHART)
    for path, value in paths.items():
        *way, last = path.split("__")
        place = chart["chart"]["result"][0]
        for key in way:
            place = place[key][0] if key in {"quote", "adjclose"} else place[key]
        place[last] = value
    return json.dumps(chart).encode()


def code_of(data: bytes) -> Reason:
    with pytest.raises(FileRejectedError) as caught:
        parse_bars(data, name="yahoo_chart_SPY.json")
    return caught.value.code


def test_prices_are_adjusted_and_days_are_those_of_the_exchange() -> None:
    file = parse_bars(changed(), name="any.json")
    assert file.format == "yahoo_chart"
    assert file.bars == Bars.of(
        "SPY",
        ["2024-03-08", "2024-03-11", "2024-03-12"],
        [5.0, 11.0, 12.0],
        [6.0, 13.0, 14.0],
        [4.5, 10.0, 11.0],
        [5.5, 12.0, 13.0],
        [1000, 1100, 1200],
    )


def test_the_day_is_local_also_where_the_offset_has_changed_since() -> None:
    body = changed(
        meta__exchangeTimezoneName="Europe/London",
        meta__gmtoffset=0,
        timestamp=[1719442800, 1719529200, 1719788400],
    )
    days = parse_bars(body, name="any.json").bars.date.astype(str).tolist()
    assert days == ["2024-06-27", "2024-06-28", "2024-07-01"]


def test_the_bar_of_an_open_session_is_left_out() -> None:
    bars = parse_bars(changed(meta__regularMarketTime=1710260000), name="any.json").bars
    assert bars.date.astype(str).tolist() == ["2024-03-08", "2024-03-11"]


def test_of_a_last_day_told_twice_the_later_row_is_kept() -> None:
    body = changed(timestamp=[1709908200, 1710250200, 1710273601])
    bars = parse_bars(body, name="any.json").bars
    assert bars.date.astype(str).tolist() == ["2024-03-08", "2024-03-12"]
    assert bars.close.tolist() == [5.5, 13.0]


def test_a_row_of_nulls_is_left_out() -> None:
    nulls = [11.0, None, 13.0]
    body = changed(indicators__quote__close=nulls, indicators__adjclose__adjclose=[5.5, None, 13.0])
    file = parse_bars(body, name="any.json")
    assert file.rows_without_close == 1
    assert len(file.bars) == 2


def test_without_adjusted_closes_prices_stand_as_they_are() -> None:
    chart = copy.deepcopy(CHART)
    del chart["chart"]["result"][0]["indicators"]["adjclose"]
    bars = parse_bars(json.dumps(chart).encode(), name="any.json").bars
    assert np.array_equal(bars.close, [11.0, 12.0, 13.0])


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (changed(meta__dataGranularity="1h"), Reason.NOT_DAILY),
        (changed(meta__symbol=7), Reason.SYMBOL),
        (changed(meta__symbol="A/B"), Reason.SYMBOL),
        (changed(meta__exchangeTimezoneName="../../etc/passwd"), Reason.DATE),
        (changed(meta__exchangeTimezoneName="America"), Reason.DATE),
        (changed(meta__regularMarketTime="now"), Reason.DATE),
        (changed(timestamp=[1709908200, 1710163800]), Reason.COLUMNS),
        (changed(timestamp=[1709908200, 1710163800, 10**30]), Reason.DATE),
        (changed(timestamp=[1709908200, 1709908300, 1710250200]), Reason.DUPLICATE_DAY),
        (changed(timestamp=[]), Reason.EMPTY),
        (changed(indicators={}), Reason.HEADER),
        (changed(indicators__quote__close=["11", 12.0, 13.0]), Reason.NUMBER),
        (changed(indicators__quote__close=[True, 12.0, 13.0]), Reason.NUMBER),
        (changed(indicators__quote__close=[10**400, 12.0, 13.0]), Reason.NUMBER),
        (changed(indicators__quote__high=[1.0, 13.0, 14.0]), Reason.OHLC_ORDER),
        (changed()[:-40], Reason.TRUNCATED),
        (changed().replace(b"11.0", b"NaN", 1), Reason.CORRUPT),
        (b'{"a":' * 100_000 + b"}", Reason.CORRUPT),
        (changed().replace(b"SPY", b"\xff\xfe"), Reason.ENCODING),
        (b'{"chart":{"result":null,"error":{"code":"Not Found"}}}', Reason.ERROR_BODY),
        (b'{"finance":{"result":null,"error":{"code":"Unauthorized"}}}', Reason.ERROR_BODY),
        (b'{"prices": []}', Reason.HEADER),
    ],
)
def test_a_body_that_is_no_whole_daily_chart_is_refused(data: bytes, code: Reason) -> None:
    assert code_of(data) == code
