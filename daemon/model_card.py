"""The card of a version: what it is and is not for, what it was made of, and what its evidence shows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from daemon.layout import EXPLANATION, RELIABILITY, SCORECARDS
from daemon.page import Code, Page, Points, Section, Table
from regime.ablation import Ablation
from regime.explanation import Explanation
from regime.reliability import Reliability
from regime.scorecard import REGIME_PRIOR, Scorecard
from regime.types import REGIMES
from registry.types import MemberStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from regime.bootstrap import Interval
    from regime.types import Regime
    from registry.store import Registry
    from registry.types import Manifest

ENSEMBLE: Final = "ensemble"
"""As in ``regime.models.ensemble``, which would bring every model library along."""
VOLATILITY_BARRIER: Final = "volatility_barrier"
"""As in ``regime.out_of_fold``, which would bring numpy along."""
NAMED: Final = {"weights": "weights", "archive": "archive rows", "sampling": "over-sampled rows"}
"""What an ablation's sentence calls each choice."""
FEATURES_SHOWN: Final = 5
SYMBOLS_SHOWN: Final = 40
UNKNOWN: Final = "-"
"""What is not known; never a zero."""
READING: Final = (
    "Out of sample, in purged walk-forward. acc is the share of rows whose most probable class came true,"
    " beside that of the majority class; loss is the mean log-loss in nats, beside that of the regime prior;"
    " skill is 1 - loss / loss of the prior. Intervals are by days, 95 %. A dash means that the evidence is"
    " too little to say."
)
AGAIN: Final = (
    "With the same bars (data hash), settings, seed and packages a run gives the same bytes; the stored"
    " golden rows show that a loaded version predicts what it predicted when it was trained."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Everything that a card is made of. ``role`` is the alias that the version holds."""

    name: str
    role: str | None
    manifest: Manifest
    scorecard: Mapping[str, Any]
    cards: Mapping[str, Scorecard]
    explanation: Explanation | None
    reliability: Reliability | None
    report: Mapping[str, Any] | None


def told_of(registry: Registry, name: str) -> Told:
    """Read what a registry has of a version."""
    version = registry.version(name)
    stored = registry.artifacts(name)
    roles = [alias.value for alias, holder in registry.aliases().items() if holder == name]
    return told_from(
        name,
        version.manifest,
        registry.scorecard(name),
        lambda artifact: registry.get_blob(stored[artifact].sha256) if artifact in stored else None,
        role=", ".join(roles) or None,
        report=registry.report(name),
    )


def told_from(
    name: str,
    manifest: Manifest,
    scorecard: Mapping[str, Any],
    read: Callable[[str], bytes | None],
    *,
    role: str | None,
    report: Mapping[str, Any] | None,
) -> Told:
    """Read a version whose artifacts ``read`` gives by name, ``None`` if there is none of that name."""
    explanation, reliability = read(EXPLANATION), read(RELIABILITY)
    cards: dict[str, Any] = json.loads(read(SCORECARDS) or b"{}")
    return Told(
        name=name,
        role=role,
        manifest=manifest,
        scorecard=scorecard,
        cards={each: Scorecard.from_json(stored) for each, stored in cards.items()},
        explanation=None if explanation is None else Explanation.from_json(json.loads(explanation)),
        reliability=None if reliability is None else Reliability.from_json(json.loads(reliability)),
        report=report,
    )


def page_of(told: Told) -> Page:
    """Give the card of a version."""
    manifest = told.manifest
    verdict = UNKNOWN if told.report is None else told.report["verdict"]
    return Page(
        title=f"Model card: {told.name}",
        summary=(
            f"Trained {manifest.created_at:%Y-%m-%d} on days {manifest.trained_from} to"
            f" {manifest.trained_to}; role: {told.role or 'none'}; gate: {verdict}."
        ),
        sections=(
            _purpose(manifest),
            _data(told),
            _recipe(manifest),
            _members(told),
            _evidence(told.cards[ENSEMBLE]),
            _worth(told.scorecard),
            _belief(told),
            _looks(told.explanation),
            _gate(told.report),
            _limits(told),
            _again(told),
        ),
    )


def _purpose(manifest: Manifest) -> Section:
    target = manifest.target
    return Section(
        title="What it is for, and what not",
        blocks=(
            (
                f"For each symbol and day it gives, from what was known at the close, the probabilities of"
                f" {', '.join(manifest.classes)}: which barrier of the target {target['name']} is touched"
                f" first within {target['horizon_days']} sessions ({target['kind']}, up {target['up']}, down"
                f" {target['down']}), or none."
            ),
            Points(
                items=(
                    "For: ranking and sizing of ideas beside other evidence, and comparing recipes.",
                    (
                        "Not for: orders without a person or a risk limit; other horizons, intraday prices,"
                        " or markets unlike those it was trained on."
                    ),
                    "Not for: features of another hash; it refuses them.",
                )
            ),
        ),
    )


def _data(told: Told) -> Section:
    manifest = told.manifest
    symbols = sorted(told.cards[ENSEMBLE].symbols)
    more = f" and {len(symbols) - SYMBOLS_SHOWN} more" if len(symbols) > SYMBOLS_SHOWN else ""
    return Section(
        title="Data",
        blocks=(
            _facts(
                ("days", f"{manifest.trained_from} to {manifest.trained_to}"),
                ("rows", manifest.trained_rows),
                ("symbols in the evidence", f"{len(symbols)}: {', '.join(symbols[:SYMBOLS_SHOWN])}{more}"),
                ("data version", manifest.data_version),
                ("data hash", manifest.data_hash),
                ("features", f"{len(manifest.feature_names)} of catalogue {manifest.feature_catalogue}"),
                ("feature hash", manifest.feature_hash),
            ),
        ),
    )


def _recipe(manifest: Manifest) -> Section:
    return Section(
        title="Recipe",
        blocks=(
            _facts(
                ("run", manifest.run_id),
                ("recipe hash", manifest.recipe_hash),
                ("settings hash", manifest.settings_hash),
                *((name, json.dumps(value)) for name, value in sorted(manifest.settings.items())),
                ("packages", ", ".join(f"{name} {each}" for name, each in sorted(manifest.packages.items()))),
            ),
        ),
    )


def _members(told: Told) -> Section:
    weights = told.scorecard["weights"]
    stored = told.manifest.members
    fitted = [name for name in (*told.cards, *stored) if name not in stored or stored[name].sha256]
    rows = tuple(_member(told, name, weights.get(name)) for name in dict.fromkeys(fitted))
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


def _member(told: Told, name: str, weight: float | None) -> tuple[str, ...]:
    member, scores = told.manifest.members.get(name), told.cards.get(name)
    against = [_skill(scores, None, baseline) for baseline in (REGIME_PRIOR, VOLATILITY_BARRIER)]
    return (
        name,
        (member.format if member else None) or UNKNOWN,
        UNKNOWN if weight is None else f"{100 * weight:.1f}",
        *against[0],
        *against[1],
    )


def _evidence(scores: Scorecard) -> Section:
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


def _worth(scorecard: Mapping[str, Any]) -> Section:
    said = tuple(
        Ablation.from_json(stored).said(NAMED.get(name, name))
        for name, stored in scorecard["ablations"].items()
    )
    return Section(
        title="What its choices were worth",
        blocks=(Points(items=said) if said else "No choice was measured by a control.",),
    )


def _belief(told: Told) -> Section:
    if told.reliability is None:
        return Section(title="Reliability", blocks=("This version has no reliability counts.",))
    reliability = told.reliability
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


def _looks(explanation: Explanation | None) -> Section:
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


def _gate(report: Mapping[str, Any] | None) -> Section:
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


def _limits(told: Told) -> Section:
    return Section(title="Limits", blocks=(Points(items=tuple(_limits_of(told))),))


def _limits_of(told: Told) -> Iterator[str]:
    scores = told.cards[ENSEMBLE]
    thin = [regime.value for regime in REGIMES if scores.skill(regime, REGIME_PRIOR) is None]
    if thin:
        yield f"Nothing is known of its skill in {', '.join(thin)}: too few rows."
    for regime in REGIMES:
        interval = scores.interval(regime, REGIME_PRIOR)
        if interval is not None and interval.high < 0:
            yield f"It is shown to be worse than the regime prior in {regime.value}."
    absent = told.scorecard["folds"][-1]["regimes_absent"]
    if absent:
        yield f"Its final fit saw no row of {', '.join(absent)}."
    yield "The evidence is of one history; spells of a regime are few, and rows of one day move together."
    yield "Costs, taxes, slippage and the effect of one's own orders are not in the target."
    yield "The final fit saw later days than the models that were examined, and was not examined itself."


def _again(told: Told) -> Section:
    return Section(
        title="How to reproduce it",
        blocks=(
            AGAIN,
            Code(
                text=f"regimed models verify\nregimed models show {told.name} --json\n"
                f"regimed models export {told.name} --format dir --to FOLDER\nregimed train --now"
            ),
        ),
    )


def _facts(*rows: tuple[str, object]) -> Table:
    return Table(header=("fact", "value"), rows=tuple((name, str(value)) for name, value in rows))


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
