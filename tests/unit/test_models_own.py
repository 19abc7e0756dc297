"""A classifier of the user's own is fitted, stored and asked like a built-in one, or refused before that."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from daemon.children.rehearsal import faults_of_own, rehearse_models
from daemon.settings import Settings, TrainingSettings
from regime.errors import FitFailedError, SettingInvalidError
from regime.fit_jobs import FitJob
from regime.models import assemble, check_models, fit, is_model_name, own_facts_of
from regime.models.own import own_classifier
from registry.errors import ArtifactRefusedError
from registry.formats import dump_model, load_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from regime.models import FittedModel

BAYES = "sklearn.naive_bayes:GaussianNB"


def path(name: str) -> str:
    return f"{__name__}:{name}"


def boosting() -> object:
    return HistGradientBoostingClassifier(max_iter=5, max_bins=15)


def piped() -> object:
    return make_pipeline(StandardScaler(), RandomForestClassifier(5, n_jobs=2))


def calibrated() -> object:
    return CalibratedClassifierCV(GaussianNB(), cv=3)


def vote() -> object:
    return VotingClassifier([("a", GaussianNB()), ("b", LogisticRegression())], voting="soft")


def boosted_by_xgboost() -> object:
    from xgboost import XGBClassifier  # noqa: PLC0415 - of this one factory

    return XGBClassifier(n_estimators=3)


def boosted_by_lightgbm() -> object:
    return lightgbm.LGBMClassifier(n_estimators=3, verbosity=-1)


def vote_of_neighbours() -> object:
    return VotingClassifier([("a", GaussianNB()), ("b", KNeighborsClassifier())], voting="soft")


def calibrated_pipe() -> object:
    return CalibratedClassifierCV(make_pipeline(StandardScaler(), GaussianNB()))


class Recorder(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Remembers what it was given; does not take NaN."""

    def fit(
        self, X: NDArray[np.float32], y: NDArray[np.int64], sample_weight: NDArray[np.float64]
    ) -> Recorder:
        self.inputs_, self.weights_, self.classes_ = X, sample_weight, np.unique(y)
        return self

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


class Tolerant(Recorder):
    """Takes NaN, and says so."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class Renaming(Recorder):
    """Names its classes otherwise."""

    def fit(
        self, X: NDArray[np.float32], y: NDArray[np.int64], sample_weight: NDArray[np.float64]
    ) -> Renaming:
        super().fit(X, y, sample_weight)
        self.classes_ = np.array(["a", "b", "c"])
        return self


class Plain:
    """Follows the conventions without being one of scikit-learn's."""

    def fit(self, X: NDArray[np.float32], y: NDArray[np.int64], sample_weight: NDArray[np.float64]) -> None:
        self.share = np.bincount(y, weights=sample_weight) / sample_weight.sum()
        assert not np.isnan(X).any()

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.tile(self.share, (len(X), 1))


class Failing(Recorder):
    """Raises in its fit."""

    def fit(
        self, X: NDArray[np.float32], y: NDArray[np.int64], sample_weight: NDArray[np.float64]
    ) -> Failing:
        raise ValueError(f"no {X.shape} {len(y)} {len(sample_weight)}")


class Random(Recorder):
    """Predicts by chance, each time something else."""

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        share = np.random.default_rng().uniform(0.2, 0.8, len(X))
        return np.column_stack([share, 1 - share, np.zeros(len(X))])


def rows(n: int = 300) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float64]]:
    generator = np.random.default_rng(3)
    X = np.round(generator.normal(size=(n, 4)), 1).astype(np.float32)
    y = np.digitize(X[:, 0] + 0.3 * generator.normal(size=n), [-0.5, 0.5]).astype(np.int64)
    X[::9, 1] = np.nan
    return X, y, generator.uniform(0.5, 2.0, n)


def fitted(name: str, **more: Any) -> FittedModel:
    X, y, weights = rows()
    return fit(name, X, y, **{"sample_weight": weights, "n_classes": 3, "seed": 5, **more})


@pytest.mark.parametrize(
    "name",
    [
        BAYES,
        *map(path, ("boosting", "piped", "calibrated", "vote", "boosted_by_xgboost", "boosted_by_lightgbm")),
    ],
)
def test_a_classifier_learns_and_predicts_the_same_after_it_was_stored(name: str) -> None:
    X, y, _ = rows()
    margin = np.log(np.full((len(X), 3), 1 / 3))
    model = fitted(name, margin=margin)
    artifact = dump_model(model.parts())
    parts: Any = load_model(artifact.format, artifact.content, sha256=artifact.sha256)
    proba = model.predict_proba(X, margin)
    assert np.array_equal(assemble(name, parts, 3).predict_proba(X, margin), proba)
    assert (proba.argmax(axis=1) == y).mean() > 0.6
    assert np.array_equal(fitted(name, margin=margin).predict_proba(X, margin), proba)


def test_a_model_is_put_together_without_the_module_that_made_it() -> None:
    X, _, _ = rows()
    model = fitted(BAYES)
    again = assemble("own_parts_that_are_gone:bayes", model.parts(), 3)
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))


def test_inputs_are_standardised_and_imputed_and_weights_average_one() -> None:
    recorder: Any = fitted(path("Recorder")).parts()["estimator"]
    assert not np.isnan(recorder.inputs_).any()
    assert np.median(recorder.inputs_, axis=0) == pytest.approx([0, 0, 0, 0], abs=0.05)
    assert recorder.weights_.mean() == pytest.approx(1)
    assert recorder.weights_.std() > 0.3


def test_a_classifier_that_takes_what_is_not_known_gets_inputs_as_they_are() -> None:
    X, _, _ = rows()
    tolerant: Any = fitted(path("Tolerant")).parts()["estimator"]
    assert np.array_equal(tolerant.inputs_, X, equal_nan=True)


def test_a_margin_stands_beside_the_inputs() -> None:
    margin = np.log(np.tile([0.2, 0.3, 0.5], (300, 1)))
    recorder: Any = fitted(path("Recorder"), margin=margin).parts()["estimator"]
    assert recorder.inputs_.shape == (300, 6)
    assert recorder.inputs_[0, 4:] == pytest.approx([-1.321, -0.105], abs=0.001)


def test_a_class_that_did_not_occur_gets_the_small_probability_of_all_models() -> None:
    X, _, weights = rows()
    model = fit(BAYES, X, (X[:, 0] > 0).astype(int) * 2, sample_weight=weights, n_classes=3, seed=5)
    assert model.predict_proba(X)[:, 1] == pytest.approx(np.full(300, 1 / 303))


def test_a_classifier_that_is_none_of_scikit_learns_will_do() -> None:
    X, y, weights = rows()
    share = np.bincount(y, weights=weights) / weights.sum()
    assert fitted(path("Plain")).predict_proba(X[:1])[0] == pytest.approx((300 * share + 1) / 303)


def test_seeds_and_threads_are_set_wherever_a_classifier_takes_them() -> None:
    pipe: Any = own_classifier(path("piped"), 9)
    forest = pipe.steps[-1][1]
    assert (forest.random_state, forest.n_jobs) == (9, 1)
    assert own_classifier("sklearn.tree:DecisionTreeClassifier", 9).random_state == 9


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "sklearn.neighbors:KNeighborsClassifier",
            "uses sklearn.neighbors._classification.KNeighborsClassifier, whose fit takes no sample_weight",
        ),
        (
            "sklearn.discriminant_analysis:QuadraticDiscriminantAnalysis",
            "uses sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis, whose fit takes no sample_w",
        ),
        (
            path("vote_of_neighbours"),
            "uses sklearn.neighbors._classification.KNeighborsClassifier, whose fit",
        ),
        (path("calibrated_pipe"), "uses sklearn.pipeline.Pipeline, whose fit takes no sample_weight"),
        ("sklearn.svm:SVC", "gives sklearn.svm._classes.SVC, which has no predict_proba"),
        ("builtins:dict", "gives builtins.dict, which has no fit"),
        ("own_nowhere:thing", "cannot be used, since there is no module own_nowhere"),
    ],
)
def test_what_cannot_be_a_model_is_refused_with_the_setting(name: str, sentence: str) -> None:
    for attempt in (lambda: check_models(["svm", name]), lambda: fitted(name)):
        with pytest.raises(SettingInvalidError) as raised:
            attempt()
        assert str(raised.value).startswith(f"training.models: {name!r} {sentence}")


def test_a_classifier_that_names_its_classes_otherwise_is_refused() -> None:
    with pytest.raises(FitFailedError, match=r"classes_ are .* after a fit on \[0, 1, 2\]; keep the classes"):
        fitted(path("Renaming"))


def test_a_name_is_that_of_a_model_if_it_is_built_in_or_a_path() -> None:
    assert [is_model_name(name) for name in ("svm", BAYES, "catboost", "a:b:c")] == [True, True, False, False]


def test_a_fit_job_knows_a_path_too() -> None:
    X, y, weights = rows()
    job = FitJob(model=BAYES, fold="f", X=X, y=y, sample_weight=weights, X_validate=X, n_classes=3, seed=1)
    result = job.run()
    assert result.failure is None
    assert result.proba is not None
    assert result.proba.shape == (300, 3)


def test_the_facts_of_a_path_change_with_its_parameters_and_not_from_call_to_call() -> None:
    names = ("svm", BAYES, path("piped"), path("boosting"))
    facts = own_facts_of(names)
    assert list(facts) == list(names[1:])
    assert len(set(facts.values())) == 3
    assert own_facts_of(names) == facts


def settings_with(*models: str, trusted: tuple[str, ...] = ()) -> Settings:
    training = replace(TrainingSettings(), models=models, quorum=1, trusted_types=trusted)
    return replace(Settings(), training=training)


def test_a_rehearsal_lets_pass_what_can_be_fitted_and_stored() -> None:
    rehearse_models(settings_with("svm", BAYES, path("vote")), 20)


def test_a_type_that_is_not_trusted_is_refused_before_training_unless_the_configuration_names_it() -> None:
    kind = f"{__name__}.Recorder"
    with pytest.raises(
        SettingInvalidError, match=r"Recorder' cannot be stored: it holds .*\.Recorder; models"
    ):
        rehearse_models(settings_with(path("Recorder")), 20)
    rehearse_models(settings_with(path("Recorder"), trusted=(kind,)), 20)


def test_a_fit_that_fails_and_a_prediction_by_chance_are_refused_before_training() -> None:
    with pytest.raises(SettingInvalidError, match=r"made-up rows raised ValueError: no \(400, 22\) 400 400"):
        rehearse_models(settings_with(path("Failing")), 20)
    with pytest.raises(SettingInvalidError, match="predicts something else after it was stored and loaded"):
        rehearse_models(settings_with(path("Random"), trusted=(f"{__name__}.Random",)), 20)


def test_all_faults_of_own_parts_are_told_at_once() -> None:
    settings = replace(
        settings_with("svm", "own_a:b", "own_c:d"),
        features=replace(Settings().features, own="own_e:f"),
        labels=replace(Settings().labels, labeler="own_g:h"),
    )
    modules = [fault.split("no module ")[1].split(";")[0] for fault in faults_of_own(settings)]
    assert modules == ["own_g", "own_e", "own_a", "own_c"]


def test_a_file_that_names_another_type_is_refused_though_some_types_are_added() -> None:
    """What is added is the user's list; nothing in a file extends it."""
    added = (f"{__name__}.Recorder",)
    honest = dump_model({"estimator": Recorder()}, trusted=added)
    hostile = dump_model({"estimator": Tolerant()}, trusted=(f"{__name__}.Tolerant",))
    assert load_model("skops", honest.content, sha256=honest.sha256, trusted=added)
    with pytest.raises(ArtifactRefusedError, match=r"not trusted: .*\.Tolerant; models are made"):
        load_model("skops", hostile.content, sha256=hostile.sha256, trusted=added)
    with pytest.raises(ArtifactRefusedError, match=r"not trusted: .*\.Recorder; models are made"):
        load_model("skops", honest.content, sha256=honest.sha256)


def test_a_type_inside_a_zip_of_parts_is_held_against_the_same_list() -> None:
    booster = fitted(path("boosted_by_lightgbm")).parts()["estimator"]
    added = (f"{__name__}.Recorder",)
    packed = dump_model({"booster": booster, "other": Recorder()}, trusted=added)
    assert packed.format == "parts"
    assert load_model("parts", packed.content, sha256=packed.sha256, trusted=added)
    with pytest.raises(ArtifactRefusedError, match=r"\.Recorder; models are made"):
        load_model("parts", packed.content, sha256=packed.sha256)
