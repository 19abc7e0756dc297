"""Reliability as counts and sums: what is counted, what is made of it, and when nothing is said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime.reliability import Bins, Reliability, ReliabilityInvalidError, measure_reliability
from regime.types import Regime

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASSES = ("sell", "hold", "buy")
FIRST = np.datetime64("2020-01-01")
seeds = st.integers(0, 2**32 - 1)


def days(count: int, rows: int) -> NDArray[np.datetime64]:
    """Give a day for each row, in turns."""
    return np.asarray(FIRST + np.arange(rows) % count)


def drawn(seed: int, rows: int = 400) -> tuple[NDArray[np.str_], NDArray[np.int64], NDArray[np.float64]]:
    """Give regimes, truths and probabilities of some rows."""
    rng = np.random.default_rng(seed)
    regime = rng.choice(["crash", "normal", "unknown"], size=rows)
    return regime, rng.integers(0, 3, size=rows), rng.dirichlet([1.0, 2.0, 0.5], size=rows)


def measured(seed: int, rows: int = 400) -> Reliability:
    regime, truth, proba = drawn(seed, rows)
    return measure_reliability(days(100, rows), regime, truth, {"ensemble": proba}, CLASSES)


def one_class(probability: list[float], is_hit: list[int]) -> Bins:
    """Give the bins of the first of two classes, of 200 rows made of the given ones again and again."""
    first = np.resize(np.array(probability), 200)
    truth = 1 - np.resize(np.array(is_hit), 200)
    proba = np.stack([first, 1 - first], axis=1)
    regime = np.full(200, "normal")
    found = measure_reliability(days(40, 200), regime, truth, {"m": proba}, ("yes", "no")).bins("m")
    assert found is not None
    return found[0]


# What is counted


def test_a_bin_has_its_lower_edge_and_the_last_one_has_both() -> None:
    bins = one_class([0.0, 0.0999, 0.1, 0.9, 1.0], [0, 0, 1, 1, 1])
    assert bins.rows == (80, 40, 0, 0, 0, 0, 0, 0, 0, 80)
    assert bins.hits == (0, 40, 0, 0, 0, 0, 0, 0, 0, 80)
    assert bins.probability[:2] == pytest.approx((3.996, 4.0))


def test_a_curve_gives_the_filled_bins_with_their_means() -> None:
    low, high = one_class([0.2, 0.2, 0.2, 0.2, 0.7], [1, 0, 0, 0, 1]).curve()
    assert [low.probability, high.probability] == pytest.approx([0.2, 0.7])
    assert [(low.frequency, low.rows), (high.frequency, high.rows)] == [(0.25, 160), (1.0, 40)]


@given(seed=seeds)
def test_counts_and_sums_add_up_to_all_rows(seed: int) -> None:
    regime, truth, proba = drawn(seed)
    found = measure_reliability(days(100, 400), regime, truth, {"ensemble": proba}, CLASSES).bins("ensemble")
    assert found is not None
    for column, bins in enumerate(found):
        assert sum(bins.rows) == 400
        assert sum(bins.hits) == (truth == column).sum()
        assert sum(bins.probability) == pytest.approx(proba[:, column].sum())


@given(seed=seeds)
def test_the_order_of_rows_changes_no_bit(seed: int) -> None:
    regime, truth, proba = drawn(seed)
    order = np.random.default_rng(seed).permutation(400)
    shuffled = measure_reliability(
        days(100, 400)[order], regime[order], truth[order], {"ensemble": proba[order]}, CLASSES
    )
    assert shuffled == measured(seed)


@given(seed=seeds, cut=st.integers(0, 400))
def test_two_parts_add_up_to_the_whole(seed: int, cut: int) -> None:
    regime, truth, proba = drawn(seed)
    day = days(100, 400)
    first, second = (
        measure_reliability(day[part], regime[part], truth[part], {"ensemble": proba[part]}, CLASSES)
        for part in (slice(cut), slice(cut, None))
    )
    whole, added = measured(seed), first + second
    assert added.days == whole.days
    for bins, expected in zip(added.bins("ensemble") or (), whole.bins("ensemble") or (), strict=True):
        assert (bins.rows, bins.hits) == (expected.rows, expected.hits)
        assert bins.probability == pytest.approx(expected.probability)
    assert added.calibration_error("ensemble") == pytest.approx(whole.calibration_error("ensemble"))


# What is made of it


def test_calibration_error_is_the_mean_gap_by_literal_numbers() -> None:
    bins = one_class([0.2, 0.2, 0.2, 0.2, 0.7], [1, 0, 0, 0, 1])
    # 160 rows miss by .05 and 40 by .3.
    assert bins.calibration_error() == pytest.approx((160 * 0.05 + 40 * 0.3) / 200)


def test_murphys_parts_are_right_by_literal_numbers() -> None:
    parts = one_class([0.2, 0.2, 0.2, 0.2, 0.7], [1, 0, 0, 0, 1]).decomposition()
    assert parts is not None
    assert parts.reliability == pytest.approx(0.8 * 0.05**2 + 0.2 * 0.3**2)
    assert parts.resolution == pytest.approx(0.8 * 0.15**2 + 0.2 * 0.6**2)
    assert parts.uncertainty == pytest.approx(0.4 * 0.6)


@given(
    rows=st.lists(
        st.tuples(st.sampled_from([0.05, 0.15, 0.45, 0.85, 1.0]), st.integers(0, 1)), min_size=1, max_size=200
    )
)
def test_the_parts_make_the_brier_score_where_a_bin_holds_one_probability(
    rows: list[tuple[float, int]],
) -> None:
    probability, is_hit = [row[0] for row in rows], [row[1] for row in rows]
    parts = one_class(probability, is_hit).decomposition()
    assert parts is not None
    brier = np.square(np.resize(probability, 200) - np.resize(is_hit, 200)).mean()
    assert parts.reliability - parts.resolution + parts.uncertainty == pytest.approx(brier)


@given(seed=seeds)
def test_a_perfect_forecast_has_no_calibration_error_and_full_resolution(seed: int) -> None:
    regime, truth, _ = drawn(seed)
    found = measure_reliability(days(100, 400), regime, truth, {"seer": np.eye(3)[truth]}, CLASSES)
    assert found.calibration_error("seer") == 0.0
    for bins in found.bins("seer") or ():
        parts = bins.decomposition()
        assert parts is not None
        assert parts.reliability == 0.0
        assert parts.resolution == pytest.approx(parts.uncertainty)


@given(seed=seeds)
def test_a_calibration_error_lies_between_none_and_total(seed: int) -> None:
    error = measured(seed).calibration_error("ensemble")
    assert error is not None
    assert 0 < error < 1


def test_the_error_of_a_regime_is_the_mean_over_its_classes() -> None:
    found = measured(1)
    bins = found.bins("ensemble")
    assert bins is not None
    errors = [each.calibration_error() for each in bins]
    assert found.calibration_error("ensemble") == pytest.approx(sum(filter(None, errors)) / 3)


# When nothing is said


def test_bins_without_rows_say_nothing() -> None:
    empty = Bins(rows=(0,) * 10, probability=(0.0,) * 10, hits=(0,) * 10)
    assert (empty.curve(), empty.calibration_error(), empty.decomposition()) == ((), None, None)


@pytest.mark.parametrize(
    ("rows", "day_count", "is_told"), [(200, 40, True), (199, 40, False), (400, 39, False)]
)
def test_fewer_than_200_rows_or_40_days_say_nothing(rows: int, day_count: int, *, is_told: bool) -> None:
    regime, proba = np.full(rows, "crash"), np.tile([0.25, 0.5, 0.25], (rows, 1))
    found = measure_reliability(
        days(day_count, rows), regime, np.ones(rows, dtype=np.int64), {"m": proba}, CLASSES
    )
    for asked in (None, Regime.CRASH):
        assert (found.bins("m", asked) is not None) is is_told
        assert (found.calibration_error("m", asked) is not None) is is_told
    assert found.days_in(Regime.CRASH) == found.days_in() == day_count
    assert found.calibration_error("m", Regime.NORMAL) is None


def test_an_unknown_predictor_is_named() -> None:
    with pytest.raises(ReliabilityInvalidError, match="there is no 'oracle'; known: ensemble"):
        measured(1).bins("oracle")


# JSON and refusals


@given(seed=seeds)
def test_reliability_survives_its_json(seed: int) -> None:
    found = measured(seed)
    assert Reliability.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": 0}, "reliability of format 0, 1 is read here"),
        ({"days": {}}, "stored reliability is broken"),
        ({"predictors": {"ensemble": {"crash": [{}]}}}, "stored reliability is broken"),
    ],
)
def test_a_stored_table_that_is_none_is_refused(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ReliabilityInvalidError, match=sentence):
        Reliability.from_json({**measured(1).to_json(), **change})


def test_tables_of_other_predictors_do_not_add_up() -> None:
    regime, truth, proba = drawn(1)
    other = measure_reliability(days(100, 400), regime, truth, {"other": proba}, CLASSES)
    with pytest.raises(
        ReliabilityInvalidError, match=r"of \['ensemble'\] and .* of \['other'\] do not add up"
    ):
        measured(1) + other


@pytest.mark.parametrize(
    ("truth", "proba", "sentence"),
    [
        ([3], [[0.2, 0.3, 0.5]], "a truth is no class id"),
        ([-1], [[0.2, 0.3, 0.5]], "a truth is no class id"),
        ([0], [[0.5, 0.5]], r"m has shape \(1, 2\), not \(1, 3\)"),
        ([0], [[np.nan, 0.5, 0.5]], "missing or outside 0 to 1"),
        ([0], [[-0.1, 0.6, 0.5]], "missing or outside 0 to 1"),
        ([0], [[1.1, 0.0, 0.0]], "missing or outside 0 to 1"),
        ([0, 1], [[0.2, 0.3, 0.5]], "there are 1 days, 1 regimes and 2 truths"),
    ],
)
def test_what_cannot_be_judged_is_refused(truth: list[int], proba: list[list[float]], sentence: str) -> None:
    with pytest.raises(ReliabilityInvalidError, match=sentence):
        measure_reliability(days(1, 1), np.array(["crash"]), np.array(truth), {"m": np.array(proba)}, CLASSES)
