"""Scores of policies beside what was known before, by numbers that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from regime.barrier.inputs import COLUMNS
from regime.barrier.known import known_barrier
from regime.prequential import JudgedRows, Outcomes, bands_of, expanding_baselines, gains_of, scores_of
from regime.scoring import PredictionsInvalidError
from regime.targets import target_named

EVEN = np.full((240, 2), 0.5)
DAYS = np.repeat(np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]"), 4)
ROWS = JudgedRows(
    date=DAYS,
    symbol=np.tile(np.array(["A", "B", "C", "D"]), 60),
    regime=np.repeat(np.array(["crash", "normal"]), [40, 200]),
    truth=np.tile(np.array([0, 0, 0, 1]), 60),
    prior=EVEN,
    barrier=np.where(np.arange(240)[:, None] < 40, np.nan, EVEN),
    classes=("down", "up"),
)
TOLD = np.tile([0.75, 0.25], (240, 1))


def test_skill_is_told_against_both_baselines_with_its_rows_days_and_interval() -> None:
    overall = scores_of(ROWS, TOLD)["overall"]
    loss = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert (overall.rows, overall.days, overall.accuracy) == (240, 60, 0.75)
    assert overall.log_loss == pytest.approx(loss)
    assert overall.skill == pytest.approx(1 - loss / np.log(2))
    assert overall.skill_barrier == pytest.approx(1 - loss / np.log(2))
    assert (overall.skill_low, overall.skill_high) == pytest.approx((overall.skill, overall.skill))


def test_a_regime_without_enough_days_has_scores_and_no_skill() -> None:
    crash, recovery = (scores_of(ROWS, TOLD)[name] for name in ("crash", "recovery"))
    assert (crash.rows, crash.days, crash.spells, crash.accuracy, crash.skill) == (40, 10, 1, 0.75, None)
    assert crash.barrier_log_loss is None
    assert (recovery.rows, recovery.accuracy, recovery.log_loss, recovery.skill_low) == (0, None, None, None)


def test_a_gain_has_no_number_where_there_is_too_little_evidence() -> None:
    gains = gains_of(ROWS, TOLD, EVEN)
    assert (gains["crash"].rows, gains["crash"].nats, gains["crash"].low) == (40, None, None)
    assert gains["normal"].nats == pytest.approx(np.log(2) + 0.75 * np.log(0.75) + 0.25 * np.log(0.25))


def test_a_band_is_what_was_said_and_what_came_true_of_it() -> None:
    (down,) = bands_of(ROWS, TOLD)["down"]
    assert (down.predicted, down.observed, down.rows) == (0.75, 0.75, 240)
    assert (down.low, down.high) == (0.75, 0.75)
    assert bands_of(ROWS.take(np.arange(240) < 40), TOLD[:40]) == {"down": (), "up": ()}


def test_baselines_of_a_month_know_what_had_matured_before_its_first_day() -> None:
    ends = np.array(["2024-01-31", "2024-02-01"], dtype="datetime64[D]")
    past = Outcomes(date=ends, regime=np.full(2, "crash"), truth=np.array([0, 1]), horizon_end=ends)
    asked = np.array(["2024-02-29", "2024-03-01"], dtype="datetime64[D]")
    known = expanding_baselines(asked, np.full(2, "crash"), past, 2)
    assert known["class_prior"].round(6).tolist() == [[0.666667, 0.333333], [0.5, 0.5]]


def test_rows_that_are_not_in_the_order_of_their_days_are_refused() -> None:
    with pytest.raises(PredictionsInvalidError, match="not in the order of their days"):
        ROWS.take(np.argsort(-np.arange(240)))


def test_without_rows_there_are_no_scores_and_no_baselines() -> None:
    nothing = ROWS.take(np.zeros(240, dtype=bool))
    past = Outcomes(date=ROWS.date, regime=ROWS.regime, truth=ROWS.truth, horizon_end=ROWS.date)
    assert scores_of(nothing, TOLD[:0])["overall"].rows == 0
    assert scores_of(nothing, TOLD[:0])["overall"].skill is None
    assert expanding_baselines(nothing.date, nothing.regime, past, 2)["regime_prior"].shape == (0, 2)


def test_the_volatility_barrier_of_a_quarter_has_learnt_from_the_quarters_before() -> None:
    days = np.repeat(np.arange("2019-10-01", "2020-04-01", dtype="datetime64[D]"), 50)
    values = np.full((len(days), len(COLUMNS)), -8.0, dtype=np.float32)
    always_sell = np.zeros(len(days), dtype=np.int64)
    target = target_named("reference")
    said = known_barrier(days, values, always_sell, days, target, since=np.datetime64("2019-12-01"))
    sell = {day: float(said[days == np.datetime64(day)][0, 0]) for day in ("2019-12-31", "2020-01-01")}
    assert np.isnan(said[days < np.datetime64("2019-12-01")]).all()
    assert sell["2019-12-31"] < 0.5 < sell["2020-01-01"]
