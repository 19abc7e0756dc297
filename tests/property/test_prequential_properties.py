"""Whatever the rows: a later outcome changes nothing earlier, and a difference is a difference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime.barrier.inputs import COLUMNS
from regime.barrier.known import known_barrier
from regime.prequential import (
    JudgedRows,
    Outcomes,
    expanding_baselines,
    gains_of,
    running_gain,
    scores_by_year,
    scores_of,
)
from regime.targets import target_named
from regime.types import REGIMES
from tests.examples import examples

DAYS = 120
SYMBOLS = 3
COPIES = 24
"""So that there are rows enough to recalibrate the barrier on."""
NAMES = np.array([regime.value for regime in REGIMES])


def judged(seed: int) -> tuple[JudgedRows, np.ndarray, np.ndarray]:
    """Give rows of four months and what two policies said of them."""
    rng = np.random.default_rng(seed)
    rows = DAYS * SYMBOLS
    first, second, prior, barrier = (rng.dirichlet([2.0, 5.0, 2.0], size=rows) for _ in range(4))
    days = np.datetime64("2019-11-01") + np.arange(DAYS)
    made = JudgedRows(
        date=np.repeat(days, SYMBOLS),
        symbol=np.tile(np.array(["A", "B", "C"]), DAYS),
        regime=np.repeat(NAMES[rng.integers(0, len(NAMES), DAYS // 20)], 20 * SYMBOLS),
        truth=rng.integers(0, 3, rows),
        prior=prior,
        barrier=barrier,
        classes=("sell", "hold", "buy"),
    )
    return made, first, second


def with_later_truths(rows: JudgedRows, day: np.datetime64, seed: int) -> JudgedRows:
    """Give the rows with other outcomes from a day on."""
    other = np.random.default_rng(seed + 1).integers(0, 3, len(rows))
    return replace(rows, truth=np.where(rows.date >= day, other, rows.truth))


seeds = st.integers(0, 2**32 - 1)
places = st.integers(1, DAYS - 1)


@examples(10)
@given(seed=seeds, place=places)
def test_a_later_outcome_changes_no_baseline_of_an_earlier_day(seed: int, place: int) -> None:
    rows, _, _ = judged(seed)
    day = rows.date[place * SYMBOLS]
    later = with_later_truths(rows, day, seed)

    def known(told: JudgedRows) -> dict[str, np.ndarray]:
        outcomes = Outcomes(
            date=told.date,
            regime=told.regime,
            truth=told.truth,
            horizon_end=told.date + np.timedelta64(14, "D"),
        )
        return expanding_baselines(told.date, told.regime, outcomes, 3)

    before = rows.date <= day + np.timedelta64(14, "D")
    for name, proba in known(rows).items():
        np.testing.assert_array_equal(proba[before], known(later)[name][before])


@examples(10)
@given(seed=seeds, place=places)
def test_a_later_outcome_changes_no_volatility_barrier_of_an_earlier_day(seed: int, place: int) -> None:
    rng = np.random.default_rng(seed)
    rows, _, _ = judged(seed)
    rows = rows.take(np.repeat(np.arange(len(rows)), COPIES))
    values = rng.normal(-8.0, 0.3, size=(len(rows), len(COLUMNS))).astype(np.float32)
    ends = rows.date + np.timedelta64(14, "D")
    day = rows.date[place * SYMBOLS * COPIES]
    later = with_later_truths(rows, day, seed)
    first, second = (
        known_barrier(each.date, values, each.truth, ends, target_named("reference"), since=rows.date[0])
        for each in (rows, later)
    )
    before = rows.date <= day + np.timedelta64(14, "D")
    np.testing.assert_array_equal(first[before], second[before])
    assert first.sum(axis=1) == pytest.approx(1.0)


@examples(10)
@given(seed=seeds, place=places)
def test_a_later_outcome_changes_no_earlier_point_of_the_running_gain(seed: int, place: int) -> None:
    rows, proba, _ = judged(seed)
    day = rows.date[place * SYMBOLS]
    days, nats = running_gain(rows, proba)
    _, other = running_gain(with_later_truths(rows, day, seed), proba)
    np.testing.assert_array_equal(nats[days < day], other[days < day])


@examples(10)
@given(seed=seeds)
def test_a_later_year_changes_no_score_of_an_earlier_year(seed: int) -> None:
    rows, proba, _ = judged(seed)
    later = with_later_truths(rows, np.datetime64("2020-01-01"), seed)
    assert scores_by_year(rows, proba)[2019] == scores_by_year(later, proba)[2019]


@examples(10)
@given(seed=seeds)
def test_policies_that_say_the_same_differ_by_nothing_at_all(seed: int) -> None:
    rows, proba, _ = judged(seed)
    overall = gains_of(rows, proba, proba.copy())["overall"]
    assert (overall.rows, overall.nats, overall.low, overall.high) == (DAYS * SYMBOLS, 0.0, 0.0, 0.0)


@examples(10)
@given(seed=seeds)
def test_exchanging_two_policies_turns_the_sign_of_every_gain(seed: int) -> None:
    rows, first, second = judged(seed)
    there, back = gains_of(rows, first, second), gains_of(rows, second, first)
    for group, gain in there.items():
        other = back[group]
        assert (gain.rows, gain.days) == (other.rows, other.days)
        if gain.nats is None or gain.low is None or gain.high is None:
            assert other.nats is gain.nats is None or other.low is None
        else:
            assert other.nats == pytest.approx(-gain.nats, abs=1e-12)
            assert other.low == pytest.approx(-gain.high, abs=1e-9)


@examples(10)
@given(seed=seeds, place=places)
def test_rows_without_a_prediction_count_nowhere(seed: int, place: int) -> None:
    rows, proba, other = judged(seed)
    known = np.arange(len(rows)) < place * SYMBOLS
    partly = np.where(known[:, None], proba, np.nan)
    assert scores_of(rows, partly) == scores_of(rows.take(known), proba[known])
    assert gains_of(rows, partly, other) == gains_of(rows.take(known), proba[known], other[known])


@examples(10)
@given(seed=seeds)
def test_the_prior_itself_has_no_skill_and_no_gain(seed: int) -> None:
    rows, _, _ = judged(seed)
    overall = scores_of(rows, rows.prior)["overall"]
    assert (overall.skill, overall.skill_low, overall.skill_high) == (0.0, 0.0, 0.0)
    assert running_gain(rows, rows.prior)[1].tolist() == [0.0] * 7
