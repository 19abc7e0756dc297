"""Judges a candidate against the champion, in a process in which nothing of it was loaded before.

Result: ``{"verdict", "reason", "champion"}``; the whole report is in the registry.
"""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np

from daemon.adapters.ledger import Ledger as Journaled
from daemon.children.champion import golden_reproduces, load_version
from daemon.children.data import settings_of
from daemon.children.references import alarms_of
from daemon.children.speech import main_of
from daemon.children.stored import CANDIDATE, PRIOR, common_rows, evidence_of_bytes
from daemon.gate_rules import policy_of, sectors_of
from daemon.layout import Layout
from regime.features.own import feature_hash
from registry.errors import RegistryError
from registry.evidence import Evidence
from registry.gate import Candidate, GateReport, Invariants, Kind, Ledger, judge
from registry.readonly import open_read_only
from registry.store import Registry
from registry.types import sha256_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from daemon.settings import Settings
    from registry.types import ModelVersion

ACTOR: Final = "gate"


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Judge one version and keep the report."""
    now = datetime.fromisoformat(job["now"])
    settings, layout = settings_of(job), Layout(Path(job["root"]))
    policy = policy_of(settings.gate.policy, layout.root)
    sectors = sectors_of(settings.gate, layout.root)
    with Registry.open(layout.registry) as registry:
        version, champion = registry.version(job["version"]), registry.champion()
        report = judge(
            _candidate(registry, version, now, settings),
            None if champion is None else replace(_known(champion, now), drift_alarms=drift_alarms(layout)),
            with_sectors(_evidence(registry, version, champion), sectors),
            policy,
            _ledger(registry, version, champion),
        )
        store(registry, report, key=_key(version, champion, now), at=now)
    return {
        "verdict": report.verdict.value,
        "reason": report.reason,
        "champion": None if champion is None else champion.name,
    }


def _key(version: ModelVersion, champion: ModelVersion | None, now: datetime) -> str:
    """Name the judgement."""
    return f"judge:{version.name}:{champion.name if champion else 'none'}:{now.isoformat()}"


def store(registry: Registry, report: GateReport, *, key: str, at: datetime) -> None:
    """Keep a report, the same one once.

    Judged again after a crash, by a policy that was edited or with drift that has come meanwhile, a version
    may get another report, which is kept too.
    """
    body = report.to_json()
    registry.store_report(report.candidate, body, actor=ACTOR, at=at, key=f"{key}:{sha256_of(body)[:12]}")


def drift_alarms(layout: Layout) -> tuple[str, ...] | None:
    """Give the drift monitors of features that are in alarm; ``None`` if none has seen a day yet."""
    with closing(open_read_only(layout.journal)) as connection:
        return alarms_of(Journaled(connection).monitor_states())


@overload
def with_sectors(evidence: Evidence, sectors: Mapping[str, str] | None) -> Evidence: ...
@overload
def with_sectors(evidence: Evidence | None, sectors: Mapping[str, str] | None) -> Evidence | None: ...
def with_sectors(evidence: Evidence | None, sectors: Mapping[str, str] | None) -> Evidence | None:
    """Give evidence in which every symbol has its sector; one that is in none of the map has none."""
    if evidence is None or sectors is None:
        return evidence
    named = [sectors.get(symbol, "") for symbol in evidence.symbol.tolist()]
    return replace(evidence, sector=np.array(named, dtype=np.str_))


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
