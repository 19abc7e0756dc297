"""What becomes of trials on fresh days: how often the looks of a shadow and of a probation err.

A trial is drawn like a challenger of `benchmarks.gate_simulation`, but on fresh days that lie next to each
other, all of one regime. The gate looks at the first so many of them by `registry.looks`, as the daemon does:

- a shadow of a changed recipe that all history has shown to be safe in a crash: PROMOTE promotes it, REJECT
  drops it, and the last look drops what is left;
- a probation: the gain is that of the former champion over the one that took its place, and PROMOTE rolls
  the latter back; whatever else is said, it stays.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks.gate_simulation import Condition, Scenario, simulate_days
from daemon.settings import GateSettings
from daemon.trials import TrialKind, looks_of
from regime.types import REGIMES, Regime
from registry.gate import Candidate, Ledger, judge_days
from registry.gate_report import Verdict
from registry.looks import look_policy, required_at_look
from registry.policy_values import policy_from_mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.gate_simulation import Challengers
    from registry.policy import Metric, Policy

TRIED: Final = Candidate(version="tried", recipe_hash="new", age_days=0, invariants=None)
AGAINST: Final = Candidate(version="against", recipe_hash="old", age_days=7, invariants=None)
PASSED: Final = {TrialKind.SHADOW: (Regime.CRASH,), TrialKind.PROBATION: REGIMES}
"""The regimes that need no further proof, as `daemon.children.look` says it."""
KEPT: Final = "kept"
GAINS: Final = (-0.05, -0.02, 0.0, 0.02, 0.03, 0.05, 0.08)
CONDITIONS: Final = (Condition(name="AR .5"), Condition(name="AR .8", autocorrelation=0.8))
WHERE: Final = Regime.NORMAL
BATCH: Final = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """What became of the trials of one true gain: shares of ``trials``.

    ``moved_at`` holds the share that was promoted, or rolled back, at each look; ``rejected`` the share that
    was shown to be worse before.
    """

    kind: str
    form: str
    condition: str
    gain: float
    trials: int
    moved_at: dict[int, float]
    moved: float
    moved_error: float
    rejected: float


def print_looks(
    forms: Mapping[Metric, str], trials: int, seed: int, rules: dict[str, object]
) -> list[dict[str, object]]:
    """Print what becomes of shadows and probations, and give the figures."""
    print(f"{'trial':10} {'form':9} {'days':6} {'truly':>6} {'moved':>6}         by look; rejected before")
    found = []
    for kind, form, condition, gain in cases(forms):
        policy = policy_from_mapping({"base": forms[form], "name": forms[form]} | rules)
        found.append(run(kind, form, policy, condition, gain, trials, seed))
        print(line_of(found[-1]), flush=True)
    return [asdict(each) for each in found]


def cases(forms: Mapping[Metric, str]) -> Iterator[tuple[TrialKind, Metric, Condition, float]]:
    """Give every case, in the order of the table."""
    for kind in TrialKind:
        for form in forms:
            for condition in CONDITIONS:
                for gain in GAINS:
                    yield kind, form, condition, gain


def run(
    kind: TrialKind, form: Metric, policy: Policy, condition: Condition, gain: float, trials: int, seed: int
) -> Trials:
    """Hold the trials of one true gain."""
    generator, looks = np.random.default_rng(seed), looks_of(kind, GateSettings())
    regime = np.full(looks[-1], WHERE.value)
    scenario = Scenario(name="", gains={WHERE: gain})
    rules = {days: rules_at(kind, policy, looks, days) for days in looks}
    ends: Counter[tuple[str, int]] = Counter()
    for done in range(0, trials, BATCH):
        seen = simulate_days(form, regime, scenario, condition, min(BATCH, trials - done), generator)
        ends.update(end_of(kind, rules, seen, at) for at in range(len(seen.wins)))
    moved = sum(ends[Verdict.PROMOTE.value, days] for days in looks) / trials
    return Trials(
        kind=kind.value,
        form=form.value,
        condition=condition.name,
        gain=gain,
        trials=trials,
        moved_at={days: ends[Verdict.PROMOTE.value, days] / trials for days in looks},
        moved=moved,
        moved_error=math.sqrt(max(moved, 0.5 / trials) * (1 - min(moved, 1 - 0.5 / trials)) / trials),
        rejected=sum(ends[Verdict.REJECT.value, days] for days in looks) / trials,
    )


def rules_at(kind: TrialKind, policy: Policy, looks: tuple[int, ...], days: int) -> Policy:
    """Give the policy of one look at days that all lie in `WHERE`."""
    required = required_at_look(policy, np.full(days, WHERE.value), PASSED[kind])
    return look_policy(policy, days=days, looks=len(looks), required=required)


def end_of(kind: TrialKind, rules: Mapping[int, Policy], seen: Challengers, at: int) -> tuple[str, int]:
    """Give how one trial ends, and after how many days."""
    for days, policy in rules.items():
        verdict = judge_days(TRIED, AGAINST, seen.days_of(at, days), policy, Ledger()).verdict
        if verdict is Verdict.PROMOTE or (verdict is Verdict.REJECT and kind is TrialKind.SHADOW):
            return verdict.value, days
    return KEPT, max(rules)


def line_of(trials: Trials) -> str:
    """Give one line of the table."""
    by_look = " ".join(f"{days}: {share:.3f}" for days, share in trials.moved_at.items())
    return (
        f"{trials.kind:10} {trials.form:9} {trials.condition:6} {100 * trials.gain:+6.0f}"
        f" {trials.moved:6.3f} ±{trials.moved_error:.3f}  {by_look}; {trials.rejected:.3f}"
    )
