"""Two versions side by side: what was done differently, and how both did on the rows that both predicted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from regime.scorecard import OVERALL
from regime.types import REGIMES
from registry.policy import Metric
from registry.safety import regime_days, regime_verdict, try_regime
from registry.statistics import block_test, daily_means, hits, log_losses
from registry.types import MemberStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from registry.evidence import Evidence
    from registry.gate_report import RegimeVerdict
    from registry.policy import Policy
    from registry.types import Manifest


class Difference(NamedTuple):
    """Something that the two have differently; None is not there, or not set."""

    name: str
    a: Any
    b: Any


class Both(NamedTuple):
    """The same number of both versions."""

    a: float
    b: float


class Bounded(NamedTuple):
    """A mean gain of the first version over the second, with one-sided bounds."""

    mean: float
    lcb: float
    ucb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was done differently when the two were made."""

    settings: tuple[Difference, ...]
    packages: tuple[Difference, ...]
    members: tuple[Difference, ...]
    features_only_a: tuple[str, ...]
    features_only_b: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How both did on some rows: means over days, each day once however many symbols it has.

    None where there is no row. ``log_loss`` is in nats, ``accuracy`` a share of rows.
    """

    rows: int
    days: int
    log_loss: Both | None
    accuracy: Both | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Both on the rows that both predicted out of sample.

    ``scores`` is by regime and overall; overall has every row, also those of no known regime. ``gain`` is
    that of all days, None if they are fewer than the policy asks of a regime. ``verdicts`` are what the
    gate finds in each regime, whatever the artifacts are worth.
    """

    scores: Mapping[str, Score]
    gain: Bounded | None
    verdicts: tuple[RegimeVerdict, ...]


def made_differently(a: Manifest, b: Manifest) -> Made:
    """Give what differs in the recipes and surroundings of two versions."""
    return Made(
        settings=differences(a.settings, b.settings),
        packages=differences(a.packages, b.packages),
        members=differences(_members(a), _members(b)),
        features_only_a=tuple(name for name in a.feature_names if name not in b.feature_names),
        features_only_b=tuple(name for name in b.feature_names if name not in a.feature_names),
    )


def differences(a: Mapping[str, object], b: Mapping[str, object]) -> tuple[Difference, ...]:
    """Give the values that differ between two nested mappings, by their dotted names.

    >>> differences({"seed": 1, "fit": {"rows": 9, "days": 2}}, {"seed": 1, "fit": {"rows": 8}})
    (Difference(name='fit.days', a=2, b=None), Difference(name='fit.rows', a=9, b=8))
    """
    flat_a, flat_b = dict(_leaves(a)), dict(_leaves(b))
    return tuple(
        Difference(name, flat_a.get(name), flat_b.get(name))
        for name in sorted(flat_a.keys() | flat_b.keys())
        if flat_a.get(name) != flat_b.get(name)
    )


def _leaves(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _members(manifest: Manifest) -> dict[str, object]:
    return {
        name: member.format if member.status is MemberStatus.FITTED else f"failed: {member.reason}"
        for name, member in manifest.members.items()
    }


def compared(evidence: Evidence, policy: Policy) -> Comparison:
    """Compare the candidate of some evidence with its champion, in each regime and overall."""
    rows = evidence.ordered()
    assert rows.champion is not None  # noqa: S101 - there are two versions
    sides = tuple(
        {
            Metric.LOG_LOSS: log_losses(proba, rows.truth, policy.probability_min),
            Metric.ACCURACY: hits(proba, rows.truth),
        }
        for proba in (rows.candidate, rows.champion)
    )
    inside = {regime.value: rows.regime == regime.value for regime in REGIMES}
    inside[OVERALL] = np.ones(len(rows), dtype=np.bool_)

    def both(metric: Metric, at: NDArray[np.bool_]) -> Both | None:
        return Both(*(_mean(rows.date[at], side[metric][at]) for side in sides)) if at.any() else None

    a, b = (side[policy.metric] for side in sides)
    gains = b - a if policy.metric is Metric.LOG_LOSS else a - b
    return Comparison(
        scores={
            name: Score(
                rows=int(at.sum()),
                days=len(np.unique(rows.date[at])),
                log_loss=both(Metric.LOG_LOSS, at),
                accuracy=both(Metric.ACCURACY, at),
            )
            for name, at in inside.items()
        },
        gain=_bounded(daily_means(rows.date, gains), policy),
        verdicts=tuple(
            regime_verdict(try_regime(days, policy), policy) for days in regime_days(evidence, policy)
        ),
    )


def _mean(date: NDArray[np.datetime64], values: NDArray[np.float64]) -> float:
    return float(daily_means(date, values).mean())


def _bounded(daily: NDArray[np.float64], policy: Policy) -> Bounded | None:
    if len(daily) < policy.days_min:
        return None
    test = block_test(daily, policy.blocks_of(len(daily)))
    return Bounded(test.mean, test.lower(policy.alpha), test.upper(policy.alpha))
