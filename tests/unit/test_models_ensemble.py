"""The mean of the members, and its quorum."""

from __future__ import annotations

import numpy as np
import pytest

from regime.errors import FitFailedError
from regime.models import fit
from regime.models.ensemble import MeanEnsemble, check_quorum, mean_probability

ASKED = ("svm", "mlp", "xgboost")


def test_the_ensemble_is_the_plain_mean_of_probabilities() -> None:
    sure, unsure = np.array([[0.98, 0.01, 0.01]]), np.array([[0.2, 0.5, 0.3]])
    assert mean_probability([sure, unsure, unsure]).tolist() == [pytest.approx([0.46, 1.01 / 3, 0.61 / 3])]


def test_an_ensemble_of_fitted_models_predicts_their_mean() -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 3)).astype(np.float32)
    y = np.arange(200) % 3
    members = tuple(
        fit(name, X, y, sample_weight=np.ones(200), n_classes=3, seed=2)
        for name in ("lightgbm", "logistic_regression")
    )
    mean = (members[0].predict_proba(X) + members[1].predict_proba(X)) / 2
    assert MeanEnsemble(members=members).predict_proba(X) == pytest.approx(mean, abs=1e-15)


def test_a_met_quorum_is_silent() -> None:
    check_quorum(["svm", "mlp"], ASKED, 2, "2010-2012")


def test_a_missed_quorum_names_the_place_and_the_models_that_failed() -> None:
    with pytest.raises(
        FitFailedError, match=r"2010-2012: 1 of 3 models .* 2 are needed; failed: mlp, xgboost"
    ):
        check_quorum(["svm"], ASKED, 2, "2010-2012")


def test_an_ensemble_without_members_cannot_predict() -> None:
    with pytest.raises(FitFailedError, match="without members"):
        MeanEnsemble(members=()).predict_proba(np.zeros((1, 3), dtype=np.float32))
