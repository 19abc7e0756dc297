"""What bars may not be, held against today, the sessions and the stored bars."""

from __future__ import annotations

import numpy as np
import pytest
from arch.data import nasdaq, sp500

from daemon.formats import FileRejectedError, Reason, check_bars
from regime.types import Bars

TODAY = np.datetime64("2024-07-10")
WEEK = ["2024-07-01", "2024-07-02", "2024-07-03", "2024-07-05", "2024-07-08"]
SESSIONS = np.array(WEEK, dtype="datetime64[D]")
CALM = [100.0, 101.0, 100.5, 101.5, 101.0]


def bars_of(
    close: list[float], days: list[str] | None = None, symbol: str = "SPY", open_: list[float] | None = None
) -> Bars:
    opens = close if open_ is None else open_
    high = [max(pair) for pair in zip(opens, close, strict=True)]
    low = [min(pair) for pair in zip(opens, close, strict=True)]
    return Bars.of(symbol, WEEK[: len(close)] if days is None else days, opens, high, low, close, close)


def code_of(bars: Bars, sessions: np.ndarray | None = SESSIONS, history: Bars | None = None) -> Reason:
    with pytest.raises(FileRejectedError) as caught:
        check_bars(bars, today=TODAY, sessions=sessions, history=history)
    return caught.value.code


def test_a_calm_week_on_session_days_passes() -> None:
    check_bars(bars_of(CALM), today=TODAY, sessions=SESSIONS)
    assert code_of(bars_of([*CALM[:4], 5.0])) == Reason.SPLIT_SUSPECTED


def test_a_bar_of_today_passes_and_one_of_tomorrow_does_not() -> None:
    check_bars(bars_of([1.0], ["2024-07-10"]), today=TODAY, sessions=None)
    assert code_of(bars_of([1.0], ["2024-07-11"]), None) == Reason.FUTURE_DATE


def test_a_holiday_is_no_session_day() -> None:
    assert code_of(bars_of([1.0], ["2024-07-04"])) == Reason.NON_SESSION_DAY


def test_outside_the_table_only_weekends_are_no_session_days() -> None:
    check_bars(bars_of([1.0], ["2019-07-04"]), today=TODAY, sessions=SESSIONS)
    assert code_of(bars_of([1.0], ["2019-07-06"])) == Reason.NON_SESSION_DAY


def test_saturdays_were_session_days_until_1952() -> None:
    check_bars(bars_of([1.0], ["1929-10-26"]), today=TODAY, sessions=SESSIONS)
    assert code_of(bars_of([1.0], ["1929-10-27"])) == Reason.NON_SESSION_DAY


def test_where_the_market_never_closes_every_day_is_a_session_day() -> None:
    check_bars(bars_of([1.0], ["2024-07-06"], "BTC-USD"), today=TODAY, sessions=None)
    assert code_of(bars_of([1.0], ["2024-07-06"], "BTC-USD")) == Reason.NON_SESSION_DAY


def test_closes_of_a_calculated_index_may_lie_on_holidays_but_not_on_weekends() -> None:
    check_bars(Bars.of_closes("^VIX", ["2024-07-04"], [12.0]), today=TODAY, sessions=SESSIONS)
    assert code_of(Bars.of_closes("^VIX", ["2024-07-06"], [12.0])) == Reason.NON_SESSION_DAY


@pytest.mark.parametrize(
    "close",
    [
        [100.0, 50.5, 51.0],
        [100.0, 33.1, 33.0],
        [2213.4, 498.32, 500.0],
        [1208.88, 121.79, 120.9],
        [10.0, 10.1, 99.0],
        [100.0, 201.0, 199.0],
    ],
)
def test_an_overnight_jump_by_a_split_ratio_is_suspected(close: list[float]) -> None:
    assert code_of(bars_of(close)) == Reason.SPLIT_SUSPECTED


@pytest.mark.parametrize("close", [[100.0, 61.0], [60.0, 94.7], [100.0, 64.9], [86.0, 183.0 * 1.1]])
def test_a_large_move_that_is_no_split_ratio_passes(close: list[float]) -> None:
    check_bars(bars_of(close), today=TODAY, sessions=SESSIONS)
    assert code_of(bars_of([close[0], close[0] / 4])) == Reason.SPLIT_SUSPECTED


def test_a_fall_by_half_in_the_course_of_the_day_is_no_split() -> None:
    check_bars(bars_of([100.0, 50.0], open_=[100.0, 98.0]), today=TODAY, sessions=SESSIONS)
    assert code_of(bars_of([100.0, 50.0], open_=[100.0, 51.0])) == Reason.SPLIT_SUSPECTED


def test_a_split_is_seen_in_closes_alone() -> None:
    assert code_of(Bars.of_closes("XLB", WEEK[:2], [100.0, 50.0])) == Reason.SPLIT_SUSPECTED


def test_indices_do_not_split() -> None:
    check_bars(bars_of([17.31, 34.0], symbol="^VIX"), today=TODAY, sessions=SESSIONS)
    assert code_of(bars_of([17.31, 34.0], symbol="VIXY")) == Reason.SPLIT_SUSPECTED


def test_bars_far_apart_are_not_compared() -> None:
    check_bars(bars_of([100.0, 50.0], ["2024-06-03", "2024-06-14"]), today=TODAY, sessions=None)
    assert code_of(bars_of([100.0, 50.0], ["2024-06-03", "2024-06-13"]), None) == Reason.SPLIT_SUSPECTED


def test_what_is_usual_for_the_symbol_is_no_split() -> None:
    days = np.arange(np.datetime64("2024-05-01"), np.datetime64("2024-06-10")).astype(str).tolist()
    wild = [100.0 if i % 2 else 110.0 for i in range(len(days))]
    check_bars(bars_of([*wild[:-1], 52.0], days, "COIN"), today=TODAY, sessions=None)
    calm = [100.0 if i % 2 else 101.0 for i in range(len(days))]
    assert code_of(bars_of([*calm[:-1], 50.0], days, "COIN"), None) == Reason.SPLIT_SUSPECTED


def test_the_first_and_last_bar_must_fit_to_the_stored_ones() -> None:
    stored = bars_of([100.0, 100.0], [WEEK[0], WEEK[3]])
    assert code_of(bars_of([50.0], [WEEK[4]]), history=stored) == Reason.SPLIT_SUSPECTED
    assert code_of(bars_of([50.0], [WEEK[1]]), history=stored) == Reason.SPLIT_SUSPECTED
    check_bars(bars_of([101.0], [WEEK[4]]), today=TODAY, sessions=SESSIONS, history=stored)


def test_a_whole_history_adjusted_anew_replaces_the_stored_one() -> None:
    check_bars(bars_of([50.0, 50.5, 50.2]), today=TODAY, sessions=SESSIONS, history=bars_of(CALM[:3]))
    assert len(bars_of(CALM[:3])) == 3


def test_a_split_among_stored_bars_does_not_blame_the_file() -> None:
    stored = bars_of([100.0, 50.0], WEEK[:2])
    check_bars(bars_of([50.5, 50.2], WEEK[2:4]), today=TODAY, sessions=SESSIONS, history=stored)
    assert code_of(stored) == Reason.SPLIT_SUSPECTED


@pytest.mark.parametrize(("load", "rows"), [(sp500.load, 5031), (nasdaq.load, 5031)])
def test_twenty_years_of_real_bars_pass(load: object, rows: int) -> None:
    assert callable(load)
    frame = load()
    bars = Bars.of(
        "IDX",
        frame.index.to_numpy(),
        *(frame[name].to_numpy(dtype=float) for name in ("Open", "High", "Low", "Close", "Volume")),
    )
    assert len(bars) == rows
    check_bars(bars, today=TODAY, sessions=bars.date)
    halved = Bars.of("IDX", bars.date[-2:], *([[100.0, 50.0]] * 5))
    assert code_of(halved, bars.date, bars.take(bars.date < bars.date[-2])) == Reason.SPLIT_SUSPECTED


@pytest.mark.parametrize("ratio", [0.7953, 0.8802, 0.9065, 1.1158, 0.6098, 1.5782])
def test_the_largest_moves_of_indices_and_large_caps_are_no_splits(ratio: float) -> None:
    moved = bars_of([100.0, 100.0 * ratio])
    check_bars(moved, today=TODAY, sessions=SESSIONS)
    assert code_of(bars_of([100.0 * ratio, 25.0 * ratio])) == Reason.SPLIT_SUSPECTED
