"""Tries a version that comes from outside, in a process whose limits contain what it may do to a parser.

Result: ``{"rows": rows of evidence}`` or ``{"refused": sentence}``. Nothing is written.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from daemon.children.champion import ensemble_of, predicts_golden
from daemon.children.data import settings_of
from daemon.children.references import check_references
from daemon.children.stored import CANDIDATE, PRIOR, evidence_of_bytes, golden_of_bytes
from daemon.layout import SCORECARDS
from regime.errors import RegimeError
from regime.features.own import feature_hash
from regime.models.ensemble import ENSEMBLE
from regime.scorecard import Scorecard
from registry.bundle import read_bundle
from registry.errors import ArtifactCorruptError, ArtifactRefusedError, RegistryError
from registry.evidence import Evidence
from registry.policy import GateError
from registry.rows import object_of

if TYPE_CHECKING:
    from daemon.settings import Settings
    from registry.bundle import Bundle
    from registry.types import Manifest

GOLDEN_ROWS_MIN: Final = 1
LOSS_TOLERANCE: Final = 1e-6
"""Of the mean log-loss that the scorecard tells and the evidence shows."""


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Examine one folder, whose seal the parent has seen."""
    settings = settings_of(job)
    try:
        bundle, seal = read_bundle(Path(job["folder"]))
        if seal != job["seal"]:
            return {"refused": "the folder was changed while it was read; import it again"}
        rows = _examine(bundle, settings)
    except (RegistryError, RegimeError, GateError) as error:
        return {"refused": str(error)}
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OSError) as error:
        return {"refused": f"a file is not what its name says ({error!r}); export the version again"}
    return {"rows": rows}


def _examine(bundle: Bundle, settings: Settings) -> int:
    """Give the rows of evidence of a version that may be registered."""
    manifest = bundle.manifest
    expected = feature_hash(settings.features.own, manifest.feature_names)
    if manifest.feature_hash != expected:
        raise ArtifactRefusedError(
            f"it was trained on features that hash to {manifest.feature_hash[:12]}, and this regimed computes"
            f" {expected[:12]}; import it into the regimed and the features.own that trained it"
        )
    ensemble = ensemble_of(manifest, bundle.artifacts.__getitem__, trusted=settings.training.trusted_types)
    inputs, _ = golden_of_bytes(bundle.artifacts["golden"])
    if len(inputs.X) < GOLDEN_ROWS_MIN or not predicts_golden(ensemble, bundle.artifacts["golden"]):
        raise ArtifactCorruptError(
            "golden.npz is not what the members predict here; install the packages that its manifest names"
        )
    check_references(bundle.artifacts)
    evidence = _evidence(manifest, bundle.artifacts["evidence"])
    _check_score(bundle, evidence)
    return len(evidence.truth)


def _evidence(manifest: Manifest, content: bytes) -> Evidence:
    """Give the evidence, whose every row is checked as it is made."""
    columns = evidence_of_bytes(content)
    proba = {
        title: np.column_stack([columns[f"{title}_{name}"] for name in manifest.classes])
        for title in (CANDIDATE, PRIOR)
    }
    return Evidence(
        date=columns["date"].astype("datetime64[D]"),
        symbol=columns["symbol"].astype(str),
        regime=columns["regime"].astype(str),
        truth=columns["truth"].astype(np.intp),
        candidate=proba[CANDIDATE].astype(np.float64),
        champion=None,
        prior=proba[PRIOR].astype(np.float64),
        classes=manifest.classes,
    )


def _check_score(bundle: Bundle, evidence: Evidence) -> None:
    """Refuse a scorecard that tells of other rows, or of another loss, than the evidence shows."""
    cards: Any = object_of(bundle.artifacts[SCORECARDS].decode())
    tally = Scorecard.from_json(cards[ENSEMBLE]).tally()
    of_truth = evidence.candidate[np.arange(len(evidence.truth)), evidence.truth]
    shown, told = -float(np.log(of_truth).mean()), tally.log_loss()
    if tally.rows != len(of_truth) or told is None or abs(told - shown) > LOSS_TOLERANCE:
        raise ArtifactRefusedError(
            f"scorecards.json tells of {tally.rows} rows and a log-loss of {told}, evidence.parquet shows"
            f" {len(of_truth)} and {shown:.6f}; export the version again"
        )
