"""How often the gate errs, by the project's own code: on simulated challengers, and on real predictions.

Simulated (`benchmarks.gate_simulation` says how): for each scenario the share of challengers that is
promoted, with the Monte-Carlo standard error, beside four usual rules on the same data:

- ``higher``: overall accuracy is higher;
- ``mcnemar``: exact one-sided McNemar test of all rows at .05;
- ``bootstrap``: the one-sided 95 % percentile bootstrap bound (1,000 draws of rows) of the gain in accuracy
  lies above zero;
- ``threshold``: the challenger's accuracy is .65 or more; so is, in truth, the champion's.

``known`` is no rule but a bound: the same gate, if it knew its standard errors
(`benchmarks.gate_estimators`). Then follow other tests at the gate's levels (there too), the power of the
best test there is (`benchmarks.gate_bounds`), and what becomes of trials on fresh days
(`benchmarks.gate_looks`).

With ``--evidence FILE`` instead `benchmarks.gate_real` judges real out-of-sample predictions.

Other rules than those that ship are tried with ``--rules``, fields of `registry.policy.Policy` as JSON.

    python -m benchmarks.gate --json gate.json
    python -m benchmarks.gate --sections challengers --conditions "AR .8" --rules '{"alpha_other": 0.3}'
    python -m benchmarks.gate --evidence predictions.parquet
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import stats

from benchmarks.gate_bounds import best_power
from benchmarks.gate_estimators import ESTIMATORS, known, promotable
from benchmarks.gate_looks import print_looks
from benchmarks.gate_real import print_real
from benchmarks.gate_simulation import Challengers, Condition, Scenario, simulate
from regime.types import REGIMES, Regime
from registry.gate import Candidate, Ledger, judge_days
from registry.gate_report import Verdict
from registry.policy import Metric
from registry.policy_values import policy_from_mapping

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from numpy.typing import NDArray

    from benchmarks.gate_estimators import Estimator, Tested

FORMS: Final = {Metric.ACCURACY: "accuracy", Metric.LOG_LOSS: "default"}
"""The policy by which each form is judged."""
SECTIONS: Final = ("challengers", "estimators", "bounds", "looks")
BREAKERS_PASS: Final = 0.02
"""The share of crash-breakers that may pass."""
BATCH: Final = 50
DRAWS: Final = 1_000
LEVEL: Final = 0.05
THRESHOLD: Final = 0.65
CHALLENGER: Final = Candidate(version="challenger", recipe_hash="new", age_days=0, invariants=None)
CHAMPION: Final = Candidate(version="champion", recipe_hash="old", age_days=7, invariants=None)

EVERYWHERE: Final = dict.fromkeys(REGIMES, 0.0)
FOUR: Final = (
    Scenario(name="equal", gains=EVERYWHERE),
    Scenario(name="+3 everywhere", gains=dict.fromkeys(REGIMES, 0.03)),
    Scenario(name="+4, crash -5", gains=dict.fromkeys(REGIMES, 0.04) | {Regime.CRASH: -0.05}),
    Scenario(name="+8 in crash only", gains=EVERYWHERE | {Regime.CRASH: 0.08}),
)
PLAIN: Final = Condition(name="2 episodes")
OTHERS: Final = (
    Condition(name="4 episodes", episodes=4),
    Condition(name="heavy tails", heavy=True),
    Condition(name="AR .8", autocorrelation=0.8),
)
PLAIN_ONLY: Final = (
    Scenario(name="+3, no crash", gains={each: 0.03 for each in REGIMES if each is not Regime.CRASH}),
    Scenario(name="+4, high vol. -5", gains=dict.fromkeys(REGIMES, 0.04) | {Regime.HIGH_VOLATILITY: -0.05}),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the challengers of one scenario; shares of ``challengers``, by rule and by verdict."""

    form: str
    policy: str
    condition: str
    scenario: str
    challengers: int
    promoted: float
    promoted_error: float
    peers: dict[str, float]
    peers_error: dict[str, float]
    verdicts: dict[str, float]
    seconds: float


def cases(conditions: Collection[str]) -> Iterator[tuple[Metric, Condition, Scenario]]:
    """Give every form, condition of the named and scenario, in the order of the table."""
    for form in FORMS:
        for condition in (each for each in (PLAIN, *OTHERS) if each.name in conditions):
            for scenario in (*FOUR, *PLAIN_ONLY) if condition is PLAIN else FOUR:
                yield form, condition, scenario


def peer_verdicts(seen: Challengers, generator: np.random.Generator) -> dict[str, NDArray[np.bool_]]:
    """Tell which challengers the usual rules promote, each of shape (n_challengers,)."""
    ties = seen.rows - seen.wins - seen.losses
    shares = np.column_stack([seen.wins, seen.losses, ties]) / seen.rows
    # Rows drawn with replacement: only how many of them are wins and losses matters, which is multinomial.
    drawn = generator.multinomial(seen.rows, shares[:, None, :], (len(shares), DRAWS))
    bound = np.quantile(drawn[..., 0] - drawn[..., 1], LEVEL, axis=1)
    return {
        "higher": seen.wins > seen.losses,
        "mcnemar": stats.binom.sf(seen.wins - 1, seen.wins + seen.losses, 0.5) < LEVEL,
        "bootstrap": bound > 0,
        "threshold": seen.right >= THRESHOLD * seen.rows,
    }


def run(
    metric: Metric,
    condition: Condition,
    scenario: Scenario,
    challengers: int,
    seed: int,
    rules: dict[str, object],
) -> Outcome:
    """Judge the challengers of one scenario."""
    generator, start = np.random.default_rng(seed), time.perf_counter()
    policy = policy_from_mapping({"base": FORMS[metric], "name": FORMS[metric]} | rules)
    verdicts: Counter[str] = Counter()
    promoted_by: Counter[str] = Counter()
    drawn: list[Challengers] = []
    for done in range(0, challengers, BATCH):
        seen = simulate(metric, scenario, condition, min(BATCH, challengers - done), generator)
        promoted_by.update({rule: int(each.sum()) for rule, each in peer_verdicts(seen, generator).items()})
        drawn.append(seen)
        verdicts.update(
            judge_days(CHALLENGER, CHAMPION, seen.days_of(at), policy, Ledger()).verdict.value
            for at in range(len(seen.wins))
        )
    promoted_by["known"] = int(promotable(tested(drawn, known), policy).sum())
    peers = {rule: count / challengers for rule, count in promoted_by.items()}
    promoted = verdicts[Verdict.PROMOTE] / challengers
    return Outcome(
        form=metric.value,
        policy=policy.name,
        condition=condition.name,
        scenario=scenario.name,
        challengers=challengers,
        promoted=promoted,
        promoted_error=standard_error(promoted, challengers),
        peers=peers,
        peers_error={rule: standard_error(share, challengers) for rule, share in peers.items()},
        verdicts={name: count / challengers for name, count in sorted(verdicts.items())},
        seconds=time.perf_counter() - start,
    )


def tested(drawn: Sequence[Challengers], estimator: Estimator) -> dict[Metric, list[Tested | None]]:
    """Test all challengers at once by one estimator, by metric."""
    return {
        metric: estimator(np.concatenate([each.gains[metric] for each in drawn]), drawn[0].places())
        for metric in drawn[0].gains
    }


def standard_error(share: float, n: int) -> float:
    """Give the Monte-Carlo standard error of a share; of none or all, as if half a case more were seen."""
    seen = (share * n + 0.5) / (n + 1) if share in {0.0, 1.0} else share
    return math.sqrt(seen * (1 - seen) / n)


def line_of(outcome: Outcome) -> str:
    """Give one line of the table."""
    peers = " ".join(f"{share:9.3f}" for share in outcome.peers.values())
    others = " ".join(f"{k} {v:.3f}" for k, v in outcome.verdicts.items() if k != Verdict.PROMOTE)
    return (
        f"{outcome.form:9} {outcome.condition:12} {outcome.scenario:17}"
        f" {outcome.promoted:.3f} ±{outcome.promoted_error:.3f} {peers}  {others}"
    )


def print_simulated(
    challengers: int, seed: int, rules: dict[str, object], conditions: Collection[str]
) -> list[dict[str, object]]:
    """Print the table of all scenarios and give its figures."""
    print(
        f"{'form':9} {'condition':12} {'scenario':17} {'gate':12} {'higher':>9} {'mcnemar':>9}"
        f" {'bootstrap':>9} {'threshold':>9} {'known':>9}  other verdicts of the gate"
    )
    outcomes = []
    for form, condition, scenario in cases(conditions):
        outcomes.append(run(form, condition, scenario, challengers, seed, rules))
        print(line_of(outcomes[-1]), flush=True)
    print(f"{sum(each.seconds for each in outcomes):.0f} s")
    return [asdict(each) for each in outcomes]


def print_estimators(
    challengers: int, seed: int, rules: dict[str, object], conditions: Collection[str]
) -> dict[str, dict[str, float]]:
    """Print what share other tests would promote at the gate's levels."""
    print(f"{'form':9} {'condition':12} {'scenario':17} " + " ".join(f"{name:>10}" for name in ESTIMATORS))
    figures = {}
    for form, condition, scenario in cases(conditions):
        generator = np.random.default_rng(seed)
        policy = policy_from_mapping({"base": FORMS[form]} | rules)
        sizes = [min(BATCH, challengers - done) for done in range(0, challengers, BATCH)]
        drawn = [simulate(form, scenario, condition, size, generator) for size in sizes]
        shares = {
            name: float(promotable(tested(drawn, estimator), policy).mean())
            for name, estimator in ESTIMATORS.items()
        }
        figures[f"{form}, {condition.name}, {scenario.name}"] = shares
        print(
            f"{form:9} {condition.name:12} {scenario.name:17} "
            + " ".join(f"{share:10.3f}" for share in shares.values()),
            flush=True,
        )
    return figures


def print_bounds() -> dict[str, dict[str, float]]:
    """Print the greatest power there is for "better everywhere" if crash-breakers are to be stopped."""
    figures = {}
    better, breaker = FOUR[1], FOUR[2]
    print(f"Greatest power for {better.name!r} of tests that {BREAKERS_PASS:.0%} of {breaker.name!r} pass")
    for form in FORMS:
        for condition in (PLAIN, OTHERS[0], OTHERS[-1]):
            power = best_power(form, condition, better, breaker, passes=BREAKERS_PASS)
            figures[f"{form}, {condition.name}"] = power
            print(f"{form:9} {condition.name:12} {' '.join(f'{k} {v:.3f}' for k, v in power.items())}")
    return figures


def print_sections(options: argparse.Namespace) -> dict[str, object]:
    """Print what was asked for of the simulations, and give the figures."""
    n, seed, rules = options.challengers, options.seed, options.rules
    figures: dict[str, object] = {}
    if "challengers" in options.sections:
        figures["challengers"] = print_simulated(n, seed, rules, options.conditions)
    if "estimators" in options.sections:
        figures["estimators"] = print_estimators(n, seed, rules, options.conditions)
    if "bounds" in options.sections:
        figures["bounds"] = print_bounds()
    if "looks" in options.sections:
        figures["looks"] = print_looks(FORMS, n, seed, rules)
    return figures


def main() -> None:
    """Print the rates, simulated or of real predictions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--challengers", type=int, default=2_000, help="a scenario and form")
    parser.add_argument("--evidence", type=Path, nargs="+", help="parquet files of real predictions")
    parser.add_argument(
        "--rules", type=json.loads, default={}, help="fields of the policy to change, as JSON"
    )
    names = [each.name for each in (PLAIN, *OTHERS)]
    parser.add_argument("--conditions", nargs="+", choices=names, default=names, help="of the challengers")
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=SECTIONS)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    if options.evidence:
        figures: object = print_real(options.evidence, options.seed)
    else:
        figures = print_sections(options)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
