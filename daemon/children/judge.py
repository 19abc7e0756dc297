"""Judges a candidate against the champion, in a process in which nothing of it was loaded before.

Result: ``{"verdict", "reason", "champion"}``; the whole report is in the registry.
"""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from daemon.children.champion import golden_reproduces, load_version
from daemon.children.data import settings_of
from daemon.children.speech import main_of
from daemon.children.stored import CANDIDATE, PRIOR, common_rows, evidence_of_bytes
from daemon.layout import Layout
from regime.features.own import feature_hash
from registry.errors import RegistryError
from registry.evidence import Evidence
from registry.gate import Candidate, Invariants, Kind, Ledger, judge
from registry.policy import policy_named
from registry.store import Registry

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from daemon.settings import Settings
    from registry.types import ModelVersion

ACTOR: Final = "gate"


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Judge one version and keep the report."""
    now = datetime.fromisoformat(job["now"])
    settings = settings_of(job)
    policy = policy_named(settings.gate.policy)
    with Registry.open(Layout(Path(job["root"])).registry) as registry:
        version, champion = registry.version(job["version"]), registry.champion()
        report = judge(
            _candidate(registry, version, now, settings),
            None if champion is None else _known(champion, now),
            _evidence(registry, version, champion),
            policy,
            _ledger(registry, version, champion),
        )
        registry.store_report(
            version.name, report.to_json(), actor=ACTOR, at=now, key=_key(version, champion, now)
        )
    return {
        "verdict": report.verdict.value,
        "reason": report.reason,
        "champion": None if champion is None else champion.name,
    }


def _key(version: ModelVersion, champion: ModelVersion | None, now: datetime) -> str:
    """Name the judgement, so that the same one is stored once."""
    return f"judge:{version.name}:{champion.name if champion else 'none'}:{now.isoformat()}"


def _known(version: ModelVersion, now: datetime) -> Candidate:
    return Candidate(
        version=version.name,
        recipe_hash=version.manifest.recipe_hash,
        age_days=(now - version.manifest.created_at).days,
        invariants=None,
    )


def _candidate(registry: Registry, version: ModelVersion, now: datetime, settings: Settings) -> Candidate:
    known = _known(version, now)
    return Candidate(
        version=known.version,
        recipe_hash=known.recipe_hash,
        age_days=known.age_days,
        invariants=invariants_of(registry, version, settings),
    )


def invariants_of(registry: Registry, version: ModelVersion, settings: Settings) -> Invariants:
    """Check the artifacts by using them; what cannot be loaded fails every check that needs it."""
    expected = feature_hash(settings.features.own, version.manifest.feature_names)
    try:
        loaded = load_version(registry, version, trusted=settings.training.trusted_types)
        reproduces = golden_reproduces(registry, loaded)
    except RegistryError:
        loads = reproduces = False
    else:
        loads = True
    return Invariants(
        artifact_hash_matches=loads,
        loads_in_fresh_process=loads,
        golden_predictions_reproduce=reproduces,
        probabilities_valid=reproduces,
        feature_hash_matches=version.manifest.feature_hash == expected,
    )


def _evidence(registry: Registry, version: ModelVersion, champion: ModelVersion | None) -> Evidence | None:
    """Give the rows that both predicted out of sample; ``None`` if there are none to compare."""
    own = _stored(registry, version)
    classes = version.manifest.classes
    if champion is None:
        return _rows(own, np.arange(len(own["truth"])), classes, None)
    if champion.manifest.target != version.manifest.target:
        return None
    other = _stored(registry, champion)
    own_at, other_at = common_rows(own, other)
    return _rows(own, own_at, classes, _proba(other, CANDIDATE, classes)[other_at])


def _stored(registry: Registry, version: ModelVersion) -> dict[str, NDArray[Any]]:
    return evidence_of_bytes(registry.get_blob(registry.artifacts(version.name)["evidence"].sha256))


def _proba(columns: dict[str, NDArray[Any]], title: str, classes: tuple[str, ...]) -> NDArray[np.float64]:
    return np.column_stack([columns[f"{title}_{name}"] for name in classes])


def _rows(
    own: dict[str, NDArray[Any]],
    at: NDArray[np.intp],
    classes: tuple[str, ...],
    champion: NDArray[np.float64] | None,
) -> Evidence:
    return Evidence(
        date=own["date"][at],
        symbol=own["symbol"][at],
        regime=own["regime"][at],
        truth=own["truth"][at],
        candidate=_proba(own, CANDIDATE, classes)[at],
        champion=champion,
        prior=_proba(own, PRIOR, classes)[at],
        classes=classes,
    )


def _ledger(registry: Registry, version: ModelVersion, champion: ModelVersion | None) -> Ledger:
    """Count the other changes that were already judged against the same champion.

    Its own report, of a judgement that was cut short and is repeated, must not make it another one.
    """
    if champion is None:
        return Ledger()
    return Ledger(
        judged_before=sum(
            report.get("champion") == champion.name
            and report.get("kind") == Kind.CHANGE.value
            and report.get("candidate") != version.name
            for report in registry.latest_reports()
        )
    )


if __name__ == "__main__":
    sys.exit(main_of(run))
