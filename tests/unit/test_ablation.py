from __future__ import annotations

import json

import numpy as np
import pytest

from regime.ablation import (
    Ablation,
    AblationInvalidError,
    Difference,
    Estimate,
    paired_difference,
)
from regime.bootstrap import Interval, mean_interval
from regime.errors import SettingInvalidError
from regime.scoring import PredictionsInvalidError
from regime.types import REGIMES, Regime


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def days(count: int, rows: int = 5) -> np.ndarray:
    return np.repeat(np.datetime64("2020-01-01") + np.arange(count), rows)


def proba(first: float, rows: int) -> np.ndarray:
    return np.tile([first, 1 - first], (rows, 1))


def estimate(mean: float, low: float, high: float) -> Estimate:
    return Estimate(mean=mean, interval=Interval(low=low, high=high, level=0.95))


def difference(log_loss: Estimate | None) -> Difference:
    return Difference(rows=500, days=100, log_loss=log_loss, accuracy_points=None)


def noisy() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Give 300 days of five rows, half crash and half normal, of which the crash half is helped."""
    source = rng(9)
    date = days(300)
    regime = np.where(np.arange(1500) < 750, "crash", "normal")
    truth = source.integers(0, 2, 1500)
    without = source.uniform(0.3, 0.7, 1500)
    moved = without + np.where(regime == "crash", 0.1, -0.02) * np.where(truth == 1, 1, -1)
    better, worse = (np.stack((1 - each, each), axis=1) for each in (moved, without))
    return date, regime, truth, better, worse


def test_a_positive_difference_means_that_it_helped() -> None:
    truth = np.zeros(250, dtype=np.int64)
    found = paired_difference(
        days(50), np.full(250, "crash"), truth, proba(0.8, 250), proba(0.4, 250), rng=rng()
    )
    loss, points = found.overall.log_loss, found.overall.accuracy_points
    assert loss is not None
    assert points is not None
    assert loss.mean == pytest.approx(np.log(2))
    assert loss.interval is not None
    assert (loss.interval.low, loss.interval.high) == pytest.approx((np.log(2), np.log(2)))
    assert points == Estimate(mean=100.0, interval=Interval(low=100.0, high=100.0, level=0.95))
    assert (found.overall.rows, found.overall.days) == (250, 50)


def test_what_helped_in_one_regime_and_harmed_in_another_is_told_apart() -> None:
    found = paired_difference(*noisy(), rng=rng())
    crash, normal = (found.regimes[each].log_loss for each in (Regime.CRASH, Regime.NORMAL))
    assert crash is not None
    assert normal is not None
    assert (crash.sign, normal.sign) == (1, -1)
    assert (found.regimes[Regime.CRASH].rows, found.regimes[Regime.CRASH].days) == (750, 150)


def test_an_absent_regime_has_no_difference_and_that_is_not_zero() -> None:
    found = paired_difference(*noisy(), rng=rng())
    assert tuple(found.regimes) == REGIMES
    assert found.regimes[Regime.RECOVERY] == Difference(rows=0, days=0, log_loss=None, accuracy_points=None)


@pytest.mark.parametrize(("count", "rows"), [(39, 10), (40, 4), (199, 1)])
def test_fewer_than_forty_days_or_two_hundred_rows_say_nothing(count: int, rows: int) -> None:
    total = count * rows
    found = paired_difference(
        days(count, rows),
        np.full(total, "crash"),
        np.zeros(total, dtype=np.int64),
        proba(0.8, total),
        proba(0.4, total),
        rng=rng(),
    )
    assert found.overall == Difference(rows=total, days=count, log_loss=None, accuracy_points=None)
    assert found.said("weights") == (
        f"what weights did is not known: {total} rows on {count} days, 200 on 40 are needed"
    )


def test_forty_days_and_two_hundred_rows_are_enough() -> None:
    truth = np.zeros(200, dtype=np.int64)
    found = paired_difference(
        days(40), np.full(200, "crash"), truth, proba(0.8, 200), proba(0.4, 200), rng=rng()
    )
    assert found.regimes[Regime.CRASH].log_loss is not None


def test_rows_of_unknown_count_overall_and_in_no_regime() -> None:
    truth = np.zeros(250, dtype=np.int64)
    found = paired_difference(
        days(50), np.full(250, "unknown"), truth, proba(0.8, 250), proba(0.4, 250), rng=rng()
    )
    assert found.overall.rows == 250
    assert sum(each.rows for each in found.regimes.values()) == 0


def test_rows_of_one_day_move_together_so_that_more_symbols_do_not_narrow_the_interval() -> None:
    shared = rng(4).uniform(0.3, 0.7, 200)
    widths = []
    for symbols in (1, 25):
        first = np.repeat(shared, symbols)
        found = paired_difference(
            days(200, symbols),
            np.full(200 * symbols, "normal"),
            np.zeros(200 * symbols, dtype=np.int64),
            np.stack((first, 1 - first), axis=1),
            proba(0.5, 200 * symbols),
            rng=rng(),
        )
        assert found.overall.log_loss is not None
        assert found.overall.log_loss.interval is not None
        widths.append(found.overall.log_loss.interval.high - found.overall.log_loss.interval.low)
    assert widths[1] == pytest.approx(widths[0], rel=1e-9)


def test_the_order_of_the_rows_does_not_matter_and_the_seed_decides() -> None:
    columns = noisy()
    order = rng(2).permutation(1500)
    first = paired_difference(*columns, rng=rng(5))
    shuffled = paired_difference(*(column[order] for column in columns), rng=rng(5))
    assert first == shuffled
    assert first != paired_difference(*columns, rng=rng(6))


def test_an_ablation_is_the_same_after_a_round_trip_through_json() -> None:
    found = paired_difference(*noisy(), rng=rng())
    assert Ablation.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False))) == found


def test_an_estimate_without_interval_survives_the_round_trip_too() -> None:
    alone = Ablation(
        overall=difference(Estimate(mean=0.1, interval=None)),
        regimes=dict.fromkeys(REGIMES, difference(None)),
    )
    assert Ablation.from_json(json.loads(json.dumps(alone.to_json()))) == alone
    assert alone.said("weights").startswith("weights changed nothing for sure, 100.0e-3 nats in all")


def test_stored_ablations_of_another_format_or_broken_are_refused() -> None:
    stored = paired_difference(*noisy(), rng=rng()).to_json()
    with pytest.raises(AblationInvalidError, match="format 2, this version reads 1"):
        Ablation.from_json({**stored, "format": 2})
    with pytest.raises(AblationInvalidError, match="broken"):
        Ablation.from_json({"format": 1, "overall": stored["overall"]})


def test_a_cost_in_all_and_a_gain_in_crash_is_said_in_a_sentence() -> None:
    found = Ablation(
        overall=difference(estimate(-0.0031, -0.0052, -0.0010)),
        regimes={
            Regime.CRASH: difference(estimate(0.0112, 0.0021, 0.0200)),
            Regime.RECOVERY: difference(None),
            Regime.HIGH_VOLATILITY: difference(estimate(0.0004, -0.0100, 0.0110)),
            Regime.NORMAL: difference(estimate(-0.0040, -0.0060, -0.0020)),
            Regime.LOW_VOLATILITY: difference(estimate(-0.0080, -0.0090, -0.0070)),
        },
    )
    assert found.said("weights") == (
        "weights cost 3.1e-3 nats in all [1.0, 5.2]; gained in crash 11.2e-3 nats [2.1, 20.0];"
        " cost in normal 4.0e-3 nats [2.0, 6.0] and low_volatility 8.0e-3 nats [7.0, 9.0];"
        " too few rows in recovery"
    )


def test_a_difference_that_may_be_either_is_not_called_a_gain() -> None:
    unsure = difference(estimate(0.0004, -0.0010, 0.0018))
    found = Ablation(overall=unsure, regimes=dict.fromkeys(REGIMES, unsure))
    assert found.said("replay") == "replay changed nothing for sure, 0.4e-3 nats in all [-1.0, 1.8]"


def test_predictions_that_cannot_be_compared_are_refused() -> None:
    date, regime, truth, better, worse = noisy()
    with pytest.raises(PredictionsInvalidError, match="the same rows"):
        paired_difference(date, regime, truth, better[1:], worse, rng=rng())
    with pytest.raises(PredictionsInvalidError, match="the same rows"):
        paired_difference(date[1:], regime, truth, better, worse, rng=rng())
    with pytest.raises(PredictionsInvalidError, match="no class id of 2"):
        paired_difference(date, regime, truth + 1, better, worse, rng=rng())
    worse[7, 0] = np.nan
    with pytest.raises(PredictionsInvalidError, match="without it, row 7"):
        paired_difference(date, regime, truth, better, worse, rng=rng())


def test_the_interval_of_a_mean_may_lie_below_zero() -> None:
    interval = mean_interval(np.full(60, -3.0), np.full(60, 2.0), rng())
    assert interval == Interval(low=-1.5, high=-1.5, level=0.95)


def test_a_mean_of_thirty_nine_days_has_no_interval() -> None:
    rows = np.concatenate((np.ones(39), np.zeros(300)))
    assert mean_interval(rows, rows, rng()) is None
    with pytest.raises(SettingInvalidError, match="shapes"):
        mean_interval(rows, rows[1:], rng())


def test_the_interval_of_a_mean_covers_the_truth_as_often_as_it_says_on_independent_days() -> None:
    source = rng(11)
    covered = 0
    for _ in range(300):
        interval = mean_interval(source.normal(size=400), np.ones(400), source, draws=300)
        assert interval is not None
        covered += interval.low <= 0.0 <= interval.high
    # Percentile intervals of 20 blocks are known to be a little short: 91 to 94 of 100.
    assert covered >= 0.88 * 300
