"""A registered version, loaded and checked, ready to predict."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.children.stored import golden_of_bytes
from regime.barrier.members import BARRIER
from regime.barrier.parts import model_of
from regime.errors import FeatureMismatchError
from regime.features import CATALOGUE_VERSION
from regime.models import assemble
from regime.models.ensemble import ENSEMBLE, Ensemble, Inputs
from regime.models.pool import Pool
from regime.types import TargetSpec
from registry.errors import ArtifactRefusedError, GoldenMismatchError
from registry.formats import load_model
from registry.types import MemberStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from numpy.typing import NDArray

    from daemon.children.data import Market
    from regime.types import FeatureTable
    from registry.store import Registry
    from registry.types import Manifest, ModelVersion

GOLDEN_TOLERANCE = 1e-9
SERVING_TOLERANCE = 1e-6
"""Answers have six decimals: a difference below is none, such as another build of a library may bring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedVersion:
    """A version with its fitted members."""

    version: ModelVersion
    ensemble: Ensemble

    def inputs_of(self, features: FeatureTable, market: Market, regime: NDArray[np.str_]) -> Inputs:
        """Give what the ensemble predicts from, for rows of features and their regimes, shape (n_rows,).

        Raises
        ------
        FeatureMismatchError
            If the features are not those of the version.
        """
        self.require_features(features.catalogue_hash)
        forecasts = self.ensemble.barrier is not None and len(features) > 0
        return Inputs(
            X=features.values.astype(np.float32),
            volatility=market.volatility(features) if forecasts else None,
            regime=regime,
        )

    def require_features(self, catalogue_hash: str) -> None:
        """Refuse features that are not those of the version.

        Raises
        ------
        FeatureMismatchError
            If their hash is another; it names both catalogues.
        """
        manifest = self.version.manifest
        if catalogue_hash != manifest.feature_hash:
            raise FeatureMismatchError(
                f"{self.version.name} was trained on feature catalogue {manifest.feature_catalogue}"
                f" ({manifest.feature_hash[:12]}), and these are features of catalogue {CATALOGUE_VERSION}"
                f" ({catalogue_hash[:12]}); train a new version, or run the regimed"
                " and the features.own that trained it"
            )


def load_proven(registry: Registry, version: ModelVersion, *, trusted: Collection[str] = ()) -> LoadedVersion:
    """Load a version as ``load_version`` does, and let it reproduce its golden predictions.

    Raises
    ------
    GoldenMismatchError
        If it predicts anything else.
    """
    loaded = load_version(registry, version, trusted=trusted)
    require_golden(registry, loaded)
    return loaded


def load_version(
    registry: Registry, version: ModelVersion, *, trusted: Collection[str] = ()
) -> LoadedVersion:
    """Load every fitted member; its hash is checked before its bytes are parsed.

    ``trusted`` names the types that the configuration allows beside those of ``registry.trusted``.
    """
    stored = registry.artifacts(version.name)

    def read(name: str) -> bytes:
        if name not in stored:
            raise ArtifactRefusedError(
                f"{version.name} has no artifact {name!r}: an older regimed trained it;"
                " train a new version with: regimed train --now"
            )
        return registry.get_blob(stored[name].sha256)

    return LoadedVersion(version=version, ensemble=ensemble_of(version.manifest, read, trusted=trusted))


def ensemble_of(
    manifest: Manifest, read: Callable[[str], bytes], *, trusted: Collection[str] = ()
) -> Ensemble:
    """Put an ensemble together from a manifest and ``read``, which gives an artifact by its name.

    Raises
    ------
    RegistryError
        If a member is not what the manifest says, or holds types that are not trusted.
    """
    parts: dict[str, Any] = {}
    for name, member in sorted(manifest.members.items()):
        if member.status is MemberStatus.FITTED:
            assert member.sha256 is not None and member.format is not None  # noqa: S101, PT018 - Member's rule
            parts[name] = load_model(member.format, read(name), sha256=member.sha256, trusted=trusted)
    barrier = parts.pop(BARRIER, None)
    facts = json.loads(read(ENSEMBLE))
    target: dict[str, Any] = {**manifest.target, "classes": manifest.classes}
    at = {name: place for place, name in enumerate(manifest.feature_names)}
    return Ensemble(
        models={name: assemble(name, each, n_classes=len(manifest.classes)) for name, each in parts.items()},
        columns=np.array([at[name] for name in facts["features"]], dtype=np.intp),
        barrier=None if barrier is None else model_of(barrier, TargetSpec(**target)),
        starts_from_barrier=facts["starts_from_barrier"],
        pool=Pool.from_json(facts["pool"]),
    )


def golden_reproduces(
    registry: Registry, loaded: LoadedVersion, *, tolerance: float = GOLDEN_TOLERANCE
) -> bool:
    """Tell whether a loaded version predicts what it predicted when it was trained."""
    stored = registry.artifacts(loaded.version.name)["golden"]
    return predicts_golden(loaded.ensemble, registry.get_blob(stored.sha256), tolerance=tolerance)


def predicts_golden(ensemble: Ensemble, golden: bytes, *, tolerance: float = GOLDEN_TOLERANCE) -> bool:
    """Tell whether an ensemble gives the probabilities that are stored with its golden rows."""
    inputs, expected = golden_of_bytes(golden)
    given = ensemble.predict_proba(inputs)
    return given.shape == expected.shape and bool(np.allclose(given, expected, rtol=0, atol=tolerance))


def require_golden(registry: Registry, loaded: LoadedVersion) -> None:
    """Refuse a loaded version that does not predict what it predicted when it was trained.

    Raises
    ------
    GoldenMismatchError
        If it predicts anything else.
    """
    if not golden_reproduces(registry, loaded, tolerance=SERVING_TOLERANCE):
        raise GoldenMismatchError(loaded.version.name)
