"""A registered version, loaded and checked, ready to predict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.children.stored import golden_of_bytes
from regime.errors import FeatureMismatchError
from regime.features import CATALOGUE_VERSION
from regime.models import assemble
from regime.models.ensemble import MeanEnsemble
from registry.formats import load_model
from registry.types import MemberStatus

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from regime.types import FeatureTable
    from registry.store import Registry
    from registry.types import ModelVersion

GOLDEN_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedVersion:
    """A version with its fitted members."""

    version: ModelVersion
    ensemble: MeanEnsemble

    def predict(self, features: FeatureTable) -> NDArray[np.float64]:
        """Give class probabilities of feature rows, shape (n_rows, n_classes).

        Raises
        ------
        FeatureMismatchError
            If the features are not those of the version.
        """
        manifest = self.version.manifest
        if features.catalogue_hash != manifest.feature_hash:
            raise FeatureMismatchError(
                f"{self.version.name} was trained on feature catalogue {manifest.feature_catalogue}"
                f" ({manifest.feature_hash[:12]}), and these are features of catalogue {CATALOGUE_VERSION}"
                f" ({features.catalogue_hash[:12]}); train a new version, or run the regimed"
                " and the features.own that trained it"
            )
        return self.ensemble.predict_proba(features.values.astype(np.float32))


def load_version(
    registry: Registry, version: ModelVersion, *, trusted: Collection[str] = ()
) -> LoadedVersion:
    """Load every fitted member; its hash is checked before its bytes are parsed.

    ``trusted`` names the types that the configuration allows beside those of ``registry.trusted``.
    """
    members = []
    for name, member in sorted(version.manifest.members.items()):
        if member.status is MemberStatus.FITTED:
            assert member.sha256 is not None and member.format is not None  # noqa: S101, PT018 - Member's rule
            content = registry.get_blob(member.sha256)
            parts: Any = load_model(member.format, content, sha256=member.sha256, trusted=trusted)
            members.append(assemble(name, parts, n_classes=len(version.manifest.classes)))
    return LoadedVersion(version=version, ensemble=MeanEnsemble(members=tuple(members)))


def golden_reproduces(registry: Registry, loaded: LoadedVersion) -> bool:
    """Tell whether a loaded version predicts what it predicted when it was trained."""
    stored = registry.artifacts(loaded.version.name)["golden"]
    X, expected = golden_of_bytes(registry.get_blob(stored.sha256))
    return bool(np.allclose(loaded.ensemble.predict_proba(X), expected, rtol=0, atol=GOLDEN_TOLERANCE))
