"""Safety, one regime at a time: whether a candidate is no worse, is worse, or whether that is not known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from regime.types import REGIMES
from registry.gate_report import RegimeVerdict, Status
from registry.policy import Metric, Policy
from registry.statistics import BlockTest, block_test, daily_means, hits, log_losses

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from regime.types import Regime
    from registry.evidence import Evidence


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RegimeDays:
    """By how much the candidate was better on each day of one regime: all that a regime is judged by.

    Parameters
    ----------
    regime
        The regime.
    date
        Shape (n_days,), its days in order, each once.
    rows
        How many rows (symbols and days) the days are the means of.
    over_champion, over_prior
        By metric, shape (n_days,): mean over the day's rows of candidate minus champion, or minus regime
        prior; nats of log-loss or share of rows. Empty where there is none to compare with.
    """

    regime: Regime
    date: NDArray[np.datetime64]
    rows: int
    over_champion: Mapping[Metric, NDArray[np.float64]]
    over_prior: Mapping[Metric, NDArray[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A tested gain, its bounds, the tolerated loss, and what follows."""

    metric: Metric
    test: BlockTest
    lcb: float
    ucb: float
    margin: float
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeTrial:
    """What was counted and tested in one regime; nothing is tested unless the evidence suffices."""

    regime: Regime
    days: int
    rows: int
    episodes: int
    sufficient: bool
    over_champion: Mapping[Metric, Comparison]
    over_prior: Mapping[Metric, Comparison]


def regime_days(evidence: Evidence, policy: Policy) -> tuple[RegimeDays, ...]:
    """Give the daily gains of the candidate over the champion and over the regime prior, by regime."""
    rows = evidence.ordered()

    def scores(probabilities: NDArray[np.float64]) -> dict[Metric, NDArray[np.float64]]:
        return {
            Metric.LOG_LOSS: -log_losses(probabilities, rows.truth, policy.probability_min),
            Metric.ACCURACY: hits(probabilities, rows.truth),
        }

    own = scores(rows.candidate)

    def gains(other: NDArray[np.float64] | None) -> dict[Metric, NDArray[np.float64]]:
        return {} if other is None else {m: own[m] - score for m, score in scores(other).items()}

    over_champion, over_prior = gains(rows.champion), gains(rows.prior)
    return tuple(_days_of(regime, rows, over_champion, over_prior) for regime in REGIMES)


def _days_of(
    regime: Regime,
    rows: Evidence,
    over_champion: Mapping[Metric, NDArray[np.float64]],
    over_prior: Mapping[Metric, NDArray[np.float64]],
) -> RegimeDays:
    inside = rows.regime == regime.value
    date = rows.date[inside]

    def means(gains: Mapping[Metric, NDArray[np.float64]]) -> dict[Metric, NDArray[np.float64]]:
        return {metric: daily_means(date, gain[inside]) for metric, gain in gains.items()}

    return RegimeDays(
        regime=regime,
        date=np.unique(date),
        rows=len(date),
        over_champion=means(over_champion),
        over_prior=means(over_prior),
    )


def no_days() -> tuple[RegimeDays, ...]:
    """Give five regimes that never occurred."""
    nothing = np.array([], dtype="datetime64[D]")
    return tuple(
        RegimeDays(regime=regime, date=nothing, rows=0, over_champion={}, over_prior={}) for regime in REGIMES
    )


def try_regime(seen: RegimeDays, policy: Policy) -> RegimeTrial:
    """Count the evidence of one regime and, where it suffices, test every gain."""
    episodes = count_episodes(seen.date, policy.episode_gap_days)
    sufficient = (
        len(seen.date) >= policy.days_min and seen.rows >= policy.rows_min and episodes >= policy.episodes_min
    )

    def tests(by_metric: Mapping[Metric, NDArray[np.float64]]) -> dict[Metric, Comparison]:
        if not sufficient:
            return {}
        return {m: _compare(m, seen.regime, daily, policy) for m, daily in by_metric.items()}

    return RegimeTrial(
        regime=seen.regime,
        days=len(seen.date),
        rows=seen.rows,
        episodes=episodes,
        sufficient=sufficient,
        over_champion=tests(seen.over_champion),
        over_prior=tests(seen.over_prior),
    )


def count_episodes(days: NDArray[np.datetime64], gap_days: int) -> int:
    """Count the runs of sorted ``days`` in which no two neighbours lie more than ``gap_days`` apart.

    >>> count_episodes(np.array(["2020-03-02", "2020-03-20", "2020-06-11"], dtype="datetime64[D]"), 21)
    2
    """
    if not len(days):
        return 0
    return 1 + int(np.count_nonzero(np.diff(days) > np.timedelta64(gap_days, "D")))


def regime_verdict(trial: RegimeTrial, policy: Policy) -> RegimeVerdict:
    """Give one regime's status, sentence and numbers."""
    floor = trial.over_prior.get(policy.metric)
    return _verdict(
        trial.regime, _status(trial, floor, policy), _reason(trial, floor, policy), trial, floor, policy
    )


def untried(regime: Regime, status: Status, reason: str, policy: Policy) -> RegimeVerdict:
    """Give the verdict of a regime of which nothing was counted or tested."""
    return _verdict(regime, status, reason, None, None, policy)


def _verdict(
    regime: Regime,
    status: Status,
    reason: str,
    trial: RegimeTrial | None,
    floor: Comparison | None,
    policy: Policy,
) -> RegimeVerdict:
    tested = {} if trial is None else trial.over_champion
    mean, lcb, ucb = _numbers(tested.get(Metric.LOG_LOSS))
    accuracy_mean, accuracy_lcb, accuracy_ucb = _numbers(tested.get(Metric.ACCURACY))
    floor_mean, floor_lcb, floor_ucb = _numbers(floor)
    return RegimeVerdict(
        regime=regime,
        status=status,
        reason=reason,
        days=None if trial is None else trial.days,
        rows=None if trial is None else trial.rows,
        episodes=None if trial is None else trial.episodes,
        mean=mean,
        lcb=lcb,
        ucb=ucb,
        margin=policy.margin(Metric.LOG_LOSS, regime),
        accuracy_mean=accuracy_mean,
        accuracy_lcb=accuracy_lcb,
        accuracy_ucb=accuracy_ucb,
        accuracy_margin=policy.margin(Metric.ACCURACY, regime),
        floor_status=None if floor is None else floor.status,
        floor_mean=floor_mean,
        floor_lcb=floor_lcb,
        floor_ucb=floor_ucb,
        floor_margin=policy.margin(policy.metric, regime),
    )


def _numbers(comparison: Comparison | None) -> tuple[float, float, float] | tuple[None, None, None]:
    if comparison is None:
        return None, None, None
    return comparison.test.mean, comparison.lcb, comparison.ucb


def _compare(metric: Metric, regime: Regime, daily: NDArray[np.float64], policy: Policy) -> Comparison:
    test = block_test(daily, policy.blocks_of(len(daily)))
    # Harm needs the same proof everywhere; what differs is how surely a regime must be free of it.
    lcb, ucb = test.lower(policy.level(regime)), test.upper(policy.alpha)
    margin = policy.margin(metric, regime)
    # Both can hold: a loss that is surely there and surely within the margin. The margin is what the policy
    # tolerates, so such a loss is tolerated.
    if lcb > -margin:
        status = Status.PASS
    elif ucb < 0 and test.mean < -margin / 2:
        status = Status.FAIL
    else:
        status = Status.UNPROVEN
    return Comparison(metric=metric, test=test, lcb=lcb, ucb=ucb, margin=margin, status=status)


def _deciding(trial: RegimeTrial, floor: Comparison | None, policy: Policy) -> list[Status]:
    """Give the statuses that count: those over the champion, and the floor where it can decide.

    A champion may itself be unproven against the prior, and a candidate that is no worse than it does no
    harm there. So a floor that is merely unproven stops nobody, unless the policy asks for its proof or
    there is no champion to compare with.
    """
    safety = [trial.over_champion[m].status for m in policy.safety_metrics if m in trial.over_champion]
    proven = Status.UNPROVEN if floor is None else floor.status
    decides = policy.floor_required or not safety or proven is Status.FAIL
    return [*safety, proven] if decides else safety


def _status(trial: RegimeTrial, floor: Comparison | None, policy: Policy) -> Status:
    if not trial.sufficient:
        return Status.INSUFFICIENT
    statuses = _deciding(trial, floor, policy)
    return next(worst for worst in (Status.FAIL, Status.UNPROVEN, Status.PASS) if worst in statuses)


def _reason(trial: RegimeTrial, floor: Comparison | None, policy: Policy) -> str:
    if not trial.sufficient:
        return (
            f"Too little evidence: {trial.days} of {policy.days_min} days, {trial.rows} of"
            f" {policy.rows_min} rows, {trial.episodes} of {policy.episodes_min} episodes."
        )
    parts = [
        _sentence(trial.over_champion[m], "champion")
        for m in policy.safety_metrics
        if m in trial.over_champion
    ]
    parts.append("The regime prior is not known." if floor is None else _sentence(floor, "regime prior"))
    return " ".join(parts)


def _sentence(comparison: Comparison, other: str) -> str:
    what = {
        Status.PASS: f"No worse than the {other}",
        Status.FAIL: f"Worse than the {other}",
        Status.UNPROVEN: f"Not shown to be no worse than the {other}",
    }[comparison.status]
    return (
        f"{what} in {comparison.metric.replace('_', '-')}: gain {comparison.test.mean:+.4f}"
        f" [{comparison.lcb:+.4f}, {comparison.ucb:+.4f}], margin {comparison.margin:.4f}."
    )
