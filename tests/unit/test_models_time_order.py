"""What models do with the order of rows: calibration and early stopping look at later rows only."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.kernel_approximation import Nystroem
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from regime.models import fit
from regime.models.inputs import learn_scale, split_in_time, standardise
from regime.models.parameters import SVM_EXACT_ROWS_MAX


def test_the_late_rows_come_last_and_a_gap_lies_before_them() -> None:
    assert split_in_time(1000, 0.2, 0.02) == (slice(0, 780), slice(800, 1000))


def test_center_and_scale_leave_unknown_values_out() -> None:
    X = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan], [8.0, np.nan]], dtype=np.float32)
    learnt = learn_scale(X)
    assert learnt["center"].tolist() == [3.0, 0.0]
    assert learnt["scale"].tolist() == pytest.approx([2.9439, 1.0], abs=1e-4)


def test_standardised_values_are_clipped_at_four_deviations() -> None:
    center, scale = np.zeros(1, dtype=np.float32), np.full(1, 2.0, dtype=np.float32)
    X = np.array([[1.0], [9.0], [-1e30], [np.nan]], dtype=np.float32)
    assert standardise(X, center, scale).ravel().tolist() == [0.5, 4.0, -4.0, 0.0]


def kernel_of(n_rows: int, y: np.ndarray) -> object:
    X = np.random.default_rng(1).normal(size=(n_rows, 3)).astype(np.float32)
    return fit("svm", X, y, sample_weight=np.ones(n_rows), n_classes=3, seed=1).parts()["kernel"]


def test_the_svm_is_exact_up_to_its_row_limit_and_approximate_above() -> None:
    limit = SVM_EXACT_ROWS_MAX
    assert isinstance(kernel_of(limit, np.arange(limit) % 3), SVC)
    assert isinstance(kernel_of(limit + 1, np.arange(limit + 1) % 3), Nystroem)


def test_an_svm_that_could_not_be_calibrated_on_later_rows_is_approximated() -> None:
    only_early = np.append(np.arange(150) % 3, np.arange(150) % 2)
    assert isinstance(kernel_of(300, only_early), Nystroem)


def test_the_exact_svm_takes_its_confidence_from_the_late_rows() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(600, 2)).astype(np.float32)
    y = (X[:, 0] > 0).astype(np.int64)
    unlearnable = y.copy()
    unlearnable[480:] = rng.integers(0, 2, size=120)
    sure, unsure = (
        fit("svm", X, target, sample_weight=np.ones(600), n_classes=2, seed=1).predict_proba(X)
        for target in (y, unlearnable)
    )
    assert sure.max(axis=1).mean() > 0.9
    assert unsure.max(axis=1).mean() < 0.65


def test_the_network_stops_early_when_the_late_rows_contradict_the_early_ones() -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(2000, 4)).astype(np.float32)
    steady = (X[:, 0] > 0).astype(np.int64)
    turned = np.where(np.arange(2000) < 1600, steady, 1 - steady)
    epochs = []
    for target in (steady, turned):
        network = fit("mlp", X, target, sample_weight=np.ones(2000), n_classes=2, seed=1).parts()["estimator"]
        assert isinstance(network, MLPClassifier)
        epochs.append(network.t_ / 2000)
    assert epochs[1] == 1
    assert epochs[0] > 5
