"""A registry with versions that answer: small models of six features, golden predictions and their range."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from daemon.children.stored import ensemble_bytes
from regime.drift import FeatureDay, FeatureRange
from regime.models import assemble, fit
from regime.models.ensemble import ENSEMBLE, Ensemble, Inputs
from regime.models.pool import Pool
from regime.types import FeatureTable, Regime
from registry.formats import dump_model
from registry.types import Manifest, Member, MemberStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from registry.store import Registry

NOON: Final = datetime(2024, 3, 1, 12, tzinfo=UTC)
FEATURES: Final = tuple(f"feature_{number}" for number in range(6))
HASH: Final = "c0de" * 16
MODELS: Final = ("logistic_regression", "lightgbm", "xgboost")
CLASSES: Final = ("sell", "hold", "buy")


def rows_of(n_rows: int, seed: int = 3) -> NDArray[np.float32]:
    """Give values of the features, shape (n_rows, 6), all within the range of the training days."""
    drawn = np.random.default_rng(seed).normal(size=(n_rows, len(FEATURES)))
    return np.clip(drawn, -2.0, 2.0).astype(np.float32)


def table_of(values: NDArray[np.float32], day: str = "2024-03-04") -> FeatureTable:
    """Give rows of symbols S0, S1, … on one day."""
    return FeatureTable(
        symbol=np.array([f"S{row}" for row in range(len(values))]),
        date=np.full(len(values), np.datetime64(day, "D")),
        names=FEATURES,
        values=values,
        catalogue_hash=HASH,
    )


def register_served(
    registry: Registry,
    run: str,
    seed: int = 1,
    *,
    feature_hash: str = HASH,
    others: Mapping[str, bytes] | None = None,
    made: Mapping[str, Any] | None = None,
) -> str:
    """Register a version that can serve, and give its name; another seed is other models.

    ``others`` are artifacts beside those that serving needs, ``made`` is what else the manifest says.
    """
    X = rows_of(200, seed)
    y = np.digitize(X[:, 0], [-0.7, 0.7]).astype(np.int64)
    parts = {
        name: fit(name, X, y, sample_weight=np.ones(len(y)), n_classes=3, seed=seed).parts()
        for name in MODELS
    }
    stored = {name: dump_model(part) for name, part in parts.items()}
    ensemble = Ensemble(
        models={name: assemble(name, part, n_classes=3) for name, part in parts.items()},
        columns=np.arange(len(FEATURES)),
        barrier=None,
        starts_from_barrier=False,
        pool=Pool(kind="mean", weights=dict.fromkeys(MODELS, 1 / 3)),
    )
    artifacts = {
        **{name: artifact.content for name, artifact in stored.items()},
        ENSEMBLE: ensemble_bytes(ensemble, FEATURES),
        "golden": _golden(ensemble, X[:16]),
        "drift_feature_range": _range(X),
        **(others or {}),
    }
    members = {
        name: Member(status=MemberStatus.FITTED, format=artifact.format, sha256=artifact.sha256)
        for name, artifact in stored.items()
    }
    manifest = replace(_manifest(run, members), feature_hash=feature_hash, **(made or {}))
    return registry.register(manifest, artifacts, {}, key=f"train:{run}", at=NOON).name


def promote(registry: Registry, version: str, expected: str | None) -> None:
    """Make a version champion."""
    registry.promote(
        version, expected_champion=expected, reason="better", actor="gate", at=NOON, key=f"promote:{version}"
    )


def _golden(ensemble: Ensemble, X: NDArray[np.float32]) -> bytes:
    inputs = Inputs(X=X, volatility=None, regime=np.full(len(X), "normal"))
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, allow_pickle=False, X=X, regime=inputs.regime, proba=ensemble.predict_proba(inputs)
    )
    return buffer.getvalue()


def _range(X: NDArray[np.float32]) -> bytes:
    day = FeatureDay(date=date(2024, 2, 1), regime=Regime.NORMAL, names=FEATURES, values=X.astype(np.float64))
    return FeatureRange().fit([day], np.random.default_rng(1)).to_bytes()


def _manifest(run: str, members: Mapping[str, Member]) -> Manifest:
    return Manifest(
        run_id=run, recipe_hash="recipe", data_hash="data", data_version="1", feature_names=FEATURES,
        feature_hash=HASH, feature_catalogue="1",
        target={"name": "reference", "kind": "first_touch", "up": 0.1, "down": 0.05, "horizon_days": 14},
        classes=CLASSES, settings={}, settings_hash="settings", seed=1, trained_from=date(2004, 1, 2),
        trained_to=date(2024, 2, 1), trained_rows=200, packages={}, members=members, created_at=NOON,
    )  # fmt: skip
