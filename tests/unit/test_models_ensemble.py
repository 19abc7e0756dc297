"""The members under one ``predict_proba``, and their quorum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from regime.errors import FitFailedError
from regime.models import fit
from regime.models.ensemble import Ensemble, Inputs, check_quorum
from regime.models.pool import Pool, equal_weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from regime.models import FittedModel

ASKED = ("svm", "mlp", "xgboost")


def ensemble_of(models: Mapping[str, FittedModel], columns: Sequence[int] = (0, 1, 2)) -> Ensemble:
    return Ensemble(
        models=models,
        columns=np.array(columns, dtype=np.intp),
        barrier=None,
        starts_from_barrier=False,
        pool=Pool(kind="mean", weights=equal_weights(list(models))),
    )


def inputs_of(X: NDArray[np.float32]) -> Inputs:
    return Inputs(X=X, volatility=None, regime=np.full(len(X), "normal"))


def two_models(X: NDArray[np.float32]) -> dict[str, FittedModel]:
    y = np.arange(len(X)) % 3
    return {
        name: fit(name, X, y, sample_weight=np.ones(len(X)), n_classes=3, seed=2)
        for name in ("lightgbm", "logistic_regression")
    }


def test_an_ensemble_of_fitted_models_predicts_their_mean() -> None:
    X = np.random.default_rng(1).normal(size=(200, 3)).astype(np.float32)
    models = two_models(X)
    mean = (models["lightgbm"].predict_proba(X) + models["logistic_regression"].predict_proba(X)) / 2
    assert ensemble_of(models).predict_proba(inputs_of(X)) == pytest.approx(mean, abs=1e-15)


def test_models_see_the_columns_that_they_were_fitted_on() -> None:
    X = np.random.default_rng(1).normal(size=(200, 5)).astype(np.float32)
    models = two_models(X[:, [4, 0, 2]])
    members = ensemble_of(models, (4, 0, 2)).members(inputs_of(X))
    assert tuple(members) == ("lightgbm", "logistic_regression")
    expected = np.log(models["lightgbm"].predict_proba(X[:, [4, 0, 2]]))
    assert np.array_equal(members["lightgbm"], expected)


def test_a_met_quorum_is_silent() -> None:
    check_quorum(["svm", "mlp"], ASKED, 2, "2010-2012")


def test_a_missed_quorum_names_the_place_and_the_models_that_failed() -> None:
    with pytest.raises(
        FitFailedError, match=r"2010-2012: 1 of 3 models .* 2 are needed; failed: mlp, xgboost"
    ):
        check_quorum(["svm"], ASKED, 2, "2010-2012")


def test_an_ensemble_without_members_cannot_predict() -> None:
    with pytest.raises(FitFailedError, match="without members"):
        ensemble_of({}).predict_proba(inputs_of(np.zeros((1, 3), dtype=np.float32)))
