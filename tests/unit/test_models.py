"""The eight models: weights reach them, they repeat exactly, and they come back from their parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lightgbm
import numpy as np
import pytest
import xgboost

from regime.errors import FeatureMismatchError, FitFailedError, SettingInvalidError
from regime.models import MODELS, ModelPartsError, assemble, fit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from regime.models import FittedModel

EIGHT = (
    "random_forest",
    "xgboost",
    "lightgbm",
    "extra_trees",
    "gradient_boosting",
    "logistic_regression",
    "svm",
    "mlp",
)


def rows_of(n_rows: int, seed: int = 3) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Give six features, a tenth of them unknown, of which the first one decides the class with noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 6)).astype(np.float32)
    y = np.digitize(X[:, 0] + 0.5 * rng.normal(size=n_rows), [-0.7, 0.7])
    X[rng.random(X.shape) < 0.1] = np.nan
    return X, y.astype(np.int64)


def fitted(
    name: str,
    X: NDArray[np.float32],
    y: NDArray[np.int64],
    *,
    weight: NDArray[np.float64] | None = None,
    seed: int = 5,
) -> FittedModel:
    sample_weight = np.ones(len(y)) if weight is None else weight
    return fit(name, X, y, sample_weight=sample_weight, n_classes=3, seed=seed)


@pytest.fixture(scope="module")
def models() -> Mapping[str, FittedModel]:
    X, y = rows_of(300)
    return {name: fitted(name, X, y) for name in EIGHT}


def test_the_eight_models_are_the_ones_that_are_promised() -> None:
    assert tuple(MODELS) == EIGHT


@pytest.mark.parametrize("name", EIGHT)
def test_probabilities_are_positive_and_sum_to_one(models: Mapping[str, FittedModel], name: str) -> None:
    proba = models[name].predict_proba(rows_of(50, seed=4)[0])
    assert proba.shape == (50, 3)
    assert proba.dtype == np.float64
    assert proba.min() > 0
    assert proba.sum(axis=1) == pytest.approx(np.ones(50), abs=1e-12)


@pytest.mark.parametrize("name", EIGHT)
def test_a_model_beats_the_class_prior_where_there_is_something_to_learn(name: str) -> None:
    X, y = rows_of(1500)
    proba = fitted(name, X[:1200], y[:1200]).predict_proba(X[1200:])
    prior = np.bincount(y[:1200]) / 1200
    assert -np.log(proba[np.arange(300), y[1200:]]).mean() < -np.log(prior[y[1200:]]).mean() - 0.02


@pytest.mark.parametrize("name", EIGHT)
def test_weights_reach_the_model(models: Mapping[str, FittedModel], name: str) -> None:
    X, y = rows_of(300)
    heavy = fitted(name, X, y, weight=np.where(y == 2, 6.0, 1.0)).predict_proba(X)
    assert heavy[:, 2].mean() > models[name].predict_proba(X)[:, 2].mean() + 0.1


@pytest.mark.parametrize("name", EIGHT)
def test_weights_of_rows_matter_even_if_class_shares_stay(
    models: Mapping[str, FittedModel], name: str
) -> None:
    X, y = rows_of(300)
    recent = fitted(name, X, y, weight=np.linspace(0.2, 1.8, 300)).predict_proba(X)
    assert np.abs(recent - models[name].predict_proba(X)).max() > 1e-4


@pytest.mark.parametrize("name", EIGHT)
def test_only_the_ratio_of_weights_counts(models: Mapping[str, FittedModel], name: str) -> None:
    X, y = rows_of(300)
    tenfold = fitted(name, X, y, weight=np.full(300, 10.0))
    assert np.array_equal(tenfold.predict_proba(X), models[name].predict_proba(X))


@pytest.mark.parametrize("name", EIGHT)
def test_the_same_fit_gives_the_same_bytes(models: Mapping[str, FittedModel], name: str) -> None:
    X, y = rows_of(300)
    again = fitted(name, X, y)
    assert again.predict_proba(X).tobytes() == models[name].predict_proba(X).tobytes()


@pytest.mark.parametrize("name", ["random_forest", "xgboost", "lightgbm", "extra_trees", "mlp"])
def test_the_seed_reaches_models_that_draw(models: Mapping[str, FittedModel], name: str) -> None:
    X, y = rows_of(300)
    other = fitted(name, X, y, seed=6)
    assert not np.array_equal(other.predict_proba(X), models[name].predict_proba(X))


@pytest.mark.parametrize("name", ["xgboost", "lightgbm", "logistic_regression", "mlp"])
def test_the_largest_seed_is_accepted(name: str) -> None:
    X, y = rows_of(200)
    assert fitted(name, X, y, seed=2**32 - 1).predict_proba(X).shape == (200, 3)


@pytest.mark.parametrize("name", EIGHT)
@pytest.mark.parametrize("absent", [0, 2])
def test_an_absent_class_gets_its_own_small_column(name: str, absent: int) -> None:
    X, y = rows_of(200)
    y[y == absent] = (absent + 1) % 3
    proba = fitted(name, X, y).predict_proba(X)
    assert proba[:, absent] == pytest.approx(np.full(200, 1 / 203), abs=1e-12)
    assert np.delete(proba, absent, axis=1).min() > 1 / 203


@pytest.mark.parametrize("name", EIGHT)
def test_a_model_from_its_parts_predicts_exactly_the_same(
    models: Mapping[str, FittedModel], name: str
) -> None:
    X, _ = rows_of(100, seed=9)
    again = assemble(name, models[name].parts(), 3)
    assert again.name == name
    assert again.predict_proba(X).tobytes() == models[name].predict_proba(X).tobytes()


def test_xgboost_survives_its_own_file_format(models: Mapping[str, FittedModel]) -> None:
    X, _ = rows_of(100, seed=9)
    parts = dict(models["xgboost"].parts())
    stored = parts["booster"]
    assert isinstance(stored, xgboost.Booster)
    parts["booster"] = xgboost.Booster(model_file=stored.save_raw("ubj"))
    again = assemble("xgboost", parts, 3)
    assert again.predict_proba(X).tobytes() == models["xgboost"].predict_proba(X).tobytes()


def test_lightgbm_survives_its_own_file_format(models: Mapping[str, FittedModel]) -> None:
    X, _ = rows_of(100, seed=9)
    parts = dict(models["lightgbm"].parts())
    stored = parts["booster"]
    assert isinstance(stored, lightgbm.Booster)
    parts["booster"] = lightgbm.Booster(model_str=stored.model_to_string())
    again = assemble("lightgbm", parts, 3)
    assert again.predict_proba(X).tobytes() == models["lightgbm"].predict_proba(X).tobytes()


def test_parts_are_of_libraries_and_never_our_own_classes(models: Mapping[str, FittedModel]) -> None:
    origins = {
        type(part).__module__.partition(".")[0]
        for model in models.values()
        for part in model.parts().values()
    }
    assert origins == {"sklearn", "xgboost", "lightgbm", "numpy"}


def test_missing_and_foreign_parts_are_refused(models: Mapping[str, FittedModel]) -> None:
    parts = dict(models["svm"].parts())
    del parts["kernel"]
    with pytest.raises(ModelPartsError, match="'kernel'"):
        assemble("svm", parts, 3)
    with pytest.raises(ModelPartsError, match="the store gives"):
        assemble("svm", {**models["svm"].parts(), "scaler": 1}, 3)


def test_stored_classes_beyond_the_target_are_refused(models: Mapping[str, FittedModel]) -> None:
    with pytest.raises(ModelPartsError, match="class ids"):
        assemble("svm", models["svm"].parts(), 2)


@pytest.mark.parametrize("name", EIGHT)
def test_columns_without_any_value_and_constant_columns_do_no_harm(name: str) -> None:
    X, y = rows_of(300)
    X[:, 3] = np.nan
    X[:, 4] = 7.0
    model = fitted(name, X, y)
    unknown = model.predict_proba(np.full((1, 6), np.nan, dtype=np.float32))
    assert np.isfinite(model.predict_proba(X)).all()
    assert unknown.sum() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("name", EIGHT)
def test_read_only_rows_shared_between_processes_are_accepted(
    models: Mapping[str, FittedModel], name: str
) -> None:
    X, y = rows_of(300)
    weight = np.ones(300)
    for array in (X, y, weight):
        array.flags.writeable = False
    shared = fitted(name, X, y, weight=weight)
    assert shared.predict_proba(X).tobytes() == models[name].predict_proba(X).tobytes()


@pytest.mark.parametrize("name", ["xgboost", "logistic_regression", "svm", "mlp"])
def test_fitting_and_predicting_leave_their_inputs_alone(name: str) -> None:
    X, y = rows_of(200)
    before = X.copy(), y.copy()
    fitted(name, X, y).predict_proba(X)
    assert np.array_equal(X, before[0], equal_nan=True)
    assert np.array_equal(y, before[1])


@pytest.mark.parametrize("name", EIGHT)
def test_no_rows_get_no_probabilities(models: Mapping[str, FittedModel], name: str) -> None:
    assert models[name].predict_proba(np.empty((0, 6), dtype=np.float32)).shape == (0, 3)


@pytest.mark.parametrize("name", EIGHT)
def test_a_row_is_predicted_the_same_alone_and_among_others(
    models: Mapping[str, FittedModel], name: str
) -> None:
    X, _ = rows_of(100, seed=9)
    proba = models[name].predict_proba(X)
    assert models[name].predict_proba(X[17:18]) == pytest.approx(proba[17:18], abs=1e-6)


def test_rows_with_another_number_of_features_are_refused(models: Mapping[str, FittedModel]) -> None:
    with pytest.raises(FeatureMismatchError, match="fitted on 6 features"):
        models["lightgbm"].predict_proba(np.zeros((2, 5), dtype=np.float32))


def test_infinite_features_are_refused_in_fit_and_prediction(models: Mapping[str, FittedModel]) -> None:
    X, y = rows_of(200)
    X[7, 2] = np.inf
    with pytest.raises(FeatureMismatchError, match="row 7, feature 2 is infinite"):
        fitted("lightgbm", X, y)
    with pytest.raises(FeatureMismatchError, match="row 7, feature 2 is infinite"):
        models["lightgbm"].predict_proba(X)


def test_a_single_class_cannot_be_fitted() -> None:
    X, _ = rows_of(200)
    with pytest.raises(FitFailedError, match="all 200 rows are of one class"):
        fitted("lightgbm", X, np.ones(200, dtype=np.int64))


def test_a_class_id_beyond_the_target_cannot_be_fitted() -> None:
    X, y = rows_of(200)
    with pytest.raises(FitFailedError, match="class ids are 0 to 2"):
        fitted("lightgbm", X, y + 1)


@pytest.mark.parametrize("weight", [0.0, -1.0, np.nan, np.inf])
def test_weights_that_are_none_cannot_be_fitted(weight: float) -> None:
    X, y = rows_of(200)
    with pytest.raises(FitFailedError, match="positive and finite"):
        fitted("lightgbm", X, y, weight=np.append(np.ones(199), weight))


def test_rows_without_a_weight_each_cannot_be_fitted() -> None:
    X, y = rows_of(200)
    with pytest.raises(FitFailedError, match="one target and one weight"):
        fitted("lightgbm", X, y, weight=np.ones(199))
    with pytest.raises(FitFailedError, match="at least one row"):
        fitted("lightgbm", X[:0], y[:0])


def test_an_unknown_model_is_named_with_those_that_exist() -> None:
    X, y = rows_of(200)
    with pytest.raises(SettingInvalidError, match="no model 'catboost'; there are random_forest, xgboost"):
        fitted("catboost", X, y)
    with pytest.raises(SettingInvalidError, match="no model 'catboost'"):
        assemble("catboost", {}, 3)


@pytest.mark.parametrize("name", EIGHT)
def test_a_model_that_starts_from_a_margin_keeps_what_the_margin_knows(name: str) -> None:
    X, y = rows_of(600)
    noise = np.random.default_rng(5).normal(size=X.shape).astype(np.float32)
    known = np.full((600, 3), 0.05) + 0.85 * np.eye(3)[y]
    model = fit(
        name, noise, y, sample_weight=np.ones(600), n_classes=3, seed=5, margin=np.log(known)
    )  # fmt: skip
    proba = model.predict_proba(noise, np.log(known))
    assert (proba.argmax(axis=1) == y).mean() > 0.95


@pytest.mark.parametrize("name", EIGHT)
def test_a_model_refuses_a_margin_that_it_was_not_fitted_with(
    models: Mapping[str, FittedModel], name: str
) -> None:
    X, _ = rows_of(5)
    with pytest.raises(FeatureMismatchError, match="without a margin"):
        models[name].predict_proba(X, np.zeros((5, 3)))
