"""The correction of log-probabilities against two other ways to find it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from regime.barrier.softmax import Correction, centred, fit_correction

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS, INPUTS, CLASSES = 400, 3, 3


@pytest.fixture(scope="module")
def data() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Give inputs, offsets, classes and weights."""
    rng = np.random.default_rng(5)
    inputs = rng.normal(size=(ROWS, INPUTS))
    offset = np.log(rng.dirichlet(np.full(CLASSES, 3.0), size=ROWS))
    pull = offset + inputs @ rng.normal(size=(INPUTS, CLASSES)) + np.array([0.5, 0.0, -0.5])
    y = (pull + rng.gumbel(size=pull.shape)).argmax(axis=1).astype(np.int64)
    return inputs, offset, y, rng.uniform(0.2, 3.0, size=ROWS)


Data = tuple["NDArray[np.float64]", "NDArray[np.float64]", "NDArray[np.int64]", "NDArray[np.float64]"]


def test_a_general_minimiser_finds_the_same_correction(data: Data) -> None:
    inputs, offset, y, weight = data
    ridge = np.array([0.01, 0.1, 1.0])

    def loss(point: NDArray[np.float64]) -> float:
        table = point.reshape(INPUTS + 1, CLASSES)
        said = log_softmax(offset + inputs @ table[:-1] + table[-1], axis=1)
        mean = -(weight * said[np.arange(ROWS), y]).sum() / weight.sum()
        return float(mean + 0.5 * (ridge @ (table[:-1] ** 2).sum(axis=1)))

    found = minimize(loss, np.zeros((INPUTS + 1) * CLASSES), options={"gtol": 1e-9})
    other = found.x.reshape(INPUTS + 1, CLASSES)
    ours = fit_correction(inputs, offset, y, ridge, sample_weight=weight)
    assert ours.coefficients == pytest.approx(other[:-1], abs=1e-4)
    centred_intercepts = other[-1] - other[-1].mean()
    assert ours.intercepts - ours.intercepts.mean() == pytest.approx(centred_intercepts, abs=1e-4)


def test_without_an_offset_it_is_logistic_regression(data: Data) -> None:
    inputs, offset, y, _ = data
    ridge = 0.05
    ours = fit_correction(inputs, np.zeros_like(offset), y, np.full(INPUTS, ridge))
    theirs = LogisticRegression(C=1 / (ridge * ROWS), tol=1e-10, max_iter=1000).fit(inputs, y)
    coefficients = theirs.coef_.T
    assert ours.coefficients == pytest.approx(coefficients, abs=1e-4)
    said = np.exp(ours.correct(inputs, np.zeros_like(offset)))
    assert said == pytest.approx(theirs.predict_proba(inputs), abs=1e-5)


def test_a_strong_ridge_leaves_everything_but_the_class_shares_as_it_is(data: Data) -> None:
    inputs, offset, y, _ = data
    strong = fit_correction(inputs, offset, y, np.full(INPUTS, 1e6))
    assert np.abs(strong.coefficients).max() < 1e-5
    said = np.exp(strong.correct(inputs, offset)).mean(axis=0)
    assert said == pytest.approx(np.bincount(y) / ROWS, abs=1e-4)


def test_offsets_that_are_right_on_average_are_left_alone() -> None:
    offset = np.log(np.tile([0.5, 0.3, 0.2], (100, 1)))
    y = np.repeat([0, 1, 2], [50, 30, 20])
    found = fit_correction(np.random.default_rng(1).normal(size=(100, 2)), offset, y, np.full(2, 1e6))
    assert found.correct(np.zeros((1, 2)), offset[:1]) == pytest.approx(offset[:1], abs=1e-5)


def test_a_weight_of_two_is_a_row_that_stands_there_twice(data: Data) -> None:
    inputs, offset, y, _ = data
    times = np.random.default_rng(2).integers(0, 4, size=ROWS)
    again = np.repeat(np.arange(ROWS), times)
    ridge = np.full(INPUTS, 0.02)
    weighted = fit_correction(inputs, offset, y, ridge, sample_weight=times.astype(np.float64))
    repeated = fit_correction(inputs[again], offset[again], y[again], ridge)
    assert weighted.coefficients == pytest.approx(repeated.coefficients, abs=1e-8)
    tenfold = fit_correction(inputs, offset, y, ridge, sample_weight=10 * times.astype(np.float64))
    assert tenfold.coefficients == pytest.approx(weighted.coefficients, abs=1e-12)


def test_where_the_search_begins_changes_the_end_hardly(data: Data) -> None:
    inputs, offset, y, _ = data
    ridge = np.full(INPUTS, 0.02)
    cold = fit_correction(inputs, offset, y, ridge)
    rng = np.random.default_rng(3)
    far = Correction(coefficients=rng.normal(size=(INPUTS, CLASSES)), intercepts=rng.normal(size=CLASSES))
    warm = fit_correction(inputs, offset, y, ridge, start=far)
    assert warm.correct(inputs, offset) == pytest.approx(cold.correct(inputs, offset), abs=1e-4)


def test_separable_classes_end_in_finite_coefficients() -> None:
    inputs = np.linspace(-1, 1, 60)[:, np.newaxis]
    found = fit_correction(
        inputs, np.log(np.full((60, 3), 1 / 3)), np.digitize(inputs[:, 0], [0.0]) * 2, np.full(1, 1e-5)
    )
    assert np.isfinite(found.coefficients).all()
    assert np.exp(found.correct(inputs[[0, -1]], np.zeros((2, 3)))).argmax(axis=1).tolist() == [0, 2]


def test_corrected_probabilities_sum_to_one(data: Data) -> None:
    inputs, offset, y, _ = data
    said = fit_correction(inputs, offset, y, np.full(INPUTS, 0.1)).correct(inputs, offset)
    assert np.exp(said).sum(axis=1) == pytest.approx(np.ones(ROWS), abs=1e-12)


def test_log_probabilities_are_centred_without_the_middle_class() -> None:
    third = np.log([[0.2, 0.6, 0.2], [0.1, 0.1, 0.8]])
    mean = third.mean(axis=1)
    expected = np.stack([third[:, 0] - mean, third[:, 2] - mean], axis=1)
    assert centred(third) == pytest.approx(expected, abs=1e-15)
