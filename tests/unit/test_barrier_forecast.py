"""Forecasts of volatility relative to what an EWMA says today."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from regime.barrier import forecast
from regime.barrier.forecast import HAR_INPUTS, SOURCES, VolatilityForecaster, fit_forecaster, pick
from regime.barrier.inputs import COLUMNS
from regime.barrier.parameters import TREES

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVEL, FEAR, WEEK = (COLUMNS.index(name) for name in ("log_ewma", "log_fear", "week"))


def rows_of(count: int, seed: int = 1) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Give rows whose coming variance is the EWMA's times exp(.6 x the week's ratio)."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, len(COLUMNS))).astype(np.float32)
    values[:, LEVEL] = -8.3 + 0.4 * rng.normal(size=count)
    values[:, FEAR] = values[:, LEVEL] + 0.3 * rng.normal(size=count)
    noise = 0.2 * rng.normal(size=count)
    return values, np.exp(values[:, LEVEL] + 0.6 * values[:, WEEK] + noise).astype(np.float64)


@pytest.fixture
def _trees_of_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "TREES_ROWS_MIN", 1000)
    monkeypatch.setattr(forecast, "TREES", {**TREES, "min_data_in_leaf": 30})


def test_the_ridge_finds_the_ratio_that_counts() -> None:
    values, ahead = rows_of(1500)
    fitted = fit_forecaster(values, ahead, seed=1)
    largest = HAR_INPUTS[int(np.abs(fitted.coefficients).argmax())]
    assert largest == "week"
    # Standardised inputs; a ridge of .02 shrinks by 1 / 1.02.
    assert fitted.coefficients[HAR_INPUTS.index("week")] == pytest.approx(0.6 / 1.02, abs=0.02)


def test_the_mean_is_geometric_and_fear_is_taken_as_it_is() -> None:
    values, ahead = rows_of(1500)
    sigmas = fit_forecaster(values, ahead, seed=1).sigmas(values[:50])
    assert tuple(sigmas) == SOURCES
    product = sigmas["fear"] * sigmas["har"] * sigmas["trees"]
    assert sigmas["mean"] == pytest.approx(np.cbrt(product), rel=1e-9)
    assert sigmas["fear"] == pytest.approx(np.exp(values[:50, FEAR] / 2), rel=1e-6)


def test_rows_without_fear_take_their_ewma_for_it() -> None:
    values, ahead = rows_of(600)
    fitted = fit_forecaster(values, ahead, seed=1)
    unknown = values[:20].copy()
    unknown[:, FEAR] = np.nan
    assert fitted.sigmas(unknown)["fear"] == pytest.approx(np.exp(unknown[:, LEVEL] / 2), rel=1e-6)


def test_what_is_not_known_is_no_different_from_the_ewma() -> None:
    values, ahead = rows_of(600)
    fitted = fit_forecaster(values, ahead, seed=1)
    zero, unknown = values[:20].copy(), values[:20].copy()
    zero[:, WEEK], unknown[:, WEEK] = 0.0, np.nan
    assert fitted.sigmas(unknown)["har"] == pytest.approx(fitted.sigmas(zero)["har"], rel=1e-9)


def test_with_few_rows_the_ridge_stands_for_the_trees() -> None:
    values, ahead = rows_of(600)
    fitted = fit_forecaster(values, ahead, seed=1)
    sigmas = fitted.sigmas(values)
    assert fitted.trees is None
    assert np.array_equal(sigmas["trees"], sigmas["har"])


@pytest.mark.usefixtures("_trees_of_few_rows")
def test_trees_learn_the_ratio_too_and_the_seed_makes_them_what_they_are() -> None:
    values, ahead = rows_of(3000)
    one, same, other = (fit_forecaster(values[:2500], ahead[:2500], seed=seed) for seed in (1, 1, 2))
    late = values[2500:]
    said = np.log(one.sigmas(late)["trees"] ** 2) - late[:, LEVEL]
    assert np.corrcoef(said, 0.6 * late[:, WEEK])[0, 1] > 0.9
    assert np.array_equal(one.sigmas(late)["trees"], same.sigmas(late)["trees"])
    assert not np.array_equal(one.sigmas(late)["trees"], other.sigmas(late)["trees"])


@pytest.mark.usefixtures("_trees_of_few_rows")
def test_no_row_is_forecast_as_no_number() -> None:
    values, ahead = rows_of(1500)
    fitted = fit_forecaster(values, ahead, seed=1)
    assert fitted.trees is not None
    assert {len(each) for each in fitted.sigmas(values[:0]).values()} == {0}


def test_rows_whose_variance_is_not_known_yet_are_left_out() -> None:
    values, ahead = rows_of(900)
    unripe = ahead.copy()
    unripe[600:] = np.nan
    left_out, short = (
        fit_forecaster(values, unripe, seed=1),
        fit_forecaster(values[:600], ahead[:600], seed=1),
    )
    assert np.array_equal(left_out.coefficients, short.coefficients)


def test_the_level_of_the_past_is_not_learnt() -> None:
    values, ahead = rows_of(900)
    ours, louder = fit_forecaster(values, ahead, seed=1), fit_forecaster(values, 9 * ahead, seed=1)
    assert louder.coefficients == pytest.approx(ours.coefficients, abs=1e-9)


def test_where_nothing_is_known_the_ewma_is_the_forecast() -> None:
    values, ahead = rows_of(10)
    fitted: VolatilityForecaster = fit_forecaster(values[:0], ahead[:0], seed=1)
    assert fitted.sigmas(values)["har"] == pytest.approx(np.exp(values[:, LEVEL] / 2), rel=1e-6)


def test_columns_are_picked_in_the_order_asked() -> None:
    values, _ = rows_of(3)
    assert np.array_equal(pick(values, ("week", "log_ewma")), values[:, [WEEK, LEVEL]])
