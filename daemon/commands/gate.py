"""``gate judge|explain``: what the gate says of a file of predictions, and what it said of a version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from daemon.commands.context import print_json, reading_registry
from daemon.commands.days import day_of
from daemon.commands.gate_policy import policy_toml
from daemon.commands.gate_text import compared_with, explanation_lines, gain_of, judgement_lines
from daemon.commands.timeline import width_of_output
from daemon.errors import UsageError
from daemon.formats.evidence import read_evidence
from daemon.gate_rules import policy_of
from daemon.layout import layout_of
from registry.gate import Candidate, GateReport, Kind, Ledger, judge
from registry.policy import FORMER, PRESETS
from registry.policy_values import policy_from_mapping

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from registry.evidence import Evidence
    from registry.policy import Policy

CANDIDATE: Final = "candidate"
CHAMPION: Final = "champion"


def judge_file(options: argparse.Namespace) -> int:
    """Judge the predictions in a file; exit code 0 whatever the verdict."""
    policy = policy_of(options.policy)
    trained_to = None if options.trained_to is None else day_of(options.trained_to)
    evidence = read_evidence(Path(options.evidence), trained_to=trained_to)
    report = judge_evidence(evidence, policy, kind=Kind(options.kind), judged_before=options.judged_before)
    if options.plot:
        _plot(report, options.plot)
    if options.json:
        print_json(judgement_facts(report))
    elif not options.plot:
        print(*judgement_lines(report, width_of_output()), sep="\n")
    return 0


def judge_evidence(evidence: Evidence, policy: Policy, *, kind: Kind, judged_before: int) -> GateReport:
    """Judge evidence without artifacts; ``kind`` says whether the candidate is the champion's recipe."""
    champion = Candidate(version=CHAMPION, recipe_hash=CHAMPION, age_days=None, invariants=None)
    own = CHAMPION if kind is Kind.REFIT else CANDIDATE
    return judge(
        Candidate(version=CANDIDATE, recipe_hash=own, age_days=None, invariants=None),
        None if evidence.champion is None else champion,
        evidence,
        policy,
        Ledger(judged_before=judged_before),
    )


def judgement_facts(report: GateReport) -> dict[str, Any]:
    """Give what ``gate judge --json`` says: gains are in the policy's metric."""
    other, told = compared_with(report), json.loads(report.to_json())
    return {
        "verdict": report.verdict.value,
        "reason": report.reason,
        "policy": report.policy,
        "policy_hash": report.policy_hash,
        "metric": report.metric.value,
        "compared_with": other,
        "regimes": {
            verdict.regime.value: {
                "status": verdict.status.value,
                "days": verdict.days,
                "rows": verdict.rows,
                "episodes": verdict.episodes,
                **gain_of(verdict, report.metric, other)._asdict(),
                "reason": verdict.reason,
            }
            for verdict in report.regimes
        },
        "benefit": told["benefit"],
        "also": told["also"],
        "evidence": {
            "hash": report.evidence_hash,
            "rows": report.evidence_rows,
            "from": report.evidence_from,
            "to": report.evidence_to,
        },
    }


def explain(options: argparse.Namespace) -> int:
    """Show what the gate said of a version: every number that it used, for people or as JSON."""
    with reading_registry(layout_of(options)) as registry:
        version = registry.version(options.version).name
        bodies = registry.reports(version)
    if not bodies:
        raise UsageError(f"{version} was not judged yet; versions and their verdicts: regimed models list")
    reports = [GateReport.from_json(body) for body in bodies]
    rules = rules_of(reports[-1])
    if options.policy:
        print(_policy_toml(version, rules), end="")
        return 0
    if options.plot:
        _plot(reports[-1], options.plot)
    if options.json:
        print_json(_explanation_facts(version, bodies, rules))
    elif not options.plot:
        _print_earlier(reports[:-1])
        print(*explanation_lines(reports[-1], rules, width_of_output()), sep="\n")
    return 0


def rules_of(report: GateReport) -> Mapping[str, object] | None:
    """Give the policy of a report: as it keeps it, or, of one that kept a hash alone, one that shipped."""
    if report.rules is not None:
        return report.rules
    shipped = (*PRESETS.values(), *FORMER)
    return next((policy.content() for policy in shipped if policy.hash == report.policy_hash), None)


def _policy_toml(version: str, rules: Mapping[str, object] | None) -> str:
    if rules is None:
        raise UsageError(
            f"the last report on {version} kept only the hash of its policy; look for the file that has it"
        )
    return policy_toml(policy_from_mapping(rules))


def _explanation_facts(
    version: str, bodies: tuple[str, ...], rules: Mapping[str, object] | None
) -> dict[str, Any]:
    told: list[Mapping[str, Any]] = [json.loads(body) for body in bodies]
    return {"version": version, "reports": told, "policy": None if rules is None else dict(rules)}


def _print_earlier(reports: list[GateReport]) -> None:
    for number, report in enumerate(reports, 1):
        other = report.champion or "no champion"
        print(f"report {number}: {report.verdict} against {other}, policy {report.policy}")
    if reports:
        print(f"report {len(reports) + 1}, the last:\n")


def _plot(report: GateReport, file: str) -> None:
    from daemon.gate_plots import plot_gate  # noqa: PLC0415 - brings matplotlib, slow to start

    plot_gate(report, Path(file))
