"""What the gate is given of two versions: who they are, the rows that both predicted, what was judged before.

Nothing here writes: the judge keeps what comes of it, a comparison by hand does not.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from daemon.adapters.ledger import Ledger as Journaled
from daemon.children.champion import golden_reproduces, load_version
from daemon.children.references import alarms_of
from daemon.children.served import SERVED, with_served
from daemon.children.stored import CANDIDATE, PRIOR, common_rows, evidence_of_bytes
from regime.features.own import feature_hash
from registry.errors import RegistryError
from registry.evidence import Evidence
from registry.gate import Candidate, Invariants, Kind, Ledger
from registry.readonly import open_read_only

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from numpy.typing import NDArray

    from daemon.layout import Layout
    from daemon.settings import Settings
    from regime.live_exam import MadePredictions
    from registry.store import Registry
    from registry.types import ModelVersion


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


def known_of(version: ModelVersion, now: datetime) -> Candidate:
    """Give what the gate knows of the side that serves, or would."""
    return Candidate(
        version=version.name,
        recipe_hash=version.manifest.recipe_hash,
        age_days=(now - version.manifest.created_at).days,
        invariants=None,
    )


def candidate_of(registry: Registry, version: ModelVersion, now: datetime, settings: Settings) -> Candidate:
    """Give the side that is judged, its artifacts checked."""
    return replace(known_of(version, now), invariants=invariants_of(registry, version, settings))


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


def evidence_of(
    registry: Registry,
    version: ModelVersion,
    champion: ModelVersion | None,
    served: MadePredictions | None = None,
) -> Evidence | None:
    """Give the rows that both predicted out of sample; ``None`` if there are none to compare.

    ``served`` is what the champion said while it served, which stands for it on those days.
    """
    own = _stored(registry, version)
    classes = version.manifest.classes
    if champion is None:
        return _rows(own, np.arange(len(own["truth"])), classes, None)
    if champion.manifest.target != version.manifest.target:
        return None
    other = _stored(registry, champion)
    if served is not None:
        other = with_served(other, served, own)
    own_at, other_at = common_rows(own, other)
    rows = _rows(own, own_at, classes, _proba(other, CANDIDATE, classes)[other_at])
    return replace(rows, served=other[SERVED][other_at]) if SERVED in other else rows


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


def ledger_against(registry: Registry, version: ModelVersion, champion: ModelVersion | None) -> Ledger:
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
