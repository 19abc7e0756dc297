"""Judges a candidate against the champion, in a process in which nothing of it was loaded before.

Result: ``{"verdict", "reason", "champion"}``; the whole report is in the registry.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from daemon.children.data import settings_of
from daemon.children.served import served_by
from daemon.children.sides import (
    candidate_of,
    drift_alarms,
    evidence_of,
    known_of,
    ledger_against,
    with_sectors,
)
from daemon.gate_rules import policy_of, sectors_of
from daemon.layout import Layout
from registry.gate import GateReport, judge
from registry.store import Registry
from registry.types import sha256_of

if TYPE_CHECKING:
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
        served = None
        if champion is not None:
            through = int(version.manifest.data_version)
            served = served_by(layout, settings, champion, through=through)
        report = judge(
            candidate_of(registry, version, now, settings),
            None if champion is None else replace(known_of(champion, now), drift_alarms=drift_alarms(layout)),
            with_sectors(evidence_of(registry, version, champion, served), sectors),
            policy,
            ledger_against(registry, version, champion),
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
