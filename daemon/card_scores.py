"""The sections of a model card that are made of scores: members, evidence, reliability, the gate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from daemon.page import Points, Section, Table
from regime.ablation import INGREDIENTS, Ablation
from regime.scorecard import REGIME_PRIOR, VOLATILITY_BARRIER
from regime.types import REGIMES
from registry.types import MemberStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regime.bootstrap import Interval
    from regime.explanation import Explanation
    from regime.reliability import Reliability
    from regime.scorecard import Scorecard
    from regime.types import Regime
    from registry.types import Manifest

ENSEMBLE: Final = "ensemble"
"""As in ``regime.models.ensemble``, which would bring every model library along."""
FEATURES_SHOWN: Final = 5
UNKNOWN: Final = "-"
"""What is not known; never a zero."""
READING: Final = (
    "Out of sample, in purged walk-forward. acc is the share of rows whose most probable class came true,"
    " beside that of the majority class; loss is the mean log-loss in nats, beside that of the regime prior;"
    " skill is 1 - loss / loss of the prior. Intervals are by days, 95 %. A dash means that the evidence is"
    " too little to say."
)


def members(manifest: Manifest, scorecard: Mapping[str, Any], cards: Mapping[str, Scorecard]) -> Section:
    """Say which members there are, what they weigh, and how good each is."""
    weights = scorecard["weights"]
    stored = manifest.members
    fitted = [name for name in (*cards, *stored) if name not in stored or stored[name].sha256]
    rows = tuple(_member(manifest, cards, name, weights.get(name)) for name in dict.fromkeys(fitted))
    failed = tuple(
        f"{name} is missing: {member.reason}"
        for name, member in stored.items()
        if member.status is MemberStatus.FAILED
    )
    header = ("member", "format", "weight %", "vs prior %", "95 %", "vs barrier %", "95 %")
    return Section(
        title="Members and weights",
        blocks=(Table(header=header, rows=rows), *((Points(items=failed),) if failed else ())),
    )


def _member(
    manifest: Manifest, cards: Mapping[str, Scorecard], name: str, weight: float | None
) -> tuple[str, ...]:
    member, scores = manifest.members.get(name), cards.get(name)
    against = [_skill(scores, None, baseline) for baseline in (REGIME_PRIOR, VOLATILITY_BARRIER)]
    return (
        name,
        (member.format if member else None) or UNKNOWN,
        UNKNOWN if weight is None else f"{100 * weight:.1f}",
        *against[0],
        *against[1],
    )


def evidence(scores: Scorecard) -> Section:
    """Give the scores by regime, beside their baselines."""
    rows = tuple(_scores(scores, regime) for regime in (*REGIMES, None))
    header = (
        "regime", "rows", "days", "spells", "acc", "majority", "loss", "prior", "skill %", "95 %",
        "vs barrier %", "95 %",
    )  # fmt: skip
    return Section(
        title="Evidence by regime",
        blocks=(
            READING,
            Table(header=header, rows=rows),
        ),
    )


def _scores(scores: Scorecard, regime: Regime | None) -> tuple[str, ...]:
    tally = scores.tally(regime)
    return (
        _named(regime),
        str(tally.rows),
        str(scores.days_in(regime)),
        str(scores.spells_in(regime)),
        _number(tally.accuracy()),
        _number(tally.accuracy("majority")),
        _number(tally.log_loss()),
        _number(tally.log_loss(REGIME_PRIOR)),
        *_skill(scores, regime, REGIME_PRIOR),
        *_skill(scores, regime, VOLATILITY_BARRIER),
    )


def worth(scorecard: Mapping[str, Any]) -> Section:
    """Say what each choice of the recipe was worth, by its control."""
    said = tuple(
        Ablation.from_json(stored).said(INGREDIENTS.get(name, name))
        for name, stored in scorecard["ablations"].items()
    )
    return Section(
        title="What its choices were worth",
        blocks=(Points(items=said) if said else "No choice was measured by a control.",),
    )


def belief(reliability: Reliability | None) -> Section:
    """Say how far its probabilities can be believed."""
    if reliability is None:
        return Section(title="Reliability", blocks=("This version has no reliability counts.",))
    others = tuple(name for name in (REGIME_PRIOR, VOLATILITY_BARRIER) if name in reliability.predictors)
    rows = tuple(
        (
            _named(regime),
            *(_percent(reliability.calibration_error(name, regime)) for name in (ENSEMBLE, *others)),
        )
        for regime in (*REGIMES, None)
    )
    return Section(
        title="Reliability",
        blocks=(
            "Expected calibration error: by how much stated probabilities and frequencies differ, in %.",
            Table(header=("regime", ENSEMBLE, *others), rows=rows),
        ),
    )


def looks(explanation: Explanation | None) -> Section:
    """Name the features that it looks at, by regime."""
    if explanation is None:
        return Section(title="What it looks at", blocks=("This version has no explanation.",))
    rows = tuple(
        (
            _named(regime),
            "too few rows"
            if ranking is None
            else ", ".join(f"{top.feature} {100 * top.share:.0f} %" for top in ranking.top[:FEATURES_SHOWN]),
        )
        for regime, ranking in explanation.rankings()
    )
    return Section(
        title="What it looks at",
        blocks=(
            f"Shares of all mean absolute contributions (Shapley values) of {explanation.model}.",
            Table(header=("regime", "top features"), rows=rows),
        ),
    )


def gate(report: Mapping[str, Any] | None) -> Section:
    """Tell the last report of the gate."""
    if report is None:
        return Section(title="Gate", blocks=("The gate of this registry has not judged it.",))
    rows = tuple(
        (
            each["regime"],
            each["status"],
            _count(each["days"]),
            _count(each["episodes"]),
            _number(each["mean"]),
            _number(each["lcb"]),
            _number(each["ucb"]),
            _number(each["margin"]),
            each["reason"],
        )
        for each in report["regimes"]
    )
    header = ("regime", "status", "days", "episodes", "gain", "lcb", "ucb", "margin", "reason")
    return Section(
        title="Gate",
        blocks=(
            f"{report['verdict']}: {report['reason']}",
            (
                f"Against {report['champion'] or 'no champion'}, policy {report['policy']}"
                f" ({report['policy_hash'][:12]}), {report['evidence_rows']} rows; gains are in nats."
            ),
            Table(header=header, rows=rows),
        ),
    )


def _named(regime: Regime | None) -> str:
    return "all" if regime is None else regime.value


def _skill(scores: Scorecard | None, regime: Regime | None, baseline: str) -> tuple[str, str]:
    if scores is None or baseline not in scores.baselines:
        return UNKNOWN, UNKNOWN
    skill = scores.skill(regime, baseline)
    return UNKNOWN if skill is None else f"{100 * skill:+.1f}", _range(scores.interval(regime, baseline))


def _range(interval: Interval | None) -> str:
    return UNKNOWN if interval is None else f"{100 * interval.low:+.1f}…{100 * interval.high:+.1f}"


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return UNKNOWN if value is None else f"{100 * value:.1f}"


def _count(value: int | None) -> str:
    return UNKNOWN if value is None else str(value)
