"""The gate: whether a candidate may replace the champion, judged regime by regime and explained.

Safety comes before benefit. In each regime the candidate must be no worse than the champion by more than
a margin, and nowhere may it be shown worse; then a changed recipe must be better overall or in a crash.
Too little evidence is never a pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from regime.types import REGIMES, Regime
from registry.also import harmed_sectors, open_questions, read_also
from registry.gate_report import (
    Benefit,
    Finding,
    GateReport,
    Invariants,
    Kind,
    RegimeVerdict,
    Status,
    Verdict,
    force,
)
from registry.policy import GateError
from registry.safety import RegimeDays, RegimeTrial, no_days, regime_days, regime_verdict, try_regime, untried
from registry.statistics import alpha_spent, combined_p, weighted_mean
from registry.suspicion import leak_of_first, leak_over_champion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from registry.evidence import Evidence
    from registry.policy import Policy

__all__ = [
    "Benefit",
    "Candidate",
    "Finding",
    "GateReport",
    "Invariants",
    "Kind",
    "Ledger",
    "RegimeVerdict",
    "Status",
    "Verdict",
    "force",
    "judge",
    "judge_days",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A version that stands before the gate, on either side.

    Parameters
    ----------
    version
        Its name in the registry.
    recipe_hash
        Identifies everything but the data: features, target, models, settings. Equal hashes make a refit.
    age_days
        Days since it was fitted; None if not known. Only the champion's is used.
    invariants
        What was checked of its artifact. None means that there is no artifact, as when a file of
        predictions is judged. Only the candidate's are used.
    drift_alarms
        The drift monitors of features that are in alarm; None if not known. Only the champion's are used.
    """

    version: str
    recipe_hash: str
    age_days: int | None
    invariants: Invariants | None
    drift_alarms: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """How many changes were already judged for their benefit on the same window of evidence."""

    judged_before: int = 0

    def __post_init__(self) -> None:
        if self.judged_before < 0:
            raise GateError(f"judged_before = {self.judged_before}: give zero or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """What `judge` was given."""

    candidate: Candidate
    champion: Candidate | None
    evidence: Evidence | None
    policy: Policy
    ledger: Ledger

    def kind(self) -> Kind:
        if self.champion is None:
            return Kind.BOOTSTRAP
        same = self.candidate.recipe_hash == self.champion.recipe_hash
        return Kind.REFIT if same else Kind.CHANGE


def judge(
    candidate: Candidate,
    champion: Candidate | None,
    evidence: Evidence | None,
    policy: Policy,
    ledger: Ledger,
) -> GateReport:
    """Give the verdict on ``candidate``, with a sentence and every number for each regime.

    Pure: the same arguments give the same bytes, whatever the order of the rows. ``evidence`` holds what
    was predicted before the outcome was known; None if there is none. Every verdict but FORCED can come
    of it, see `Verdict`; in the order in which they are decided:

    - ERROR: an invariant is broken, or evidence and champion do not fit together.
    - HOLD_SUSPICIOUS: a gain in accuracy that smells of a leak, over the champion or, for a first one, over
      the regime prior; or a refit unlike its champion.
    - REJECT: harm is shown in some regime, against the champion or against the regime prior, or in a sector
      where the policy asks for sectors.
    - HOLD_INSUFFICIENT: no regime could be tested (or there is no champion, and what the policy asks beyond
      the regimes is not given).
    - BOOTSTRAP: there is no champion.
    - HOLD_EQUIVALENT: a change shows no benefit and the champion is not due for a refresh.
    - SHADOW: a tested regime is UNPROVEN, a required one, such as crash, does not PASS, or the policy also
      asks for calibration or drift and does not get it.
    - PROMOTE: what remains.
    """
    case = _Case(candidate=candidate, champion=champion, evidence=evidence, policy=policy, ledger=ledger)
    fault = _fault(case)
    if fault is not None:
        verdicts = tuple(untried(regime, Status.ERROR, fault, policy) for regime in REGIMES)
        return _report(case, Verdict.ERROR, fault, verdicts, benefit=None, disagreement=None, also=())
    days = no_days() if evidence is None else regime_days(evidence, policy)
    return _judged(case, days)


def judge_days(
    candidate: Candidate,
    champion: Candidate | None,
    days: Sequence[RegimeDays],
    policy: Policy,
    ledger: Ledger,
) -> GateReport:
    """Give the verdict that `judge` gives, from the daily gains of the five regimes instead of rows.

    For simulation and for windows of one comparison, where the same rows would be averaged again and again.
    The report names no evidence and no disagreement: there are no rows to name.
    """
    case = _Case(candidate=candidate, champion=champion, evidence=None, policy=policy, ledger=ledger)
    return _judged(case, days)


def _judged(case: _Case, days: Sequence[RegimeDays]) -> GateReport:
    policy = case.policy
    trials = tuple(try_regime(each, policy) for each in days)
    verdicts = tuple(regime_verdict(trial, policy) for trial in trials)
    benefit = _benefit(case, trials)
    disagreement = _disagreement(case)
    tested = [trial.regime for trial in trials if trial.sufficient]
    also = read_also(
        case.evidence,
        tested,
        None if case.champion is None else case.champion.drift_alarms,
        policy,
        is_first=case.champion is None,
    )
    suspicion = _suspicion(case, verdicts, disagreement)
    if case.champion is None and suspicion is None:
        suspicion = leak_of_first(case.evidence, tested, policy.first_gain_max)
    verdict, reason = _decide(case, verdicts, benefit, also, suspicion)
    return _report(case, verdict, reason, verdicts, benefit=benefit, disagreement=disagreement, also=also)


def _fault(case: _Case) -> str | None:
    broken = () if case.candidate.invariants is None else case.candidate.invariants.broken()
    if broken:
        return f"Not judged: {_listed(broken)} does not hold for {case.candidate.version}."
    if case.evidence is None:
        return None
    if (case.evidence.champion is None) != (case.champion is None):
        lacking = "champion" if case.champion is None else "champion's predictions"
        return f"Not judged: the {lacking} is missing; evidence and champion must be of one comparison."
    return None


def _benefit(case: _Case, trials: Sequence[RegimeTrial]) -> Benefit | None:
    """Test what is asked of a change alone: to test a refit would spend level for nothing."""
    metric = case.policy.metric
    tests = {
        trial.regime: trial.over_champion[metric].test
        for trial in trials
        if trial.sufficient and trial.over_champion
    }
    if case.kind() is not Kind.CHANGE or not tests:
        return None
    weights = [case.policy.weights.of(regime) for regime in tests]
    mean = weighted_mean([test.mean for test in tests.values()], weights)
    # A mean that is no gain is no benefit, however many small gains stand against one large loss.
    overall_p = combined_p(list(tests.values()), weights) if mean > 0 else 1.0
    crash = tests.get(Regime.CRASH)
    crash_p = None if crash is None else crash.p_positive()
    p_values = [each for each in (overall_p, crash_p) if each is not None]
    alpha = alpha_spent(case.policy.benefit_alpha, case.ledger.judged_before + 1)
    threshold = alpha / len(p_values)
    return Benefit(
        shown=min(p_values) < threshold,
        metric=metric,
        judged_before=case.ledger.judged_before,
        alpha=alpha,
        threshold=threshold,
        overall_mean=mean,
        overall_p=overall_p,
        crash_mean=None if crash is None else crash.mean,
        crash_p=crash_p,
    )


def _disagreement(case: _Case) -> float | None:
    evidence = case.evidence
    if evidence is None or evidence.champion is None or not len(evidence):
        return None
    first = np.unique(evidence.date)[-case.policy.disagreement_days :][0]
    recent = evidence.date >= first
    own, other = (each[recent].argmax(axis=1) for each in (evidence.candidate, evidence.champion))
    return float(np.mean(own != other))


def _decide(
    case: _Case,
    verdicts: Sequence[RegimeVerdict],
    benefit: Benefit | None,
    also: Sequence[Finding],
    suspicion: str | None,
) -> tuple[Verdict, str]:
    if suspicion is not None:
        return Verdict.HOLD_SUSPICIOUS, suspicion
    failed = (*_in_status(verdicts, Status.FAIL), *harmed_sectors(also))
    if failed:
        return Verdict.REJECT, f"Harm is shown in {_listed(failed)}."
    if len(_in_status(verdicts, Status.INSUFFICIENT)) == len(verdicts):
        return Verdict.HOLD_INSUFFICIENT, "No regime has enough evidence to be tested."
    if case.champion is None:
        return _decide_first(case, verdicts, open_questions(also))
    return _decide_successor(case, case.champion, verdicts, benefit, open_questions(also))


def _decide_first(
    case: _Case, verdicts: Sequence[RegimeVerdict], questions: Sequence[str]
) -> tuple[Verdict, str]:
    """Without a champion the alternative is no model at all, so what is unproven is named, not awaited."""
    doubts = _in_status(verdicts, Status.UNPROVEN)
    if doubts and case.policy.floor_required:
        return (
            Verdict.HOLD_INSUFFICIENT,
            f"The policy asks for proven floors, and in {_listed(doubts)} they are not proven.",
        )
    if questions:
        return Verdict.HOLD_INSUFFICIENT, f"The policy asks for more: {' '.join(questions)}"
    unproven = (*doubts, *_in_status(verdicts, Status.INSUFFICIENT))
    remark = f"; still unproven in {_listed(unproven)}" if unproven else ""
    return Verdict.BOOTSTRAP, f"First champion: worse than the regime prior in no tested regime{remark}."


def _decide_successor(
    case: _Case,
    champion: Candidate,
    verdicts: Sequence[RegimeVerdict],
    benefit: Benefit | None,
    questions: Sequence[str],
) -> tuple[Verdict, str]:
    shown = benefit is not None and benefit.shown
    stale = _is_due_for_refresh(case)
    if case.kind() is Kind.CHANGE and not shown and not stale:
        return (
            Verdict.HOLD_EQUIVALENT,
            f"No harm and no benefit over {champion.version} is shown; the champion stays.",
        )
    if case.kind() is Kind.REFIT:
        grounds = "Refit of the champion's recipe"
    elif shown:
        grounds = f"Better than {champion.version}"
    else:
        grounds = f"{champion.version} is {champion.age_days} days old and due for a refresh"
    doubts = [
        each.regime
        for each in verdicts
        if each.status is Status.UNPROVEN
        or (each.regime in case.policy.regimes_required and each.status is not Status.PASS)
    ]
    if doubts:
        return Verdict.SHADOW, f"{grounds}, but not shown to be safe in {_listed(doubts)}; fresh days decide."
    if questions:
        return Verdict.SHADOW, f"{grounds}, but the policy asks for more: {' '.join(questions)}"
    return Verdict.PROMOTE, f"{grounds}, and safe in every regime that was tested."


def _suspicion(case: _Case, verdicts: Sequence[RegimeVerdict], disagreement: float | None) -> str | None:
    gains = {each.regime: each.accuracy_mean for each in verdicts}
    leak = leak_over_champion(case.evidence, gains, case.policy.accuracy_gain_max)
    if leak is not None:
        return leak
    young = not _is_due_for_refresh(case)  # what an old fit calls today says little of a new one
    is_refit = case.kind() is Kind.REFIT
    if is_refit and young and disagreement is not None and disagreement > case.policy.disagreement_max:
        return (
            f"A refit that calls another class than the champion on {disagreement:.0%} of the rows"
            f" of the last {case.policy.disagreement_days} days is no refit; look at data and artifact."
        )
    return None


def _is_due_for_refresh(case: _Case) -> bool:
    champion = case.champion
    if champion is None or champion.age_days is None:
        return False
    return champion.age_days > case.policy.refresh_days


def _in_status(verdicts: Sequence[RegimeVerdict], status: Status) -> tuple[Regime, ...]:
    return tuple(each.regime for each in verdicts if each.status is status)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def _report(
    case: _Case,
    verdict: Verdict,
    reason: str,
    verdicts: tuple[RegimeVerdict, ...],
    *,
    benefit: Benefit | None,
    disagreement: float | None,
    also: tuple[Finding, ...],
) -> GateReport:
    champion, evidence = case.champion, case.evidence
    dated = evidence is not None and len(evidence) > 0
    return GateReport(
        verdict=verdict,
        reason=reason,
        candidate=case.candidate.version,
        champion=None if champion is None else champion.version,
        kind=case.kind(),
        candidate_recipe_hash=case.candidate.recipe_hash,
        champion_recipe_hash=None if champion is None else champion.recipe_hash,
        champion_age_days=None if champion is None else champion.age_days,
        policy=case.policy.name,
        policy_hash=case.policy.hash,
        metric=case.policy.metric,
        evidence_hash=None if evidence is None else evidence.digest(),
        evidence_rows=0 if evidence is None else len(evidence),
        evidence_from=str(evidence.date.min()) if evidence is not None and dated else None,
        evidence_to=str(evidence.date.max()) if evidence is not None and dated else None,
        invariants=case.candidate.invariants,
        regimes=verdicts,
        benefit=benefit,
        disagreement=disagreement,
        rules=case.policy.content(),
        also=also,
    )
