"""How often the gate errs: simulated challengers, judged by the project's own code.

Prints, for each scenario, the share of challengers that is promoted and the shares of the other verdicts,
with the Monte-Carlo standard error, beside the rule "overall accuracy is higher". Two forms:

- ``accuracy``: champion and challenger differ on a fifth of the rows; of those the challenger is right
  more often by the stated points. Judged by the ``accuracy`` policy.
- ``log_loss``: both give nearly the same probabilities and the challenger gains the stated hundredths of
  a nat on average. Judged by the ``default`` policy.

Each day has an effect of its own, shared by all symbols, that follows an AR(1) process.

    python benchmarks/gate.py --challengers 300 --json gate.json
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

from regime.types import REGIMES, Regime
from registry.evidence import Evidence
from registry.gate import Candidate, Ledger, judge
from registry.gate_report import Verdict
from registry.policy import Metric, policy_named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

DAYS: Final = {
    Regime.CRASH: 60,
    Regime.RECOVERY: 80,
    Regime.HIGH_VOLATILITY: 200,
    Regime.NORMAL: 500,
    Regime.LOW_VOLATILITY: 400,
}
SYMBOLS: Final = 25
EPISODES: Final = 2
DISCORDANT: Final = 0.2
DAY_EFFECT: Final = 0.06
CLASSES: Final = ("sell", "hold", "buy")
FORMS: Final = {Metric.ACCURACY: "accuracy", Metric.LOG_LOSS: "default"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A true gain in each regime; a regime that is left out never occurs."""

    name: str
    gains: Mapping[Regime, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the challengers of one scenario, as shares of ``challengers``."""

    form: str
    policy: str
    scenario: str
    challengers: int
    autocorrelation: float
    promoted: float
    promoted_error: float
    overall_accuracy_higher: float
    overall_accuracy_higher_error: float
    verdicts: dict[str, float]
    seconds_per_verdict: float


SCENARIOS: Final = (
    Scenario(name="equal", gains=dict.fromkeys(REGIMES, 0.0)),
    Scenario(name="+3 everywhere", gains=dict.fromkeys(REGIMES, 0.03)),
    Scenario(name="+4, crash -5", gains=dict.fromkeys(REGIMES, 0.04) | {Regime.CRASH: -0.05}),
    Scenario(name="+8 in crash only", gains=dict.fromkeys(REGIMES, 0.0) | {Regime.CRASH: 0.08}),
    Scenario(
        name="+3, crash absent", gains={regime: 0.03 for regime in REGIMES if regime is not Regime.CRASH}
    ),
)


def calendar(regimes: Sequence[Regime]) -> NDArray[np.str_]:
    """Give the regime of each row: every regime in turn, as often as there are episodes."""
    spells = [np.full(DAYS[regime] // EPISODES, regime.value) for regime in regimes]
    return np.repeat(np.concatenate(spells * EPISODES), SYMBOLS)


def day_effects(n_days: int, autocorrelation: float, generator: np.random.Generator) -> NDArray[np.float64]:
    """Give an AR(1) series of standard deviation `DAY_EFFECT`, one value a row."""
    shocks = generator.normal(size=n_days) * math.sqrt(1 - autocorrelation**2)
    shocks[0] = generator.normal()
    for day in range(1, n_days):
        shocks[day] += autocorrelation * shocks[day - 1]
    return np.repeat(DAY_EFFECT * shocks, SYMBOLS)


def rows_of(
    truth: NDArray[np.int64], p_truth: NDArray[np.float64], wrong: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Give probabilities with ``p_truth`` on the truth and two thirds of the rest on class ``wrong``."""
    rest = 1 - p_truth
    probabilities = np.repeat(rest[:, None] / 3, len(CLASSES), axis=1)
    rows = np.arange(len(truth))
    probabilities[rows, wrong] = rest * 2 / 3
    probabilities[rows, truth] = p_truth
    return probabilities


def accuracy_form(
    gain: NDArray[np.float64], generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the probability of the truth by challenger and champion: .6 where right, .2 where wrong."""
    n = len(gain)
    differs = generator.random(n) < DISCORDANT
    wins = generator.random(n) < np.clip(0.5 + gain / (2 * DISCORDANT), 0, 1)
    both = generator.random(n) < 0.6
    challenger_right, champion_right = np.where(differs, wins, both), np.where(differs, ~wins, both)
    return np.where(challenger_right, 0.6, 0.2), np.where(champion_right, 0.6, 0.2)


def log_loss_form(
    gain: NDArray[np.float64], generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the probability of the truth by challenger and champion, ``gain`` nats apart on average."""
    # Even on the scale of the gain: noise then tips as many calls to the right side as to the wrong one.
    champion = np.exp(generator.uniform(math.log(0.3), math.log(0.6), len(gain)))
    challenger = champion * np.exp(gain + generator.normal(scale=0.1, size=len(gain)))
    return np.clip(challenger, 0.01, 0.98), champion


def simulate(
    metric: Metric, scenario: Scenario, autocorrelation: float, generator: np.random.Generator
) -> Evidence:
    """Give the evidence on one challenger of a scenario."""
    regime = calendar(tuple(scenario.gains))
    n, n_days = len(regime), len(regime) // SYMBOLS
    means = np.select([regime == each for each in scenario.gains], list(scenario.gains.values()))
    gain = means + day_effects(n_days, autocorrelation, generator)
    form = accuracy_form if metric is Metric.ACCURACY else log_loss_form
    challenger, champion = form(gain, generator)
    truth = generator.integers(0, len(CLASSES), n)
    wrong = (truth + 1) % len(CLASSES)
    return Evidence(
        date=np.repeat(np.busday_offset("2015-01-01", np.arange(n_days), roll="forward"), SYMBOLS),
        symbol=np.tile([f"S{i:02d}" for i in range(SYMBOLS)], n_days),
        regime=regime,
        truth=truth,
        candidate=rows_of(truth, challenger, wrong),
        champion=rows_of(truth, champion, wrong),
        prior=np.full((n, len(CLASSES)), 1 / len(CLASSES)),
        classes=CLASSES,
    )


def accuracy_is_higher(evidence: Evidence) -> bool:
    """Give the verdict of the usual rule."""
    assert evidence.champion is not None
    own, other = (
        (each.argmax(axis=1) == evidence.truth).mean() for each in (evidence.candidate, evidence.champion)
    )
    return bool(own > other)


def run(metric: Metric, scenario: Scenario, challengers: int, autocorrelation: float, seed: int) -> Outcome:
    """Judge the challengers of one scenario."""
    generator = np.random.default_rng(seed)
    challenger = Candidate(version="challenger", recipe_hash="new", age_days=0, invariants=None)
    champion = Candidate(version="champion", recipe_hash="old", age_days=7, invariants=None)
    policy = policy_named(FORMS[metric])
    verdicts: Counter[str] = Counter()
    higher, seconds = 0, 0.0
    for _ in range(challengers):
        evidence = simulate(metric, scenario, autocorrelation, generator)
        higher += accuracy_is_higher(evidence)
        start = time.perf_counter()
        verdicts[judge(challenger, champion, evidence, policy, Ledger()).verdict.value] += 1
        seconds += time.perf_counter() - start
    promoted, naive = verdicts[Verdict.PROMOTE] / challengers, higher / challengers
    return Outcome(
        form=metric.value,
        policy=policy.name,
        scenario=scenario.name,
        challengers=challengers,
        autocorrelation=autocorrelation,
        promoted=promoted,
        promoted_error=standard_error(promoted, challengers),
        overall_accuracy_higher=naive,
        overall_accuracy_higher_error=standard_error(naive, challengers),
        verdicts={name: count / challengers for name, count in sorted(verdicts.items())},
        seconds_per_verdict=seconds / challengers,
    )


def standard_error(share: float, n: int) -> float:
    """Give the Monte-Carlo standard error of a share; of none or all, as if half a case more were seen."""
    seen = (share * n + 0.5) / (n + 1) if share in {0.0, 1.0} else share
    return math.sqrt(seen * (1 - seen) / n)


def main() -> None:
    """Run every scenario in both forms and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--challengers", type=int, default=300, help="a scenario and form")
    parser.add_argument("--autocorrelation", type=float, default=0.5, help="of the day effects")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    print(f"{'form':9}{'scenario':18}{'gate promotes':>16}{'accuracy higher':>18}  other verdicts")
    outcomes = []
    for metric in FORMS:
        for scenario in SCENARIOS:
            outcome = run(metric, scenario, options.challengers, options.autocorrelation, options.seed)
            outcomes.append(outcome)
            others = " ".join(f"{k} {v:.3f}" for k, v in outcome.verdicts.items() if k != Verdict.PROMOTE)
            print(
                f"{outcome.form:9}{outcome.scenario:18}"
                f"{outcome.promoted:9.3f} ±{outcome.promoted_error:.3f}"
                f"{outcome.overall_accuracy_higher:11.3f} ±{outcome.overall_accuracy_higher_error:.3f}"
                f"  {others}",
                flush=True,
            )
    print(f"{1000 * max(each.seconds_per_verdict for each in outcomes):.1f} ms a verdict at most")
    if options.json:
        options.json.write_text(json.dumps([asdict(each) for each in outcomes], indent=1) + "\n")


if __name__ == "__main__":
    main()
