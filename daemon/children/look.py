"""Judges a trial on its first fresh days and keeps the report, under the version on trial.

Result: ``{"trial", "verdict", "reason", "evidence"}``.
"""

from __future__ import annotations

import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from daemon.adapters.ledger import Ledger
from daemon.children.data import first_market, settings_of
from daemon.children.fresh import first_days, fresh_evidence, fresh_rows, target_of
from daemon.children.judge import invariants_of
from daemon.children.speech import main_of
from daemon.children.stored import evidence_of_bytes
from daemon.layout import Layout
from daemon.markets import first_of
from daemon.trials import Trial, TrialKind
from regime.types import REGIMES
from registry.gate import Candidate, GateReport, judge
from registry.gate import Ledger as Judged
from registry.looks import is_of_look, look_policy, passed_in, required_at_look
from registry.policy import policy_named
from registry.readonly import open_read_only
from registry.store import Registry

if TYPE_CHECKING:
    from daemon.settings import Settings
    from regime.types import Regime
    from registry.evidence import Evidence
    from registry.gate import Invariants
    from registry.types import ModelVersion

ACTOR: Final = "gate"


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Look at one trial."""
    trial, now, settings = Trial.of_facts(job["trial"]), datetime.fromisoformat(job["now"]), settings_of(job)
    with Registry.open(Layout(Path(job["root"])).registry) as registry:
        evidence = _evidence(job, trial, settings, registry)
        policy = policy_named(settings.gate.policy)
        required = required_at_look(policy, evidence.regime, _passed(trial, registry))
        own, other = registry.version(trial.version), registry.version(trial.against)
        report = judge(
            _candidate(trial, own, now, invariants=invariants_of(registry, own, settings)),
            _candidate(trial, other, now, invariants=None),
            evidence,
            look_policy(policy, days=job["days"], looks=job["looks"], required=required),
            Judged(),
        )
        registry.store_report(own.name, report.to_json(), actor=ACTOR, at=now, key=job["key"])
    return {
        "trial": job["trial"],
        "verdict": report.verdict.value,
        "reason": f"After {job['days']} fresh days: {report.reason}",
        "evidence": report.evidence_hash,
    }


def _evidence(job: dict[str, Any], trial: Trial, settings: Settings, registry: Registry) -> Evidence:
    market = first_market(job["root"], job["data_version"], settings)
    past = registry.get_blob(registry.artifacts(trial.version)["evidence"].sha256)
    with closing(open_read_only(Layout(Path(job["root"])).journal)) as connection:
        own, other = fresh_rows(
            trial,
            Ledger(connection),
            market.bars,
            target_of(registry.version(trial.version).manifest.target),
            data_version=job["data_version"],
            calendar=first_of(settings.markets)[1].calendar,
        )
    return fresh_evidence(*first_days(own, other, job["days"]), evidence_of_bytes(past))


def _passed(trial: Trial, registry: Registry) -> tuple[Regime, ...]:
    """Give the regimes that need no further proof.

    A shadow has those in which all history has shown it to be safe; a former champion served already.
    """
    if trial.kind is TrialKind.PROBATION:
        return REGIMES
    reports = [GateReport.from_json(report) for report in registry.reports(trial.version)]
    judged = [report for report in reports if report.champion == trial.against and not is_of_look(report)]
    return passed_in(judged[0]) if judged else ()


def _candidate(
    trial: Trial, version: ModelVersion, now: datetime, *, invariants: Invariants | None
) -> Candidate:
    """Give a side of the look.

    In a probation the fitted versions are compared, not their recipes, and only proven benefit moves
    anything: so each has an identity of its own, and no age.
    """
    manifest = version.manifest
    fresh = trial.kind is TrialKind.PROBATION
    return Candidate(
        version=version.name,
        recipe_hash=manifest.sha256() if fresh else manifest.recipe_hash,
        age_days=None if fresh else (now - manifest.created_at).days,
        invariants=invariants,
    )


if __name__ == "__main__":
    sys.exit(main_of(run))
