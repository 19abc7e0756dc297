"""Judges a trial on its first fresh days and keeps the report, under the version on trial.

Result: ``{"trial", "verdict", "reason", "evidence"}``.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.adapters.ledger import Ledger
from daemon.children.data import first_market, settings_of
from daemon.children.fresh import first_days, fresh_evidence, fresh_rows, target_of
from daemon.children.judge import store
from daemon.children.sides import drift_alarms, invariants_of, with_sectors
from daemon.children.stored import evidence_of_bytes
from daemon.gate_rules import policy_of, sectors_of
from daemon.layout import Layout
from daemon.markets import first_of
from daemon.trials import Trial, TrialKind
from regime.types import REGIMES
from registry.gate import Candidate, GateReport, judge
from registry.gate import Ledger as Judged
from registry.looks import is_of_look, look_policy, passed_in, required_at_look
from registry.readonly import open_read_only
from registry.store import Registry

if TYPE_CHECKING:
    from daemon.settings import Settings
    from regime.types import Regime
    from registry.evidence import Evidence
    from registry.gate import Invariants
    from registry.policy import Policy
    from registry.types import ModelVersion


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Look at one trial."""
    trial, now, settings = Trial.of_facts(job["trial"]), datetime.fromisoformat(job["now"]), settings_of(job)
    layout = Layout(Path(job["root"]))
    policy = _policy(trial, settings, layout)
    with Registry.open(layout.registry) as registry:
        evidence = with_sectors(
            _evidence(job, trial, settings, registry), sectors_of(settings.gate, layout.root)
        )
        required = required_at_look(policy, evidence.regime, _passed(trial, registry))
        own, other = registry.version(trial.version), registry.version(trial.against)
        report = judge(
            _candidate(trial, own, now, invariants=invariants_of(registry, own, settings)),
            replace(_candidate(trial, other, now, invariants=None), drift_alarms=drift_alarms(layout)),
            evidence,
            look_policy(policy, days=job["days"], looks=job["looks"], required=required),
            Judged(),
        )
        store(registry, report, key=job["key"], at=now)
    return {
        "trial": job["trial"],
        "verdict": report.verdict.value,
        "reason": f"After {job['days']} fresh days: {report.reason}",
        "evidence": report.evidence_hash,
    }


def _policy(trial: Trial, settings: Settings, layout: Layout) -> Policy:
    """Give the policy that is in force.

    What it asks beside the tests holds back a promotion, and must not hold back a former champion that proves
    better: the champion of now is the one that drifts.
    """
    policy = policy_of(settings.gate.policy, layout.root)
    return policy.tests_alone() if trial.kind is TrialKind.PROBATION else policy


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
