"""Labels of a market that never closes and has no fear index: 365 sessions a year, a high volatility."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from regime.labels import (
    FixedDrop,
    RulesConstants,
    RulesLabeler,
    ScaledDrop,
    effective_fear,
    label_days,
    labeler_named,
)
from regime.types import Bars, Regime, RegimeSeries

DAYS = 3650
FIRST_DAY = np.datetime64("2015-01-01")


def coin(seed: int) -> Bars:
    """Give ten years of a price whose volatility comes in waves around 60 % a year, with fat tails."""
    chance = np.random.default_rng(seed)
    waves = np.zeros(DAYS)
    for day, push in enumerate(chance.normal(scale=0.18, size=DAYS - 1), start=1):
        waves[day] = 0.97 * waves[day - 1] + push
    shocks = chance.standard_t(5, size=DAYS) * np.sqrt(3 / 5)
    returns = 0.0012 + np.clip(0.034 * np.exp(waves - waves.var()) * shocks, -0.4, 0.4)
    return Bars.of_closes("COIN-USD", FIRST_DAY + np.arange(DAYS), 100 * np.exp(returns.cumsum()))


@pytest.fixture(scope="module")
def index() -> Bars:
    return coin(0)


@pytest.fixture(scope="module")
def labels(index: Bars) -> RegimeSeries:
    return label_days(index, None, labeler_named("rules", has_fear=False))


def share_of_crash(labels: RegimeSeries) -> float:
    known = [regime for regime in labels.regime if regime is not Regime.UNKNOWN]
    return known.count(Regime.CRASH) / len(known)


def test_crashes_are_rare_where_falls_are_measured_in_the_markets_own_volatility() -> None:
    labeler = labeler_named("rules", has_fear=False)
    shares = [share_of_crash(label_days(coin(seed), None, labeler)) for seed in range(10)]
    assert min(shares) > 0.03
    assert np.median(shares) < 0.08
    assert max(shares) < 0.17


def test_most_days_would_be_a_crash_if_its_volatility_were_read_as_vix_points(index: Bars) -> None:
    returns = np.diff(np.log(index.close))
    points = [100 * np.sqrt(365) * returns[max(0, day - 30) : day].std() for day in range(2, DAYS)]
    fear = Bars.of_closes("COINVOL", index.date[2:], np.array(points))
    assert share_of_crash(label_days(index, fear, labeler_named("rules", has_fear=True))) > 0.5
    assert share_of_crash(label_days(index, None, labeler_named("rules", has_fear=False))) < 0.08


def test_the_fixed_drop_rule_finds_more_crashes_than_the_scaled_one(
    index: Bars, labels: RegimeSeries
) -> None:
    fixed = label_days(index, None, RulesLabeler(constants=RulesConstants(drop=FixedDrop())))
    assert share_of_crash(fixed) > 1.5 * share_of_crash(labels)


def test_every_calendar_day_has_a_label_weekends_too(index: Bars, labels: RegimeSeries) -> None:
    np.testing.assert_array_equal(labels.date, index.date)
    weekend = np.flatnonzero(~np.is_busday(labels.date))
    assert len(weekend) == 1043
    after = [labels.regime[day] for day in weekend if day >= 504]
    assert Regime.UNKNOWN not in after
    assert set(after) == set(Regime) - {Regime.UNKNOWN}


def test_there_is_nothing_to_say_for_504_days_and_the_reason_tells_why(labels: RegimeSeries) -> None:
    assert set(labels.regime[:504]) == {Regime.UNKNOWN}
    assert labels.reason[503].endswith("no fear index, and the proxy needs 505 closes, has 504)")
    assert labels.regime[504] is not Regime.UNKNOWN
    assert labels.reason[504].endswith("(fear by proxy)")


def test_ten_days_of_the_drop_rule_are_ten_bars_which_are_calendar_days_here(index: Bars) -> None:
    at = 2000
    halved = np.where(np.arange(DAYS) < at, index.close, 0.5 * index.close)
    fear = Bars.of_closes("FEAR", index.date, np.full(DAYS, 18.0))
    labeler = RulesLabeler(constants=RulesConstants(drop=ScaledDrop()))
    reason = label_days(Bars.of_closes("COIN-USD", index.date, halved), fear, labeler).reason
    assert reason[at].startswith("10-day return -")
    assert reason[at + 9].startswith("crash lasts: 10-day return -")
    assert "10-day return" not in reason[at + 10]


def test_labels_are_calm_here_too(labels: RegimeSeries) -> None:
    switches = sum(one is not other for one, other in pairwise(labels.regime[504:]))
    assert switches / (DAYS - 504) * 365 < 12


def test_an_exchange_outage_of_some_days_is_bridged_by_bars(index: Bars) -> None:
    outage = (index.date >= np.datetime64("2020-03-01")) & (index.date < np.datetime64("2020-03-08"))
    holed = index.take(~outage)
    labels = label_days(holed, None, labeler_named("rules", has_fear=False))
    np.testing.assert_array_equal(labels.date, holed.date)
    assert Regime.UNKNOWN not in labels.regime[504:]


def test_a_week_of_fear_that_is_missing_goes_from_carried_to_proxy(index: Bars) -> None:
    gap = (index.date >= np.datetime64("2020-03-01")) & (index.date < np.datetime64("2020-03-08"))
    fear = Bars.of_closes("FEAR", index.date[~gap], np.full(int((~gap).sum()), 20.0))
    labels = label_days(index, fear, labeler_named("rules", has_fear=True))
    notes = [reason.split("(")[-1].rstrip(")") for reason in np.array(labels.reason)[gap]]
    assert notes == [
        "fear is 1 session old",
        "fear is 2 sessions old",
        "fear is 3 sessions old",
        "fear is 4 sessions old",
        "fear is 5 sessions old",
        "fear by proxy",
        "fear by proxy",
    ]


def test_a_week_of_missing_fear_in_a_short_history_ends_in_unknown_with_the_reason(index: Bars) -> None:
    short = index.take(slice(0, 20))
    fear = Bars.of_closes("FEAR", short.date[:10], np.full(10, 20.0))
    labels = label_days(short, fear, labeler_named("rules", has_fear=True))
    assert [regime is Regime.UNKNOWN for regime in labels.regime[13:17]] == [False, False, True, True]
    assert labels.reason[15].endswith("no fear index, and the proxy needs 505 closes, has 16)")


def test_fear_of_shut_days_neither_labels_nor_is_carried() -> None:
    index = Bars.of_closes("^IDX", ["2024-01-05", "2024-01-08"], [100.0, 101.0])
    fear = Bars.of_closes("^VIX", ["2024-01-05", "2024-01-06", "2024-01-07"], [13.0, 60.0, 70.0])
    assert effective_fear(index, fear).close.tolist() == [13.0, 13.0]


def test_how_many_closes_a_drop_rule_needs() -> None:
    assert FixedDrop().closes_min == 11
    assert ScaledDrop().closes_min == 253
    assert ScaledDrop(returns_min=3).closes_min == 11
