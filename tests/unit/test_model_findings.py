"""``models show`` of versions that were trained with and without explanation and reliability."""

from __future__ import annotations

import hashlib
import json
from argparse import Namespace
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from daemon.children.explanations import explanations
from daemon.commands.models import show
from daemon.errors import UsageError
from daemon.layout import SCORECARDS, Layout
from regime.explanation import Explanation
from regime.fit_jobs import run_in_order
from regime.recipe import TrainingSettings
from regime.reliability import Reliability
from regime.training import TrainingResult, train
from regime.training_set import TrainingSet
from regime.types import REGIMES, TargetSpec
from regime.validation import WalkForward
from registry.store import Registry
from registry.types import Manifest, Member, MemberStatus, canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
SPEC = TargetSpec(name="near", kind="first_touch", up=0.05, down=0.05, horizon_days=5)
SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "schemas" / "models-show.json"
HASH = "0" * 64
MODEL = b"the trees of a forest"


@pytest.fixture(scope="module")
def rows() -> TrainingSet:
    """Give one symbol over five years; its second feature decides the class."""
    weekdays = np.arange("2010-01-04", "2015-01-01", dtype="datetime64[D]")
    day = weekdays[np.is_busday(weekdays)]
    rng = np.random.default_rng(1)
    X = rng.normal(size=(len(day), 3)).astype(np.float32)
    quarter = (day.astype("datetime64[M]").astype(int) // 3) % len(REGIMES)
    return TrainingSet(
        symbol=np.full(len(day), "AAA"),
        date=day,
        X=X,
        y=np.digitize(X[:, 1] + rng.normal(size=len(day)), [-1.0, 1.0]).astype(np.int64),
        regime=np.array([regime.value for regime in REGIMES])[quarter],
        label_end=np.busday_offset(day, 3),
        horizon_end=np.busday_offset(day, 5),
        feature_names=("idle", "momentum_20", "season"),
        feature_hash=HASH,
        labeler="rules",
        target=SPEC,
    )


def trained(rows: TrainingSet, *models: str) -> TrainingResult:
    settings = TrainingSettings(
        models=models,
        start_from="nothing",
        ablation=False,
        quorum=1,
        walk_forward=WalkForward(fold_years=1, train_years_min=2.0),
        seed=11,
    )
    return train(rows, settings, execute=run_in_order, report=lambda _: None)


@pytest.fixture(scope="module")
def result(rows: TrainingSet) -> TrainingResult:
    return trained(rows, "xgboost", "lightgbm")


def manifest() -> Manifest:
    return Manifest(
        run_id="r1",
        recipe_hash=HASH,
        data_hash=HASH,
        data_version="17",
        feature_names=("idle", "momentum_20", "season"),
        feature_hash=HASH,
        feature_catalogue="1",
        target=asdict(SPEC),
        classes=SPEC.classes,
        settings={"seed": 1},
        settings_hash=HASH,
        seed=1,
        trained_from=date(2010, 1, 4),
        trained_to=date(2014, 12, 31),
        trained_rows=1304,
        packages={},
        members={
            "lightgbm": Member(
                status=MemberStatus.FITTED, format="lightgbm", sha256=hashlib.sha256(MODEL).hexdigest()
            )
        },
        created_at=NOON,
    )


def stored(root: Path, result: TrainingResult, artifacts: Mapping[str, bytes]) -> Layout:
    """Give a directory with one version."""
    layout = Layout(root)
    layout.create()
    layout.journal.touch()
    cards = {name: card.to_json() for name, card in result.scorecards.items()}
    glance: dict[str, Any] = {
        "skill": {regime.value: None for regime in REGIMES},
        "overall_skill": None,
        "account": {},
        "folds": [],
        "failures": [],
    }
    with Registry.open(layout.registry) as registry:
        registry.register(
            manifest(),
            {"lightgbm": MODEL, SCORECARDS: canonical_json(cards).encode(), **artifacts},
            glance,
            key="train:r1",
            at=NOON,
        )
    return layout


def asked(layout: Layout, **options: Any) -> Namespace:
    return Namespace(**{"dir": str(layout.root), "version": "v1", "plot": None, "json": False, **options})


# What is stored


def test_lightgbm_is_explained_and_the_ensemble_judged_beside_every_baseline(
    rows: TrainingSet, result: TrainingResult
) -> None:
    artifacts = explanations(rows, result)
    explanation = Explanation.from_json(json.loads(artifacts["explanation"]))
    assert explanation.model == "lightgbm"
    assert explanation.overall.top[0].feature == "momentum_20"
    assert explanation.overall.top[0].sign == "+"
    reliability = Reliability.from_json(json.loads(artifacts["reliability"]))
    assert set(reliability.predictors) == {"ensemble", *result.predictions.baselines}
    bins = reliability.bins("ensemble")
    assert bins is not None
    assert sum(bins[0].rows) == len(result.predictions)
    assert reliability.calibration_error("ensemble") == pytest.approx(0.1, abs=0.1)


def test_the_artifacts_of_the_same_result_are_the_same_bytes(
    rows: TrainingSet, result: TrainingResult
) -> None:
    assert explanations(rows, result) == explanations(rows, result)


def test_xgboost_that_does_not_see_all_columns_is_explained_by_the_names_of_those(rows: TrainingSet) -> None:
    shared = replace(rows, feature_names=("fear_level", "momentum_20", "season"))
    artifacts = explanations(shared, trained(shared, "xgboost"))
    explanation = Explanation.from_json(json.loads(artifacts["explanation"]))
    assert (explanation.model, explanation.feature_names) == ("xgboost", ("momentum_20", "season"))
    assert explanation.overall.top[0].feature == "momentum_20"


def test_without_a_booster_there_is_reliability_alone(rows: TrainingSet) -> None:
    assert explanations(rows, trained(rows, "logistic_regression")).keys() == {"reliability"}


# What is shown


def test_show_prints_features_by_regime_and_calibration_within_80_columns(
    rows: TrainingSet, result: TrainingResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = stored(tmp_path, result, explanations(rows, result))
    assert show(asked(layout)) == 0
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.split()[-1:] == ["ECE"] for line in lines)
    overall = next(line for line in lines if line.startswith("all ") and "." in line)
    assert 0 < float(overall.split()[-1]) < 20
    assert "What lightgbm looks at beside its margin" in text
    for name in (*(regime.value for regime in REGIMES), "all"):
        assert any(line.startswith(f"{name.ljust(17)}momentum_20 + ") for line in lines)


def test_show_of_an_older_version_says_a_sentence(
    result: TrainingResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = stored(tmp_path, result, {})
    assert show(asked(layout)) == 0
    text = capsys.readouterr().out
    assert "\nThis version has no explanation: it is older, or lacks lightgbm and xgboost.\n" in text
    assert "\nThis version has no reliability counts: it is older than they are.\n" in text
    overall = next(line for line in text.splitlines() if line.startswith("all "))
    assert overall.split()[-1] == "-"


@pytest.mark.parametrize("has_artifacts", [True, False])
def test_json_is_what_its_schema_promises(
    rows: TrainingSet,
    result: TrainingResult,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    has_artifacts: bool,
) -> None:
    layout = stored(tmp_path, result, explanations(rows, result) if has_artifacts else {})
    assert show(asked(layout, json=True)) == 0
    facts = json.loads(capsys.readouterr().out)
    Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(facts)
    if not has_artifacts:
        assert (facts["explanation"], facts["reliability"]) == (None, None)
        return
    assert facts["explanation"]["regimes"]["crash"]["top"][0]["feature"] == "momentum_20"
    group = facts["reliability"]["predictors"]["ensemble"]["overall"]
    assert group["rows"] == len(result.predictions)
    assert sum(group["classes"]["buy"]["bins"]["rows"]) == group["rows"]


@pytest.mark.parametrize("has_artifacts", [True, False])
def test_show_draws_a_picture_and_prints_nothing(
    rows: TrainingSet,
    result: TrainingResult,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    has_artifacts: bool,
) -> None:
    layout = stored(tmp_path / "d", result, explanations(rows, result) if has_artifacts else {})
    picture = tmp_path / "v1.png"
    assert show(asked(layout, plot=str(picture))) == 0
    assert capsys.readouterr().out == ""
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 10_000


def test_a_picture_of_another_kind_is_refused(result: TrainingResult, tmp_path: Path) -> None:
    layout = stored(tmp_path, result, {})
    with pytest.raises(UsageError, match=r"v1\.gif: a plot is written as \.png or \.svg"):
        show(asked(layout, plot=str(tmp_path / "v1.gif")))
