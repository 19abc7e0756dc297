"""A champion answers only for the features that it was trained on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from daemon.children.champion import LoadedVersion
from regime.errors import FeatureMismatchError
from regime.features import CATALOGUE_VERSION, catalogue_hash
from regime.models.ensemble import Ensemble
from regime.models.pool import Pool
from regime.types import FeatureTable
from registry.types import Manifest, Member, MemberStatus, ModelVersion

TABLE = FeatureTable(
    symbol=np.array(["SPY"]),
    date=np.array(["2024-01-02"], dtype="datetime64[D]"),
    names=("rsi_14",),
    values=np.array([[50.0]]),
    catalogue_hash=catalogue_hash(),
)


NOBODY = Ensemble(
    models={},
    columns=np.array([0]),
    barrier=None,
    starts_from_barrier=False,
    pool=Pool(kind="mean", weights={}),
)
NO_MARKET: Any = None  # an ensemble without a barrier needs none
NORMAL = np.array(["normal"])


def version(feature_hash: str) -> ModelVersion:
    manifest = Manifest(
        run_id="r1", recipe_hash="recipe", data_hash="data", data_version="1", feature_names=("rsi_14",),
        feature_hash=feature_hash, feature_catalogue="0", target={}, classes=("sell", "hold", "buy"),
        settings={}, settings_hash="settings", seed=1, trained_from=date(2020, 1, 1),
        trained_to=date(2023, 1, 1), trained_rows=1, packages={},
        members={"svm": Member(status=MemberStatus.FITTED, sha256="0" * 64, format="skops")},
        created_at=datetime(2024, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    return ModelVersion(
        name="v7", key="run:r1", manifest=manifest, registered_at=datetime(2024, 1, 1, tzinfo=UTC)
    )


def test_features_of_another_catalogue_are_refused_and_both_catalogues_named() -> None:
    loaded = LoadedVersion(version=version("c0ffee" * 10 + "c0de"), ensemble=NOBODY)
    said = (
        rf"v7 was trained on feature catalogue 0 \(c0ffeec0ffee\), and these are features of catalogue"
        rf" {CATALOGUE_VERSION} \({catalogue_hash()[:12]}\); train a new version"
    )
    with pytest.raises(FeatureMismatchError, match=said):
        loaded.inputs_of(TABLE, NO_MARKET, NORMAL)


def test_features_of_any_other_hash_are_refused_though_the_version_has_the_same_number() -> None:
    loaded = LoadedVersion(version=version(catalogue_hash()), ensemble=NOBODY)
    with pytest.raises(FeatureMismatchError):
        loaded.inputs_of(replace(TABLE, catalogue_hash="another"), NO_MARKET, NORMAL)


def test_features_of_the_catalogue_become_single_precision_inputs_with_their_regime() -> None:
    loaded = LoadedVersion(version=version(catalogue_hash()), ensemble=NOBODY)
    inputs = loaded.inputs_of(TABLE, NO_MARKET, NORMAL)
    assert (inputs.X.tolist(), inputs.X.dtype.name, inputs.volatility) == ([[50.0]], "float32", None)
    assert inputs.regime.tolist() == ["normal"]
