"""``models list|show|promote|rollback|verify``: the registry, read by people."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from daemon.commands.context import print_json, print_table, reading_registry, settings_of
from daemon.commands.model_account import account_lines, print_members
from daemon.commands.model_findings import (
    RELIABILITY_MISSING,
    explanation_facts,
    explanation_lines,
    explanation_of,
    reliability_facts,
    reliability_of,
)
from daemon.commands.servable import previous_of, require_servable
from daemon.commands.times import local_time, now
from daemon.commands.writing import writing
from daemon.errors import UsageError
from daemon.hold_trials import rollback_told
from daemon.layout import SCORECARDS, layout_of
from daemon.messages import ScoringDue
from daemon.records import Event
from regime.scorecard import REGIME_PRIOR, Scorecard
from regime.types import REGIMES, Regime
from registry.gate import GateReport, Verdict, force
from registry.store import Registry

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from daemon.adapters.journal import Journal
    from regime.explanation import Explanation
    from regime.reliability import Reliability
    from registry.types import ModelVersion

ENSEMBLE: Final = "ensemble"
"""As in ``regime.models.ensemble``, which would bring every model library along."""
SCORE_COLUMNS: Final = (
    "regime", "days", "spells", "acc", "major", "loss", "prior", "skill", "95 %", "ece",
)  # fmt: skip
"""Fits 80 columns. acc beside the majority's accuracy, log-loss beside the regime prior's; skill, its
interval and the expected calibration error in %."""


def list_models(options: argparse.Namespace) -> int:
    """List model versions."""
    with reading_registry(layout_of(options)) as registry:
        held = {version: alias.value for alias, version in registry.aliases().items()}
        rows = [_row(registry, version, held.get(version.name)) for version in registry.versions()]
    if options.json:
        print_json({"versions": rows})
    else:
        header = ("version", "alias", "verdict", "trained_to", "rows", "members", "overall_skill")
        print_table(header, [tuple(row[name] for name in header) for row in rows])
    return 0


def _row(registry: Registry, version: ModelVersion, alias: str | None) -> dict[str, Any]:
    report = registry.report(version.name)
    manifest = version.manifest
    return {
        "version": version.name,
        "alias": alias,
        "verdict": None if report is None else report["verdict"],
        "run": manifest.run_id,
        "trained_from": manifest.trained_from.isoformat(),
        "trained_to": manifest.trained_to.isoformat(),
        "rows": manifest.trained_rows,
        "members": sum(member.sha256 is not None for member in manifest.members.values()),
        "overall_skill": registry.scorecard(version.name)["overall_skill"],
        "registered_at": version.registered_at.isoformat(),
    }


def show(options: argparse.Namespace) -> int:
    """Show a version: manifest, scores beside baselines, verdict."""
    with reading_registry(layout_of(options)) as registry:
        version = registry.version(options.version)
        scorecard: dict[str, Any] = registry.scorecard(version.name)
        report: Any = registry.report(version.name)
        aliases = [alias.value for alias, name in registry.aliases().items() if name == version.name]
        facts = _row(registry, version, ", ".join(aliases) or None)
        cards = scorecards(registry, version.name)
        explanation = explanation_of(registry, version.name)
        reliability = reliability_of(registry, version.name)
    card = Scorecard.from_json(cards[ENSEMBLE])
    if options.plot:
        from daemon.model_plots import plot_model  # noqa: PLC0415 - brings matplotlib, slow to start

        plot_model(_title(version), card, explanation, reliability, Path(options.plot))
        return 0
    if options.json:
        print_json(
            {
                **facts,
                "manifest": _manifest(version),
                "scorecard": {**scorecard, "cards": cards},
                "report": report,
                "explanation": explanation_facts(explanation),
                "reliability": reliability_facts(reliability),
            }
        )
        return 0
    _print_head(version, facts)
    _print_findings(card, explanation, reliability)
    print("\nEveryone, against the regime prior and against the volatility barrier:\n")
    print_members(cards, scorecard.get("weights", {}))
    print("", *account_lines(scorecard), sep="\n")
    if report is not None:
        print(f"\nGate: {report['verdict']}: {report['reason']}")
        for verdict in report["regimes"]:
            print(f"  {verdict['regime']:<16}{verdict['status']:<13}{verdict['reason']}")
    return 0


def _print_head(version: ModelVersion, facts: Mapping[str, Any]) -> None:
    for name, value in facts.items():
        shown = f"{value:+.3f}" if isinstance(value, float) else value
        print(f"{name:<14}{'-' if value is None else shown}")
    for name, member in version.manifest.members.items():
        print(f"  {name:<22}{member.format or f'failed: {member.reason}'}")


def _print_findings(
    card: Scorecard, explanation: Explanation | None, reliability: Reliability | None
) -> None:
    print("\nOut of sample, in purged walk-forward; skill = 1 - log-loss / log-loss of the")
    print("regime prior, and ece, the expected calibration error, in %:\n")
    print_scores(card, reliability)
    if reliability is None:
        print(f"\n{RELIABILITY_MISSING}")
    print("", *explanation_lines(explanation), sep="\n")


def scorecards(registry: Registry, version: str) -> dict[str, Any]:
    """Give the scorecards of the ensemble and of every member as they were stored."""
    stored = registry.artifacts(version)[SCORECARDS]
    cards: dict[str, Any] = json.loads(registry.get_blob(stored.sha256))
    return cards


def _manifest(version: ModelVersion) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(version.manifest.to_json())
    return manifest


def _title(version: ModelVersion) -> str:
    manifest = version.manifest
    return f"{version.name}, trained on {manifest.trained_from} to {manifest.trained_to}"


def print_scores(card: Scorecard, reliability: Reliability | None) -> None:
    """Print a scorecard by regime beside its baselines; what is not known is a dash."""
    rows = [_scores(card, reliability, regime) for regime in (*REGIMES, None)]
    print_table(SCORE_COLUMNS, rows)


def _scores(card: Scorecard, reliability: Reliability | None, regime: Regime | None) -> tuple[object, ...]:
    tally = card.tally(regime)
    skill = card.skill(regime, REGIME_PRIOR)
    interval = card.interval(regime, REGIME_PRIOR)
    error = None if reliability is None else reliability.calibration_error(ENSEMBLE, regime)
    return (
        "all" if regime is None else regime.value,
        card.days_in(regime),
        card.spells_in(regime),
        tally.accuracy(),
        tally.accuracy("majority"),
        tally.log_loss(),
        tally.log_loss(REGIME_PRIOR),
        None if skill is None else f"{100 * skill:+.1f}",
        None if interval is None else f"{100 * interval.low:+.0f}…{100 * interval.high:+.0f}",
        None if error is None else f"{100 * error:.1f}",
    )


def promote(options: argparse.Namespace) -> int:
    """Make a version champion by hand; its report says that it was forced, by whom and why."""
    layout, at, actor = layout_of(options), now(), getpass.getuser()
    key = f"by hand:{at.isoformat()}"
    require_servable(layout, options.version)
    with writing(layout) as journal, Registry.open(layout.registry) as registry:
        version, champion = registry.version(options.version), registry.champion()
        previous = champion.name if champion else None
        registry.promote(
            version.name, expected_champion=previous, reason=options.reason, actor=actor, at=at, key=key
        )
        if reports := registry.reports(version.name):
            forced = force(GateReport.from_json(reports[-1]), options.reason)
            registry.store_report(version.name, forced.to_json(), actor=actor, at=at, key=key)
        fields = {
            "version": version.name,
            "previous": previous,
            "verdict": Verdict.FORCED.value,
            "reason": options.reason,
        }
        _tell(journal, [Event(name="gate.promoted", fields=fields)], version.name, at)
    return _say(options, {"champion": version.name, "previous": previous})


def rollback(options: argparse.Namespace) -> int:
    """Make the previous champion champion again; after that nothing is promoted automatically."""
    layout, at = layout_of(options), now()
    require_servable(layout, previous_of(layout))
    with writing(layout) as journal, Registry.open(layout.registry) as registry:
        champion = registry.champion()
        if champion is None:
            raise UsageError("there is no champion to roll back; see: regimed models list")
        event = registry.rollback(
            expected_champion=champion.name,
            reason=options.reason,
            actor=getpass.getuser(),
            at=at,
            key=f"by hand:{at.isoformat()}",
            freezes=settings_of(layout).gate.freeze_after_rollback,
        )
        _tell(journal, rollback_told(event, champion.name, None), event.version, at)
    return _say(options, {"champion": event.version, "previous": champion.name})


def _tell(journal: Journal, events: Sequence[Event], champion: str, at: datetime) -> None:
    """Note what was done by hand, and let the daemon predict with the new champion."""
    journal.note(events, now=at)
    due = ScoringDue(data_version=journal.ledger.data_version(), champion=champion)
    journal.append([due], now=at)


def _say(options: argparse.Namespace, facts: dict[str, object]) -> int:
    if options.json:
        print_json(facts)
    else:
        print(f"{facts['champion']} is champion, {facts['previous'] or 'nothing'} was before")
    return 0


def verify(options: argparse.Namespace) -> int:
    """Check artifacts, manifests and the chain of events; exit 1 if anything is wrong."""
    with reading_registry(layout_of(options)) as registry:
        findings, versions = registry.verify(), len(registry.versions())
    if options.json:
        print_json(
            {
                "versions": versions,
                "findings": [{"subject": f.subject, "problem": f.problem} for f in findings],
            }
        )
    else:
        for finding in findings:
            print(f"{finding.subject}: {finding.problem}")
        print(f"{versions} versions, {local_time(now().isoformat())}: {len(findings) or 'no'} problems")
    return 1 if findings else 0
