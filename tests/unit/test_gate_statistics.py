from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from registry.statistics import (
    BlockTest,
    alpha_spent,
    block_test,
    combined_p,
    daily_means,
    hits,
    log_losses,
    student_t_quantile,
    student_t_tail,
    weighted_mean,
)


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 5, 6, 7, 8, 15, 16, 63])
@pytest.mark.parametrize("tail", [0.4, 0.1, 0.05, 0.025, 0.0125, 0.001, 0.000001])
def test_the_t_quantile_agrees_with_scipy(tail: float, degrees: int) -> None:
    assert student_t_quantile(tail, degrees) == pytest.approx(stats.t.isf(tail, degrees), rel=1e-9)


@pytest.mark.parametrize("degrees", [1, 2, 3, 7, 8, 63, 100])
@pytest.mark.parametrize("t", [-30.0, -1.5, 0.0, 0.3, 1.0, 1.8946, 12.0, 1e6])
def test_the_t_tail_agrees_with_scipy(t: float, degrees: int) -> None:
    assert student_t_tail(t, degrees) == pytest.approx(stats.t.sf(t, degrees), abs=1e-14)


def test_the_t_tail_falls_from_a_half_by_the_density_at_zero() -> None:
    assert student_t_tail(1e-9, 1) == pytest.approx(0.5 - 1e-9 / np.pi, abs=1e-16)


@pytest.mark.parametrize("tail", [0.0, 0.5, 1.0, -0.1, float("nan")])
def test_a_quantile_exists_for_the_upper_half_only(tail: float) -> None:
    with pytest.raises(ValueError, match=r"between 0 and 0\.5"):
        student_t_quantile(tail, 7)


def test_t_needs_a_degree_of_freedom() -> None:
    with pytest.raises(ValueError, match="one or more"):
        student_t_tail(1.0, 0)


def test_a_block_test_is_the_t_test_of_its_block_means() -> None:
    daily = np.repeat([0.05, 0.01, 0.03, -0.02, 0.04, 0.0, 0.02, 0.03], 5)
    test = block_test(daily, 8)
    assert (test.mean, test.degrees) == (0.02, 7)
    assert test.error == pytest.approx(0.0080178, abs=1e-6)
    assert test.lower(0.10) == pytest.approx(0.02 - 1.41492 * 0.0080178, abs=1e-6)
    assert test.upper(0.10) == pytest.approx(0.02 + 1.41492 * 0.0080178, abs=1e-6)
    assert test.p_positive() == pytest.approx(0.0206636, abs=1e-7)


def test_blocks_of_unequal_length_count_alike() -> None:
    assert block_test(np.array([1.0, 1.0, 4.0]), 2).mean == 2.5


def test_fewer_days_than_blocks_cannot_be_tested() -> None:
    with pytest.raises(ValueError, match="7 days cannot be cut into 8 blocks"):
        block_test(np.zeros(7), 8)


def test_differences_below_the_last_decimal_are_no_evidence() -> None:
    noise = np.repeat([1e-16, 3e-16, 2e-16, 1e-16, 2e-16, 2e-16, 1e-16, 3e-16], 5)
    test = block_test(noise, 8)
    assert (test.mean, test.error, test.p_positive()) == (0.0, 0.0, 1.0)


def test_a_gain_without_spread_is_certain_and_a_loss_is_none() -> None:
    assert BlockTest(mean=0.01, error=0.0, degrees=7).p_positive() == 0.0
    assert BlockTest(mean=-0.01, error=0.0, degrees=7).p_positive() == 1.0


def test_a_weighted_mean_follows_the_weights() -> None:
    assert weighted_mean([0.06, 0.0], [2.0, 1.0]) == 0.04


def test_combined_tests_agree_with_scipy() -> None:
    tests = [
        BlockTest(mean=0.03, error=0.02, degrees=7),
        BlockTest(mean=0.01, error=0.02, degrees=7),
        BlockTest(mean=-0.01, error=0.02, degrees=3),
    ]
    expected = stats.combine_pvalues([each.p_positive() for each in tests], "stouffer", [2.0, 1.5, 1.0])
    assert combined_p(tests, [2.0, 1.5, 1.0]) == pytest.approx(expected.pvalue, abs=1e-11)


def test_one_wild_regime_does_not_drown_what_the_others_show() -> None:
    sure, wild = (BlockTest(mean=0.02, error=error, degrees=7) for error in (0.005, 0.5))
    assert combined_p([wild, sure, sure], [2.0, 1.0, 1.0]) == pytest.approx(0.0106, abs=1e-3)


def test_a_regime_without_any_difference_speaks_neither_for_nor_against() -> None:
    sure, none = BlockTest(mean=0.02, error=0.005, degrees=7), BlockTest(mean=0.0, error=0.0, degrees=7)
    assert combined_p([none, none], [1.0, 1.0]) == 0.5
    assert 0.5 > combined_p([sure, none], [1.0, 1.0]) > combined_p([sure], [1.0])


def test_the_levels_of_all_candidates_sum_to_alpha() -> None:
    assert sum(alpha_spent(0.05, j) for j in range(1, 100_000)) == pytest.approx(0.05, abs=1e-6)


def test_a_log_loss_is_bounded_by_the_smallest_probability() -> None:
    loss = log_losses(np.array([[1.0, 0.0], [0.25, 0.75]]), np.array([1, 1]), 1e-4)
    assert loss == pytest.approx([np.log(1.0001 / 1e-4), -np.log(0.75)], abs=1e-12)


def test_the_first_of_equally_probable_classes_is_the_call() -> None:
    assert hits(np.array([[0.4, 0.4, 0.2], [0.4, 0.4, 0.2]]), np.array([0, 1])).tolist() == [1.0, 0.0]


def test_a_day_counts_once_however_many_symbols_it_has() -> None:
    date = np.array(["2020-03-02", "2020-03-02", "2020-03-02", "2020-03-03"], dtype="datetime64[D]")
    assert daily_means(date, np.array([0.0, 0.0, 3.0, 5.0])).tolist() == [1.0, 5.0]
